package loop

import (
	"fmt"
	"slices"
)

// starting is a task on its way into a nursery.
//
// Until it calls started it is the child of a hidden nursery in the caller of
// Start, under the caller's scopes, and in a scope of its own; the target's
// cancellation is shared into the hidden nursery, so it sees both. The hand-
// over moves the task, and with it that scope and everything below, into the
// target.
type starting struct {
	hidden *Nursery
	target *Nursery
	task   *Task
	base   *Scope
	value  any
	called bool // started was called
	moved  bool
}

// Start spawns fn and waits until it calls started, then moves it into the
// nursery n and returns the value given to started. If fn ends first, its
// error comes out of Start as it is, or ErrMisuse if there is none and it
// never called started; n is not affected. It is a schedule point; being
// cancelled, the caller still waits for fn, which sees the cancellation.
//
// The function started is sync-coloured and may be called by fn or by any
// task on its behalf, once: ErrMisuse afterwards. It returns an error, and
// moves nothing, if the caller or n has been cancelled meanwhile: then fn
// should end, as nobody will take over its service. A nursery that was left
// answers ErrClosed, and fn does not run.
func Start(
	t *Task, n *Nursery, fn func(t *Task, started func(any) error) error, opts ...SpawnOption,
) (any, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	switch {
	case fn == nil:
		return nil, misuse("starting a nil function")
	case n == nil:
		return nil, misuse("starting in a nil nursery")
	case n.scope.loop != t.loop:
		return nil, fmt.Errorf("starting in a nursery of another loop: %w", ErrWrongTask)
	}
	if err := n.accepts(opts); err != nil {
		return nil, err
	}
	s := &starting{target: n, hidden: newNursery(t.loop)}
	s.hidden.hidden, s.hidden.rarely().name = true, "start"
	n.count++ // a start under way holds the target open
	err := host(t, s.hidden, func(h *Nursery) error {
		s.begin(t, fn, opts)
		return nil
	}, nil)
	return s.outcome(err)
}

// begin spawns the task in the hidden nursery.
func (s *starting) begin(t *Task, fn func(*Task, func(any) error) error, opts []SpawnOption) {
	h, n := s.hidden, s.target
	n.rarely().starts = append(n.rarely().starts, &h.scope)
	if n.scope.cause != nil {
		h.scope.cancel(SourceNursery, "the nursery to start in is cancelled")
	}
	s.task = h.spawn(func(t *Task) error {
		return fn(t, s.started)
	}, codePointer(fn))
	r := s.task.rarely()
	r.target = n
	for _, opt := range opts {
		opt(s.task)
	}
	if t.loop.hooks != nil {
		t.loop.tellSpawned(s.task)
	}
	s.base = &Scope{loop: t.loop}
	s.base.enter(s.task, &h.scope)
	r.base = s.base
}

// started is what the task calls.
func (s *starting) started(value any) error {
	switch {
	case s.called:
		return misuse("started was called twice")
	case s.hidden.closed || s.task.done:
		return misuse("started was called after the task had ended")
	}
	s.called, s.value = true, value
	if cause := s.hidden.scope.cause; cause != nil {
		return fmt.Errorf("nobody takes over task %s: %w", s.task.Name(), cause)
	}
	s.moved = true
	s.move()
	return nil
}

// move hands the task over to the target, whose place for it is held.
func (s *starting) move() {
	t, h, n := s.task, s.hidden, s.target
	s.unshare()
	h.disown(t)
	n.adopt(t)
	n.count-- // the place that was held
	t.rare.target = nil
	s.base.detach()
	s.base.attach(&n.scope)
	t.loop.propagate(s.base)
	s.base.tellBelow()
	h.release()
}

// unshare takes the hidden nursery off the target.
func (s *starting) unshare() {
	r := s.target.rare
	r.starts = slices.DeleteFunc(r.starts, func(share *Scope) bool {
		return share == &s.hidden.scope
	})
}

// outcome composes the result of Start when the hidden nursery has closed.
func (s *starting) outcome(err error) (any, error) {
	n := s.target
	if s.moved {
		return s.value, err
	}
	s.unshare()
	n.release()
	if g, ok := err.(*Group); ok && len(g.errs) == 1 {
		err = g.errs[0]
	}
	switch {
	case err != nil:
		return nil, err
	case s.hidden.scope.caught:
		return nil, fmt.Errorf("the nursery to start in was cancelled: %w", ErrClosed)
	case !s.called:
		return nil, misuse("task %s ended without calling started", s.task.Name())
	}
	return s.value, nil
}
