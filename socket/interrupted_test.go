package socket_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/sys"
)

// Reliability 41, 94: calls that a signal interrupts are made again. strace answers every
// second one of a kind with EINTR, in this very program; the calls are those
// whose manual pages list that.
func TestInterruptedCalls(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skipf("strace interrupts the calls: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(t.TempDir(), "log")
	for _, call := range []string{
		"recvfrom", "sendto", "recvmsg", "sendmsg", "recvmmsg", "sendmmsg", "accept4", "epoll_pwait",
	} {
		t.Run(call, func(t *testing.T) {
			if call == "epoll_pwait" && emulated(t) {
				t.Skip("the emulation of kqueue does not hide that its own epoll is interrupted")
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, strace, "-f", "-o", log, "-e", "trace="+call,
				"-e", "inject="+call+":error=EINTR:when=1+2",
				self, "-test.short", "-test.run", "TestFaults").CombinedOutput()
			text, _ := os.ReadFile(log) // no file: nothing was traced
			if strings.Contains(string(out), "PTRACE") || err != nil && len(text) == 0 {
				t.Skipf("strace may not trace here: %v\n%s", err, out)
			}
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			if n := strings.Count(string(text), "(INJECTED)"); n == 0 {
				t.Error("no call was interrupted")
			} else {
				t.Log(n, "calls were interrupted")
			}
		})
	}
}

// emulated reports whether the poller is the emulation of kqueue.
func emulated(tb testing.TB) bool {
	tb.Helper()
	p, err := sys.NewPoller()
	must(tb, err)
	defer p.Close()
	return strings.Contains(p.Mode(), "emulated")
}
