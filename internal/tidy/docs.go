package tidy

import (
	"go/ast"
	"go/token"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// PackageDocs finds packages that no comment introduces.
func PackageDocs(files []*source.File) []Finding {
	var findings []Finding
	for _, group := range packages(files) {
		documented := false
		for _, file := range group {
			documented = documented || file.Test() || file.AST.Doc.Text() != ""
		}
		if !documented {
			findings = append(findings, found("doc", group[0], group[0].AST.Package,
				"package %s has no package comment", group[0].AST.Name.Name))
		}
	}
	return findings
}

// Docs finds exported names without a comment: functions, methods, types,
// constants and variables and, in packages that users import, the fields of
// structs and the methods of interfaces. A comment above a group of
// adjacent lines, or above a whole block, stands for each of them.
func Docs(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		if file.Module() != "." || file.Test() || file.Main() {
			continue
		}
		for _, decl := range file.AST.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if exported(decl) && decl.Doc.Text() == "" {
					findings = append(findings, found("doc", file, decl.Pos(),
						"%s has no comment", funcName(decl)))
				}
			case *ast.GenDecl:
				findings = append(findings, genDecl(file, decl)...)
			}
		}
	}
	return findings
}

func genDecl(file *source.File, decl *ast.GenDecl) []Finding {
	var findings []Finding
	var last inherited
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			if spec.Name.IsExported() {
				if decl.Doc.Text() == "" && spec.Doc.Text() == "" {
					findings = append(findings, found("doc", file, spec.Pos(),
						"%s has no comment", spec.Name.Name))
				}
				if library(file) {
					findings = append(findings, members(file, spec)...)
				}
			}
		case *ast.ValueSpec:
			covered := last.covers(file, spec, spec.Doc)
			if covered || decl.Doc.Text() != "" || spec.Comment.Text() != "" {
				continue
			}
			findings = append(findings, undocumented(file, "", spec.Names)...)
		}
	}
	return findings
}

// members checks the exported fields of a struct or methods of an interface.
func members(file *source.File, spec *ast.TypeSpec) []Finding {
	var list *ast.FieldList
	switch t := spec.Type.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		if len(t.Methods.List) == 1 {
			return nil // the comment of the interface is about its only method
		}
		list = t.Methods
	default:
		return nil
	}
	var findings []Finding
	var last inherited
	for _, field := range list.List {
		if last.covers(file, field, field.Doc) || field.Comment.Text() != "" {
			continue
		}
		findings = append(findings, undocumented(file, spec.Name.Name+".", field.Names)...)
	}
	return findings
}

func undocumented(file *source.File, prefix string, names []*ast.Ident) []Finding {
	var findings []Finding
	for _, name := range names {
		if name.IsExported() {
			findings = append(findings, found("doc", file, name.Pos(), "%s%s has no comment", prefix, name.Name))
		}
	}
	return findings
}

// inherited follows a list of fields or values: a comment above one of them
// covers the lines that follow without a gap.
type inherited struct {
	line int  // the last line of the entry before
	doc  bool // it was covered by a comment above
}

func (in *inherited) covers(file *source.File, node ast.Node, doc *ast.CommentGroup) bool {
	adjacent := in.doc && file.Line(node.Pos()) == in.line+1
	in.doc = doc.Text() != "" || adjacent
	in.line = file.Line(node.End())
	return in.doc
}

// A file of the seam opens with a comment of at least essayLines, enough for one
// fact and what follows from it, unless it is too small to need one.
const (
	essayLines    = 3
	smallFileSize = 60 // lines
)

// Essays finds files of the operating-system packages whose first comment does
// not tell what the kernel does and why the code is as it is.
func Essays(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		if file.Test() || file.Generated || file.Lines() < smallFileSize ||
			!file.Under("sys/linux", "sys/darwin", "sys/windows") {
			continue
		}
		if essay(file) < essayLines {
			findings = append(findings, found("essay", file, file.AST.Package,
				"open with a comment of at least %d lines: the facts of the kernel, hence this code", essayLines))
		}
	}
	return findings
}

// essay counts the lines of comment before the first declaration that is not
// an import, build constraints left out.
func essay(file *source.File) int {
	end := file.AST.End()
	for _, decl := range file.AST.Decls {
		if gen, ok := decl.(*ast.GenDecl); !ok || gen.Tok != token.IMPORT {
			end = decl.Pos()
			break
		}
	}
	lines := 0
	for _, group := range file.AST.Comments {
		if group.Pos() < end {
			lines += strings.Count(group.Text(), "\n")
		}
	}
	return lines
}
