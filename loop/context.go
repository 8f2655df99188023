package loop

import (
	"context"
	"time"
)

// scopeContext is the context bound to a scope: a standard one, so that those
// derived from it need no goroutine. Its deadline has a timer of its own: a
// library that is called with it may block the loop, and must be stopped all
// the same. Contexts from before the deadline was moved keep theirs.
type scopeContext struct {
	base    context.Context // without a deadline
	stop    context.CancelCauseFunc
	latest  context.Context
	when    time.Time // the deadline of the latest
	limited bool      // it has one
	timer   context.CancelFunc
}

func (c *scopeContext) cancel(cause *CancelledError) {
	if cause != nil {
		c.stop(cause)
	}
}

// endContext ends the context that is bound to the scope, if there is one.
func (s *Scope) endContext() {
	if c := s.context(); c != nil {
		c.end()
	}
}

// end is called when the scope is left.
func (c *scopeContext) end() {
	c.stop(context.Canceled)
	c.timer()
}

// boundContext returns the context of the scope, for a task directly in it.
func (s *Scope) boundContext(t *Task) context.Context {
	c := s.context()
	if c == nil {
		c = &scopeContext{timer: func() {}}
		c.base, c.stop = context.WithCancelCause(context.Background())
		c.latest = c.base
		s.rarely().context = c
		c.cancel(s.cause)
	}
	if s.cause != nil { // it is done already
		return c.latest
	}
	when, limited := t.Deadline()
	if limited != c.limited || !when.Equal(c.when) {
		c.limit(t.loop, when, limited)
	}
	return c.latest
}

// limit makes the context of another deadline.
func (c *scopeContext) limit(l *Loop, when time.Time, limited bool) {
	c.when, c.limited = when, limited
	switch {
	case !limited:
		c.latest = c.base
	case l.clock == nil:
		due := &CancelledError{source: SourceDeadline}
		c.latest, c.timer = context.WithDeadlineCause(c.base, when, due)
	default:
		c.latest = virtualDeadline{c.base, when}
	}
}

// virtualDeadline announces a deadline of a virtual clock, which only the loop
// can keep.
type virtualDeadline struct {
	context.Context
	when time.Time
}

// Deadline returns the deadline.
func (c virtualDeadline) Deadline() (time.Time, bool) { return c.when, true }
