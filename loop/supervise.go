package loop

import (
	"errors"
	"fmt"
	"time"
)

// Supervision says what the failure of a child means to its nursery.
//
//   - Crash all is the default: the first failure cancels the others.
//   - WithRestart runs the child again, after a pause, a bounded number of
//     times in a row.
//   - WithKeepGoing lets the others go on, and reports or collects the error.
//
// Whatever the supervision: a Cancelled that a scope around the child has
// caused is not a failure; once the nursery has been cancelled, by whomever,
// errors are collected as ever; an error of the body cancels the nursery; and
// so does a Goexit of a child, since it means that its program, or its test,
// wants no more of it. A panic is an error among others where a function hears
// of errors, and cancels the nursery where none does.

const (
	// RestartDelay is the pause before the first restart in a row.
	RestartDelay = 100 * time.Millisecond
	// RestartDelayMax bounds the pause, which doubles with each restart.
	RestartDelayMax = 30 * time.Second
	// RestartLimit is how many restarts there may be in a row: with the pauses
	// above, a service that stays down is given up after 81 seconds.
	RestartLimit = 10
	// RestartHealthy is how long a run must last to count as a good one.
	RestartHealthy = time.Minute
	// KeepGoingMax bounds the errors that a nursery collects while it keeps
	// going: one more cancels it, since nobody seems to care.
	KeepGoingMax = 1024
)

// Restart sets up WithRestart. Fields that are zero take the constants named
// like them; all times are on the loop's clock.
type Restart struct {
	Delay    time.Duration // before the first restart in a row; it doubles with each
	DelayMax time.Duration // what it does not exceed
	Limit    int           // restarts in a row; one more failure is given up on

	// Healthy is the reset rule: a run that has lasted this long before it
	// failed ends the row, and its failure is the first of a new one.
	Healthy time.Duration

	// Report hears of every failure that is answered by a restart, in a task
	// that takes no part in the run, before the pause. It is needed: nobody
	// else would. Should it panic, the watching task fails with that and the
	// failure.
	Report func(Failure)
}

// Failure is a failure that a restart answers.
type Failure struct {
	Name    string        // of the task
	Err     error         // what it returned; a panic is a *PanicError
	Restart int           // which restart in a row will follow, from 1
	Delay   time.Duration // how long after this moment
}

// WithRestart makes the nursery run its children again when they fail. Each
// run is a task of its own, below one that watches over it and has its handle,
// if there is one: what a run owned is free or broken before the next begins.
// After too many restarts in a row the watching task fails with the last error,
// which cancels the nursery. Children that end without an error are not run
// again, nor are those that Start has handed over: nobody waits for what they
// would start a second time. Negative values, a DelayMax below the Delay, no
// Report or a second supervision are refused with ErrMisuse.
func WithRestart(r Restart) NurseryOption {
	return func(n *Nursery) error {
		if r.Delay < 0 || r.DelayMax < 0 || r.Limit < 0 || r.Healthy < 0 {
			return misuse("a restart with negative bounds: %+v", r)
		}
		r.Delay = or(r.Delay, RestartDelay)
		r.DelayMax = or(r.DelayMax, max(r.Delay, RestartDelayMax))
		r.Limit = or(r.Limit, RestartLimit)
		r.Healthy = or(r.Healthy, RestartHealthy)
		switch {
		case r.DelayMax < r.Delay:
			return misuse("restarts after %v that grow to %v", r.Delay, r.DelayMax)
		case r.Report == nil:
			return misuse("restarts that nobody hears of")
		}
		return n.superviseBy(&supervision{restart: &r})
	}
}

// WithKeepGoing makes the nursery go on when a child fails, and call report
// with the task, which has ended, and its error, on the loop: report must not
// block. Should it panic, the nursery is cancelled, with that and the error.
//
// If report is nil the errors are collected, and Nurse returns them in the end,
// up to KeepGoingMax. A second supervision is refused with ErrMisuse.
func WithKeepGoing(report func(*Task, error)) NurseryOption {
	return func(n *Nursery) error {
		return n.superviseBy(&supervision{report: report})
	}
}

// supervision is how a nursery is supervised: by restarts, or else by going on.
type supervision struct {
	restart  *Restart
	report   func(*Task, error)
	survived uint64 // failures that did not cancel the nursery
}

func (n *Nursery) superviseBy(s *supervision) error {
	if n.supervision() != nil {
		return misuse("a nursery with two supervisions")
	}
	n.rarely().supervision = s
	return nil
}

func (n *Nursery) supervision() *supervision {
	if n.rare == nil {
		return nil
	}
	return n.rare.supervision
}

func or[T comparable](value, fallback T) T {
	var zero T
	if value == zero {
		return fallback
	}
	return value
}

// watch returns the function of the task that watches over the runs of fn.
func (s *supervision) watch(fn func(*Task) error, pc uintptr) func(*Task) error {
	r := s.restart
	return func(t *Task) error {
		for row := 1; ; row++ {
			began := t.loop.readClock()
			err := runOnce(t, fn, pc)
			if err == nil || isGoexit(err) || t.scope.cause != nil || t.loop.broken != nil {
				return err
			}
			if time.Duration(t.loop.readClock()-began) >= r.Healthy {
				row = 1
			}
			if row > r.Limit {
				return fmt.Errorf("given up after %d restarts in a row: %w", r.Limit, err)
			}
			delay := r.delay(row)
			s.survived++
			f := Failure{Name: t.Name(), Err: err, Restart: row, Delay: delay}
			if failed := guarded("report of a failure", func() { r.Report(f) }); failed != nil {
				return newGroup([]error{err, failed})
			}
			if err := CheckpointIfCancelled(t); err != nil {
				return err
			}
			if err := t.sleep(t.loop.after(delay), "a restart"); err != nil {
				return err
			}
		}
	}
}

// delay doubles with every restart in a row, up to its bound.
func (r *Restart) delay(row int) time.Duration {
	d := r.Delay
	for ; row > 1 && d < r.DelayMax; row-- {
		d *= 2
	}
	if d <= 0 || d > r.DelayMax { // or too large to be counted
		return r.DelayMax
	}
	return d
}

// runOnce runs fn as a task below t and returns its error.
func runOnce(t *Task, fn func(*Task) error, pc uintptr) error {
	err := Nurse(t, func(n *Nursery) error {
		_, err := n.start(fn, pc, []SpawnOption{WithTaskName(t.Name())})
		return err
	}, WithName("restart"))
	if g, ok := err.(*Group); ok && len(g.errs) == 1 {
		return g.errs[0]
	}
	return err
}

// goesOn reports whether the nursery goes on after its child t has failed; then
// the error has been dealt with.
func (n *Nursery) goesOn(t *Task, err error) bool {
	s := n.supervision()
	if s == nil || s.restart != nil || n.scope.cause != nil || isGoexit(err) {
		return false
	}
	if s.report == nil {
		var p *PanicError
		if len(n.rare.errs) >= KeepGoingMax || errors.As(err, &p) {
			return false
		}
		n.rare.errs = append(n.rare.errs, err)
		s.survived++
		return true
	}
	if failed := guarded("report of a failure", func() { s.report(t, err) }); failed != nil {
		n.note(failed, partOf("the report"))
		return false
	}
	s.survived++
	return true
}

// isGoexit reports whether a Goexit is among what err holds.
func isGoexit(err error) bool {
	switch e := err.(type) {
	case *PanicError:
		return e.Goexit
	case interface{ Unwrap() error }:
		return isGoexit(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			if isGoexit(inner) {
				return true
			}
		}
	}
	return false
}
