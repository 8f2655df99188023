package looptest

import (
	"errors"
	"runtime"
	"slices"
	"strings"
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
	goroutines map[string]string // their stacks, by number
	fds        []sys.FD
}

// warm makes the runtime open and start what it keeps for good.
var warm = sync.OnceValue(func() error {
	return loop.Run(func(t *loop.Task) error {
		return loop.Sleep(t, time.Microsecond)
	}, loop.CatchInterrupt())
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
	return inventory{goroutines: goroutines(), fds: fds}
}

// compare fails the test if there is now what is not in the inventory.
func (i inventory) compare(tb testing.TB) {
	tb.Helper()
	for _, stack := range i.newGoroutines() {
		tb.Errorf("a goroutine was left running:\n%s", stack)
	}
	fds, _ := sys.OpenFDs()
	for _, fd := range fds {
		if !slices.Contains(i.fds, fd) {
			tb.Errorf("descriptor %v was left open", fd)
		}
	}
}

// newGoroutines returns the stacks of goroutines that are not in the
// inventory and do not end soon.
func (i inventory) newGoroutines() (left []string) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(leakPatience); ; <-tick.C {
		left = nil
		for number, stack := range goroutines() {
			if _, old := i.goroutines[number]; !old {
				left = append(left, stack)
			}
		}
		if len(left) == 0 || time.Now().After(end) {
			return left
		}
	}
}

// goroutines returns the stacks of all goroutines, by their numbers, which are
// never used twice.
func goroutines() map[string]string {
	found := map[string]string{}
	for _, stack := range strings.Split(string(stacks()), "\n\n") {
		number, _, _ := strings.Cut(strings.TrimPrefix(stack, "goroutine "), " ")
		found[number] = stack
	}
	return found
}

// stacks returns the stacks of all goroutines; suspended tasks are among
// them.
func stacks() []byte {
	for size := 1 << 16; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size {
			return buf[:n]
		}
	}
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
