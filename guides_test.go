package lion_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// guides are texts whose code is that of examples: for each, where these are.
var guides = map[string]string{
	"docs/primitives.md":   "loop/example_*_test.go loop/locks/example_*_test.go",
	"docs/iterators.md":    "loop/queue/example_*_test.go",
	"docs/which-stream.md": "socket/stdnet/guide_test.go realapps/compat/guide_test.go",
	"docs/from-net.md":     "socket/stdnet/guide_test.go",
	"docs/from-gnet.md":    "socket/stdnet/guide_gnet_test.go",
}

// TestGuides holds each piece of Go in a guide against the examples, which the
// tests run: it has to be there, line by line, however far indented.
func TestGuides(t *testing.T) {
	for name, patterns := range guides {
		text, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		var examples string
		for _, pattern := range strings.Fields(patterns) {
			files, err := filepath.Glob(filepath.FromSlash(pattern))
			if err != nil || len(files) == 0 {
				t.Fatalf("no examples at %s: %v", pattern, err)
			}
			for _, file := range files {
				example, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				examples += unindented(string(example))
			}
		}
		pieces := strings.Split(string(text), "\n```go\n")[1:]
		if len(pieces) == 0 {
			t.Errorf("%s shows no Go", name)
		}
		for _, piece := range pieces {
			code, _, closed := strings.Cut(piece, "\n```\n")
			if !closed || !strings.Contains(examples, unindented(code)) {
				t.Errorf("%s shows what no example runs:\n%s", name, code)
			}
		}
	}
}

// unindented returns the lines of a text without the blanks before and behind.
func unindented(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.TrimSpace(line))
	}
	return "\n" + strings.Join(lines, "\n") + "\n"
}
