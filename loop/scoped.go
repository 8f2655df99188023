package loop

import (
	"fmt"
	"time"
)

// Enter runs fn inside the scope s and returns its error, less what the scope
// absorbs: if s was cancelled, and no cancellation further out is visible
// through it, Cancelled errors end here. Enter suspends only where fn does; it
// is not itself a checkpoint. A nil fn, and a scope that is active or exited, are
// refused with ErrMisuse.
func Enter(t *Task, s *Scope, fn func(*Scope) error) error {
	if err := s.admit(t, fn); err != nil {
		return err
	}
	defer s.leave(t)
	return s.result(t, fn(s))
}

// admit has t enter s, if that may be.
func (s *Scope) admit(t *Task, fn func(*Scope) error) error {
	if err := t.check(); err != nil {
		return err
	}
	switch {
	case s == nil:
		return misuse("entering a nil scope")
	case fn == nil:
		return misuse("entering a scope with a nil function")
	}
	if s.state != scopeUnentered {
		return misuse("the scope has been entered already: %v", s)
	}
	if s.loop != t.loop {
		return fmt.Errorf("entering a scope of another loop: %w", ErrWrongTask)
	}
	s.enter(t, t.scope)
	return nil
}

// leave is deferred, so that a panic leaves t in the scope it was in.
func (s *Scope) leave(t *Task) {
	if t.scope == s {
		t.scope = s.parent
	} else if !s.leaveAround(t) {
		return
	}
	if t.rare != nil && t.rare.unwound != nil {
		s.settleUnwound(t)
	}
	s.exit()
}

// Scoped runs fn in a new scope; see Enter. It suspends only where fn does.
func Scoped(t *Task, fn func(*Scope) error, opts ...ScopeOption) error {
	return enterNew(t, fn, opts)
}

// enterNew is NewScope and Enter in one frame, see Task.park.
func enterNew(t *Task, fn func(*Scope) error, opts []ScopeOption) error {
	s, err := newScopeFor(t, opts)
	if err == nil {
		err = s.admit(t, fn)
	}
	if err != nil {
		return err
	}
	defer s.leave(t)
	return s.result(t, fn(s))
}

// MoveOnAfter runs fn for at most d: then its checkpoints answer Cancelled,
// which the scope absorbs. The scope's CancelledCaught tells whether that
// happened. A negative d is refused with ErrMisuse. It suspends only where fn
// does.
func MoveOnAfter(t *Task, d time.Duration, fn func(*Scope) error, opts ...ScopeOption) error {
	s, err := limited(t, relativeLimit, int64(d), opts)
	if err != nil {
		return err
	}
	return Enter(t, s, fn)
}

// MoveOnAt is MoveOnAfter with an absolute deadline. It suspends only where fn
// does.
func MoveOnAt(t *Task, when time.Time, fn func(*Scope) error, opts ...ScopeOption) error {
	s, err := limitedAt(t, when, opts)
	if err != nil {
		return err
	}
	return Enter(t, s, fn)
}

// FailAfter runs fn for at most d, and returns ErrTimeout if its own scope
// absorbed a Cancelled and nothing else went wrong: other errors are returned
// as they are, and the scope's CancelledCaught tells. An fn that finishes,
// whatever the clock says by then, has not timed out; nor has one that drops the
// Cancelled it was given and returns nil. A negative d is refused with ErrMisuse. It suspends only
// where fn does.
func FailAfter(t *Task, d time.Duration, fn func(*Scope) error, opts ...ScopeOption) error {
	s, err := limited(t, relativeLimit, int64(d), opts)
	if err != nil {
		return err
	}
	return failIn(t, s, fn)
}

// FailAt is FailAfter with an absolute deadline. It suspends only where fn does.
func FailAt(t *Task, when time.Time, fn func(*Scope) error, opts ...ScopeOption) error {
	s, err := limitedAt(t, when, opts)
	if err != nil {
		return err
	}
	return failIn(t, s, fn)
}

func failIn(t *Task, s *Scope, fn func(*Scope) error) error {
	err := Enter(t, s, fn)
	if err == nil && s.caught {
		return ErrTimeout
	}
	return err
}

// Shield runs fn hidden from outer cancellation: for clean-up that must get
// its time. Give it a deadline of its own with MoveOnAfter or an option, or
// it may hold everything up. It suspends only where fn does.
func Shield(t *Task, fn func(*Scope) error, opts ...ScopeOption) error {
	s, err := newScopeFor(t, opts)
	if err != nil {
		return err
	}
	s.shield = true
	return Enter(t, s, fn)
}

// newScopeFor is NewScope for a task that is to enter the scope.
func newScopeFor(t *Task, opts []ScopeOption) (*Scope, error) {
	if t == nil {
		return nil, errNilTask
	}
	return NewScope(t.loop, opts...)
}

// limited is newScopeFor with a deadline or timeout, see Scope.setBefore.
func limited(t *Task, kind limitKind, when int64, opts []ScopeOption) (*Scope, error) {
	if t == nil {
		return nil, errNilTask
	}
	s := newTimedScope(t.loop)
	if err := s.setBefore(kind, when); err != nil {
		return nil, err
	}
	if err := apply(s, opts); err != nil {
		return nil, err
	}
	return s, nil
}

func limitedAt(t *Task, when time.Time, opts []ScopeOption) (*Scope, error) {
	if t == nil {
		return nil, errNilTask
	}
	return limited(t, absoluteLimit, t.loop.clockTime(when), opts)
}

// enter makes s an active child of parent, and the innermost scope of t.
func (s *Scope) enter(t *Task, parent *Scope) {
	s.state, s.task, t.scope = scopeActive, t, s
	s.attach(parent)
	switch {
	case s.limit == relativeLimit:
		s.when = s.loop.after(time.Duration(s.when))
	case s.limit == absoluteLimit, s.rare != nil:
		s.loop.readClock()
	}
	s.cause = s.visible()
	if s.limit != unlimited || s.rare != nil {
		s.armTimer()
	}
	if s.untilStop {
		s.tellBelow()
	}
}

// exit takes s out of the tree. Nothing may be left inside.
func (s *Scope) exit() {
	s.timer.stop(s.loop)
	s.detach()
	s.state, s.cause = scopeExited, nil
	s.endContext()
}

// settle decides at exit what the scope absorbs: it catches what its own
// cancellation caused, unless a cancellation further out shows through it;
// then that scope will.
func (s *Scope) settle(err error) error {
	if err == nil || s.own == nil || s.cause != s.own {
		return err
	}
	rest, caught := absorb(err)
	s.caught = s.caught || caught
	return rest
}

// cancelledOutward reports whether this scope or one around it has been
// cancelled, visible or not.
func (s *Scope) cancelledOutward() bool {
	for ; s != nil; s = s.parent {
		if s.own != nil {
			return true
		}
	}
	return false
}

// visible is the cancellation that checkpoints directly in s answer.
func (s *Scope) visible() *CancelledError {
	if s.parent != nil && !s.shield && s.parent.cause != nil {
		return s.parent.cause
	}
	return s.own
}

// attach makes s the first child. The children are a list with an end: prev of
// the first is the last.
func (s *Scope) attach(parent *Scope) {
	s.parent = parent
	if parent == nil {
		return
	}
	s.next, s.prev = parent.first, s
	if s.next != nil {
		s.prev, s.next.prev = s.next.prev, s
	}
	parent.first = s
}

func (s *Scope) detach() {
	if s.parent == nil {
		return
	}
	first := &s.parent.first
	switch {
	case s.next != nil:
		s.next.prev = s.prev
	case *first != s:
		(*first).prev = s.prev
	}
	if *first == s {
		*first = s.next
	} else {
		s.prev.next = s.next
	}
	s.next, s.prev = nil, nil
}

// after returns the scope that follows s in a walk over the tree below top:
// parents first, then children as they were entered. Without descent what is
// below s is left out. At the end it returns nil. The walk needs no recursion
// and no stack: scopes may be nested thousands deep, or side by side.
func (s *Scope) after(top *Scope, descend bool) *Scope {
	if descend && s.first != nil {
		return s.first.prev
	}
	for s != top {
		if s != s.parent.first {
			return s.prev
		}
		s = s.parent
	}
	return nil
}

// propagate recomputes what is visible in top and below, and aborts the waits
// of tasks that have come to see a cancellation.
func (l *Loop) propagate(top *Scope) {
	woken := l.woken // a propagation within this one has another
	l.woken = nil
	var shares []*Scope
	for s, news := top, false; s != nil; s = s.after(top, news) {
		cause := s.visible()
		if news = cause != s.cause; !news {
			continue
		}
		s.cause = cause
		if c := s.context(); c != nil {
			c.cancel(cause)
		}
		if t := s.task; t.parked && t.scope == s {
			woken = append(woken, t)
		}
		if n := s.nursery; n != nil {
			for t := n.children; t != nil; t = t.siblingNext {
				if t.parked && t.scope == s { // or else it is found by its own scope
					woken = append(woken, t)
				}
			}
			shares = append(shares, n.starts()...)
		}
	}
	// Abort functions are foreign code and may cancel more: the tree is done.
	for _, t := range woken {
		if t.parked && t.scope.cause != nil {
			l.abort(t, t.scope.cause)
		}
	}
	l.keepRoom(woken)
	for _, share := range shares {
		if share.state == scopeActive && share.own == nil {
			share.cancelWith(&CancelledError{
				source: SourceNursery, reason: "the nursery it was being started in was cancelled",
			})
		}
	}
}

// keepRoom keeps the list of a propagation for the next one, if it is not
// larger than for the tasks of a busy loop: growing it took as long as a third
// of the aborts, and a cancellation of thousands of tasks began with garbage.
//
//lion:opt cancel-room
func (l *Loop) keepRoom(woken []*Task) {
	clear(woken)
	if cap(woken) <= 2*coroutineSurplusMax {
		l.woken = woken[:0]
	}
}
