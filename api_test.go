package lion_test

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lion-go/lion/internal/apitext"
	"github.com/lion-go/lion/internal/source"
)

var update = flag.Bool("update", false, "write the exported API to the directory api")

// apiHead opens each file in the directory api. The second line is edited by
// hand when a package becomes stable; -update keeps it.
const apiHead = "# The exported API, written by: go test -run TestAPI -update\n# "

const (
	experimental = "experimental: may change in any release"
	stable       = "stable: changes only as Go's own promise of compatibility permits"
)

// TestAPI compares what the packages export with the directory api. A
// difference has to be meant: then write it down with -update, and commit it
// together with the change and an entry in CHANGELOG.md.
func TestAPI(t *testing.T) {
	files, err := source.Load(".")
	if err != nil {
		t.Fatal(err)
	}
	packages, err := apitext.Packages(files, "linux")
	if err != nil {
		t.Fatal(err)
	}
	known := make(map[string]bool)
	for dir, files := range packages {
		if text := apitext.Text(files); text != "" {
			name := filepath.Join("api", filepath.FromSlash(dir)+".txt")
			known[name] = true
			compareAPI(t, name, text)
		}
	}
	for _, name := range apiFiles(t) {
		if known[name] {
			continue
		}
		t.Errorf("%s describes a package that is gone", name)
		if *update {
			t.Log(os.Remove(name))
		}
	}
}

func compareAPI(t *testing.T, name, text string) {
	t.Helper()
	old, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	head, have := splitAPI(string(old))
	if *update {
		writeAPI(t, name, head+text)
		return
	}
	if len(old) == 0 {
		t.Errorf("%s is missing; write it with: go test -run TestAPI -update", name)
		return
	}
	if head != apiHead+stable+"\n\n" && head != apiHead+experimental+"\n\n" {
		t.Errorf("%s does not open with its kind: %q or %q", name, stable, experimental)
	}
	for _, line := range difference(have, text) {
		t.Errorf("%s: %s", name, line)
	}
}

// splitAPI parts the head of a file, up to the first empty line, from the
// names. A file that does not exist yet gets the head of an experimental one.
func splitAPI(text string) (head, names string) {
	head, names, ok := strings.Cut(text, "\n\n")
	if !ok {
		return apiHead + experimental + "\n\n", text
	}
	return head + "\n\n", names
}

func writeAPI(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// difference lists the lines that only one of two texts has.
func difference(old, now string) []string {
	count := make(map[string]int)
	for line := range strings.Lines(now) {
		count[line]++
	}
	var different []string
	for line := range strings.Lines(old) {
		if count[line]--; count[line] < 0 {
			different = append(different, "gone: "+strings.TrimSpace(line))
		}
	}
	for line := range strings.Lines(now) {
		if count[line]--; count[line] >= 0 {
			different = append(different, "new: "+strings.TrimSpace(line))
		}
	}
	return different
}

func apiFiles(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir("api", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	return names
}

func TestDifference(t *testing.T) {
	got := strings.Join(difference("a\nb\n", "b\nc\n"), ", ")
	if got != "gone: a, new: c" {
		t.Errorf("difference: %s", got)
	}
	if got := difference("a\n", "a\n"); len(got) != 0 {
		t.Errorf("difference of equal texts: %v", got)
	}
}
