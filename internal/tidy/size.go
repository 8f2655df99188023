package tidy

import (
	"bufio"
	"fmt"
	"go/ast"
	"sort"
	"strconv"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// A function fits a screen, and a file is read in one sitting.
const (
	MaxFunctionLines = 70
	MaxFileLines     = 500
)

// Sizes maps "path" to the length of each file and "path:function" to the
// length of each function, in lines. Generated files are left out.
func Sizes(files []*source.File) map[string]int {
	sizes := make(map[string]int)
	for _, file := range files {
		if file.Generated {
			continue
		}
		sizes[file.Path] = file.Lines()
		for _, decl := range file.AST.Decls {
			if decl, ok := decl.(*ast.FuncDecl); ok {
				lines := file.Line(decl.End()) - file.Line(decl.Pos()) + 1
				name := file.Path + ":" + funcName(decl)
				sizes[name] = max(sizes[name], lines) // several init functions share a name
			}
		}
	}
	return sizes
}

func limit(name string) int {
	if strings.Contains(name, ":") {
		return MaxFunctionLines
	}
	return MaxFileLines
}

// A Ratchet holds the sizes of old offenders. It turns one way only.
type Ratchet map[string]int

// ParseRatchet reads lines of the form "lines name". Empty lines and lines that
// begin with # are left out.
func ParseRatchet(text string) (Ratchet, error) {
	ratchet := make(Ratchet)
	scanner := bufio.NewScanner(strings.NewReader(text))
	for scanner.Scan() {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		count, name, _ := strings.Cut(line, " ")
		lines, err := strconv.Atoi(count)
		if err != nil || name == "" {
			return nil, fmt.Errorf("bad line in the ratchet: %q", line)
		}
		ratchet[name] = lines
	}
	return ratchet, scanner.Err()
}

// Oversized compares sizes with the limits and with the ratchet, and names
// what has grown and what the ratchet should now forget or lower.
func Oversized(sizes map[string]int, ratchet Ratchet) []string {
	var complaints []string
	for name, lines := range sizes {
		allowed, old := ratchet[name]
		switch {
		case !old && lines > limit(name):
			complaints = append(complaints, fmt.Sprintf("%s has %d lines; at most %d: split it", name, lines, limit(name)))
		case old && lines > allowed:
			complaints = append(complaints, fmt.Sprintf("%s grew from %d to %d lines; it may only shrink", name, allowed, lines))
		case old && lines <= limit(name):
			complaints = append(complaints, fmt.Sprintf("%s has %d lines: take it out of the ratchet", name, lines))
		case old && lines < allowed:
			complaints = append(complaints, fmt.Sprintf("%s shrank to %d lines: lower the ratchet", name, lines))
		}
	}
	for name := range ratchet {
		if _, ok := sizes[name]; !ok {
			complaints = append(complaints, name+" is gone: take it out of the ratchet")
		}
	}
	sort.Strings(complaints)
	return complaints
}

// Report tells how long functions are, in one line.
func Report(sizes map[string]int) string {
	var functions []int
	for name, lines := range sizes {
		if strings.Contains(name, ":") {
			functions = append(functions, lines)
		}
	}
	if len(functions) == 0 {
		return "no functions"
	}
	sort.Ints(functions)
	at := func(share float64) int { return functions[int(share*float64(len(functions)-1))] }
	return fmt.Sprintf("%d functions, lines: median %d, p90 %d, longest %d", len(functions), at(0.5), at(0.9), at(1))
}
