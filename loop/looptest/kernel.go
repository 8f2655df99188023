package looptest

import (
	"strings"
	"testing"

	"github.com/lion-go/lion/sys"
)

// EachKernel runs fn as a subtest for every way in which this build can wait
// for events, so that a suite is written once and has to hold on each. The
// name of the subtest is the way: epoll, kqueue or AFD. A build has one at
// present; with the tag kqemu that is an emulation of kqueue.
func EachKernel(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	p, err := sys.NewPoller()
	if err != nil {
		t.Fatalf("this build can not wait for events: %v", err)
	}
	name := kernelName(p.Mode())
	if err := p.Close(); err != nil {
		t.Errorf("closing a poller: %v", err)
	}
	t.Run(name, fn)
}

// kernelName is the word in the mode of a poller that tells it from others.
func kernelName(mode string) string {
	for _, name := range []string{"kqueue", "epoll", "AFD"} {
		if strings.Contains(mode, name) {
			return name
		}
	}
	return mode
}
