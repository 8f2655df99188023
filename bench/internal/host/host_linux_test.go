package host

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestCPUTimeGrowsWithWork(t *testing.T) {
	before, err := CPUTime(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Millisecond)
	for time.Now().Before(deadline) {
	}
	after, err := CPUTime(os.Getpid())
	if err != nil || after-before < time.Millisecond {
		t.Errorf("20 ms of spinning cost %v (%v)", after-before, err)
	}
}

func TestCPUTimeOfNobody(t *testing.T) {
	child, err := Start(Spec{Path: "/bin/true"}, nil)
	if err != nil {
		t.Skipf("/bin/true is missing: %v", err)
	}
	child.Kill()
	if _, err := CPUTime(child.PID()); err == nil {
		t.Error("a process that is gone has no CPU clock")
	}
}

func TestResident(t *testing.T) {
	before, err := Resident(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	ballast := make([]byte, 32<<20)
	for i := range ballast {
		ballast[i] = 1
	}
	after, err := Resident(os.Getpid())
	if err != nil || after-before < 24<<20 {
		t.Errorf("32 MiB touched grew the process by %d bytes (%v)", after-before, err)
	}
	if ballast[len(ballast)-1] != 1 {
		t.Error("the ballast must stay alive")
	}
}

func TestMachineTimes(t *testing.T) {
	times, err := MachineTimes()
	if err != nil || times.Total <= 0 || times.Busy <= 0 || times.Busy > times.Total {
		t.Errorf("machine times %+v (%v)", times, err)
	}
}

func TestStartPins(t *testing.T) {
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Skip("cat is missing")
	}
	cpus, err := CPUs()
	if err != nil || len(cpus) == 0 {
		t.Fatalf("CPUs %v (%v)", cpus, err)
	}
	last := cpus[len(cpus)-1:]
	var out strings.Builder
	child, err := Start(Spec{Path: cat, Args: []string{"/proc/self/status"}, CPUs: last},
		func(cmd *exec.Cmd) error { cmd.Stdout = &out; return nil })
	if err != nil {
		t.Fatal(err)
	}
	<-child.Exited()
	want := fmt.Sprintf("Cpus_allowed_list:\t%d\n", last[0])
	if !strings.Contains(out.String(), want) {
		t.Errorf("the child was not pinned to CPU %d: %s", last[0], out.String())
	}
	if again, _ := CPUs(); len(again) != len(cpus) {
		t.Errorf("starting a pinned child left this process on %v", again)
	}
}

func TestAddress(t *testing.T) {
	shell := func(script string) *Child {
		child, err := Start(Spec{Path: "/bin/sh", Args: []string{"-c", script}}, nil)
		if err != nil {
			t.Skipf("/bin/sh is missing: %v", err)
		}
		t.Cleanup(child.Kill)
		return child
	}
	good := shell(`echo "httpd: serving on 127.0.0.1:99 (transport net)" >&2; exec sleep 30`)
	if address, err := good.Address(t.Context()); err != nil || address != "127.0.0.1:99" {
		t.Errorf("address %q (%v)", address, err)
	}
	bad := shell(`echo "no such flag" >&2; exit 2`)
	_, err := bad.Address(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no such flag") {
		t.Errorf("a server that ends should be quoted, got %v", err)
	}
}
