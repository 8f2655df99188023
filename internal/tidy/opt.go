package tidy

import (
	"go/ast"
	"path"
	"regexp"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// optMark matches a mark with its identifier and, on the same line, its reason.
var optMark = regexp.MustCompile(`^//lion:opt ([a-z][a-z0-9]*(?:-[a-z0-9]+)*)(?:[: ]+(.*))?$`)

// optMention matches a mark anywhere in a comment, as in an essay about it.
var optMention = regexp.MustCompile(`lion:opt ([a-z][a-z0-9-]*)(.*)`)

// OptMarks finds marks of optimizations that are not of the form
//
//	//lion:opt short-identifier the reason
//
// identifiers whose reason is given nowhere, and identifiers that stand for
// ideas in several packages. The reason may also stand in the comment around a
// mark, or in any comment of the package that mentions the mark; further marks
// of the same idea need none. The mirror images of one idea in the packages of
// the three systems count as one.
func OptMarks(files []*source.File) []Finding {
	var findings []Finding
	var marks []optMarkAt
	reasons := make(map[string]bool)
	for _, file := range files {
		for _, group := range file.AST.Comments {
			collectReasons(mirrorDir(file.Dir()), group, reasons)
			for _, comment := range group.List {
				if !isOptMark(comment.Text) {
					continue
				}
				if match := optMark.FindStringSubmatch(comment.Text); match != nil {
					marks = append(marks, optMarkAt{file, comment, match[1]})
					continue
				}
				findings = append(findings, found("opt", file, comment.Pos(),
					"write //lion:opt, a lower-case identifier, and the reason"))
			}
		}
	}
	return append(findings, doubtful(marks, reasons)...)
}

type optMarkAt struct {
	file    *source.File
	comment *ast.Comment
	id      string
}

// doubtful finds well-formed marks without a reason, or with an identifier
// that is taken.
func doubtful(marks []optMarkAt, reasons map[string]bool) []Finding {
	var findings []Finding
	home := make(map[string]string)
	for _, mark := range marks {
		dir := mirrorDir(mark.file.Dir())
		if home[mark.id] == "" {
			home[mark.id] = dir
		}
		switch {
		case home[mark.id] != dir:
			findings = append(findings, found("opt", mark.file, mark.comment.Pos(),
				"%s already names an optimization in %s", mark.id, home[mark.id]))
		case !reasons[dir+" "+mark.id]:
			findings = append(findings, found("opt", mark.file, mark.comment.Pos(),
				"nothing says why %s is there", mark.id))
		}
	}
	return findings
}

// collectReasons notes the identifiers that a comment mentions and explains.
func collectReasons(dir string, group *ast.CommentGroup, reasons map[string]bool) {
	for _, comment := range group.List {
		match := optMention.FindStringSubmatch(comment.Text)
		if match == nil {
			continue
		}
		inline := strings.TrimSpace(match[2]) != ""
		if inline || len(group.List) > 1 {
			reasons[dir+" "+match[1]] = true
		}
	}
}

// isOptMark reports whether a comment is meant as a mark, well-formed or not.
// One that only tells about marks has other characters before it.
func isOptMark(text string) bool {
	text = strings.TrimLeft(strings.TrimPrefix(text, "//"), " \t")
	return strings.HasPrefix(text, "lion:opt")
}

// mirrorDir gives the packages of the three systems one name.
func mirrorDir(dir string) string {
	if path.Dir(dir) == "sys" && dir != "sys/internal" {
		return "sys/<system>"
	}
	return dir
}
