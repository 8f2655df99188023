package loop

import (
	"context"
	"time"
)

// scopeContext is the context bound to a scope. It is a standard cancelable
// context with the deadline of the scope, so that contexts derived from it
// need no goroutine.
type scopeContext struct {
	context.Context
	stop     context.CancelCauseFunc
	deadline time.Time
	limited  bool
}

// Deadline returns the earliest deadline known when the context was made.
func (c *scopeContext) Deadline() (time.Time, bool) { return c.deadline, c.limited }

func (c *scopeContext) cancel(cause *CancelledError) {
	if cause != nil {
		c.stop(cause)
	}
}

// end is called when the scope is left.
func (c *scopeContext) end() { c.stop(context.Canceled) }

// boundContext returns the context of the scope, for a task directly in it.
func (s *Scope) boundContext(t *Task) context.Context {
	if s.context == nil {
		c := &scopeContext{}
		c.Context, c.stop = context.WithCancelCause(context.Background())
		c.deadline, c.limited = t.Deadline()
		s.context = c
		c.cancel(s.cause)
	}
	return s.context
}
