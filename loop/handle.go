package loop

import "fmt"

// A Handle stands for a task that was spawned by Go, and holds its result
// after its end. It belongs to the loop of the task.
//
// A handle observes; it does not answer for the task. Whoever waits for it or
// reads its result has not dealt with its error, which goes to the nursery all
// the same.
type Handle[T any] struct {
	of    handle
	value T
}

// handle is the part of a Handle that does not depend on its type.
type handle struct {
	task    *Task
	scope   Scope
	waiters ParkingLot
	err     error
}

// Go spawns fn in the nursery n, as Spawn does, and returns a handle by which
// its value can be read after its end. An error of fn goes to the nursery, and
// fails it unless its supervision says otherwise. The task runs in a scope of
// its own, so that Cancel ends it alone. Sync-coloured. Errors: those of Spawn.
func Go[T any](
	n *Nursery, fn func(*Task) (T, error), opts ...SpawnOption,
) (*Handle[T], error) {
	if fn == nil {
		return nil, misuse("spawning a nil function")
	}
	h := &Handle[T]{}
	t, err := n.start(func(t *Task) (err error) {
		h.value, err = fn(t)
		return err
	}, codePointer(fn), opts)
	if err != nil {
		return nil, err
	}
	h.of.attach(t)
	return h, nil
}

// attach makes the scope of the handle the outermost one of the task.
func (h *handle) attach(t *Task) {
	h.task, h.scope.loop = t, t.loop
	h.scope.enter(t, t.scope)
	r := t.rarely()
	r.base, r.handle = &h.scope, h
}

// ended is called when the task ends with err.
func (h *handle) ended(err error) {
	h.err = err
	for h.waiters.UnparkOne() != nil {
	}
}

// handleWait describes a wait for the end of a task.
type handleWait handle

// WaitDetail names the task, and what it waits for itself.
func (w *handleWait) WaitDetail() string { return w.task.String() }

// Abort agrees.
func (w *handleWait) Abort(Wait) bool { return true }

// wait is Handle.Wait.
func (h *handle) wait(t *Task) error {
	if err := CheckpointIfCancelled(t); err != nil {
		return err
	}
	switch {
	case t.loop != h.task.loop:
		return fmt.Errorf("waiting for a task of another loop: %w", ErrWrongTask)
	case t == h.task:
		return misuse("task %s waits for its own end", t.Name())
	case h.task.done:
		return ShieldedCheckpoint(t)
	}
	return h.waiters.ParkWith(t, "end of a task", (*handleWait)(h))
}

// Wait suspends t until the task of the handle has ended, however it ended. It
// is a checkpoint, and its error is that of the wait and never that of the
// task: the *CancelledError, ErrMisuse if a task waits for itself, or
// ErrWrongTask for a task of another loop.
func (h *Handle[T]) Wait(t *Task) error { return h.of.wait(t) }

// Task returns the task.
func (h *Handle[T]) Task() *Task { return h.of.task }

// Ended reports whether the task has ended.
func (h *Handle[T]) Ended() bool { return h.of.task.done }

// Cancel cancels the task, and nothing else in its nursery; see Scope.Cancel.
// After its end nothing happens.
func (h *Handle[T]) Cancel(reason string) error { return h.of.scope.Cancel(reason) }

// Result returns what fn returned; a panic or Goexit is a *PanicError. Before
// the end it answers ErrMisuse. The error is for information: the nursery has
// it too.
func (h *Handle[T]) Result() (value T, err error) {
	if !h.Ended() {
		return value, misuse("task %s has not ended", h.of.task.Name())
	}
	return h.value, h.of.err
}
