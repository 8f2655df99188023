package loop

import (
	"fmt"
	"runtime/debug"
)

// Parking is the one way in which a task waits, and Unpark, a wake-up from a
// timer or a cancellation are the ways in which it goes on. Whoever comes
// first wins, once per wait; whoever comes later has no effect on that wait,
// and a cancellation that lost stays visible to the next checkpoint.

// An Aborter takes a parked task out of whatever holds it. Abort is called at
// most once for the cancellation of a wait, by whoever cancels, perhaps with
// no task running, so it must not suspend; it may be called from within Park
// if a cancellation is pending already. It may be called once more, with
// ErrInterrupt, if an interrupt reaches a wait that refused a cancellation.
//
// If it returns true it has removed every source of a wake-up, and Park
// returns the cause. If it returns false the wait goes on, and somebody must
// wake the task later, if need be with that cause. An Aborter that panics
// loses its task: Park and every later checkpoint of it answer ErrInternal.
type Aborter interface {
	Abort(w Wait) bool
}

// Wait is a wait that is to be aborted.
type Wait struct {
	Task  *Task       // who waits
	Cause error       // why: a *CancelledError or ErrInterrupt
	Lot   *ParkingLot // where it is parked at this moment, perhaps after a Repark; or nil
}

// waitState is what a task has while it waits. It belongs to its coroutine: the
// many tasks that come, do their work and go do not have to be as large.
//
//lion:opt small-task
type waitState struct {
	label   string // what it waits for
	aborter Aborter
	err     error // what the wait returns
	timer   timer
	lot     *ParkingLot
	next    *Task // in the lot
	prev    *Task
	since   int64 // when the wait began, as of the loop's last look at the clock
}

// AbortFunc is a function as an Aborter. A method of a value that exists
// anyway saves the allocation of a closure.
type AbortFunc func(w Wait) bool

// Abort calls f.
func (f AbortFunc) Abort(w Wait) bool { return f(w) }

// Detailer is implemented by an Aborter that can describe the wait in a dump:
// a peer, the holder of a lock. It is called only when a dump asks, perhaps
// from another goroutine while the loop is stuck.
type Detailer interface {
	WaitDetail() string
}

// Park suspends t until Unpark, and returns what Unpark was given; or until
// the scope is cancelled and a agrees, and returns the *CancelledError. It is
// a checkpoint. label says in a word or two what is being waited for; it must
// be a constant. A nil Aborter refuses every cancellation.
func Park(t *Task, label string, a Aborter) error {
	if err := t.check(); err != nil {
		return err
	}
	t.loop.cancelPoints++
	t.open = true
	return t.park(label, a)
}

// park is Park after its checks. To suspend a task is to yield from its
// coroutine to the loop; an answer of false says that the loop wants its tasks
// to end. The frames between a task and its coroutine are few and small, here
// and in ParkWith, Scoped and execute: when many wait, each is a miss of the
// cache, and always a return that the processor mispredicts.
//
//lion:opt flat-park
func (t *Task) park(label string, a Aborter) error {
	w := t.beginWait(label, a)
	if !t.co.yield(struct{}{}) {
		t.unwind()
	}
	return w.result()
}

// beginWait makes t a parked task that has not been suspended yet. A
// cancellation that is visible already may wake it at once.
func (t *Task) beginWait(label string, a Aborter) *waitState {
	w := &t.co.wait
	w.label, w.aborter, w.since = label, a, t.loop.cachedNow
	t.parked, t.refused = true, false
	t.loop.parkedTasks++
	t.loop.schedulePoints++
	if cause := t.pending(); cause != nil {
		t.loop.abort(t, cause)
	}
	return w
}

// result takes what the wait returns.
func (w *waitState) result() error {
	err := w.err
	w.err = nil
	return err
}

// Unpark wakes a task that waits in Park with the result err, which may be nil.
// It is sync-coloured; the task runs in the next pass. A task that is not
// parked is left alone, and so is one that waits in something else, a lot or a
// descriptor, that would still believe it there: ErrNotParked.
func (t *Task) Unpark(err error) error {
	if !t.parked || !t.open {
		return fmt.Errorf("unparking task %s: %w", t.Name(), ErrNotParked)
	}
	t.loop.wake(t, err)
	return nil
}

// wake makes a parked task runnable.
func (l *Loop) wake(t *Task, err error) {
	if !t.parked {
		panic("loop: a task that is not parked was woken")
	}
	if err == ErrInterrupt && t == l.main {
		l.interrupted = false
	}
	w := &t.co.wait
	if w.lot != nil {
		w.lot.remove(t)
	}
	t.parked, t.open = false, false
	w.label, w.aborter, w.err = "", nil, err
	w.timer.stop(l)
	l.parkedTasks--
	l.ready = append(l.ready, t)
	if l.hooks != nil {
		l.tellTask(t, hookScheduled)
	}
	if l.sleeping.Load() {
		l.wokenOutside(t)
	}
}

// wokenOutside is called when t was woken while its loop sleeps, so not on the
// loop: an event was set, or an item sent, by an ordinary goroutine. That was a
// data race, and without another event t would never have had its turn. The loop
// ends, and says why.
func (l *Loop) wokenOutside(t *Task) {
	failure := internal("task "+t.Name()+" was woken from outside its loop, where only CallSoon helps",
		ErrWrongTask)
	w := &Waker{loop: l, fn: func() { l.defect = failure }}
	_ = w.Wake() // a loop that has ended has no task to wake
}

// abort offers a cause to a task that may be parked.
func (l *Loop) abort(t *Task, cause error) {
	if !t.parked || t.co.wait.aborter == nil || t.refused && cause != ErrInterrupt {
		return
	}
	agreed, err := callAbort(t, cause)
	switch {
	case err != nil:
		t.rarely().lost = internal("the abort function of task "+t.Name()+" at "+t.Waiting()+" failed", err)
		cause = t.rare.lost
		t.alert = true
	case !agreed:
		t.refused = true
		return
	}
	if t.parked { // not woken by its own abort function
		l.wake(t, cause)
	}
}

func callAbort(t *Task, cause error) (agreed bool, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		e := &PanicError{Value: recover(), Stack: debug.Stack(), Task: t.Name()}
		if e.Value != nil {
			err = e
			return
		}
		// A Goexit goes on, through whoever cancels: others may never be woken.
		e.Goexit, t.refused = true, true
		t.loop.defect = internal("an abort function called runtime.Goexit", e)
	}()
	agreed = t.co.wait.aborter.Abort(Wait{t, cause, t.co.wait.lot})
	returned = true
	return agreed, nil
}

// pending returns the error that a checkpoint of t has to answer, or nil.
func (t *Task) pending() error {
	switch {
	case t.lost() != nil:
		return t.rare.lost
	case t.loop.interrupted && t == t.loop.main:
		return ErrInterrupt
	case t.scope.cause != nil:
		return t.scope.cause
	}
	return nil
}
