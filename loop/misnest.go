package loop

import "fmt"

// Scopes and nurseries are entered and left by one call, so code on one stack
// leaves them in the reverse order of their entry. An iterator that is pulled
// (iter.Pull) has a stack of its own: it leaves where its stop is called, which
// may be inside a scope that was entered later, behind one that was entered
// before, after the end of the task, or never. None of this may lose a
// cancellation or a child: what is inside moves one scope outwards, and whoever
// did it is told by ErrMisuse.

var errAbandoned = fmt.Errorf("%w: an iterator was stopped after its task had ended", ErrMisuse)

// result is what leaving s returns if what runs in it returned err.
func (s *Scope) result(t *Task, err error) error {
	if t.scope != s {
		if s.state != scopeActive {
			return both(err, errAbandoned)
		}
		err = s.misnested(t, err)
	}
	return s.settle(err)
}

// misnested adds to err that t leaves s while a scope inside it is open.
func (s *Scope) misnested(t *Task, err error) error {
	if t.loop.broken != nil {
		return err
	}
	return both(err, misuse("task %s leaves %v, and is in %v inside it still: an iterator that was pulled "+
		"is to be stopped in the scope in which it was begun", t.Name(), s, t.scope))
}

// both returns a group of two errors, of which the first may be nil.
func both(err, more error) error {
	if err == nil {
		return more
	}
	return newGroup([]error{err, more})
}

// leaveAround takes s from around the scope in which t is. It reports false if t
// has ended, and left s then.
func (s *Scope) leaveAround(t *Task) bool {
	if s.state != scopeActive {
		return false
	}
	for s.first != nil {
		inner := s.first
		inner.detach()
		inner.attach(s.parent)
		s.loop.propagate(inner)
		inner.tellBelow()
	}
	return true
}

// leaveAround takes n from the open nurseries of t, of which it is not the
// innermost.
func (n *Nursery) leaveAround(t *Task) {
	for inner := t.nurseries; inner != nil; inner = inner.outer {
		if inner.outer == n {
			inner.outer = n.outer
		}
	}
}

// home is the scope in which t began.
func (t *Task) home() *Scope {
	if t.rare != nil && t.rare.base != nil {
		return t.rare.base
	}
	return &t.nursery.scope
}

// insideStill reports whether t, whose function has returned, is in a scope that
// it entered.
func (t *Task) insideStill() bool { return t.scope != t.home() && t.loop.broken == nil }

// abandon leaves what t is in at its end. Children are cancelled and awaited.
func (t *Task) abandon(err error) error {
	err = both(err, misuse("task %s ended in %v: an iterator that was pulled has to be stopped before",
		t.Name(), t.scope))
	for t.insideStill() {
		s := t.scope
		n := s.nursery
		if n == nil {
			s.leave(t)
			continue
		}
		s.cancel(SourceNursery, "its owner has ended")
		if failed := n.leave(t, nil); failed != nil {
			err = both(err, failed)
		}
	}
	return err
}
