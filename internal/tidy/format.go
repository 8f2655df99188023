package tidy

import (
	"bytes"
	"go/format"
	"regexp"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// Formatted finds files that gofmt would change.
func Formatted(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		want, err := format.Source(file.Source)
		if err != nil {
			findings = append(findings, found("format", file, file.AST.Package, "gofmt fails: %v", err))
		} else if !bytes.Equal(want, file.Source) {
			findings = append(findings, found("format", file, file.AST.Package, "run gofmt -w %s", file.Path))
		}
	}
	return findings
}

// leftover matches the words by which people mark unfinished work.
var leftover = regexp.MustCompile(`\b(` + strings.Join([]string{"TO" + "DO", "FIX" + "ME", "X" + "XX"}, "|") + `)\b`)

// Leftovers finds comments that postpone something.
func Leftovers(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		for _, group := range file.AST.Comments {
			for _, comment := range group.List {
				if word := leftover.FindString(comment.Text); word != "" {
					findings = append(findings, found("leftover", file, comment.Pos(),
						"%s: do it, or open an issue and describe the limit", word))
				}
			}
		}
	}
	return findings
}

// LeftoverText finds the same words in a text that is not Go.
func LeftoverText(path, text string) []Finding {
	var findings []Finding
	for i, line := range strings.Split(text, "\n") {
		if word := leftover.FindString(line); word != "" {
			findings = append(findings, Finding{
				Rule: "leftover", Path: path, Line: i + 1,
				Message: word + ": do it, or open an issue and describe the limit",
			})
		}
	}
	return findings
}

// link matches a link of Markdown and its target.
var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Links lists the files that a text in Markdown refers to.
func Links(text string) []string {
	var targets []string
	for _, match := range link.FindAllStringSubmatch(text, -1) {
		if target := match[1]; !strings.Contains(target, ":") && !strings.HasPrefix(target, "#") {
			targets = append(targets, target)
		}
	}
	return targets
}
