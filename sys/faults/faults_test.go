package faults_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"testing"

	"github.com/lion-go/lion/sys"
	"github.com/lion-go/lion/sys/faults"
)

func rows(t *testing.T) []faults.Row {
	t.Helper()
	table, err := faults.Table()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// Every function that can be made to fail has one row for each system, and no
// row is about anything else.
func TestTableIsComplete(t *testing.T) {
	enter := regexp.MustCompile(`faults\.Enter\("([A-Za-z.]+)"`)
	for _, system := range []string{"linux", "darwin", "windows"} {
		var functions []string
		for _, file := range []string{"faults_" + system + ".go", "poller_faults.go"} {
			text, err := os.ReadFile(filepath.Join("..", file))
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range enter.FindAllSubmatch(text, -1) {
				functions = append(functions, string(match[1]))
			}
		}
		var listed []string
		for _, row := range rows(t) {
			if row.System != system {
				continue
			}
			if slices.Contains(listed, row.Function) {
				t.Errorf("%s has two rows for %s", row.Function, system)
			}
			if !slices.Contains(functions, row.Function) {
				t.Errorf("the row of %s for %s is about nothing", row.Function, system)
			}
			listed = append(listed, row.Function)
		}
		for _, function := range functions {
			if !slices.Contains(listed, function) {
				t.Errorf("%s has no row for %s", function, system)
			}
		}
		if len(functions) < 40 {
			t.Errorf("%s: only %d functions were found", system, len(functions))
		}
	}
}

// Every error of a row is known on its system, and listed once.
func TestTableIsMeaningful(t *testing.T) {
	known := 0
	for _, row := range rows(t) {
		for i, name := range row.Errors {
			if slices.Contains(row.Errors[:i], name) {
				t.Errorf("%s for %s lists %s twice", row.Function, row.System, name)
			}
			if row.System != runtime.GOOS {
				continue
			}
			if _, ok := faults.Lookup(name); !ok {
				t.Errorf("%s for %s lists the unknown %s", row.Function, row.System, name)
			}
			known++
		}
	}
	if known < 100 {
		t.Errorf("only %d errors are listed for this system", known)
	}
}

// Every error of every system has a number there, on whichever this test runs:
// without one the first call of that system would panic.
func TestTableHasNumbers(t *testing.T) {
	for _, system := range []string{"linux", "darwin", "windows"} {
		text, err := os.ReadFile("names_" + system + ".go")
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows(t) {
			for _, name := range row.Errors {
				known := name == "WouldBlock" || name == "Unsupported" ||
					bytes.Contains(text, []byte("\""+name+"\":"))
				if row.System == system && !known {
					t.Errorf("%s for %s lists %s, which names_%s.go does not have", row.Function, system, name, system)
				}
			}
		}
	}
}

// What fails here is what the rest of lion compares with.
func TestLookup(t *testing.T) {
	for name, want := range map[string]error{
		"WouldBlock": sys.WouldBlock, "Unsupported": errors.ErrUnsupported,
		"ECONNRESET": sys.ECONNRESET, "EMFILE": sys.EMFILE, "ENETDOWN": sys.ENETDOWN,
	} {
		if got, ok := faults.Lookup(name); !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if _, ok := faults.Lookup("ENOTHING"); ok {
		t.Error("ENOTHING is known")
	}
}

// count makes one call that fails on its own.
func count() error { return sys.Shutdown(sys.Invalid, sys.SHUT_WR) }

// The call with the number fails, once; those before and after it do not.
func TestFail(t *testing.T) {
	p := &faults.Plan{Kind: faults.Fail, Call: 2}
	if !faults.Begin(p) {
		t.Fatal("there is a plan already")
	}
	defer faults.End(p)
	if faults.Begin(&faults.Plan{}) {
		t.Error("a second plan was put in force")
	}
	natural := count()
	got := count()
	if again := count(); again != natural {
		t.Errorf("the third call answered %v", again)
	}
	faults.End(p)
	if after := count(); after != natural {
		t.Errorf("without a plan: %v", after)
	}
	r := p.Report()
	if !faults.Enabled {
		if got != natural || r.Calls != 0 {
			t.Errorf("without the tag: %v, %+v", got, r)
		}
		return
	}
	if got == natural || got != r.Err || !r.Hit || r.Function != "Shutdown" || r.Calls != 3 {
		t.Errorf("the second call answered %v, the report is %+v", got, r)
	}
}
