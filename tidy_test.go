package lion_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lion-go/lion/internal/source"
	"github.com/lion-go/lion/internal/tidy"
)

// exceptions permit single files what a rule of internal/tidy objects to. One
// that is not needed any more fails the test.
var exceptions = []tidy.Exception{
	{Rule: "time.Sleep", Path: "sys/windows/poller_windows.go",
		Reason: "Wake may not fail: if the kernel is short of memory it pauses and posts again, a bounded number of times"},
	{Rule: "os.Exit", Path: "loop/main.go", Reason: "Main is for programs: it ends them, with their exit code"},
}

// ratchet holds the sizes of functions and files that were too long when the
// limits came. They may shrink, never grow.
const ratchet = "internal/tidy/ratchet.txt"

func TestTidy(t *testing.T) {
	files, err := source.Load(".")
	if err != nil {
		t.Error(err)
	}
	left, unused := tidy.Except(tidy.Check(files, tidy.Rules()...), exceptions)
	for _, finding := range left {
		t.Error(finding)
	}
	for _, exception := range unused {
		t.Errorf("the exception of %s from %q is not needed any more", exception.Path, exception.Rule)
	}
	for _, exception := range exceptions {
		if exception.Reason == "" {
			t.Errorf("the exception of %s from %q gives no reason", exception.Path, exception.Rule)
		}
	}
}

func TestSizes(t *testing.T) {
	files, err := source.Load(".")
	if err != nil {
		t.Error(err)
	}
	text, err := os.ReadFile(ratchet)
	if err != nil {
		t.Fatal(err)
	}
	old, err := tidy.ParseRatchet(string(text))
	if err != nil {
		t.Fatal(err)
	}
	sizes := tidy.Sizes(files)
	for _, complaint := range tidy.Oversized(sizes, old) {
		t.Error(complaint)
	}
	t.Log(tidy.Report(sizes))
}

// TestTexts checks the files that are not Go: words of unfinished work, and
// links to files that are not there.
func TestTexts(t *testing.T) {
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == ".git" || entry.Name() == "testdata") {
			return filepath.SkipDir
		}
		switch filepath.Ext(name) {
		case ".md", ".sh", ".yml", ".txt", ".s", ".html", ".css", ".js":
		default:
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		checkText(t, filepath.ToSlash(name), string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func checkText(t *testing.T, name, text string) {
	t.Helper()
	for _, finding := range tidy.LeftoverText(name, text) {
		t.Error(finding)
	}
	if filepath.Ext(name) != ".md" {
		return
	}
	for _, target := range tidy.Links(text) {
		file, _, _ := strings.Cut(target, "#")
		if _, err := os.Stat(filepath.Join(filepath.Dir(name), filepath.FromSlash(file))); err != nil {
			t.Errorf("%s: broken link to %s", name, target)
		}
	}
}
