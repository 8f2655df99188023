package lion_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestReadme builds the programs that the README shows. The handler of the first
// is the one that the example of this package runs.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "\n```go\n")
	program, _, closed := strings.Cut(rest, "\n```\n")
	if !ok || !closed {
		t.Fatal("README.md shows no Go program")
	}
	example, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, handler, ok := strings.Cut(program, "\nfunc echo(")
	if !ok || !strings.Contains(string(example), "\nfunc echo("+handler+"\n") {
		t.Error("the handler of the README is not the one that example_test.go runs")
	}
	build(t, program)
	for _, piece := range strings.Split(rest, "\n```go\npackage main\n")[1:] {
		program, _, _ := strings.Cut(piece, "\n```\n")
		build(t, "package main\n"+program)
	}
}

func build(t *testing.T, program string) {
	t.Helper()
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command to build the program of the README with")
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "main.go")
	if err := os.WriteFile(file, []byte(program+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	// The file is outside, but its imports are those of the module that the
	// command runs in, which is this one.
	command := exec.Command(goTool, "build", "-o", filepath.Join(dir, "server"), file)
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("the program of the README does not build: %v\n%s", err, out)
	}
}
