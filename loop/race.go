package loop

import "fmt"

// Race runs all contestants as tasks and returns the value of the first that
// succeeds. The others are cancelled, and awaited: when Race returns none of
// them runs any more. If all fail, the error is a *Group of their errors in
// the order of the call.
//
// A value that comes second, before its task saw the cancellation, is given to
// discard, on the loop and in no task: there a connection is closed that
// nobody will use. A nil discard says that the values need no such care.
//
// The failures of those who did not win are dropped when somebody did: they
// are what a race is for. A panic or Goexit of a contestant, and an interrupt,
// are not: they cancel the race, the winner's value is discarded, and they are
// the error.
//
// Race is a checkpoint: if t has been cancelled before, nobody starts. If t is
// cancelled meanwhile the contestants see it. A value that was won in spite of
// it is returned. Without contestants, or with a nil one, it answers ErrMisuse.
func Race[T any](
	t *Task, discard func(T), contestants ...func(*Task) (T, error),
) (value T, err error) {
	if len(contestants) == 0 {
		return value, misuse("a race without contestants")
	}
	if err := ready(t, contestants); err != nil {
		return value, err
	}
	r := race[T]{discard: discard, errs: make([]error, len(contestants))}
	err = Nurse(t, func(n *Nursery) error {
		for i, run := range contestants {
			_, err := n.start(func(t *Task) error {
				v, err := run(t)
				r.finish(n, i, v, err)
				return nil
			}, codePointer(run), nil)
			if err != nil {
				return err
			}
		}
		return nil
	}, WithName("race"))
	if err == nil && r.won {
		return r.value, nil
	}
	if r.won && discard != nil {
		discard(r.value)
	}
	return value, r.failed(t, err)
}

// ready is the cancel point before a group of functions is started.
func ready[T any](t *Task, fns []func(*Task) (T, error)) error {
	for i, fn := range fns {
		if fn == nil {
			return misuse("function %d is nil", i)
		}
	}
	return CheckpointIfCancelled(t)
}

// race is a race under way.
type race[T any] struct {
	discard func(T)
	value   T
	won     bool
	errs    []error // of those who failed, by place
}

// finish notes the result of the contestant at place i.
func (r *race[T]) finish(n *Nursery, i int, value T, err error) {
	switch {
	case err != nil:
		r.errs[i] = err
	case !r.won:
		r.won, r.value = true, value
		n.scope.cancel(SourceNursery, "another contestant has won")
	case r.discard != nil:
		r.discard(value)
	}
}

// failed composes the error of a race: err is that of its nursery.
func (r *race[T]) failed(t *Task, err error) error {
	var kept []error
	if g, ok := err.(*Group); ok {
		kept = g.errs
	}
	if !r.won {
		for _, err := range r.errs {
			if t.scope.cause == nil { // a Cancelled is of the race itself
				err, _ = absorb(err)
			}
			if err != nil && !sameCancelled(kept, err) {
				kept = append(kept, err)
			}
		}
	}
	if len(kept) == 0 {
		return fmt.Errorf("the race was cancelled from inside: %w", ErrClosed)
	}
	return newGroup(kept)
}

// Gather runs all functions as tasks, waits for them, and returns their values
// in the order of the call. The first error cancels the others; the error is a
// *Group of all. The values of those that succeeded are returned even then,
// and zero values for the others, so that nothing that has to be closed is
// lost.
//
// Gather is a checkpoint: if t has been cancelled before, nothing starts. A nil
// function is refused with ErrMisuse. All functions run at once: for more than
// the system can bear, put a limiter around what they do.
func Gather[T any](t *Task, fns ...func(*Task) (T, error)) ([]T, error) {
	if err := ready(t, fns); err != nil {
		return nil, err
	}
	values := make([]T, len(fns))
	err := Nurse(t, func(n *Nursery) error {
		for i, fn := range fns {
			_, err := n.start(func(t *Task) error {
				v, err := fn(t)
				if err == nil {
					values[i] = v
				}
				return err
			}, codePointer(fn), nil)
			if err != nil {
				return err
			}
		}
		return nil
	}, WithName("gather"))
	return values, err
}
