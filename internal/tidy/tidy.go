// Package tidy holds the rules of style that a machine can check. Each rule
// looks at parsed files and answers with findings; tidy_test.go in the root of
// the repository runs them all and holds the exceptions, each with its reason.
//
// A rule is a plain function, so that a test can show it a bad snippet and see
// that it objects: a check that cannot fail is worth nothing.
package tidy

import (
	"fmt"
	"go/ast"
	"go/token"
	"sort"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// Module is the path of the root module.
const Module = "github.com/lion-go/lion"

// A Finding is one place that breaks a rule.
type Finding struct {
	Rule    string // the name by which an exception refers to the rule
	Path    string // the file, as source.File has it
	Line    int    // counted from 1
	Message string // what is wrong, and what to do instead
}

// String is the finding in the form that editors understand.
func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s (%s)", f.Path, f.Line, f.Message, f.Rule)
}

// A Rule looks at files and answers with what is wrong about them.
type Rule func(files []*source.File) []Finding

// Rules are all rules but those of size, which have a ratchet.
func Rules() []Rule {
	return []Rule{
		Formatted, PackageDocs, Docs, Essays,
		TaskFirst, CheckpointDocs,
		Banned, Skips, Panics, Leftovers,
		OptMarks, DeadFiles, DeadNames,
	}
}

// Check runs the rules over the files and sorts what they found.
func Check(files []*source.File, rules ...Rule) []Finding {
	var findings []Finding
	for _, rule := range rules {
		findings = append(findings, rule(files)...)
	}
	sort.SliceStable(findings, func(i, j int) bool {
		a, b := findings[i], findings[j]
		if a.Path != b.Path {
			return a.Path < b.Path
		}
		return a.Line < b.Line
	})
	return findings
}

// An Exception permits what a rule objects to in one file.
type Exception struct {
	Rule   string // the Rule of the findings
	Path   string // the file
	Reason string // why, for readers
}

// Except removes the findings that an exception permits. It answers with the
// others, and with the exceptions that permitted nothing and should go.
func Except(findings []Finding, exceptions []Exception) (left []Finding, unused []Exception) {
	used := make(map[Exception]bool)
	for _, finding := range findings {
		permitted := false
		for _, exception := range exceptions {
			if exception.Rule == finding.Rule && exception.Path == finding.Path {
				used[exception], permitted = true, true
			}
		}
		if !permitted {
			left = append(left, finding)
		}
	}
	for _, exception := range exceptions {
		if !used[exception] {
			unused = append(unused, exception)
		}
	}
	return left, unused
}

// found makes the finding of a rule at a position.
func found(rule string, f *source.File, pos token.Pos, format string, args ...any) Finding {
	return Finding{Rule: rule, Path: f.Path, Line: f.Line(pos), Message: fmt.Sprintf(format, args...)}
}

// library reports whether the file is part of a package that users of lion
// link into their programs.
func library(f *source.File) bool {
	return f.Module() == "." && !f.Test() && !f.Main() &&
		!strings.Contains("/"+f.Path, "/internal/")
}

// packages groups files by directory and package name, in a stable order.
func packages(files []*source.File) [][]*source.File {
	index := make(map[string]int)
	var groups [][]*source.File
	for _, file := range files {
		key := file.Dir() + " " + file.AST.Name.Name
		at, ok := index[key]
		if !ok {
			at = len(groups)
			index[key] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], file)
	}
	return groups
}

// receiverName is the name of the type that a method belongs to, "" for a
// function.
func receiverName(decl *ast.FuncDecl) string {
	if decl.Recv == nil || len(decl.Recv.List) == 0 {
		return ""
	}
	expr := decl.Recv.List[0].Type
	for {
		switch e := expr.(type) {
		case *ast.StarExpr:
			expr = e.X
		case *ast.IndexExpr:
			expr = e.X
		case *ast.IndexListExpr:
			expr = e.X
		case *ast.ParenExpr:
			expr = e.X
		case *ast.Ident:
			return e.Name
		default:
			return ""
		}
	}
}

// exported reports whether a user can name the function or method.
func exported(decl *ast.FuncDecl) bool {
	receiver := receiverName(decl)
	return decl.Name.IsExported() && (receiver == "" || ast.IsExported(receiver))
}

// funcName is the name of a function as a reader would write it.
func funcName(decl *ast.FuncDecl) string {
	if receiver := receiverName(decl); receiver != "" {
		return receiver + "." + decl.Name.Name
	}
	return decl.Name.Name
}
