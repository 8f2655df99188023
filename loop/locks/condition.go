package locks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lion-go/lion/loop"
)

// A Condition is where tasks wait until what a Lock protects has changed.
//
//	lock.Acquire(t)
//	defer lock.Release()
//	err := nonEmpty.WaitFor(t, func() bool { return len(jobs) > 0 })
//
// A notification moves a task from the line of the condition to that of the
// lock, so that not all wake to wait again. A task that is cancelled after it
// was notified, and before it has the lock back, hands the notification on to
// the next who waits: no notification is lost.
type Condition struct {
	lock    *Lock
	waiting guardedLot
}

// NewCondition makes a condition of what lock protects. Several may share a
// lock. Without a lock it answers ErrMisuse.
func NewCondition(lock *Lock) (*Condition, error) {
	if lock == nil {
		return nil, fmt.Errorf("%w: a condition without a lock", loop.ErrMisuse)
	}
	return &Condition{lock: lock}, nil
}

// Wait releases the lock, suspends t until somebody notifies it, and acquires
// the lock again. It is a checkpoint. The lock is held when Wait returns, also
// after a cancellation, for which it waits shielded; only if the lock breaks
// meanwhile it is not, and the error matches ErrBroken. Who calls without
// holding the lock gets ErrMisuse.
func (c *Condition) Wait(t *loop.Task) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	l := c.lock
	if l.owner != t {
		return fmt.Errorf("%w: a wait for a condition without its lock", loop.ErrMisuse)
	}
	l.handOver()
	if !slices.Contains(l.conditions, c) {
		l.conditions = append(l.conditions, c)
	}
	l.watch(&c.waiting, c.waiting.lot.Len()+1)
	err := c.waiting.lot.ParkWith(t, "condition", (*conditionWait)(c))
	if !isCancelled(err) {
		return l.describe(err)
	}
	if lost := l.reacquire(t); lost != nil {
		return errors.Join(err, lost)
	}
	return err
}

// WaitFor waits, as Wait does, until ready returns true, which it is asked
// while the lock is held: first before any wait, and then after each. It is a
// checkpoint. The function ready must not suspend.
func (c *Condition) WaitFor(t *loop.Task, ready func() bool) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	switch {
	case ready == nil:
		return fmt.Errorf("%w: a wait for a nil function", loop.ErrMisuse)
	case c.lock.owner != t:
		return fmt.Errorf("%w: a wait for a condition without its lock", loop.ErrMisuse)
	}
	for !ready() {
		if err := c.Wait(t); err != nil {
			return err
		}
	}
	return loop.ShieldedCheckpoint(t)
}

// Notify tells the n tasks that have waited longest to go on, one after the
// other as they get the lock; fewer, if fewer wait. Who calls without holding
// the lock gets ErrMisuse, and so does a negative n.
func (c *Condition) Notify(n int) error {
	if !c.lock.heldByCaller() {
		return fmt.Errorf("%w: a condition notified without its lock", loop.ErrMisuse)
	}
	return c.notify(n)
}

// NotifyAll tells all who wait to go on, as Notify does.
func (c *Condition) NotifyAll() error { return c.Notify(c.waiting.lot.Len()) }

func (c *Condition) notify(n int) error {
	l := c.lock
	err := c.waiting.lot.Repark(&l.waiting.lot, n)
	l.watch(&l.waiting, l.waiting.lot.Len())
	return err
}

// conditionWait is a wait for a condition, and then for its lock.
type conditionWait Condition

// Abort agrees. A task that has been notified already is in the line of the
// lock, and hands on what it will not use.
func (w *conditionWait) Abort(wait loop.Wait) bool {
	c := (*Condition)(w)
	if wait.Lot == &c.lock.waiting.lot {
		c.notify(1)
	}
	return true
}

// WaitDetail tells of the lock, for which the task waits once it is notified.
func (w *conditionWait) WaitDetail() string { return "lock " + w.lock.String() }

// isCancelled reports whether a wait ended by a cancellation or an interrupt.
func isCancelled(err error) bool {
	return errors.Is(err, loop.Cancelled) || err == loop.ErrInterrupt
}

// ConditionStatistics describes a condition at one moment.
type ConditionStatistics struct {
	TasksWaiting int            // tasks that wait and have not been notified
	Lock         LockStatistics // of the lock
}

// Statistics returns the present numbers.
func (c *Condition) Statistics() ConditionStatistics {
	return ConditionStatistics{c.waiting.lot.Len(), c.lock.Statistics()}
}
