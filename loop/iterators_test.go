package loop_test

import (
	"errors"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// Iterators that suspend, and bodies of range loops that suspend: what
// docs/iterators.md says about them.

// ticks is an iterator that suspends: it yields numbers, one each second, and
// notes when it begins and when it has cleaned up.
func ticks(t *loop.Task, n *notes) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		n.add("begin")
		defer n.add("clean")
		for i := range 3 {
			if err := loop.Sleep(t, time.Second); err != nil {
				yield(i, err)
				return
			}
			if !yield(i, nil) {
				return
			}
		}
	}
}

func TestIteratorToItsEnd(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		var n notes
		for i, err := range ticks(task, &n) {
			want(t, "a step", err, nil)
			if err := loop.Sleep(task, time.Second); err != nil {
				return err
			}
			n.add(string(rune('0' + i)))
		}
		n.add("behind")
		n.want(t, "begin", "0", "1", "2", "clean", "behind")
		if clock.Elapsed() != 6*time.Second {
			t.Errorf("iterator and body took %v", clock.Elapsed())
		}
		return nil
	})
}

// However a body leaves its loop, and whatever it did in there, the iterator
// has cleaned up before the next statement runs.
func TestIteratorIsCleanedUpAtOnce(t *testing.T) {
	ways := map[string]func(*loop.Task, *notes){
		"break": func(task *loop.Task, n *notes) {
			for range ticks(task, n) {
				loop.Checkpoint(task)
				n.add("body")
				break
			}
		},
		"return": func(task *loop.Task, n *notes) {
			func() error {
				for range ticks(task, n) {
					n.add("body")
					return loop.Sleep(task, time.Second)
				}
				return nil
			}()
		},
		"labelled continue": func(task *loop.Task, n *notes) {
		outer:
			for i := range 2 {
				for range ticks(task, n) {
					loop.Checkpoint(task)
					n.add("body")
					if i == 0 {
						break outer
					}
					continue outer
				}
			}
		},
		"panic": func(task *loop.Task, n *notes) {
			defer func() {
				if v := recover(); v != "in the body" {
					t.Errorf("recovered %v", v)
				}
			}()
			for range ticks(task, n) {
				loop.Checkpoint(task)
				n.add("body")
				panic("in the body")
			}
		},
		"cancelled in the body": func(task *loop.Task, n *notes) {
			err := loop.MoveOnAfter(task, 1500*time.Millisecond, func(*loop.Scope) error {
				for _, err := range ticks(task, n) {
					want(t, "the step", err, nil)
					n.add("body")
					return loop.SleepForever(task)
				}
				return nil
			})
			want(t, "the scope", err, nil)
		},
	}
	for name, leave := range ways {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
				var n notes
				leave(task, &n)
				n.add("behind")
				n.want(t, "begin", "body", "clean", "behind")
				return loop.CheckpointIfCancelled(task)
			})
		})
	}
}

// A cancellation while the iterator waits reaches the body as its error.
func TestIteratorCancelledWhileItWaits(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		var n notes
		err := loop.FailAfter(task, 1500*time.Millisecond, func(*loop.Scope) error {
			for _, err := range ticks(task, &n) {
				if err != nil {
					return err
				}
				n.add("body")
			}
			return nil
		})
		want(t, "FailAfter", err, loop.ErrTimeout)
		n.want(t, "begin", "body", "clean")
		return nil
	})
}

// A body that calls Goexit, and one that panics with nobody to recover, end
// their task; the iterator is cleaned up, and the nursery hears of it.
func TestIteratorWhenTheTaskEnds(t *testing.T) {
	for name, end := range map[string]func(){
		"Goexit": runtime.Goexit,
		"panic":  func() { panic("in the body") },
	} {
		t.Run(name, func(t *testing.T) {
			var n notes
			err := looptest.RunErr(t, func(task *loop.Task) error {
				return loop.Nurse(task, func(nursery *loop.Nursery) error {
					return nursery.Spawn(func(task *loop.Task) error {
						for range ticks(task, &n) {
							n.add("body")
							end()
						}
						return nil
					})
				})
			}, loop.WithClock(looptest.NewAutojumpClock()))
			var panicked *loop.PanicError
			if !errors.As(err, &panicked) || panicked.Goexit != (name == "Goexit") {
				t.Errorf("the run returned %v", err)
			}
			n.want(t, "begin", "body", "clean")
		})
	}
}

// The body runs inside the scopes that are open around the yield: the hazard
// for which queue.Generate exists.
func TestIteratorScopesHoldForTheBody(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		once := func(yield func(int) bool) {
			loop.MoveOnAfter(task, time.Second, func(*loop.Scope) error {
				yield(1)
				return loop.CheckpointIfCancelled(task)
			})
		}
		for range once {
			want(t, "a sleep in the body", loop.Sleep(task, time.Minute), loop.Cancelled)
		}
		return loop.CheckpointIfCancelled(task)
	})
}

// A nursery of the iterator is the parent of what it spawns, not of the body's
// tasks; when the loop is left it is left as well, and waits for its children.
func TestIteratorWithANursery(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		var n notes
		withHelper := func(yield func(int) bool) {
			loop.Nurse(task, func(nursery *loop.Nursery) error {
				nursery.Spawn(func(task *loop.Task) error {
					defer n.add("helper ended")
					return loop.SleepForever(task)
				})
				for i := 0; yield(i); i++ {
				}
				return nursery.Cancel("the loop was left")
			})
		}
		for i := range withHelper {
			settled(task, t)
			if i == 2 {
				break
			}
		}
		n.want(t, "helper ended")
		return nil
	})
}

// An iterator that suspends may be pulled, too: stop cleans it up.
func TestIteratorPulled(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		var n notes
		err := loop.Nurse(task, func(nursery *loop.Nursery) error {
			nursery.Spawn(func(task *loop.Task) error { return loop.Sleep(task, 10*time.Second) })
			next, stop := iter.Pull2(ticks(task, &n))
			defer stop()
			for i := range 2 {
				got, err, ok := next()
				if got != i || err != nil || !ok {
					t.Errorf("pulled %v, %v, %v", got, err, ok)
				}
				if err := loop.Sleep(task, time.Second); err != nil {
					return err
				}
			}
			stop()
			n.want(t, "begin", "clean")
			return nil
		})
		return err
	})
}
