package loop

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// A visit is a task that runs on a loop on behalf of a caller outside: of an
// ordinary goroutine (Do) or of a task of another loop (Call). What its
// function returns goes to the caller, and not to the loop; so does a panic.
// A visit that was accepted is answered exactly once, by its task or, if the
// loop breaks before that has begun, by the loop.
type visit struct {
	loop   *Loop
	fn     func(*Task) error
	locals Locals
	answer func(error) // called on the loop
	reason string      // why a cancellation came, if one comes

	scope    Scope
	stop     Waker // cancels the visit
	stopped  bool  // it was called, perhaps too early
	answered bool
	next     *visit // in the list of the loop
	prev     *visit
}

func newVisit(l *Loop, fn func(*Task) error, answer func(error)) *visit {
	v := &visit{loop: l, fn: fn, answer: answer}
	v.stop = Waker{loop: l, fn: v.cancel}
	return v
}

// begin runs on the loop, outside any task.
func (v *visit) begin() {
	l := v.loop
	if l.closing || l.broken != nil {
		v.reply(ErrLoopClosed)
		return
	}
	t := l.system.spawn(v.run, codePointer(v.fn))
	t.locals = v.locals
	v.next, l.visits = l.visits, v
	if v.next != nil {
		v.next.prev = v
	}
}

// reply answers the caller, once, and takes the visit from the list.
func (v *visit) reply(err error) {
	if v.answered {
		return
	}
	v.answered = true
	switch {
	case v.prev != nil:
		v.prev.next = v.next
	case v.loop.visits == v:
		v.loop.visits = v.next
	}
	if v.next != nil {
		v.next.prev = v.prev
	}
	v.answer(err)
}

// run is the task.
func (v *visit) run(t *Task) error {
	v.scope.loop = v.loop
	if v.stopped {
		v.scope.cancel(SourceExplicit, v.reason)
	}
	returned := false
	defer func() {
		if !returned {
			e := &PanicError{Value: recover(), Stack: debug.Stack(), Task: t.Name()}
			e.Goexit = e.Value == nil
			t.rarely().answered = true
			v.reply(e)
		}
	}()
	err := Enter(t, &v.scope, func(*Scope) error { return v.fn(t) })
	returned = true
	v.reply(err)
	return nil
}

// cancel runs on the loop.
func (v *visit) cancel() {
	v.stopped = true
	if v.scope.state == scopeActive && !v.answered {
		v.scope.cancel(SourceExplicit, v.reason)
	}
}

// dismissVisits answers those who wait for a task that will never begin, at
// the very end of a loop that broke.
func (l *Loop) dismissVisits() {
	for l.visits != nil {
		l.visits.reply(ErrLoopClosed)
	}
}

// answers are channels for one answer each. They are empty when they are put
// back, since whoever asked has waited for it.
//
//lion:opt answer-pool
var answers = sync.Pool{New: func() any { return make(chan error, 1) }}

// Do runs fn as a task of the loop on behalf of an ordinary goroutine, and
// waits for its end and returns its error. If ctx is done first, the task is
// cancelled, and Do still waits for it; it then returns the cause of ctx if
// the task ended with nothing but Cancelled. While the entry queue is full it
// waits for room. An ended or ending loop answers ErrLoopClosed, and so does one
// that ends while it is at it: the task is a system task, which is cancelled when
// the main task has ended. Its locals are those that ctx carries, see
// Locals.Context.
//
// Do blocks its goroutine, so within a task it is refused with ErrMisuse; see
// Call.
func (l *Loop) Do(ctx context.Context, fn func(*Task) error) error {
	switch {
	case fn == nil:
		return misuse("doing a nil function")
	case onLoopGoroutine():
		return misuse("Do was called inside a task; use Call")
	}
	done := answers.Get().(chan error)
	v := newVisit(l, fn, func(err error) { done <- err })
	v.locals, v.reason = LocalsFrom(ctx), "the context was done"
	if err := l.admit(ctx, v); err != nil {
		return err
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { _ = v.stop.Wake() })
		defer stop()
	}
	err := <-done
	answers.Put(done)
	switch {
	case err == nil && v.scope.caught:
		return context.Cause(ctx)
	case hasCancelled(err):
		return cutShort("doing a function", err)
	}
	return err
}

// cutShort is the error of a visit to a loop that is ending. Its Cancelled are
// none of the caller's, so no scope there may absorb them.
func cutShort(what string, err error) error {
	return fmt.Errorf("%s: %w: %w", what, ErrLoopClosed, &stray{err: err})
}

// admit queues the visit, and waits for room if need be.
func (l *Loop) admit(ctx context.Context, v *visit) error {
	for {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		room, err := l.enqueue(call{key: v}, nil)
		if err == nil || room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
		}
	}
}

// Call runs fn as a task of the loop other on behalf of t, which belongs to
// another loop, and suspends t until fn has ended. It returns the error of fn;
// a panic of fn becomes a *PanicError. Neither loop is blocked meanwhile.
//
// fn runs with the locals of t. What fn touches belongs to other; what is
// handed over through variables is safe, since the two never run at once. If t
// is cancelled, so is the task on the other side, and Call waits for it: it
// answers Cancelled if that ended with nothing but Cancelled, and else what it
// returned. While the entry queue of other is full Call waits for room, and is
// cancelled there at once. Having been accepted, fn runs; an ended or ending
// loop answers ErrLoopClosed, and so does one that ends while it is at it. A
// loop may be asked to call itself: fn then runs in t. It is a checkpoint.
func Call(t *Task, other *Loop, fn func(*Task) error) error {
	if other == nil || fn == nil {
		return misuse("a call to another loop needs a loop and a function")
	}
	if err := CheckpointIfCancelled(t); err != nil {
		return err
	}
	if other == t.loop {
		err := callHere(t, fn)
		ShieldedCheckpoint(t)
		return err
	}
	c := &crossing{task: t}
	c.back = Waker{loop: t.loop, fn: c.goOn}
	c.visit = newVisit(other, fn, c.answered)
	c.visit.locals, c.visit.reason = t.locals, "the calling task was cancelled"
	if err := c.enter(other); err != nil {
		return err
	}
	return c.result()
}

// callHere is a call of a loop to itself: what fn sets stays inside, as it
// would on the other side.
func callHere(t *Task, fn func(*Task) error) (err error) {
	locals, returned := t.locals, false
	defer func() {
		t.locals = locals
		if returned {
			return
		}
		if v := recover(); v != nil { // a Goexit goes on
			err = &PanicError{Value: v, Stack: debug.Stack(), Task: t.Name()}
		}
	}()
	err = fn(t)
	returned = true
	return err
}

// A crossing is one Call. It belongs to the loop of its task but for the
// answer, which the other loop writes before it wakes this one.
type crossing struct {
	task    *Task
	visit   *visit
	back    Waker
	waiting bool // the task is parked for this
	inside  bool // the other loop has accepted it
	cause   error
	arrived bool // there was room, or the answer has come
	err     error
	replied atomic.Bool // err has been written
}

// enter has the other loop accept the visit.
func (c *crossing) enter(other *Loop) error {
	for {
		_, err := other.enqueue(call{key: c.visit}, &c.back)
		switch err {
		case nil:
			c.inside = true
			return nil
		case ErrFull:
		default:
			return fmt.Errorf("calling another loop: %w", err)
		}
		if err := c.wait("room in another loop"); err != nil {
			other.entry.leave(&c.back)
			return err
		}
	}
}

// wait parks the task until goOn.
func (c *crossing) wait(label string) error {
	for c.arrived = false; !c.arrived; {
		c.waiting = true
		err := Park(c.task, label, c)
		c.waiting = false
		if err != nil {
			return err
		}
	}
	return nil
}

// goOn runs on the loop of the task. A wake-up for room may come late, when
// the task waits for the answer.
func (c *crossing) goOn() {
	if c.waiting && (!c.inside || c.replied.Load()) {
		c.arrived = true
		_ = c.task.Unpark(nil)
	}
}

// Abort agrees while the task waits for room; afterwards it hands the
// cancellation on.
func (c *crossing) Abort(w Wait) bool {
	if !c.inside {
		c.waiting = false
		return true
	}
	c.cause = w.Cause
	_ = c.visit.stop.Wake() // a loop that has ended has answered
	return false
}

// WaitDetail names the function that the other loop runs.
func (c *crossing) WaitDetail() string { return functionName(codePointer(c.visit.fn)) }

// answered runs on the other loop.
func (c *crossing) answered(err error) {
	c.err = err
	c.replied.Store(true)
	_ = c.back.Wake() // if this loop has ended nobody waits
}

// result waits for the answer.
func (c *crossing) result() error {
	if err := c.wait("call to another loop"); err != nil {
		_ = c.visit.stop.Wake()
		return err
	}
	switch err := c.err; {
	case err == nil && c.visit.scope.caught:
		if err := CheckpointIfCancelled(c.task); err != nil {
			return err
		}
		return c.cause
	case hasCancelled(err):
		return cutShort("calling another loop", err)
	default:
		return err
	}
}
