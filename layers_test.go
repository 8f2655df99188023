package lion_test

import (
	"os"
	"slices"
	"testing"

	"github.com/lion-go/lion/internal/layers"
	"github.com/lion-go/lion/internal/source"
)

// policy is a statement of policy, not a description of what the code happens
// to do: which package may import which, beyond the standard library. Change
// it when the design changes, never to silence the test. A new package has to
// be entered here first. Words and patterns: internal/layers.
var policy = layers.Policy{
	Layers: []layers.Layer{
		// The seam. Each system has its package, and sys is the one import for
		// "the operating system" above it.
		{Package: "sys/internal/seam"},
		{Package: "sys/internal/gen"},
		{Package: "sys/internal/kqueue", Imports: "sys/internal/seam",
			Tests: "sys/internal/kqemu@linux golang.org/x/sys/unix"},
		// An emulation of kqueue, and a Linux that waits by it (tag kqemu).
		{Package: "sys/internal/kqemu", Imports: "sys/internal/seam sys/internal/kqueue golang.org/x/sys/unix@linux"},
		{Package: "sys/linux", Imports: "sys/internal/seam sys/internal/kqueue sys/internal/kqemu golang.org/x/sys/unix"},
		{Package: "sys/darwin", Imports: "sys/internal/seam sys/internal/kqueue golang.org/x/sys/unix"},
		{Package: "sys/windows", Imports: "sys/internal/seam golang.org/x/sys/windows"},
		// Calls that are made to fail (tag faults).
		{Package: "sys/faults", Imports: "sys/internal/seam golang.org/x/sys/windows@windows", Tests: "sys"},
		{Package: "sys", Imports: "sys/faults sys/linux@linux sys/darwin@darwin sys/windows@windows"},

		// Tasks, and what is built on them.
		{Package: "loop", Imports: "sys"},
		{Package: "loop/locks", Imports: "loop"},
		{Package: "loop/queue", Imports: "loop", Tests: "loop/locks"},
		{Package: "loop/stream", Imports: "loop sys"},
		{Package: "loop/worker", Imports: "loop loop/locks"},
		{Package: "loop/signals", Imports: "loop loop/queue sys"},
		{Package: "loop/process", Imports: "loop loop/stream sys"},
		{Package: "loop/procpool", Imports: "loop loop/process loop/worker loop/locks"},
		{Package: "loop/inspect", Imports: "loop", Tests: "loop/locks"},
		{Package: "loop/looptest", Imports: "loop loop/stream sys sys/faults"},

		// Sockets, and what is built on them. socket uses only the public API of
		// loop: a user could have written it.
		{Package: "socket", Imports: "loop loop/stream loop/locks sys"},
		{Package: "resolver", Imports: "socket loop loop/locks loop/worker sys github.com/miekg/dns golang.org/x/net/idna",
			Tests: "loop/stream"},
		{Package: "eyeballs", Imports: "socket loop", Tests: "sys loop/stream"},
		{Package: "sendfile", Imports: "socket sys loop loop/stream loop/worker"},
		{Package: "socket/stdnet", Imports: "socket eyeballs resolver sendfile loop loop/stream sys",
			Tests: "golang.org/x/net/nettest loop/worker"},

		// The root holds the tour and these checks.
		{Package: ".", Tests: "all internal/source internal/layers internal/tidy internal/apitext"},
		{Package: "internal/source"},
		{Package: "internal/layers", Imports: "internal/source"},
		{Package: "internal/tidy", Imports: "internal/source"},
		{Package: "internal/apitext", Imports: "internal/source"},

		// Programs, in modules of their own.
		{Package: "bench/...", Imports: "all any"},
		{Package: "realapps/...", Imports: "all any"},
	},

	Tests: "loop loop/looptest",

	// What only sys may touch. bench is a program of its own that drives the
	// systems directly, since it has to measure lion from outside.
	System:     []string{"syscall", "unsafe", "golang.org/x/sys"},
	SystemDirs: []string{"sys", "bench"},

	// Parts of the standard library that pull in much, or that another package
	// of lion stands for.
	Owners: []layers.Exception{
		{What: "net/http", Path: "loop/inspect", Reason: "the live page"},
		{What: "os/signal", Path: "loop", Reason: "Main turns an interrupt into an error"},
		{What: "os/signal", Path: "loop/signals", Reason: "signals as a queue"},
		{What: "testing", Path: "loop/looptest", Reason: "helpers for the tests of users"},
	},

	Exceptions: []layers.Exception{},
}

// requirements are the modules that the root module may depend on.
var requirements = []string{"golang.org/x/sys", "golang.org/x/net", "github.com/miekg/dns"}

func TestLayers(t *testing.T) {
	files, err := source.Load(".")
	if err != nil {
		t.Error(err)
	}
	for _, complaint := range layers.Check(files, policy) {
		t.Error(complaint)
	}
	for _, exception := range policy.Exceptions {
		if exception.Reason == "" {
			t.Errorf("the exception for %s gives no reason", exception.Path)
		}
	}
}

func TestRequirements(t *testing.T) {
	text, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, module := range layers.Requirements(string(text)) {
		if !slices.Contains(requirements, module) {
			t.Errorf("go.mod requires %s; the root module depends on %v only", module, requirements)
		}
	}
}
