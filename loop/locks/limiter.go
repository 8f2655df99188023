package locks

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/lion-go/lion/loop"
)

// A CapacityLimiter lends tokens, and knows who has borrowed one: a task or,
// with AcquireFor, any value that stands for what is limited, a connection or
// a job that outlives its task. A borrower has one token at most, so a token
// can not be given back twice. One that a task has when it ends stays lent, until
// ReleaseFor gives it back for that task. The total may be changed at any time.
type CapacityLimiter struct {
	loop      *loop.Loop // of the borrowers
	total     int
	borrowed  int
	borrowers map[any]loan
	pending   map[*loop.Task]any // for whom a parked task waits
	waiting   loop.ParkingLot
	loans     uint64
}

// loan is what a limiter knows about a borrower.
type loan struct {
	number uint64 // in the order of asking
	held   bool   // it has its token
}

// NewCapacityLimiter makes a limiter of total tokens, which may be none, or
// Unlimited. A negative total is refused with ErrMisuse.
func NewCapacityLimiter(total int) (*CapacityLimiter, error) {
	c := &CapacityLimiter{borrowers: map[any]loan{}, pending: map[*loop.Task]any{}}
	if err := c.SetTotal(total); err != nil {
		return nil, err
	}
	return c, nil
}

// Acquire suspends t until it has a token. It is a checkpoint. It answers
// ErrMisuse if t has one.
func (c *CapacityLimiter) Acquire(t *loop.Task) error { return c.AcquireFor(t, t) }

// AcquireFor suspends t until the borrower has a token. It is a checkpoint. A
// borrower must be comparable; one that has a token, or for which another task
// waits, is refused with ErrMisuse.
func (c *CapacityLimiter) AcquireFor(t *loop.Task, borrower any) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	if err := c.admit(t.Loop(), borrower); err != nil {
		return err
	}
	if c.free() {
		c.lend(borrower)
		return loop.ShieldedCheckpoint(t)
	}
	c.note(borrower, false)
	c.pending[t] = borrower
	err := c.waiting.ParkWith(t, "capacity limiter", (*limiterWait)(c))
	if _, left := c.pending[t]; left { // the loop broke
		c.forget(loop.Wait{Task: t})
	}
	return err
}

// AcquireNowait lends a token to the task of the loop on that has its turn,
// which is the caller's. It never suspends, and answers ErrWouldBlock if no
// token is free or tasks wait for one.
func (c *CapacityLimiter) AcquireNowait(on *loop.Loop) error {
	current := currentOf(on)
	if current == nil {
		return fmt.Errorf("%w: a token acquired while no task has its turn", loop.ErrMisuse)
	}
	return c.acquireNowait(on, current)
}

// AcquireForNowait lends a token to the borrower. It never suspends, and
// answers as AcquireNowait does.
func (c *CapacityLimiter) AcquireForNowait(borrower any) error {
	return c.acquireNowait(c.loop, borrower)
}

func (c *CapacityLimiter) acquireNowait(on *loop.Loop, borrower any) error {
	if err := c.admit(on, borrower); err != nil {
		return err
	}
	if !c.free() {
		return loop.ErrWouldBlock
	}
	c.lend(borrower)
	return nil
}

// Release gives back the token of the task that calls. If tasks wait, the
// first of them has it from this moment on. Who has none is refused with
// ErrMisuse.
func (c *CapacityLimiter) Release() error {
	current := currentOf(c.loop)
	if current == nil {
		return fmt.Errorf("%w: a token released that nobody has", loop.ErrMisuse)
	}
	return c.ReleaseFor(current)
}

// ReleaseFor gives back the token of the borrower, as Release does.
func (c *CapacityLimiter) ReleaseFor(borrower any) error {
	if err := usable(borrower); err != nil {
		return err
	}
	if !c.borrowers[borrower].held {
		return fmt.Errorf("%w: a token released by %v, who has none", loop.ErrMisuse, borrower)
	}
	delete(c.borrowers, borrower)
	c.borrowed--
	c.serve()
	return nil
}

// Total returns how many tokens there are.
func (c *CapacityLimiter) Total() int { return c.total }

// SetTotal changes how many tokens there are. With more, tasks that wait are
// served in their order; with fewer, nobody loses a token, and none is lent
// until enough have come back. A negative total is refused with ErrMisuse.
func (c *CapacityLimiter) SetTotal(total int) error {
	if total < 0 {
		return fmt.Errorf("%w: a limiter of %d tokens", loop.ErrMisuse, total)
	}
	c.total = total
	c.serve()
	return nil
}

// free reports whether a token can be lent. Then nobody waits for one: those who
// wait are served whenever one becomes free.
func (c *CapacityLimiter) free() bool { return c.borrowed < c.total }

// admit checks whether the borrower may ask for a token.
func (c *CapacityLimiter) admit(on *loop.Loop, borrower any) error {
	if err := usable(borrower); err != nil {
		return err
	}
	if _, known := c.borrowers[borrower]; known {
		return fmt.Errorf("%w: %v has a token already, or waits for one", loop.ErrMisuse, borrower)
	}
	if on != c.loop && len(c.borrowers) > 0 && c.loop != nil {
		return fmt.Errorf("borrowing from a limiter of another loop: %w", loop.ErrWrongTask)
	}
	c.loop = on
	return nil
}

// usable reports whether a value can be told from others.
func usable(borrower any) error {
	t, ok := borrower.(*loop.Task)
	switch {
	case ok && t != nil:
		return nil
	case ok, borrower == nil, !reflect.ValueOf(borrower).Comparable(), borrower != borrower: // NaN
		return fmt.Errorf("%w: a borrower of type %T can not be told from others", loop.ErrMisuse, borrower)
	}
	return nil
}

func (c *CapacityLimiter) note(borrower any, held bool) {
	c.loans++
	c.borrowers[borrower] = loan{c.loans, held}
}

func (c *CapacityLimiter) lend(borrower any) {
	c.borrowed++
	c.note(borrower, true)
}

// serve lends what is free to those who wait.
func (c *CapacityLimiter) serve() {
	for c.borrowed < c.total {
		served := c.waiting.UnparkOne()
		if served == nil {
			return
		}
		c.lend(c.pending[served])
		delete(c.pending, served)
	}
}

// forget drops a wait that was not served.
func (c *CapacityLimiter) forget(w loop.Wait) {
	delete(c.borrowers, c.pending[w.Task])
	delete(c.pending, w.Task)
}

// limiterWait is a wait for a token.
type limiterWait CapacityLimiter

// Abort agrees, and leaves no trace.
func (w *limiterWait) Abort(wait loop.Wait) bool {
	(*CapacityLimiter)(w).forget(wait)
	return true
}

// WaitDetail tells how many tokens are lent.
func (w *limiterWait) WaitDetail() string {
	return fmt.Sprintf("%d of %d tokens lent", w.borrowed, w.total)
}

// CapacityLimiterStatistics describes a limiter at one moment.
type CapacityLimiterStatistics struct {
	Total        int   // tokens
	Borrowed     int   // tokens that are lent
	Borrowers    []any // to whom, in the order in which they got them
	TasksWaiting int   // tasks that wait for a token
}

// Statistics returns the present numbers.
func (c *CapacityLimiter) Statistics() CapacityLimiterStatistics {
	s := CapacityLimiterStatistics{Total: c.total, Borrowed: c.borrowed, TasksWaiting: c.waiting.Len()}
	for borrower, l := range c.borrowers {
		if l.held {
			s.Borrowers = append(s.Borrowers, borrower)
		}
	}
	slices.SortFunc(s.Borrowers, func(a, b any) int {
		return int(c.borrowers[a].number) - int(c.borrowers[b].number)
	})
	return s
}
