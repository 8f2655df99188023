package tidy

import (
	"go/ast"
	"regexp"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// TaskFirst finds functions, methods and function types that take a
// *loop.Task anywhere but as their first parameter. A reader sees by the first
// argument whether a call may suspend, and by nothing else.
func TaskFirst(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		isTask := taskMatcher(file)
		ast.Inspect(file.AST, func(node ast.Node) bool {
			signature, ok := node.(*ast.FuncType)
			if !ok || asyncColoured(signature, isTask) {
				return true
			}
			for _, param := range signature.Params.List {
				if isTask(param.Type) {
					findings = append(findings, found("colour", file, param.Pos(),
						"a *loop.Task is the first parameter or none"))
				}
			}
			return true
		})
	}
	return findings
}

// tellsColour matches the words by which a comment tells what a function does to
// the task that calls it. Those that run a body may say that they suspend only
// where the body does.
var tellsColour = regexp.MustCompile(`(?i)checkpoint|schedule point|cancel point|suspend`)

// CheckpointDocs finds exported functions and methods whose comment does not
// tell their colour: what takes a task says what it is as a checkpoint, what
// ends in Nowait says that it never suspends.
func CheckpointDocs(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		if !library(file) {
			continue
		}
		isTask := taskMatcher(file)
		ast.Inspect(file.AST, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.FuncDecl:
				if exported(node) {
					findings = append(findings, colourDoc(file, node.Name, node.Type, node.Doc, isTask)...)
				}
				return false
			case *ast.TypeSpec:
				return node.Name.IsExported()
			case *ast.InterfaceType:
				for _, method := range node.Methods.List {
					findings = append(findings, methodColourDoc(file, node, method, isTask)...)
				}
			}
			return true
		})
	}
	return findings
}

// methodColourDoc checks a method of an interface. What is said about the only
// method of an interface may stand above the interface, where Docs finds it.
func methodColourDoc(file *source.File, in *ast.InterfaceType, method *ast.Field,
	isTask func(ast.Expr) bool) []Finding {
	signature, ok := method.Type.(*ast.FuncType)
	if !ok || len(method.Names) != 1 || !method.Names[0].IsExported() {
		return nil
	}
	if len(in.Methods.List) == 1 && method.Doc == nil {
		return nil
	}
	return colourDoc(file, method.Names[0], signature, method.Doc, isTask)
}

func colourDoc(file *source.File, name *ast.Ident, signature *ast.FuncType, doc *ast.CommentGroup,
	isTask func(ast.Expr) bool) []Finding {
	text := strings.Join(strings.Fields(doc.Text()), " ")
	async := asyncColoured(signature, isTask)
	nowait := strings.HasSuffix(name.Name, "Nowait")
	switch {
	case async && nowait:
		return []Finding{found("colour", file, name.Pos(), "%s takes a task, so it is not a Nowait", name.Name)}
	case async && !tellsColour.MatchString(text):
		return []Finding{found("colour", file, name.Pos(),
			"the comment of %s does not say what it is as a checkpoint", name.Name)}
	case nowait && !strings.Contains(text, "never suspend"):
		return []Finding{found("colour", file, name.Pos(),
			"the comment of %s does not say that it never suspends", name.Name)}
	}
	return nil
}

// asyncColoured reports whether the first parameter is a task.
func asyncColoured(signature *ast.FuncType, isTask func(ast.Expr) bool) bool {
	params := signature.Params.List
	return len(params) > 0 && isTask(params[0].Type)
}

// taskMatcher answers whether an expression of the file is the type *loop.Task.
func taskMatcher(file *source.File) func(ast.Expr) bool {
	inside := file.Dir() == "loop" && file.AST.Name.Name == "loop"
	imports := file.Imports()
	return func(expr ast.Expr) bool {
		star, ok := expr.(*ast.StarExpr)
		if !ok {
			return false
		}
		switch x := star.X.(type) {
		case *ast.Ident:
			return inside && x.Name == "Task"
		case *ast.SelectorExpr:
			pkg, ok := x.X.(*ast.Ident)
			return ok && x.Sel.Name == "Task" && imports[pkg.Name] == Module+"/loop"
		}
		return false
	}
}
