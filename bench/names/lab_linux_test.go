package main

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/bench/internal/lab"
)

// The laboratory and its probes are processes: the test binary starts itself.
func TestMain(m *testing.M) {
	if os.Getenv(labEnv) == "" {
		os.Exit(m.Run())
	}
	o := defaults
	o.only = os.Getenv("NAMES_TEST_CASE")
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Names are looked up by all contenders, in a real network: lion refuses what package net takes.
func TestLab(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skipf("the laboratory is set up by ip(8): %v", err)
	}
	if err := lab.Command(exec.Command("true")).Run(); err != nil {
		t.Skipf("no namespaces may be made here: %v", err)
	}
	if _, err := exec.LookPath("cc"); err != nil {
		if _, err := exec.LookPath("getent"); err != nil {
			t.Skipf("glibc is asked through cc or getent: %v", err)
		}
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), labEnv+"=1", "NAMES_TEST_CASE=other owner")
	out, err := lab.Command(cmd).CombinedOutput()
	row := "| the record is about another name |"
	at := strings.Index(string(out), row)
	if err != nil || at < 0 {
		t.Fatalf("%v: %s", err, out)
	}
	cells := strings.Split(string(out)[at+len(row):], "|")
	if !strings.Contains(cells[0], "EAI_NODATA") || !strings.Contains(cells[1], "takes it") {
		t.Errorf("%q", cells)
	}
}

// What a probe writes is what is read.
func TestFindings(t *testing.T) {
	want := lookup{1500 * time.Microsecond, []netip.Addr{answer6, answer4}, ""}
	failed := lookup{time.Second, nil, "EAI_AGAIN, no words"}
	text := want.line() + "\n" + failed.line() + "\nC 10 20 30\nM 5 1 2 too~many\n"
	f, err := parseFindings(lion, text)
	if err != nil || len(f.lookups) != 2 || f.cpu != 10 || f.allocs != 20 || f.bytes != 30 ||
		f.took != 5 || f.good != 1 || f.bad != 2 || f.err != "too many" {
		t.Fatalf("%+v, %v", f, err)
	}
	if got := f.lookups[0]; got.took != want.took || !slices.Equal(got.addrs, want.addrs) || got.err != "" {
		t.Errorf("%+v", got)
	}
	if got := f.lookups[1]; got.took != failed.took || got.addrs != nil || got.err != failed.err {
		t.Errorf("%+v", got)
	}
	if f, err := parseFindings(glibc, "T 1 -3\nC 5\n"); err != nil || f.lookups[0].err != "EAI_AGAIN" || f.cpu != 5 {
		t.Errorf("glibc: %+v, %v", f, err)
	}
	for _, bad := range []string{"X 1\n", "T 1 0 nowhere\n", "T x 0\n"} {
		if _, err := parseFindings(lion, bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

// The servers answer what can be asked, and nothing else.
func TestReply(t *testing.T) {
	wire := []byte("\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x01a\x04test\x00\x00\x1c\x00\x01rest")
	q := question(wire)
	if len(q) != len(wire)-len("rest") || !q.isAAAA() {
		t.Fatalf("%q", q)
	}
	if m := reply(q, 0, false); len(m) != len(q)+28 || !slices.Equal(m[len(m)-16:], answer6.AsSlice()) {
		t.Errorf("%q", m)
	}
	for n := range len(q) {
		if question(wire[:n]) != nil {
			t.Errorf("%d bytes are a question", n)
		}
	}
}
