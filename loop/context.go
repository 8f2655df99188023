package loop

import (
	"context"
	"time"
)

// scopeContext is the context bound to a scope: a standard one, so that those
// derived from it need no goroutine. Its deadline has a timer of its own: a
// library that is called with it may block the loop, and must be stopped all
// the same.
type scopeContext struct {
	context.Context
	stop  context.CancelCauseFunc
	timer context.CancelFunc
}

func (c *scopeContext) cancel(cause *CancelledError) {
	if cause != nil {
		c.stop(cause)
	}
}

// end is called when the scope is left.
func (c *scopeContext) end() {
	c.stop(context.Canceled)
	c.timer()
}

// boundContext returns the context of the scope, for a task directly in it.
func (s *Scope) boundContext(t *Task) context.Context {
	if c := s.context(); c != nil {
		return c
	}
	c := &scopeContext{timer: func() {}}
	c.Context, c.stop = context.WithCancelCause(context.Background())
	c.cancel(s.cause)
	when, limited := t.Deadline()
	switch {
	case !limited || s.cause != nil:
	case t.loop.clock == nil:
		due := &CancelledError{source: SourceDeadline}
		c.Context, c.timer = context.WithDeadlineCause(c.Context, when, due)
	default:
		c.Context = virtualDeadline{c.Context, when}
	}
	s.rarely().context = c
	return c
}

// virtualDeadline announces a deadline of a virtual clock, which only the loop
// can keep.
type virtualDeadline struct {
	context.Context
	when time.Time
}

// Deadline returns the deadline.
func (c virtualDeadline) Deadline() (time.Time, bool) { return c.when, true }
