package looptest

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
)

// Patience is how long, in real time, a run may take before it counts as
// hanging. Nothing that uses virtual time comes near it, also on a machine that
// has a tenth of its time for the test.
const Patience = 30 * time.Second

// answerTime is how long a loop that hangs may take to list its tasks.
const answerTime = 500 * time.Millisecond

// Config sets up runs that need more than Run gives. The zero value is what
// Run uses.
type Config struct {
	// Limit is how long the run may take in real time; 0 means Patience.
	Limit time.Duration

	// Budgeted lets tasks go on within their checkpoint budget, as outside
	// of tests. Without it every checkpoint ends a turn.
	Budgeted bool

	bubble bool // in a bubble of synctest, which must not outlive its loops
}

// Run runs main as the main task of a loop and fails the test if main fails.
//
// The loop takes its seed from the test, see Seeds, and every checkpoint ends
// a turn. A run that takes longer than Patience fails the test with a list of
// the tasks and the stacks of all goroutines. So does one that leaves behind
// a task, a timer, a registered descriptor, an open descriptor or a
// goroutine; and so does an interrupt from the keyboard, which stops the run as
// it would stop a program. In main and its children, tb.FailNow and what calls
// it may be used: it ends the task, and with it the run and the test.
func Run(tb testing.TB, main func(*loop.Task) error, opts ...loop.Option) {
	tb.Helper()
	Config{}.Run(tb, main, opts...)
}

// RunErr is Run for runs that may fail: it returns the error.
func RunErr(tb testing.TB, main func(*loop.Task) error, opts ...loop.Option) error {
	tb.Helper()
	return Config{}.RunErr(tb, main, opts...)
}

// Run is the function Run with the configuration c.
func (c Config) Run(tb testing.TB, main func(*loop.Task) error, opts ...loop.Option) {
	tb.Helper()
	if err := c.RunErr(tb, main, opts...); err != nil {
		tb.Fatalf("the run failed: %v", err)
	}
}

// RunErr is the function RunErr with the configuration c.
func (c Config) RunErr(tb testing.TB, main func(*loop.Task) error, opts ...loop.Option) error {
	tb.Helper()
	return c.guard(tb, opts, func(see func(*loop.Loop), opts []loop.Option) error {
		return loop.Run(func(t *loop.Task) error {
			see(t.Loop())
			return main(t)
		}, opts...)
	})
}

// RunEach is loop.RunEach with the checks of Run. It returns the error.
func (c Config) RunEach(
	tb testing.TB, n int, main func(*loop.Task, int) error, opts ...loop.Option,
) error {
	tb.Helper()
	return c.guard(tb, opts, func(see func(*loop.Loop), opts []loop.Option) error {
		return loop.RunEach(n, func(t *loop.Task, i int) error {
			see(t.Loop())
			return main(t, i)
		}, opts...)
	})
}

// seen collects the loops of a run.
type seen struct {
	mu    sync.Mutex
	loops []*loop.Loop
}

func (s *seen) add(l *loop.Loop) {
	s.mu.Lock()
	s.loops = append(s.loops, l)
	s.mu.Unlock()
}

func (s *seen) all() []*loop.Loop {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*loop.Loop(nil), s.loops...)
}

// guard runs run on a goroutine of its own, watches it, and checks what it
// leaves behind.
func (c Config) guard(
	tb testing.TB, opts []loop.Option,
	run func(see func(*loop.Loop), opts []loop.Option) error,
) error {
	tb.Helper()
	all := []loop.Option{loop.WithSeed(Seed(tb))}
	if !c.Budgeted {
		all = append(all, loop.WithAlwaysReschedule())
	}
	all = append(all, opts...)
	var loops seen
	if !c.bubble { // signals are not of this world
		defer ownInterrupt(tb, &loops)()
	}
	before := takeInventory(tb)
	ended := make(chan error, 1)
	go func() {
		// A callback that calls FailNow ends this goroutine.
		var err error = &loop.PanicError{Task: "loop", Goexit: true}
		defer func() { ended <- err }()
		err = run(loops.add, all)
	}()
	limit := c.Limit
	if limit == 0 {
		limit = Patience
	}
	watchdog := time.NewTimer(limit)
	defer watchdog.Stop()
	select {
	case err := <-ended:
		checkLoops(tb, loops.all())
		before.compare(tb)
		endWith(tb, err)
		return err
	case <-watchdog.C:
		tb.Errorf("the run takes longer than %v\n\n%s\n%s", limit, dump(loops.all()), stacks())
		if c.bubble {
			c.burst(loops.all(), ended)
		}
		tb.FailNow()
		return nil
	}
}

// burst ends the loops of a bubble, whose test could not end before them.
func (c Config) burst(loops []*loop.Loop, ended <-chan error) {
	for _, l := range loops {
		_ = l.Interrupt() // it may have ended just now
	}
	watchdog := time.NewTimer(c.Limit)
	defer watchdog.Stop()
	select {
	case <-ended:
	case <-watchdog.C:
		panic("looptest: a run in a bubble hangs, and ignores an interrupt")
	}
}

// endWith ends the test if one of its tasks has asked for that: Goexit ended
// only the task.
func endWith(tb testing.TB, err error) {
	tb.Helper()
	var p *loop.PanicError
	if !errors.As(err, &p) || !p.Goexit {
		return
	}
	switch {
	case tb.Failed():
		tb.FailNow()
	case tb.Skipped():
		runtime.Goexit() // the reason has been logged by whoever skipped
	}
}

// dump lists the tasks of loops that still answer.
func dump(loops []*loop.Loop) string {
	var b strings.Builder
	for i, l := range loops {
		answer := make(chan string, 1)
		err := l.CallSoon(func() { answer <- taskList(l) })
		if err != nil {
			fmt.Fprintf(&b, "loop %d: %v\n", i, err)
			continue
		}
		timer := time.NewTimer(answerTime)
		select {
		case list := <-answer:
			fmt.Fprintf(&b, "loop %d:\n%s", i, list)
		case <-timer.C:
			fmt.Fprintf(&b, "loop %d does not answer: one of its tasks holds it\n", i)
		}
		timer.Stop()
	}
	return b.String()
}

func taskList(l *loop.Loop) string {
	var b strings.Builder
	for _, t := range l.Tasks() {
		depth := 0
		for p := t.Parent(); p != nil; p = p.Parent() {
			depth++
		}
		fmt.Fprintf(&b, "%s%v, in %v\n", strings.Repeat("  ", depth), t, t.Scope())
	}
	return b.String()
}
