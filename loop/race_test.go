package loop_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// after is a contestant that ends after d with v, err.
func after[T any](d time.Duration, v T, err error) func(*loop.Task) (T, error) {
	return func(task *loop.Task) (T, error) {
		if slept := loop.Sleep(task, d); slept != nil {
			return v, slept
		}
		return v, err
	}
}

// S438: the first success wins; the losers are cancelled and awaited.
func TestS438RaceAwaitsLosers(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		closed := false
		stubborn := func(task *loop.Task) (string, error) {
			err := loop.SleepForever(task)
			if r := reasonOf(t, err); r.Source() != loop.SourceNursery {
				t.Errorf("the loser was cancelled by %v", r)
			}
			return "", errors.Join(err, loop.Shield(task, func(*loop.Scope) error {
				err := loop.Sleep(task, time.Second)
				closed = true
				return err
			}))
		}
		got, err := loop.Race(task, nil,
			after(time.Second, "early failure", errKey),
			after(3*time.Second, "winner", nil),
			after(4*time.Second, "late", nil),
			stubborn)
		if got != "winner" || err != nil || !closed || clock.Elapsed() != 4*time.Second {
			t.Errorf("%q, %v after %v; the loser has cleaned up: %v", got, err, clock.Elapsed(), closed)
		}
		return nil
	})
}

// S438: if all fail, the error holds all, in the order of the call.
func TestS438RaceAllFail(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		_, err := loop.Race(task, nil, after(2, 0, errKey), after(1, 0, errValue))
		g, ok := err.(*loop.Group)
		if !ok || !slices.Equal(g.Unwrap(), []error{errKey, errValue}) {
			t.Errorf("the race returned %v", err)
		}
		return nil
	})
}

// S438: of two that succeed before they see the end of the race, one wins and
// the other's value is discarded: nothing leaks.
func TestS438RaceDiscardsSecondValue(t *testing.T) {
	for range orders {
		looptest.Run(t, func(task *loop.Task) error {
			var discarded []int
			give := func(v int) func(*loop.Task) (int, error) {
				return func(*loop.Task) (int, error) { return v, nil }
			}
			got, err := loop.Race(task, func(v int) { discarded = append(discarded, v) }, give(1), give(2))
			if err != nil || len(discarded) != 1 || got+discarded[0] != 3 {
				t.Errorf("%d, %v; discarded %v", got, err, discarded)
			}
			return nil
		})
	}
}

// A panic is never dropped, not even behind a winner, whose value is then
// discarded; nor are the failures before it.
func TestRacePanics(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		panics := func(task *loop.Task) (int, error) {
			loop.SleepForever(task)
			panic("ouch")
		}
		discarded := 0
		got, err := loop.Race(task, func(v int) { discarded = v }, after(1, 5, nil), panics)
		var p *loop.PanicError
		if !errors.As(err, &p) || got != 0 || discarded != 5 {
			t.Errorf("behind a winner: %d, %v; discarded %d", got, err, discarded)
		}
		sudden := func(*loop.Task) (int, error) { panic("ouch") }
		_, err = loop.Race(task, nil, after(1, 0, errKey), after(0, 0, errValue), sudden)
		if !errors.As(err, &p) || errors.Is(err, loop.Cancelled) {
			t.Errorf("with failures: %v", err)
		}
		return nil
	})
}

// Cancellation from outside: before, nobody starts; meanwhile, all see it, and
// what was won in spite of it is kept.
func TestRaceIsCancelled(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		err := loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("before")
			_, err := loop.Race(task, nil, func(*loop.Task) (int, error) {
				t.Error("a contestant ran")
				return 0, nil
			})
			return err
		})
		want(t, "cancelled before", err, nil)
		err = loop.FailAfter(task, time.Second, func(*loop.Scope) error {
			_, err := loop.Race(task, nil, after(time.Hour, 1, nil), after(time.Hour, 2, nil))
			want(t, "cancelled meanwhile", err, loop.Cancelled)
			return err
		})
		want(t, "FailAfter", err, loop.ErrTimeout)
		return loop.Scoped(task, func(s *loop.Scope) error {
			got, err := loop.Race(task, nil, func(*loop.Task) (int, error) {
				s.Cancel("too late")
				return 9, nil
			})
			if got != 9 || err != nil {
				t.Errorf("won in spite of it: %d, %v", got, err)
			}
			return nil
		})
	})
}

// A race that is cancelled from inside has an error, and no Cancelled that no
// scope around it would absorb.
func TestRaceCancelledFromInside(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		_, err := loop.Race(task, nil, func(task *loop.Task) (int, error) {
			task.Nursery().Cancel("from inside")
			return 0, loop.Checkpoint(task)
		})
		if !errors.Is(err, loop.ErrClosed) || errors.Is(err, loop.Cancelled) {
			t.Errorf("the race returned %v", err)
		}
		_, err = loop.Race[int](task, nil)
		want(t, "no contestants", err, loop.ErrMisuse)
		_, err = loop.Race[int](task, nil, nil)
		want(t, "a nil contestant", err, loop.ErrMisuse)
		_, err = loop.Gather[int](task, nil)
		want(t, "a nil function", err, loop.ErrMisuse)
		return nil
	})
}

// S439: values in the order of the call, whatever the order of the ends.
func TestS439GatherInOrder(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		got, err := loop.Gather(task, after(3, "a", nil), after(1, "b", nil), after(2, "c", nil))
		if err != nil || !slices.Equal(got, []string{"a", "b", "c"}) || clock.Elapsed() != 3 {
			t.Errorf("%q, %v after %v", got, err, clock.Elapsed())
		}
		return looptest.AssertCheckpoint(task, t, func() error {
			_, err := loop.Gather[int](task)
			return err
		})
	})
}

// S439: the first error cancels the rest; values that exist are kept.
func TestS439GatherFails(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		got, err := loop.Gather(task,
			after(1, 1, nil), after(time.Second, 2, errKey), after(time.Hour, 3, nil))
		g, ok := err.(*loop.Group)
		if !ok || !slices.Equal(g.Unwrap(), []error{errKey}) {
			t.Errorf("Gather returned %v", err)
		}
		if !slices.Equal(got, []int{1, 0, 0}) || clock.Elapsed() != time.Second {
			t.Errorf("%v after %v", got, clock.Elapsed())
		}
		return nil
	})
}

func ExampleRace() {
	mirror := func(name string, d time.Duration) func(*loop.Task) (string, error) {
		return func(t *loop.Task) (string, error) {
			return name, loop.Sleep(t, d)
		}
	}
	loop.Run(func(t *loop.Task) error {
		first, err := loop.Race(t, nil, mirror("far", time.Hour), mirror("near", time.Millisecond))
		fmt.Println(first, err)
		return err
	})
	// Output: near <nil>
}

func ExampleGather() {
	square := func(i int) func(*loop.Task) (int, error) {
		return func(*loop.Task) (int, error) { return i * i, nil }
	}
	loop.Run(func(t *loop.Task) error {
		squares, err := loop.Gather(t, square(3), square(4))
		fmt.Println(squares, err)
		return err
	})
	// Output: [9 16] <nil>
}

func ExampleGo() {
	loop.Run(func(t *loop.Task) error {
		var length *loop.Handle[int]
		err := loop.Nurse(t, func(n *loop.Nursery) (err error) {
			length, err = loop.Go(n, func(*loop.Task) (int, error) { return len("lion"), nil })
			return err
		})
		if err != nil {
			return err
		}
		fmt.Println(length.Result())
		return nil
	})
	// Output: 4 <nil>
}

// Whenever a race or a gathering is cancelled, each value that was made is
// returned or discarded, once.
func TestRaceLosesNothing(t *testing.T) {
	moments := looptest.CancelEverywhere(t, func(task *loop.Task) error {
		open := 0
		closeOne := func(int) { open-- }
		dial := func(d time.Duration, result error) func(*loop.Task) (int, error) {
			return func(task *loop.Task) (int, error) {
				if err := loop.Sleep(task, d); err != nil {
					return 0, err
				}
				if result != nil {
					return 0, result
				}
				open++
				return open, nil
			}
		}
		_, raced := loop.Race(task, closeOne, dial(2, errKey), dial(3, nil), dial(3, nil), dial(9, nil))
		switch {
		case raced == nil:
			open--
		case errors.Is(raced, errKey): // that, and that the others were cancelled
			raced = loop.CheckpointIfCancelled(task)
		}
		values, gathered := loop.Gather(task, dial(1, nil), dial(2, nil), dial(3, nil))
		for _, v := range values {
			if v != 0 {
				open--
			}
		}
		if open != 0 {
			t.Errorf("%d values were lost: %v, %v", open, raced, gathered)
		}
		return errors.Join(raced, gathered)
	})
	if moments < 10 {
		t.Errorf("cancelled at %d moments only", moments)
	}
}
