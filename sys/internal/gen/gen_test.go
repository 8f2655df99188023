package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

const root = "../.." // the directory of package sys

func mustParse(t *testing.T, system string) *surface {
	t.Helper()
	p, err := parse(os.DirFS(root), system)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The files of the facade are what the generator writes now.
func TestGeneratedIsCurrent(t *testing.T) {
	for _, system := range systems {
		for _, faulty := range []bool{false, true} {
			name := fileName(system, faulty)
			want, err := mustParse(t, system).generate(faulty)
			if err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			// A checkout on Windows may have changed the ends of lines.
			got = bytes.ReplaceAll(got, []byte("\r\n"), []byte("\n"))
			if !bytes.Equal(got, want) {
				t.Errorf("%s is out of date: run go generate in sys", name)
			}
		}
	}
}

// The packages of the systems are mirror images: the same files, and in them
// the same exported names with the same types.
func TestMirror(t *testing.T) {
	first := mustParse(t, systems[0])
	for _, system := range systems {
		p := mustParse(t, system)
		if want := slices.Sorted(slices.Values(contract)); !slices.Equal(p.files, want) {
			t.Errorf("%s has the files %v, want %v", system, p.files, want)
		}
		for _, stray := range p.strays {
			t.Errorf("%s exports a name in a file that may not: %s", system, stray)
		}
		for _, difference := range differences(first, p) {
			t.Error(difference)
		}
	}
}

// source of a package with one of everything.
const sample = `package plan9

import (
	"time"

	. "errors"
	renamed "io"
	"github.com/lion-go/lion/sys/internal/seam"
)

// FD is a descriptor.
type FD = seam.FD

// T has fields.
type T struct {
	A, B int
	c    string
}

type hidden int

// Errors.
const (
	E1 = 1
	E2 = 2
	e3 = 3
)

// Some variable.
var V = New("x")

// F does things.
//
//go:noinline
func F(fd FD, b []byte, d time.Duration) (n int, err error) { return }

// G has no result.
func G(r renamed.Reader, more ...int) {}

// M is a method.
func (t *T) M(x int) error { return nil }

func (h hidden) Public() {}
`

func parseSample(t *testing.T, text string) *surface {
	t.Helper()
	p, err := parse(fstest.MapFS{
		"plan9/fd_plan9.go":      {Data: []byte(text)},
		"plan9/helper.go":        {Data: []byte("package plan9\n\nfunc Stray() {}\n")},
		"plan9/fd_plan9_test.go": {Data: []byte("not even Go")},
	}, "plan9")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestGenerate(t *testing.T) {
	text, err := parseSample(t, sample).generate(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"// FD is a descriptor.\ntype FD = plan9.FD\n",
		"// T has fields.\ntype T = plan9.T\n",
		"// Errors.\nconst (\n\tE1 = plan9.E1\n\tE2 = plan9.E2\n)\n",
		"// Some variable.\nvar V = plan9.V\n",
		"// F does things.\nfunc F(fd FD, b []byte, d time.Duration) (n int, err error) " +
			"{ return plan9.F(fd, b, d) }\n",
		"func G(r renamed.Reader, more ...int) { plan9.G(r, more...) }\n",
		"import (\n\trenamed \"io\"\n\t\"time\"\n\n\t\"github.com/lion-go/lion/sys/plan9\"\n)",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("missing: %q", want)
		}
	}
	for _, unwanted := range []string{"hidden", "e3", "Stray", "go:noinline", "Public", "seam"} {
		if strings.Contains(string(text), unwanted) {
			t.Errorf("unwanted: %q", unwanted)
		}
	}
	if t.Failed() {
		t.Logf("%s", text)
	}
}

// In the faulty facade what answers an error asks first whether it is to fail.
func TestGenerateFaulty(t *testing.T) {
	text, err := parseSample(t, sample).generate(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"//go:build faults\n",
		"func F(fd FD, b []byte, d time.Duration) (n int, err error) {\n" +
			"\tcall := faults.Enter(\"F\", fd)\n" +
			"\tif call.Err != nil {\n\t\terr = call.Err\n\t\treturn\n\t}\n" +
			"\tn, err = plan9.F(fd, b, d)\n\tcall.Leave()\n\treturn\n}\n",
		"func G(r renamed.Reader, more ...int) { plan9.G(r, more...) }\n",
		"\n\t\"github.com/lion-go/lion/sys/faults\"\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("missing: %q in\n%s", want, text)
		}
	}
}

// Each kind of difference is found, and the stray.
func TestDifferences(t *testing.T) {
	a := parseSample(t, sample)
	if got := differences(a, parseSample(t, sample)); len(got) != 0 {
		t.Errorf("a package differs from itself: %v", got)
	}
	if want := []string{"helper.go: Stray"}; !slices.Equal(a.strays, want) {
		t.Errorf("strays: %v, want %v", a.strays, want)
	}
	for _, change := range []struct{ old, new, about string }{
		{"E2 = 2", "E4 = 2", "E4"},
		{"A, B int", "A int", "T"},
		{"A, B int", "A, B uint", "T"},
		{"type T struct", "type T = struct", "T"},
		{"b []byte, d", "buf []byte, d", "F"},
		{"(x int) error", "(x int) bool", "T.M"},
		{"= seam.FD", "= uintptr", "FD"},
		{"var V =", "var V error =", "V"},
		{"const (", "var (", "E1"},
	} {
		changed := strings.Replace(sample, change.old, change.new, 1)
		got := strings.Join(differences(a, parseSample(t, changed)), "\n")
		if changed == sample || !strings.Contains("\n"+got, "\n"+change.about+": ") {
			t.Errorf("%s for %s: found %q", change.new, change.old, got)
		}
	}
}
