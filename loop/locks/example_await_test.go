package locks_test

import (
	"fmt"
	"runtime"
	"time"

	"github.com/lion-go/lion/loop"
)

// Timer is a wait for something outside the loop: a timer of the Go runtime,
// which calls from a goroutine of its own.
type Timer struct {
	after   time.Duration
	running *time.Timer
}

// Wait suspends t until the timer has fired. It is a checkpoint.
func (w *Timer) Wait(t *loop.Task) error {
	l := t.Loop()
	w.running = time.AfterFunc(w.after, func() {
		for l.CallSoon(func() { t.Unpark(nil) }) == loop.ErrFull {
			runtime.Gosched() // the loop is behind: nobody else will wake t
		}
	})
	return loop.Park(t, "runtime timer", w)
}

// Abort takes back the wake-up. If it is on its way already that can not be
// done any more, and the wait goes on until it is here.
func (w *Timer) Abort(loop.Wait) bool { return w.running.Stop() }

// WaitDetail tells what a dump could not know.
func (w *Timer) WaitDetail() string { return w.after.String() }

// A wait for something outside the loop, which can be cancelled.
func Example_await() {
	err := loop.Run(func(t *loop.Task) error {
		short, long := Timer{after: time.Microsecond}, Timer{after: time.Hour}
		if err := short.Wait(t); err != nil {
			return err
		}
		fmt.Println("it has fired")
		return loop.MoveOnAfter(t, time.Millisecond, func(*loop.Scope) error {
			err := long.Wait(t)
			fmt.Println(err)
			return err
		})
	})
	fmt.Println(err)
	// Output:
	// it has fired
	// loop: cancelled (deadline)
	// <nil>
}
