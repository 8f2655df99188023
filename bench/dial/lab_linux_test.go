package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lion-go/lion/bench/internal/lab"
)

// The laboratory runs in a process of its own: the test binary starts itself.
func TestMain(m *testing.M) {
	if os.Getenv(labEnv) == "" {
		os.Exit(m.Run())
	}
	if err := run(options{rounds: 1, only: os.Getenv("DIAL_TEST_CASE")}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A host with a dead and a live address of each order is connected to, in a real network.
func TestLab(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skipf("the laboratory is set up by ip(8): %v", err)
	}
	if err := exec.Command("unshare", "--net", "--mount", "true").Run(); err != nil {
		t.Skipf("no namespaces may be made here: %v", err)
	}
	t.Setenv("DIAL_TEST_CASE", "1 dead IPv6, live IPv4")
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), labEnv+"=1")
	out, err := lab.Command(cmd).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "1 dead IPv6, live IPv4") {
		t.Errorf("%v: %s", err, out)
	}
}

// Names of cases become names of hosts, so they have to differ.
func TestCaseNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range cases {
		if host := c.host(); seen[host] || strings.ContainsAny(host, " ,") {
			t.Errorf("%q is no good name", host)
		}
		seen[c.host()] = true
	}
}
