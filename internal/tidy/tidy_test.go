package tidy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lion-go/lion/internal/source"
	"github.com/lion-go/lion/internal/tidy"
)

// A snapshot shows a rule one file and says what it answers.
type snapshot struct {
	name string
	rule tidy.Rule
	path string
	text string
	want []string // findings as text, without the path
}

func check(t *testing.T, snapshots []snapshot) {
	t.Helper()
	for _, s := range snapshots {
		t.Run(s.name, func(t *testing.T) {
			var got []string
			for _, finding := range tidy.Check(parse(t, s.path, s.text), s.rule) {
				got = append(got, strings.TrimPrefix(finding.String(), finding.Path+":"))
			}
			if !slices.Equal(got, s.want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(s.want, "\n\t"))
			}
		})
	}
}

// parse reads one file, or several that are parted by lines "-- path --".
func parse(t *testing.T, path, text string) []*source.File {
	t.Helper()
	var files []*source.File
	for part := range strings.SplitSeq("-- "+path+" --\n"+text, "\n-- ") {
		name, body, ok := strings.Cut(strings.TrimPrefix(part, "-- "), " --\n")
		if !ok {
			t.Fatalf("no file name in %q", part)
		}
		file, err := source.Parse(name, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

func TestFormat(t *testing.T) {
	check(t, []snapshot{
		{"good", tidy.Formatted, "a.go", "package a\n\nvar x = 1\n", nil},
		{"spaces", tidy.Formatted, "a.go", "package a\n\nvar  x = 1\n", []string{"1: run gofmt -w a.go (format)"}},
		{"leftover", tidy.Leftovers, "a.go", "package a\n\n// FIX" + "ME: later\nvar x = 1\n",
			[]string{"3: FIX" + "ME: do it, or open an issue and describe the limit (leftover)"}},
		{"part of a word", tidy.Leftovers, "a.go", "package a\n\n// " + "TO" + "DOs are words\nvar x = 1\n", nil},
	})
	text := tidy.LeftoverText("README.md", "fine\nX"+"XX not\n")
	if len(text) != 1 || text[0].Line != 2 {
		t.Errorf("findings in a text: %v", text)
	}
	links := tidy.Links("[a](b.md), [c](https://example.org) and [d](#e), [f](g.md#h)")
	if !slices.Equal(links, []string{"b.md", "g.md#h"}) {
		t.Errorf("links: %q", links)
	}
}

const documented = `// Package p does.
package p

// T is.
type T struct {
	// A and B are.
	A, B int
	C int // is

	hidden int
}

// I is.
type I interface {
	// M does.
	M()
}

// Sizes.
const (
	X = 1
	Y = 2
)

const (
	// Group of two.
	U = 1
	V = 2
)

// F does.
func F() {}

type t struct{ X int }

func (t) M() {}
`
const undocumented = `package p

type T struct {
	A int

	// B is.
	B int

	C int
}

type I interface{ M() }

type J interface {
	M()

	// N is.
	N()
}

const (
	// X is.
	X = 1

	Y = 2
)

var Z int

func F() {}

func (*T) M() {}
`

func TestDocs(t *testing.T) {
	long := strings.Repeat("\n", 60)
	check(t, []snapshot{
		{"documented", tidy.Docs, "p/p.go", documented, nil},
		{"undocumented", tidy.Docs, "p/p.go", undocumented, []string{
			"3: T has no comment (doc)", "4: T.A has no comment (doc)", "9: T.C has no comment (doc)",
			"12: I has no comment (doc)", "14: J has no comment (doc)", "15: J.M has no comment (doc)",
			"25: Y has no comment (doc)", "28: Z has no comment (doc)", "30: F has no comment (doc)",
			"32: T.M has no comment (doc)",
		}},
		{"internal members need none", tidy.Docs, "p/internal/p.go", "package p\n\n// T is.\ntype T struct{ A int }\n", nil},
		{"tests need none", tidy.Docs, "p/p_test.go", undocumented, nil},
		{"package with comment", tidy.PackageDocs, "p/p.go", documented, nil},
		{"package without", tidy.PackageDocs, "p/p.go", undocumented, []string{"1: package p has no package comment (doc)"}},
		{"comment in another file", tidy.PackageDocs, "p/p.go", undocumented + "\n-- p/doc.go --\n// Package p is.\npackage p\n", nil},
		{"small", tidy.Essays, "sys/linux/a_linux.go", "package linux\n\n// F.\nfunc F() {}\n", nil},
		{"no essay", tidy.Essays, "sys/linux/a_linux.go", "package linux\n\n// F.\nfunc F() {}\n" + long, []string{
			"1: open with a comment of at least 3 lines: the facts of the kernel, hence this code (essay)"}},
		{"essay", tidy.Essays, "sys/linux/a_linux.go",
			"package linux\n\nimport \"fmt\"\n\n// One.\n// Two.\n// Three.\n\nvar _ = fmt.Sprint\n" + long, nil},
	})
}

func TestColour(t *testing.T) {
	const head = "package p\n\nimport \"" + tidy.Module + "/loop\"\n\n"
	check(t, []snapshot{
		{"first", tidy.TaskFirst, "p/p.go", head + "func f(t *loop.Task, n int) {}\n", nil},
		{"second", tidy.TaskFirst, "p/p.go", head + "func f(n int, t *loop.Task) {}\n",
			[]string{"5: a *loop.Task is the first parameter or none (colour)"}},
		{"method", tidy.TaskFirst, "p/p.go", head + "type T int\n\nfunc (T) f(s string, t *loop.Task) {}\n",
			[]string{"7: a *loop.Task is the first parameter or none (colour)"}},
		{"function type", tidy.TaskFirst, "p/p.go", head + "var f func(int, *loop.Task)\n",
			[]string{"5: a *loop.Task is the first parameter or none (colour)"}},
		{"inside loop", tidy.TaskFirst, "loop/p.go", "package loop\n\nfunc f(l *Loop, t *Task) {}\n",
			[]string{"3: a *loop.Task is the first parameter or none (colour)"}},
		{"another Task", tidy.TaskFirst, "p/p.go", "package p\n\nfunc f(n int, t *Task) {}\n", nil},
		{"says checkpoint", tidy.CheckpointDocs, "p/p.go", head + "// F does. It is a checkpoint.\nfunc F(t *loop.Task) {}\n", nil},
		{"says nothing", tidy.CheckpointDocs, "p/p.go", head + "// F does.\nfunc F(t *loop.Task) {}\n",
			[]string{"6: the comment of F does not say what it is as a checkpoint (colour)"}},
		{"in an interface", tidy.CheckpointDocs, "p/p.go", head + "type I interface {\n\t// F does.\n\tF(t *loop.Task)\n}\n",
			[]string{"7: the comment of F does not say what it is as a checkpoint (colour)"}},
		{"says suspends", tidy.CheckpointDocs, "p/p.go", head + "// F suspends where fn does.\nfunc F(t *loop.Task) {}\n", nil},
		{"only method", tidy.CheckpointDocs, "p/p.go", head + "type I interface {\n\tF(t *loop.Task)\n}\n", nil},
		{"unexported", tidy.CheckpointDocs, "p/p.go", head + "func f(t *loop.Task) {}\n", nil},
		{"nowait", tidy.CheckpointDocs, "p/p.go", head + "// FNowait does.\nfunc FNowait() {}\n",
			[]string{"6: the comment of FNowait does not say that it never suspends (colour)"}},
		{"nowait says so", tidy.CheckpointDocs, "p/p.go", head + "// FNowait does. It never\n// suspends.\nfunc FNowait() {}\n", nil},
		{"nowait with a task", tidy.CheckpointDocs, "p/p.go", head + "// FNowait is a checkpoint.\nfunc FNowait(t *loop.Task) {}\n",
			[]string{"6: FNowait takes a task, so it is not a Nowait (colour)"}},
	})
}

func TestBans(t *testing.T) {
	const sleep = "package p\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n"
	const sleepFinding = "5: time.Sleep; use loop.Sleep in a task; in a test a channel, or looptest's virtual clock (time.Sleep)"
	const goos = "package p\n\nimport \"runtime\"\n\nvar x = runtime.GOOS\n"
	const goosFinding = "5: runtime.GOOS; use a function of sys, which each system implements (runtime.GOOS)"
	const skip = "package p\n\nfunc f(t T) {\n\tt.SkipNow()\n\tt.Skip()\n\tt.Skip(\" \")\n\tt.Skip(\"no curl\")\n}\n"
	const panics = "package p\n\nfunc f(v any) {\n\tpanic(\"p: broken\")\n\tpanic(v)\n\tpanic(\"broken\")\n\tpanic(\"a\" + g())\n}\n"
	check(t, []snapshot{
		{"sleep in a test", tidy.Banned, "bench/p_test.go", sleep, []string{sleepFinding}},
		{"sleep in the library", tidy.Banned, "loop/p.go", sleep, []string{sleepFinding}},
		{"sleep in bench", tidy.Banned, "bench/p.go", sleep, nil},
		{"renamed import", tidy.Banned, "p/p_test.go",
			strings.NewReplacer("import ", "import x ", "time.Sleep", "x.Sleep").Replace(sleep), []string{sleepFinding}},
		{"system", tidy.Banned, "loop/p.go", goos, []string{goosFinding}},
		{"system in sys", tidy.Banned, "sys/p.go", goos, nil},
		{"cgo", tidy.Banned, "p/p.go", "package p\n\nimport \"C\"\n",
			[]string{"3: import of C; use sys: lion is built without cgo (import C)"}},
		{"print", tidy.Banned, "p/p.go", "package p\n\nfunc f() { println(1) }\n",
			[]string{"3: the built-in println is for debugging (println)"}},
		{"own print", tidy.Banned, "p/p.go", "package p\n\nfunc print() {}\n\nfunc f() { print() }\n", nil},
		{"skips", tidy.Skips, "p/p_test.go", skip, []string{
			"4: a skip names its reason (skip)", "5: a skip names its reason (skip)", "6: a skip names its reason (skip)"}},
		{"panics", tidy.Panics, "p/p.go", panics, []string{
			"6: the message of a panic begins with \"p: \" (panic)", "7: the message of a panic begins with \"p: \" (panic)"}},
		{"panic in a test", tidy.Panics, "p/p_test.go", panics, nil},
	})
}

func TestDead(t *testing.T) {
	check(t, []snapshot{
		{"another system", tidy.DeadFiles, "p/p_plan9.go", "package p\n\nvar x = 1\n", []string{"1: no build takes this file (dead)"}},
		{"empty", tidy.DeadFiles, "p/p.go", "package p\n", []string{"1: the file is empty (dead)"}},
		{"directive", tidy.DeadFiles, "p/p.go", "package p\n\n//go:generate go run x\n", nil},
		{"emulation", tidy.DeadFiles, "p/p.go", "//go:build kqemu && linux\n\npackage p\n\nvar x = 1\n", nil},
		{"unused", tidy.DeadNames, "p/p.go", "package p\n\nvar x, Y = 1, 2\n\nfunc f() {}\n",
			[]string{"3: x is never used (dead)", "5: f is never used (dead)"}},
		{"used on another system", tidy.DeadNames, "p/p.go",
			"package p\n\nvar x = 1\n\n-- p/p_darwin.go --\npackage p\n\nvar Y = x\n", nil},
		{"assembly", tidy.DeadNames, "p/p.go", "package p\n\nfunc trampoline()\n", nil},
	})
}

func TestOptMarks(t *testing.T) {
	const bad = ": write //lion:opt, a lower-case identifier, and the reason (opt)"
	check(t, []snapshot{
		{"good", tidy.OptMarks, "p/p.go", "package p\n\n//lion:opt own-buffers spares a copy\nvar x = 1\n", nil},
		{"reason above", tidy.OptMarks, "p/p.go", "package p\n\n// It spares a copy.\n//\n//lion:opt own-buffers\nvar x = 1\n", nil},
		{"reason elsewhere", tidy.OptMarks, "p/p.go",
			"package p\n\n// Why //lion:opt a is there.\nvar x = 1\n\n//lion:opt a\nvar y = 1\n", nil},
		{"no reason", tidy.OptMarks, "p/p.go", "package p\n\n//lion:opt own-buffers\nvar x = 1\n",
			[]string{"3: nothing says why own-buffers is there (opt)"}},
		{"space", tidy.OptMarks, "p/p.go", "package p\n\n// lion:opt own-buffers reason\nvar x = 1\n", []string{"3" + bad}},
		{"capitals", tidy.OptMarks, "p/p.go", "package p\n\n//lion:opt OwnBuffers reason\nvar x = 1\n", []string{"3" + bad}},
		{"two ideas", tidy.OptMarks, "p/p.go",
			"package p\n\n//lion:opt a reason\nvar x = 1\n\n-- q/q.go --\npackage q\n\n//lion:opt a reason\nvar x = 1\n",
			[]string{"3: a already names an optimization in p (opt)"}},
		{"mirror images", tidy.OptMarks, "sys/linux/p.go",
			"package p\n\n//lion:opt a reason\nvar x = 1\n\n-- sys/darwin/q.go --\npackage q\n\n//lion:opt a reason\nvar x = 1\n", nil},
	})
}

func TestExcept(t *testing.T) {
	findings := []tidy.Finding{{Rule: "a", Path: "p"}, {Rule: "a", Path: "q"}, {Rule: "b", Path: "p"}}
	left, unused := tidy.Except(findings, []tidy.Exception{
		{Rule: "a", Path: "p", Reason: "some"}, {Rule: "c", Path: "p", Reason: "none"},
	})
	if len(left) != 2 || left[0].Path != "q" || left[1].Rule != "b" {
		t.Errorf("left over: %v", left)
	}
	if len(unused) != 1 || unused[0].Rule != "c" {
		t.Errorf("unused: %v", unused)
	}
}

func TestRatchet(t *testing.T) {
	ratchet, err := tidy.ParseRatchet("# old offenders\n600 old.go\n90 old.go:f\n80 old.go:gone\n80 old.go:same\n75 old.go:mended\n")
	if err != nil {
		t.Fatal(err)
	}
	got := tidy.Oversized(map[string]int{
		"new.go": 500, "long.go": 501, "new.go:f": 70, "new.go:g": 71,
		"old.go": 601, "old.go:f": 89, "old.go:same": 80, "old.go:mended": 70,
	}, ratchet)
	want := []string{
		"long.go has 501 lines; at most 500: split it",
		"new.go:g has 71 lines; at most 70: split it",
		"old.go grew from 600 to 601 lines; it may only shrink",
		"old.go:f shrank to 89 lines: lower the ratchet",
		"old.go:gone is gone: take it out of the ratchet",
		"old.go:mended has 70 lines: take it out of the ratchet",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
	if _, err := tidy.ParseRatchet("many lines\n"); err == nil {
		t.Error("a bad ratchet was read")
	}
}

func TestSizes(t *testing.T) {
	const text = "package p\n\n// Doc.\nfunc f() {\n}\n\nfunc (t *T[K]) m() int {\n\treturn 1\n}\n"
	sizes := tidy.Sizes(parse(t, "p.go", text))
	if sizes["p.go"] != 9 || sizes["p.go:f"] != 2 || sizes["p.go:T.m"] != 3 {
		t.Errorf("sizes: %v", sizes)
	}
	const generated = "// Code generated by gen; DO NOT EDIT.\n\n"
	if sizes := tidy.Sizes(parse(t, "p.go", generated+text)); len(sizes) != 0 {
		t.Errorf("sizes of generated code: %v", sizes)
	}
	if got, want := tidy.Report(sizes), "2 functions, lines: median 2, p90 2, longest 3"; got != want {
		t.Errorf("Report: %q, want %q", got, want)
	}
}
