package tidy

import (
	"go/ast"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// DeadFiles finds files that no build takes, and files that declare nothing
// and say nothing: no comment about the package, no directive.
func DeadFiles(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		taken, err := anyBuild(file)
		switch {
		case err != nil:
			findings = append(findings, found("dead", file, file.AST.Package, "%v", err))
		case !taken:
			findings = append(findings, found("dead", file, file.AST.Package, "no build takes this file"))
		case len(file.AST.Decls) == 0 && len(file.AST.Comments) == 0:
			findings = append(findings, found("dead", file, file.AST.Package, "the file is empty"))
		}
	}
	return findings
}

func anyBuild(file *source.File) (bool, error) {
	for _, target := range source.Targets() {
		if ok, err := file.Match(target); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// DeadNames finds unexported declarations whose name occurs nowhere else in
// their package, on any system. It looks at names only, so it misses some and
// accuses none wrongly; staticcheck finds more, but only per system.
func DeadNames(files []*source.File) []Finding {
	uses := make(map[string]map[string]int) // by directory: external tests use the names, too
	for _, file := range files {
		if uses[file.Dir()] == nil {
			uses[file.Dir()] = make(map[string]int)
		}
		countNames(file, uses[file.Dir()])
	}
	var findings []Finding
	for _, file := range files {
		for _, name := range declared(file) {
			if uses[file.Dir()][name.Name] == 1 {
				findings = append(findings, found("dead", file, name.Pos(), "%s is never used", name.Name))
			}
		}
	}
	return findings
}

// countNames counts identifiers, and the names that a linkname directive uses.
func countNames(file *source.File, uses map[string]int) {
	ast.Inspect(file.AST, func(node ast.Node) bool {
		if ident, ok := node.(*ast.Ident); ok {
			uses[ident.Name]++
		}
		return true
	})
	for _, group := range file.AST.Comments {
		for _, comment := range group.List {
			if rest, ok := strings.CutPrefix(comment.Text, "//go:"); ok {
				for _, word := range strings.Fields(rest) {
					uses[word]++
				}
			}
		}
	}
}

// declared lists the unexported names that a file declares for its package and
// that something has to use.
func declared(file *source.File) []*ast.Ident {
	var names []*ast.Ident
	add := func(name *ast.Ident) {
		if !name.IsExported() && name.Name != "_" && name.Name != "main" && name.Name != "init" {
			names = append(names, name)
		}
	}
	for _, decl := range file.AST.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if decl.Body != nil { // else assembly has it, or wants it
				add(decl.Name)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(spec.Name)
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						add(name)
					}
				}
			}
		}
	}
	return names
}
