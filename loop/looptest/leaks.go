package looptest

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// leakPatience is how long goroutines that are ending may take to be gone.
const leakPatience = time.Second

// inventory is what a process holds at one moment.
type inventory struct {
	goroutines int
	fds        []sys.FD
}

// warm makes the runtime open what it keeps open for good.
var warm = sync.OnceValue(func() error {
	return loop.Run(func(t *loop.Task) error { return loop.Sleep(t, time.Microsecond) })
})

func takeInventory(tb testing.TB) inventory {
	tb.Helper()
	if err := warm(); err != nil {
		tb.Fatalf("the first loop failed: %v", err)
	}
	fds, err := sys.OpenFDs()
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		tb.Fatalf("listing the open descriptors: %v", err)
	}
	return inventory{goroutines: runtime.NumGoroutine(), fds: fds}
}

// compare fails the test if there is more now than in the inventory.
func (i inventory) compare(tb testing.TB) {
	tb.Helper()
	fds, _ := sys.OpenFDs()
	for _, fd := range fds {
		if !slices.Contains(i.fds, fd) {
			tb.Errorf("descriptor %v was left open", fd)
		}
	}
	if n := lastingGoroutines(i.goroutines); n > i.goroutines {
		tb.Errorf("%d goroutines were left running\n%s", n-i.goroutines, stacks())
	}
}

// lastingGoroutines waits until at most n goroutines run, but not for long,
// and returns how many do.
func lastingGoroutines(n int) int {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	end := time.Now().Add(leakPatience)
	for runtime.NumGoroutine() > n && time.Now().Before(end) {
		<-tick.C
	}
	return runtime.NumGoroutine()
}

// checkLoops fails the test if a loop that has ended still holds something.
func checkLoops(tb testing.TB, loops []*loop.Loop) {
	tb.Helper()
	for _, l := range loops {
		s := l.Statistics()
		held := []struct {
			what string
			n    int
		}{
			{"living tasks", s.TasksLiving}, {"runnable tasks", s.TasksRunnable},
			{"parked tasks", s.TasksParked}, {"calls from outside", s.EntryQueue},
			{"timers", s.Timers}, {"registered descriptors", s.Descriptors},
			{"readers", s.Readers}, {"writers", s.Writers},
		}
		for _, h := range held {
			if h.n != 0 {
				tb.Errorf("the loop ended with %d %s", h.n, h.what)
			}
		}
	}
}
