// Package apitext writes down what a package exports, one line for each name,
// so that a change of the API shows in a diff and has to be meant.
//
// It works on syntax alone and so needs no build for the system in question.
// Methods promoted from embedded fields are not listed; the fields are.
package apitext

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"sort"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// Packages groups the files of packages that users can import, by directory,
// with the files that a build for the system takes. The packages below
// sys/<system> are taken as their own system sees them.
func Packages(files []*source.File, system string) (map[string][]*source.File, error) {
	packages := make(map[string][]*source.File)
	for _, file := range files {
		internal := slices.Contains(strings.Split(file.Dir(), "/"), "internal")
		if file.Module() != "." || file.Test() || file.Main() || internal {
			continue
		}
		target := source.Target{OS: system, Arch: "amd64"}
		if own, ok := strings.CutPrefix(file.Dir(), "sys/"); ok {
			target.OS, _, _ = strings.Cut(own, "/")
		}
		taken, err := file.Match(target)
		if err != nil {
			return nil, err
		}
		if taken {
			packages[file.Dir()] = append(packages[file.Dir()], file)
		}
	}
	return packages, nil
}

// Text lists the exported names of a package, in a stable order. It is empty
// for a package that exports nothing.
func Text(files []*source.File) string {
	w := &writer{}
	for _, file := range files {
		for _, decl := range file.AST.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				w.function(decl)
			case *ast.GenDecl:
				w.general(decl)
			}
		}
	}
	sort.Strings(w.lines)
	return strings.Join(w.lines, "")
}

// A writer collects lines.
type writer struct {
	lines []string
}

func (w *writer) line(words ...string) {
	w.lines = append(w.lines, strings.Join(words, "")+"\n")
}

func (w *writer) function(decl *ast.FuncDecl) {
	if !decl.Name.IsExported() {
		return
	}
	signature := decl.Name.Name + parameters(decl.Type.TypeParams) + call(decl.Type)
	if decl.Recv == nil {
		w.line("func ", signature)
		return
	}
	receiver := types.ExprString(decl.Recv.List[0].Type)
	name, _, _ := strings.Cut(strings.TrimPrefix(receiver, "*"), "[")
	if ast.IsExported(name) {
		w.line("type ", name, ", method (", receiver, ") ", signature)
	}
}

func (w *writer) general(decl *ast.GenDecl) {
	var inherited ast.Expr // the type of a constant that repeats the line before it
	for _, spec := range decl.Specs {
		switch spec := spec.(type) {
		case *ast.TypeSpec:
			w.typ(spec)
		case *ast.ValueSpec:
			if spec.Type != nil || len(spec.Values) > 0 {
				inherited = spec.Type
			}
			w.values(decl.Tok, spec, inherited)
		}
	}
}

func (w *writer) values(tok token.Token, spec *ast.ValueSpec, typ ast.Expr) {
	for i, name := range spec.Names {
		if !name.IsExported() {
			continue
		}
		about := ""
		if i < len(spec.Values) {
			about = value(spec.Values[i])
		}
		if typ != nil {
			about = " " + types.ExprString(typ)
		}
		w.line(tok.String(), " ", name.Name, about)
	}
}

// value tells what can be told about an initial value: a constant, or the type
// of a composite literal.
func value(expr ast.Expr) string {
	switch e := expr.(type) {
	case *ast.BasicLit, *ast.BinaryExpr:
		return " = " + types.ExprString(expr)
	case *ast.CompositeLit:
		if e.Type != nil {
			return " " + types.ExprString(e.Type)
		}
	case *ast.UnaryExpr:
		if literal, ok := e.X.(*ast.CompositeLit); ok && e.Op == token.AND && literal.Type != nil {
			return " *" + types.ExprString(literal.Type)
		}
	}
	return ""
}

func (w *writer) typ(spec *ast.TypeSpec) {
	if !spec.Name.IsExported() {
		return
	}
	head := "type " + spec.Name.Name
	parameters := parameters(spec.TypeParams)
	switch t := spec.Type.(type) {
	case *ast.StructType:
		w.line(head, parameters, " struct")
		w.members(head, ", field ", t.Fields)
	case *ast.InterfaceType:
		w.line(head, parameters, " interface")
		w.members(head, ", method ", t.Methods)
	default:
		equals := " "
		if spec.Assign.IsValid() {
			equals = " = "
		}
		w.line(head, parameters, equals, types.ExprString(spec.Type))
	}
}

// members lists exported fields or methods, and what is embedded. Anything
// unexported shows as one line, since it decides whether a user can implement
// the interface or write the struct without field names.
func (w *writer) members(head, kind string, list *ast.FieldList) {
	hidden := false
	for _, field := range list.List {
		text := types.ExprString(field.Type)
		if len(field.Names) == 0 {
			w.line(head, ", embedded ", text)
		}
		for _, name := range field.Names {
			signature, isMethod := field.Type.(*ast.FuncType)
			switch {
			case !name.IsExported():
				hidden = true
			case isMethod && kind == ", method ":
				w.line(head, kind, name.Name, call(signature))
			default:
				w.line(head, kind, name.Name, " ", text)
			}
		}
	}
	if hidden {
		w.line(head, ", unexported members")
	}
}

// call is a signature without the word func.
func call(signature *ast.FuncType) string {
	plain := &ast.FuncType{Params: signature.Params, Results: signature.Results}
	return strings.TrimPrefix(types.ExprString(plain), "func")
}

// parameters writes type parameters with their constraints.
func parameters(list *ast.FieldList) string {
	if list == nil {
		return ""
	}
	var parts []string
	for _, field := range list.List {
		var names []string
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
		parts = append(parts, strings.Join(names, ", ")+" "+types.ExprString(field.Type))
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
