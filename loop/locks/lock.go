package locks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lion-go/lion/loop"
)

// A Lock is held by one task at a time, in the strict order in which tasks
// asked for it. The zero value is free and ready to use.
//
// It knows its owner. An owner can not acquire it again, and nobody else can
// release it. If the owner ends without a release, what the lock protects is
// in a state that nobody knows, and so the lock is broken for good: who waits
// and who comes later gets an error that matches loop.ErrBroken and names the
// owner.
type Lock struct {
	owner      *loop.Task
	waiting    guardedLot
	conditions []*Condition // those that tasks wait for
}

// guardedLot is a lot that breaks when the owner of a lock ends.
type guardedLot struct {
	lot     loop.ParkingLot
	breaker *loop.Task // whose end is to break the lot, if any
}

// Acquire suspends t until it holds the lock. It is a checkpoint. It answers
// ErrMisuse if t holds the lock already, and ErrBroken if an owner ended
// while it held it.
func (l *Lock) Acquire(t *loop.Task) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	if l.owner == nil {
		l.owner = t
		l.watchConditions()
		return loop.ShieldedCheckpoint(t)
	}
	if l.owner == t {
		return fmt.Errorf("%w: task %s holds the lock already", loop.ErrMisuse, t.Name())
	}
	return l.wait(t, (*lockWait)(l))
}

// AcquireNowait takes the lock for the task of the loop on that has its turn,
// which is the caller's, if the lock is free. It never suspends. It answers
// ErrWouldBlock if another task holds the lock, also if that one was handed
// the lock and has not run since, and otherwise the errors of Acquire.
func (l *Lock) AcquireNowait(on *loop.Loop) error {
	current := currentOf(on)
	switch {
	case current == nil:
		return fmt.Errorf("%w: a lock acquired while no task has its turn", loop.ErrMisuse)
	case l.owner == nil:
		l.owner = current
		l.watchConditions()
		return nil
	case l.owner == current:
		return fmt.Errorf("%w: task %s holds the lock already", loop.ErrMisuse, current.Name())
	case l.owner.Ended():
		return l.brokenError()
	}
	return loop.ErrWouldBlock
}

// currentOf is the task that has its turn, or nil.
func currentOf(l *loop.Loop) *loop.Task {
	if l == nil {
		return nil
	}
	return l.Current()
}

// Release ends the hold of the task that calls. If tasks wait, the first of
// them has the lock from this moment on. Who does not hold the lock is refused
// with ErrMisuse.
func (l *Lock) Release() error {
	if !l.heldByCaller() {
		return fmt.Errorf("%w: a lock released by who does not hold it", loop.ErrMisuse)
	}
	l.handOver()
	return nil
}

func (l *Lock) heldByCaller() bool {
	return l.owner != nil && l.owner.Loop().Current() == l.owner
}

// handOver makes the first who waits the owner, or nobody.
func (l *Lock) handOver() {
	l.owner = l.waiting.lot.UnparkOne()
	l.watch(&l.waiting, l.waiting.lot.Len())
	l.watchConditions()
}

// wait suspends t until it is handed the lock, which another task holds.
func (l *Lock) wait(t *loop.Task, a loop.Aborter) error {
	switch {
	case l.owner.Ended():
		return l.brokenError()
	case l.owner.Loop() != t.Loop():
		return fmt.Errorf("acquiring a lock that is held on another loop: %w", loop.ErrWrongTask)
	}
	l.watch(&l.waiting, l.waiting.lot.Len()+1)
	return l.describe(l.waiting.lot.ParkWith(t, "lock", a))
}

// reacquire is Acquire for a task that must have the lock back before it can
// report a cancellation: it refuses every other.
func (l *Lock) reacquire(t *loop.Task) error {
	if l.owner == nil {
		l.owner = t
		l.watchConditions()
		return nil
	}
	return l.wait(t, (*lockAgain)(l))
}

// watch makes the end of the owner break the lot, if there is an owner and
// anybody waits. A lock that nobody waits for needs no watch: whoever comes
// sees that the owner has ended.
func (l *Lock) watch(g *guardedLot, waiters int) {
	breaker := l.owner
	if waiters == 0 {
		breaker = nil
	}
	if breaker == g.breaker {
		return
	}
	if g.breaker != nil {
		g.breaker.RemoveBreak(&g.lot)
	}
	if breaker != nil {
		breaker.AddBreak(&g.lot)
	}
	g.breaker = breaker
}

// watchConditions does the same for those who wait for a condition of this
// lock, which nobody could notify any more.
func (l *Lock) watchConditions() {
	if len(l.conditions) == 0 {
		return
	}
	l.conditions = slices.DeleteFunc(l.conditions, func(c *Condition) bool {
		waiters := c.waiting.lot.Len()
		l.watch(&c.waiting, waiters)
		return waiters == 0
	})
}

// describe says whose end broke the lock, if err is that it did.
func (l *Lock) describe(err error) error {
	if errors.Is(err, loop.ErrBroken) {
		return l.brokenError()
	}
	return err
}

func (l *Lock) brokenError() error {
	return fmt.Errorf("lock: its owner, task %s, ended without a release: %w",
		l.owner.Name(), loop.ErrBroken)
}

// lockWait is a wait for a lock.
type lockWait Lock

// Abort agrees: the lot forgets the task.
func (w *lockWait) Abort(loop.Wait) bool { return true }

// WaitDetail names the holder.
func (w *lockWait) WaitDetail() string { return (*Lock)(w).String() }

// WaitHolder names the holder for dumps, which find deadlocks by it.
func (w *lockWait) WaitHolder() *loop.Task { return w.owner }

// lockAgain is a wait for a lock that can not be given up.
type lockAgain Lock

// Abort refuses.
func (w *lockAgain) Abort(loop.Wait) bool { return false }

// WaitDetail names the holder.
func (w *lockAgain) WaitDetail() string { return (*Lock)(w).String() }

// WaitHolder names the holder for dumps, which find deadlocks by it.
func (w *lockAgain) WaitHolder() *loop.Task { return w.owner }

// String says who holds the lock.
func (l *Lock) String() string {
	owner := l.owner
	switch {
	case owner == nil:
		return "free"
	case owner.Ended():
		return "broken by the end of task " + owner.Name()
	}
	return "held by task " + owner.Name()
}

// Held reports whether a task holds the lock.
func (l *Lock) Held() bool { return l.owner != nil }

// LockStatistics describes a lock at one moment.
type LockStatistics struct {
	Owner        *loop.Task // who holds it, or nil
	TasksWaiting int        // tasks that wait for it
}

// Statistics returns the present numbers.
func (l *Lock) Statistics() LockStatistics {
	return LockStatistics{Owner: l.owner, TasksWaiting: l.waiting.lot.Len()}
}
