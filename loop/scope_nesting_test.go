package loop_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS042ShieldHidesOuter(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			return loop.Scoped(task, func(inner *loop.Scope) error {
				outer.Cancel("now")
				want(t, "unshielded", loop.Checkpoint(task), loop.Cancelled)
				inner.SetShield(true)
				want(t, "shielded", loop.Checkpoint(task), nil)
				err := loop.Scoped(task, func(*loop.Scope) error { return loop.Checkpoint(task) })
				want(t, "further inside", err, nil)
				inner.SetShield(false)
				want(t, "unshielded again", loop.Checkpoint(task), loop.Cancelled)
				inner.SetShield(true)
				outer.SetShield(true) // the outer one's own cancellation is not hidden by that
				want(t, "both shielded", loop.Checkpoint(task), nil)
				inner.Cancel("its own")
				err = loop.Checkpoint(task)
				want(t, "cancelled itself", err, loop.Cancelled)
				if r := reasonOf(t, err).Reason(); r != "its own" {
					t.Errorf("the reason is %q", r)
				}
				return err
			})
		})
	})
}

func TestS043ShieldNoOpSet(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.SetShield(false)
			wantTrue(t, "no shield", !s.Shielded())
			for range 2 {
				s.SetShield(true)
				wantTrue(t, "a shield", s.Shielded())
			}
			return loop.Checkpoint(task)
		})
	})
}

// S044: a sleeper behind a shield is woken when the shield goes, and not
// before.
func TestS044DroppingShieldWakesSleeper(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			var shield *loop.Scope
			woken := false
			n.Spawn(func(task *loop.Task) error {
				return loop.Shield(task, func(s *loop.Scope) error {
					shield = s
					err := loop.SleepForever(task)
					woken = true
					return err
				})
			})
			settled(task, t)
			n.Cancel("now")
			for range 5 {
				loop.ShieldedCheckpoint(task)
			}
			wantTrue(t, "the shield holds", !woken)
			shield.SetShield(false)
			for range 2 {
				loop.ShieldedCheckpoint(task)
			}
			wantTrue(t, "it woke at once", woken)
			wantState(t, shield, false, false)
			return nil
		})
	})
}

func TestS045CancelReachesAllLevels(t *testing.T) {
	var record notes
	looptest.Run(t, func(task *loop.Task) error {
		leaf := func(name string) func(*loop.Task) error {
			return func(task *loop.Task) error {
				err := loop.SleepForever(task)
				want(t, name, err, loop.Cancelled)
				record.add(name)
				return err
			}
		}
		worker := func(name string) func(*loop.Task) error {
			return func(task *loop.Task) error {
				return loop.Nurse(task, func(n *loop.Nursery) error {
					n.Spawn(leaf(name + "1"))
					n.Spawn(leaf(name + "2"))
					return nil
				})
			}
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(worker("a"))
			n.Spawn(worker("b"))
			settled(task, t)
			return n.Cancel("the top")
		})
	})
	record.wantAnyOrder(t, "a1", "a2", "b1", "b2")
}

func TestS050CancelThenPopNotDelivered(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var s *loop.Scope
		err := loop.Scoped(task, func(scope *loop.Scope) error {
			s = scope
			s.Cancel("now")
			return loop.ShieldedCheckpoint(task)
		})
		want(t, "the next checkpoint", loop.Checkpoint(task), nil)
		wantState(t, s, true, false)
		return err
	})
}

// The outermost visible cancelled scope absorbs, whichever was cancelled
// first.
func TestOutermostWins(t *testing.T) {
	for _, outerFirst := range []bool{true, false} {
		looptest.Run(t, func(task *loop.Task) error {
			var outer, middle, inner *loop.Scope
			err := loop.Scoped(task, func(s *loop.Scope) error {
				outer = s
				err := loop.Scoped(task, func(s *loop.Scope) error {
					middle = s
					return loop.Scoped(task, func(s *loop.Scope) error {
						inner = s
						if outerFirst {
							middle.Cancel("middle")
						}
						inner.Cancel("inner")
						err := loop.Checkpoint(task)
						middle.Cancel("middle")
						return err
					})
				})
				want(t, "after the middle one", err, nil)
				return loop.Checkpoint(task)
			})
			wantState(t, outer, false, false)
			wantState(t, middle, true, true)
			wantState(t, inner, true, false)
			return err
		})
	}
}

// A cancelled scope behind a shield absorbs what is its own, even if a scope
// outside of the shield is cancelled too.
func TestInnerAbsorbsBehindShield(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			var inner *loop.Scope
			err := loop.Shield(task, func(*loop.Scope) error {
				return loop.Scoped(task, func(s *loop.Scope) error {
					inner = s
					outer.Cancel("outer")
					s.Cancel("inner")
					return loop.Checkpoint(task)
				})
			})
			want(t, "at the shield", err, nil)
			wantState(t, inner, true, true)
			wantState(t, outer, true, false)
			return err
		})
	})
}

// S051, S061: Cancelled leaves are taken out of a group, and the rest stays.
func TestS061GroupIsFiltered(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(sleeper)
				n.Spawn(func(task *loop.Task) error { loop.SleepForever(task); return errKey })
				n.Spawn(func(task *loop.Task) error { loop.SleepForever(task); return errValue })
				settled(task, t)
				return s.Cancel("now")
			})
			looptest.AssertError(t, err,
				looptest.Group(looptest.Matching(loop.Cancelled), errKey, errValue))
			defer func() { wantState(t, s, true, false) }()
			return err
		})
	})
	looptest.AssertError(t, err, looptest.Group(errKey, errValue))
}

func TestS062GroupWithoutCancelled(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		var s *loop.Scope
		var inner error
		err := loop.Scoped(task, func(scope *loop.Scope) error {
			s = scope
			s.Cancel("now")
			inner = loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(failing(errKey))
				n.Spawn(failing(errValue))
				return nil
			})
			return inner
		})
		wantTrue(t, "the error is handed on as it is", err == inner)
		wantState(t, s, true, false)
		return err
	})
	looptest.AssertError(t, err, looptest.Group(errKey, errValue))
}

func TestS063NestedNurseryCollapse(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		err := looptest.RunErr(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(outer *loop.Nursery) error {
				outer.Spawn(sleeper)
				outer.Spawn(failing(errKey))
				return loop.Nurse(task, func(inner *loop.Nursery) error {
					inner.Spawn(sleeper)
					inner.Spawn(failing(errValue))
					return outer.Cancel("both")
				})
			})
		})
		looptest.AssertError(t, err, looptest.Group(errKey, looptest.Group(errValue)))
	})
}

func TestS065FiveThousandDeep(t *testing.T) {
	const deep = 5000
	looptest.Run(t, func(task *loop.Task) error {
		var scopes []*loop.Scope
		seen := 0
		var descend func() error
		descend = func() error {
			if len(scopes) == deep {
				scopes[0].Cancel("the outermost") // BenchmarkCancelDeep has the time
				return loop.Checkpoint(task)
			}
			return loop.Scoped(task, func(s *loop.Scope) error {
				scopes = append(scopes, s)
				err := descend()
				if errors.Is(loop.CheckpointIfCancelled(task), loop.Cancelled) {
					seen++
				}
				return err
			})
		}
		err := descend()
		if seen != deep {
			t.Errorf("%d of %d scopes saw the cancellation", seen, deep)
		}
		wantState(t, scopes[0], true, true)
		for _, s := range scopes[1:] {
			wantState(t, s, false, false)
		}
		return err
	})
}

// S083: a chain of wrappers around a Cancelled is absorbed whole; a join
// loses the Cancelled and keeps the rest.
func TestS083WrappedCancelled(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("context: %w", err) }
	cases := []struct {
		name  string
		build func(cancelled error) error
		left  []error // what the result matches; none: the result is nil
	}{
		{"wrapped", wrap, nil},
		{"wrapped twice", func(c error) error { return wrap(wrap(c)) }, nil},
		{"joined", func(c error) error { return errors.Join(errKey, c, errValue) }, []error{errKey, errValue}},
		{"joined alone", func(c error) error { return errors.Join(c) }, nil},
		{"joined with itself", func(c error) error { return errors.Join(c, wrap(c)) }, nil},
		{"wrapped join", func(c error) error { return wrap(errors.Join(wrap(c), errKey)) }, []error{errKey}},
		{"two verbs", func(c error) error { return fmt.Errorf("%w, %w", c, errKey) }, []error{errKey}},
		{"not there", func(error) error { return wrap(errKey) }, []error{errKey}},
	}
	for _, c := range cases {
		err := looptest.RunErr(t, func(task *loop.Task) error {
			return loop.Scoped(task, func(s *loop.Scope) error {
				s.Cancel("now")
				return c.build(loop.Checkpoint(task))
			})
		})
		if (err == nil) != (len(c.left) == 0) || errors.Is(err, loop.Cancelled) {
			t.Errorf("%s: got %v", c.name, err)
		}
		for _, left := range c.left {
			want(t, c.name, err, left)
		}
	}
}

// The text of a wrapper around a tree that lost a leaf stays.
func TestPrunedTreeKeepsItsText(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("now")
			return fmt.Errorf("while saving: %w", errors.Join(errKey, loop.Checkpoint(task)))
		})
	})
	want(t, "what is left", err, errKey)
	wantText(t, err.Error(), "while saving", "key")
}

// S084: a task that ignores every Cancelled still lets the others run.
func TestS084CancelledAsValueIgnored(t *testing.T) {
	const sleeps = 1000
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			turns, stop := 0, false
			n.Spawn(func(task *loop.Task) error {
				for !stop {
					turns++
					loop.ShieldedCheckpoint(task)
				}
				return nil
			})
			return loop.Scoped(task, func(s *loop.Scope) error {
				s.Cancel("ignored")
				for range sleeps {
					want(t, "a sleep", loop.Sleep(task, time.Hour), loop.Cancelled)
				}
				if turns < sleeps-1 || turns > sleeps+1 {
					t.Errorf("the other had %d turns during %d sleeps", turns, sleeps)
				}
				wantTrue(t, "no time passed", clock.Elapsed() == 0)
				stop = true
				return nil
			})
		})
	})
}

func TestS085CancelDuringCleanup(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		err := loop.Scoped(task, func(s *loop.Scope) (err error) {
			defer func() {
				want(t, "without a shield", loop.Checkpoint(task), loop.Cancelled)
				goodbye := loop.MoveOnAfter(task, time.Second, func(*loop.Scope) error {
					return loop.Sleep(task, 900*time.Millisecond)
				}, loop.WithShield())
				want(t, "the goodbye", goodbye, nil)
				tooLong := loop.FailAfter(task, time.Second, func(*loop.Scope) error {
					return loop.Sleep(task, time.Hour)
				}, loop.WithShield())
				want(t, "one that takes too long", tooLong, loop.ErrTimeout)
			}()
			s.Cancel("now")
			return loop.SleepForever(task)
		})
		if d := clock.Elapsed(); d != 1900*time.Millisecond {
			t.Errorf("it took %v", d)
		}
		return err
	})
}
