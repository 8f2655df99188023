package loop_test

import (
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS009ChildCrashCancelsSiblings(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		var record notes
		err := looptest.RunErr(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(task *loop.Task) error {
					for {
						if err := loop.Checkpoint(task); err != nil {
							want(t, "the sibling", err, loop.Cancelled)
							record.add("cancelled")
							return err
						}
					}
				})
				return n.Spawn(failing(errValue))
			})
		})
		looptest.AssertError(t, err, looptest.Group(errValue))
		record.want(t, "cancelled")
	})
}

func TestS010BodyAndChildBothFail(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(failing(errValue))
			return errKey
		})
	})
	looptest.AssertError(t, err, looptest.Group(errKey, errValue))
}

func TestS011TwoChildrenFail(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		err := looptest.RunErr(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(failing(errKey))
				n.Spawn(failing(errValue))
				return nil
			})
		})
		looptest.AssertError(t, err, looptest.Group(errKey, errValue))
	})
}

func TestS012ChildCrashWakesBody(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(failing(errKey))
			err := loop.SleepForever(task)
			want(t, "the body", err, loop.Cancelled)
			return err
		})
	})
	looptest.AssertError(t, err, looptest.Group(errKey))
}

func TestS087SpawnIsSynchronous(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		ran := false
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(*loop.Task) error { ran = true; return nil })
			wantTrue(t, "the child waits", !ran)
			if s := n.Statistics(); s.Children != 1 || s.Spawned != 1 || len(n.Children()) != 1 {
				t.Errorf("%+v", s)
			}
			return nil
		})
		wantTrue(t, "the child ran", ran)
		return err
	})
}

func TestS088S089ErrorsWrappedOnce(t *testing.T) {
	bodies := map[string]func(*loop.Nursery) error{
		"body":  func(*loop.Nursery) error { return errKey },
		"child": func(n *loop.Nursery) error { return n.Spawn(failing(errKey)) },
	}
	for name, body := range bodies {
		err := looptest.RunErr(t, func(task *loop.Task) error { return loop.Nurse(task, body) })
		g, ok := err.(*loop.Group)
		if !ok || len(g.Unwrap()) != 1 || g.Unwrap()[0] != errKey {
			t.Errorf("%s: got %v", name, looptest.Describe(err))
		}
	}
}

func TestS090PrecancelledChildStarts(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var record notes
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Cancel("before")
			return n.Spawn(func(task *loop.Task) error {
				record.add("started")
				err := loop.SleepForever(task)
				want(t, "its first checkpoint", err, loop.Cancelled)
				record.add("cancelled")
				return err
			})
		})
		record.want(t, "started", "cancelled")
		return err
	})
}

func TestS091SpawnWhileClosing(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		ran := false
		var nursery *loop.Nursery
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			nursery = n
			return n.Spawn(func(*loop.Task) error {
				wantTrue(t, "the owner waits", task.Waiting() == "nursery")
				return n.Spawn(func(*loop.Task) error { ran = true; return nil })
			})
		})
		wantTrue(t, "the late child ran", ran)
		wantTrue(t, "it is closed", nursery.Closed())
		closed := nursery.Spawn(func(*loop.Task) error { t.Error("it ran"); return nil })
		want(t, "spawning after the exit", closed, loop.ErrClosed)
		want(t, "a nil function", nursery.Spawn(nil), loop.ErrMisuse)
		return err
	})
}

// S092: the last child ends while another task, or a callback, spawns. The
// spawn is accepted and waited for, or refused; never lost.
func TestS092ClosingRace(t *testing.T) {
	looptest.Seeds(t, 2*orders, func(t *testing.T) {
		ran, accepted := 0, 0
		looptest.Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(outer *loop.Nursery) error {
				var nursery *loop.Nursery
				race := func(task *loop.Task) error {
					for nursery == nil || !nursery.Closed() {
						if nursery != nil {
							err := nursery.Spawn(func(*loop.Task) error { ran++; return nil })
							if err == nil {
								accepted++
							} else {
								want(t, "spawning", err, loop.ErrClosed)
							}
							return nil
						}
						if err := loop.Checkpoint(task); err != nil {
							return err
						}
					}
					return nil
				}
				outer.Spawn(race)
				outer.Spawn(race)
				err := loop.Nurse(task, func(n *loop.Nursery) error {
					nursery = n
					return n.Spawn(nothing)
				})
				if ran != accepted {
					t.Errorf("%d accepted, %d had run at the exit", accepted, ran)
				}
				return err
			})
		})
		if ran != accepted {
			t.Errorf("%d accepted, %d ran", accepted, ran)
		}
	})
}

// The owner is woken by its last child and, before it has its turn, another
// task spawns: the nursery is still open, and the owner waits on.
func TestSpawnAfterLastChild(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		looptest.Run(t, func(task *loop.Task) error {
			late := false
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				return n.Spawn(func(child *loop.Task) error {
					return task.Loop().CallSoon(func() {
						if child.Ended() && !n.Closed() {
							want(t, "spawning", n.Spawn(func(task *loop.Task) error {
								err := loop.Checkpoint(task)
								late = true
								return err
							}), nil)
						}
					})
				})
			})
			wantTrue(t, "the late child has ended", late)
			return err
		})
	})
}

// S093: cancelling a nursery cancels its body too, and is absorbed.
func TestS093NurseryCancel(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var nursery *loop.Nursery
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			nursery = n
			n.Spawn(sleeper)
			n.Cancel("by the body")
			err := loop.Checkpoint(task)
			want(t, "the body", err, loop.Cancelled)
			return err
		})
		wantState(t, nursery.Scope(), true, true)
		return err
	})
}

func TestS094TaskLocalsComeFromSpawner(t *testing.T) {
	local := loop.NewLocal("local", 0)
	expect := func(task *loop.Task, what string, value int) {
		t.Helper()
		if got := get(task, local); got != value {
			t.Errorf("%s: %d, want %d", what, got, value)
		}
	}
	looptest.Run(t, func(owner *loop.Task) error {
		expect(owner, "the default", 0)
		set(owner, local, 1)
		return loop.Nurse(owner, func(n *loop.Nursery) error {
			n.Spawn(func(spawner *loop.Task) error {
				expect(spawner, "from the owner", 1)
				set(spawner, local, 2)
				n.Spawn(func(child *loop.Task) error {
					expect(child, "from the spawner, not the owner of the nursery", 2)
					set(child, local, 3)
					if err := loop.Sleep(child, time.Microsecond); err != nil {
						return err
					}
					expect(child, "its own", 3)
					return nil
				})
				set(spawner, local, 4)
				if err := loop.Sleep(spawner, time.Microsecond); err != nil {
					return err
				}
				expect(spawner, "the spawner does not see its child's", 4)
				return nil
			})
			n.Spawn(func(running *loop.Task) error {
				if err := loop.Sleep(running, time.Microsecond); err != nil {
					return err
				}
				expect(running, "a later change of the owner is not seen", 1)
				return nil
			})
			set(owner, local, 5)
			return nil
		})
	})
}

func TestLocalsManySets(t *testing.T) {
	a, b := loop.NewLocal("a", ""), loop.NewLocal("b", 0)
	looptest.Run(t, func(task *loop.Task) error {
		set(task, a, "kept")
		for i := range 1000 {
			set(task, b, i)
		}
		wantTrue(t, "both values", get(task, a) == "kept" && get(task, b) == 999 && a.Name() == "a")
		return nil
	})
}

// S095: a nursery invents no Cancelled: when its own cancellation is all that
// happened, its result is nil; an outer one's goes through it.
func TestS095NoCancelledInvented(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		inner := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(sleeper)
			settled(task, t)
			return n.Cancel("now")
		})
		want(t, "its own", inner, nil)
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("now")
			quiet := loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(nothing) })
			want(t, "nobody saw it", quiet, nil)
			seen := loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(sleeper) // one Cancelled stands for all
				return n.Spawn(sleeper)
			})
			looptest.AssertError(t, seen, looptest.Group(looptest.Matching(loop.Cancelled)))
			return seen
		})
	})
}

func TestS096ErrorsDuringCancelCollected(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				want(t, "the other child", loop.SleepForever(task), loop.Cancelled)
				return errValue
			})
			settled(task, t)
			return n.Spawn(failing(errKey))
		})
	})
	looptest.AssertError(t, err, looptest.Group(errKey, errValue))
}

// stubborn is a child that takes its time whatever happens.
func stubborn(task *loop.Task) error {
	return loop.Shield(task, func(*loop.Scope) error { return loop.Sleep(task, 3*time.Second) })
}

func TestS097StubbornChildIsAwaited(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(stubborn)
			settled(task, t)
			return n.Cancel("now")
		})
		if clock.Elapsed() != 3*time.Second {
			t.Errorf("the exit took %v", clock.Elapsed())
		}
		return err
	})
}

func TestS098OwnerWaitsUncancellably(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.MoveOnAfter(task, time.Second, func(*loop.Scope) error {
			err := loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(stubborn) })
			if clock.Elapsed() != 3*time.Second {
				t.Errorf("the exit took %v", clock.Elapsed())
			}
			want(t, "the nursery", err, nil)
			return loop.Checkpoint(task)
		})
	})
}

func TestS099InterruptWhileWaitingCollected(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(child *loop.Task) error {
				settled(child, t)
				child.Loop().Interrupt()
				err := loop.SleepForever(child)
				if c := reasonOf(t, err); c.Source() != loop.SourceInterrupt {
					t.Errorf("the child was cancelled by %v", c)
				}
				return errKey
			})
			return nil
		})
		looptest.AssertError(t, err, looptest.Group(loop.ErrInterrupt, errKey))
		return err
	})
	looptest.AssertError(t, err, looptest.Group(loop.ErrInterrupt, errKey))
}

func TestS104IteratorStyleFailure(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(failing(io.EOF))
			return n.Spawn(nothing)
		})
	})
	looptest.AssertError(t, err, looptest.Group(io.EOF))
	wantTrue(t, "it can be told", errors.Is(err, io.EOF))
}

// Errors are collected in the order in which they came.
func TestGroupOrder(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			for i, e := range []error{errOther, errValue, errKey} {
				n.Spawn(func(task *loop.Task) error {
					return loop.Shield(task, func(*loop.Scope) error {
						if err := loop.Sleep(task, time.Duration(3-i)*time.Second); err != nil {
							return err
						}
						return e
					})
				})
			}
			return nil
		})
		g := err.(*loop.Group)
		if !slices.Equal(g.Unwrap(), []error{errKey, errValue, errOther}) {
			t.Errorf("the order is %v", g.Unwrap())
		}
		wantText(t, g.Error(), "3 errors:", "\n  - key", "\n  - value", "\n  - other")
		return nil
	})
}

// The scope of a nursery is a scope like any other.
func TestNurseryDeadline(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		var scope *loop.Scope
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			scope = n.Scope()
			want(t, "a timeout", scope.SetTimeout(time.Second), nil)
			n.Spawn(sleeper)
			err := loop.SleepForever(task)
			if c := reasonOf(t, err); c.Source() != loop.SourceDeadline {
				t.Errorf("cancelled by %v", c)
			}
			return err
		})
		wantState(t, scope, true, true)
		wantTrue(t, "a second passed", clock.Elapsed() == time.Second)
		again := loop.Enter(task, scope, func(*loop.Scope) error { return errKey })
		want(t, "entering it", again, loop.ErrMisuse)
		return err
	})
}

func TestNurseryOption(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			if n.Name() != "pool" || n.Owner() != task {
				t.Errorf("%q of %v", n.Name(), n.Owner())
			}
			return nil
		}, loop.WithName("pool"))
		bad := loop.Nurse(task, func(*loop.Nursery) error { t.Error("it ran"); return nil },
			func(*loop.Nursery) error { return errKey })
		want(t, "an option that fails", bad, errKey)
		return err
	})
}
