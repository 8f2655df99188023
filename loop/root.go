package loop

import (
	"fmt"
	"slices"
)

// The tree of tasks has a root that runs no code. It owns two nurseries: one
// for the main task, and one for system tasks, which serve the loop and end
// after the main task.

func (l *Loop) rootNursery(name string) *Nursery {
	n := newNursery(l)
	n.rarely().name, n.hidden = name, true
	n.outer, l.root.nurseries = l.root.nurseries, n
	n.scope.enter(l.root, l.rootScope)
	return n
}

// SpawnSystem makes fn a system task: it is not below the main task, has no
// locals, is cancelled when the main task has ended, and may not fail: an
// error of it cancels everything and becomes ErrInternal. It is for services
// of the loop. It must be called on the loop; a loop that is closing answers
// ErrLoopClosed. Sync-coloured.
func (l *Loop) SpawnSystem(fn func(*Task) error, opts ...SpawnOption) error {
	switch {
	case fn == nil:
		return misuse("spawning a nil function")
	case slices.ContainsFunc(opts, SpawnOption.none):
		return errNilOption
	case l.closing || l.broken != nil:
		return fmt.Errorf("spawning a system task: %w", ErrLoopClosed)
	}
	t := l.system.spawn(fn, codePointer(fn))
	t.locals = Locals{}
	for _, opt := range opts {
		opt(t)
	}
	if l.hooks != nil {
		l.tellSpawned(t)
	}
	return nil
}

// rootChildFailed is called for an error of the main task or a system task.
func (l *Loop) rootChildFailed(n *Nursery, err error) {
	if n != l.system {
		return
	}
	if n.scope.cause != nil {
		err, _ = absorb(err)
	}
	if err != nil {
		l.crash(fmt.Errorf("a system task failed: %w", err))
	}
}

// nurseryEmptied is called when a nursery of the root has no children left.
func (l *Loop) nurseryEmptied(n *Nursery) {
	if n != l.mainNursery {
		return
	}
	var err error
	if errs := n.errors(); len(errs) > 0 {
		err = n.scope.settle(errs[0])
	}
	l.mainErr, l.mainDone = err, true
	n.scope.endContext() // nothing else leaves the outermost scope
	l.system.scope.cancel(SourceShutdown, "the main task has ended")
}

// Main returns the main task.
func (l *Loop) Main() *Task { return l.main }

// Current returns the task whose turn it is, or nil between turns. It is for
// sync-coloured functions that check for whom they work, as the release of a
// lock does; to hand it to a function that may suspend would hide from the
// reader that it does. It belongs to the loop's own tasks and callbacks.
func (l *Loop) Current() *Task { return l.current }

// Root returns the root of the tree of tasks: it runs no code, and owns the
// nurseries of the main task and of the system tasks.
func (l *Loop) Root() *Task { return l.root }

// Tasks returns all living tasks, parents before children.
func (l *Loop) Tasks() []*Task {
	var all []*Task
	var walk func(t *Task)
	walk = func(t *Task) {
		for _, n := range t.Nurseries() {
			for _, child := range n.Children() {
				all = append(all, child)
				walk(child)
			}
		}
	}
	walk(l.root)
	return all
}
