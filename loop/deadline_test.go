package loop_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS047TimeoutFires(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		s, err := loop.NewScope(task.Loop(), loop.WithDeadline(task.Now().Add(time.Second)))
		if err != nil {
			return err
		}
		err = loop.Enter(task, s, func(*loop.Scope) error {
			clock.Advance(2 * time.Second)
			err := loop.SleepForever(task)
			want(t, "the sleep", err, loop.Cancelled)
			return err
		})
		wantState(t, s, true, true)
		return err
	})
}

func TestS048DeadlineMovedToPast(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.MoveOnAfter(task, 10*time.Second, func(s *loop.Scope) error {
			clock.Advance(5 * time.Second)
			want(t, "in time", loop.Checkpoint(task), nil)
			want(t, "moving the deadline", s.SetDeadline(looptest.Epoch.Add(time.Second)), nil)
			want(t, "the next checkpoint", loop.Checkpoint(task), loop.Cancelled)
			err := loop.Checkpoint(task)
			want(t, "the one after", err, loop.Cancelled)
			return err
		})
	})
}

// S049: a deadline that is moved back or taken away in time does not fire.
func TestS049DeadlineMovedBack(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.MoveOnAfter(task, time.Second, func(s *loop.Scope) error {
			s.SetDeadline(task.Now().Add(3 * time.Second))
			clock.Advance(2 * time.Second)
			want(t, "after the first deadline", loop.Checkpoint(task), nil)
			s.ClearDeadline()
			clock.Advance(2 * time.Second)
			want(t, "after the second", loop.Checkpoint(task), nil)
			if _, ok, _ := s.Deadline(); ok {
				t.Error("a deadline is left")
			}
			s.SetTimeout(time.Second)
			clock.Advance(time.Second)
			err := loop.Checkpoint(task)
			want(t, "after the third", err, loop.Cancelled)
			return err
		})
	})
}

// Moving a deadline wakes who sleeps under it, at the new time.
func TestDeadlineMovedUnderSleeper(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			var s *loop.Scope
			n.Spawn(func(task *loop.Task) error {
				err := loop.Scoped(task, func(scope *loop.Scope) error {
					s = scope
					return loop.SleepForever(task)
				})
				if clock.Elapsed() != 3*time.Second {
					t.Errorf("it woke at %v", clock.Elapsed())
				}
				return err
			})
			settled(task, t)
			s.SetDeadline(looptest.Epoch.Add(time.Hour))
			if err := loop.Sleep(task, time.Second); err != nil {
				return err
			}
			return s.SetTimeout(2 * time.Second)
		})
	})
}

func TestS056StickyCancelCalled(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		s, err := loop.NewScope(task.Loop(), loop.WithDeadline(task.Now().Add(time.Second)))
		if err != nil {
			return err
		}
		wantState(t, s, false, false)
		s.SetDeadline(task.Now())
		wantState(t, s, true, false)
		s.SetDeadline(task.Now().Add(time.Hour))
		wantState(t, s, true, false)
		want(t, "inside", loop.Enter(task, s, func(*loop.Scope) error {
			err := loop.Checkpoint(task)
			want(t, "the first checkpoint", err, loop.Cancelled)
			return err
		}), nil)
		return loop.MoveOnAfter(task, time.Second, func(s *loop.Scope) error {
			clock.Advance(2 * time.Second)
			s.SetDeadline(task.Now().Add(time.Hour)) // before anybody looked
			wantTrue(t, "the cancellation is called", s.CancelCalled())
			err := loop.Checkpoint(task)
			want(t, "the first checkpoint", err, loop.Cancelled)
			return err
		})
	})
}

// The deadline of a scope that nobody looks at is noticed by ClearDeadline
// and Cancel too.
func TestPassedDeadlineIsNoticed(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		changes := map[string]func(*loop.Scope){
			"ClearDeadline": (*loop.Scope).ClearDeadline,
			"SetTimeout":    func(s *loop.Scope) { s.SetTimeout(time.Hour) },
			"Cancel":        func(s *loop.Scope) { s.Cancel("later") },
		}
		for name, change := range changes {
			err := loop.MoveOnAfter(task, time.Second, func(s *loop.Scope) error {
				clock.Advance(time.Second)
				change(s)
				err := loop.Checkpoint(task)
				if src := reasonOf(t, err).Source(); src != loop.SourceDeadline {
					t.Errorf("%s: the source is %v", name, src)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// S064: the deadline of a task is the earliest that can cancel it.
func TestS064EffectiveDeadline(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		expect := func(what string, after time.Duration) {
			t.Helper()
			when, ok := task.Deadline()
			if !ok || !when.Equal(looptest.Epoch.Add(after)) {
				t.Errorf("%s: the deadline is %v (%v), want %v", what, when, ok, after)
			}
		}
		_, ok := task.Deadline()
		wantTrue(t, "no deadline", !ok)
		return loop.MoveOnAfter(task, 10*time.Second, func(outer *loop.Scope) error {
			expect("one", 10*time.Second)
			return loop.MoveOnAfter(task, 5*time.Second, func(inner *loop.Scope) error {
				expect("an earlier one inside", 5*time.Second)
				inner.SetTimeout(20 * time.Second)
				expect("an earlier one outside", 10*time.Second)
				inner.SetShield(true)
				expect("behind a shield", 20*time.Second)
				inner.SetShield(false)
				clock.Advance(time.Second)
				outer.Cancel("now")
				expect("cancelled", time.Second)
				return loop.Checkpoint(task)
			})
		})
	})
}

func TestS066DeadlineHeapStaysSmall(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		began := time.Now()
		return loop.MoveOnAfter(task, time.Hour, func(s *loop.Scope) error {
			early, late := began.Add(time.Hour), began.Add(2*time.Hour)
			for range 2500 {
				s.SetDeadline(early)
				s.SetDeadline(late)
				if n := task.Statistics().Timers; n != 1 {
					t.Fatalf("%d timers", n)
				}
			}
			if err := loop.Sleep(task, 10*time.Millisecond); err != nil {
				return err
			}
			wantTrue(t, "it slept long enough", time.Since(began) >= 10*time.Millisecond)
			return nil
		})
	})
}

// Timers fire in the order of their times, however they came and went.
func TestTimersFireInOrder(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(looptest.Seed(t), 0))
		virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				for range 300 {
					planned := time.Duration(1+rng.IntN(999)) * time.Millisecond
					moved := time.Duration(rng.IntN(1000)) * time.Millisecond
					move := rng.IntN(2) == 0
					n.Spawn(func(task *loop.Task) error {
						due := planned
						err := loop.MoveOnAfter(task, planned, func(s *loop.Scope) error {
							if move {
								due = moved
								s.SetTimeout(moved)
							}
							return loop.SleepForever(task)
						})
						if clock.Elapsed() != due {
							t.Errorf("due at %v, woken at %v", due, clock.Elapsed())
						}
						return err
					})
				}
				return nil
			})
		})
	})
}

func TestS067RealClockSanity(t *testing.T) {
	const d, tries = 20 * time.Millisecond, 4
	best := time.Hour
	for range tries {
		looptest.Run(t, func(task *loop.Task) error {
			began := time.Now()
			err := loop.MoveOnAt(task, began.Add(d), func(*loop.Scope) error {
				return loop.SleepForever(task)
			})
			took := time.Since(began)
			if took < d {
				t.Errorf("a deadline %v away fired after %v", d, took)
			}
			best = min(best, took)
			return err
		})
		if best < 2*d {
			return
		}
	}
	t.Errorf("the best of %d deadlines %v away fired after %v", tries, d, best)
}

func TestS068S069TimeoutsEvenIfShielded(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			outer.Cancel("now")
			sleep := func(*loop.Scope) error { return loop.Sleep(task, time.Hour) }
			want(t, "MoveOnAfter", loop.MoveOnAfter(task, time.Second, sleep, loop.WithShield()), nil)
			if clock.Elapsed() != time.Second {
				t.Errorf("MoveOnAfter took %v", clock.Elapsed())
			}
			want(t, "FailAfter",
				loop.FailAfter(task, time.Second, sleep, loop.WithShield()), loop.ErrTimeout)
			if clock.Elapsed() != 2*time.Second {
				t.Errorf("both took %v", clock.Elapsed())
			}
			return nil
		})
	})
}

func TestS070UnshieldThenOuter(t *testing.T) {
	type helper = func(*loop.Task, time.Duration, func(*loop.Scope) error, ...loop.ScopeOption) error
	for name, helper := range map[string]helper{
		"MoveOnAfter": loop.MoveOnAfter, "FailAfter": loop.FailAfter,
	} {
		looptest.Run(t, func(task *loop.Task) error {
			var outer, inner *loop.Scope
			err := loop.Scoped(task, func(s *loop.Scope) error {
				outer = s
				outer.Cancel("now")
				err := helper(task, time.Hour, func(s *loop.Scope) error {
					inner = s
					want(t, name+", shielded", loop.Checkpoint(task), nil)
					inner.SetShield(false)
					return loop.Checkpoint(task)
				}, loop.WithShield())
				want(t, name+", unshielded", err, loop.Cancelled)
				return err
			})
			wantState(t, outer, true, true)
			wantState(t, inner, false, false)
			return err
		})
	}
}

func TestS071FailOnlyWhenCaught(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		late := func(*loop.Scope) error { return clock.Advance(2 * time.Second) }
		want(t, "finished without a look", loop.FailAfter(task, time.Second, late), nil)
		swallow := func(*loop.Scope) error {
			clock.Advance(2 * time.Second)
			want(t, "the checkpoint", loop.Checkpoint(task), loop.Cancelled)
			return nil
		}
		want(t, "swallowed", loop.FailAfter(task, time.Second, swallow), nil)
		want(t, "another error", loop.FailAfter(task, time.Second, func(*loop.Scope) error {
			return errKey
		}), errKey)
		caught := loop.FailAfter(task, time.Second, func(*loop.Scope) error {
			clock.Advance(2 * time.Second)
			return loop.Checkpoint(task)
		})
		want(t, "caught", caught, loop.ErrTimeout)
		both := loop.FailAfter(task, time.Second, func(*loop.Scope) error {
			clock.Advance(2 * time.Second)
			return errors.Join(errKey, loop.Checkpoint(task))
		})
		want(t, "caught beside another error", both, errKey)
		wantTrue(t, "that hides no time-out", !errors.Is(both, loop.ErrTimeout))
		explicit := loop.FailAfter(task, time.Hour, func(s *loop.Scope) error {
			s.Cancel("by hand")
			return loop.Checkpoint(task)
		})
		want(t, "caught though cancelled by hand", explicit, loop.ErrTimeout)
		return loop.MoveOnAfter(task, time.Second, func(outer *loop.Scope) error {
			err := loop.FailAfter(task, time.Second, func(*loop.Scope) error {
				clock.Advance(time.Second) // both deadlines pass at once
				return loop.Checkpoint(task)
			})
			want(t, "two at once", err, loop.Cancelled)
			return err
		})
	})
}

func TestTimeoutErrorMatches(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		err := loop.FailAt(task, task.Now().Add(time.Second), func(*loop.Scope) error {
			return loop.SleepForever(task)
		})
		var net interface{ Timeout() bool }
		wantTrue(t, "it is a net.Error", errors.As(err, &net) && net.Timeout())
		wantTrue(t, "it is no Cancelled", !errors.Is(err, loop.Cancelled))
		return nil
	})
}

func TestS072RelativeDeadlineFromEntry(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		s, err := loop.NewScope(task.Loop(), loop.WithTimeout(5*time.Second))
		if err != nil {
			return err
		}
		clock.Advance(3 * time.Second)
		return loop.Enter(task, s, func(*loop.Scope) error {
			expect := func(deadline, timeout time.Duration) {
				t.Helper()
				when, ok, err := s.Deadline()
				if !ok || err != nil || !when.Equal(looptest.Epoch.Add(deadline)) {
					t.Errorf("the deadline is %v, %v, %v; want %v", when, ok, err, deadline)
				}
				d, ok, err := s.Timeout()
				if !ok || err != nil || d != timeout {
					t.Errorf("the timeout is %v, %v, %v; want %v", d, ok, err, timeout)
				}
			}
			expect(8*time.Second, 5*time.Second)
			s.SetDeadline(looptest.Epoch.Add(6 * time.Second))
			expect(6*time.Second, 3*time.Second)
			s.SetTimeout(4 * time.Second)
			expect(7*time.Second, 4*time.Second)
			return nil
		})
	})
}

func TestS073UnenteredAccess(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		l, later := task.Loop(), task.Now().Add(time.Hour)
		relative, err1 := loop.NewScope(l, loop.WithTimeout(time.Minute))
		absolute, err2 := loop.NewScope(l, loop.WithDeadline(later))
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		_, _, err := relative.Deadline()
		want(t, "reading the deadline of a timeout", err, loop.ErrMisuse)
		want(t, "setting it", relative.SetDeadline(later), loop.ErrMisuse)
		_, _, err = absolute.Timeout()
		want(t, "reading the timeout of a deadline", err, loop.ErrMisuse)
		want(t, "setting it", absolute.SetTimeout(time.Minute), loop.ErrMisuse)
		if d, ok, err := relative.Timeout(); d != time.Minute || !ok || err != nil {
			t.Errorf("the timeout is %v, %v, %v", d, ok, err)
		}
		if when, ok, err := absolute.Deadline(); !when.Equal(later) || !ok || err != nil {
			t.Errorf("the deadline is %v, %v, %v", when, ok, err)
		}
		relative.ClearDeadline()
		want(t, "a deadline instead", relative.SetDeadline(later), nil)
		none, err := loop.NewScope(l)
		_, hasDeadline, _ := none.Deadline()
		_, hasTimeout, _ := none.Timeout()
		wantTrue(t, "neither by default", !hasDeadline && !hasTimeout)
		return err
	})
}

func TestS075ZeroTimeoutStillProgresses(t *testing.T) {
	virtually(t, func(task *loop.Task, _ *looptest.Clock) error {
		progressed := false
		err := loop.MoveOnAfter(task, 0, func(s *loop.Scope) error {
			progressed = true
			err := loop.Checkpoint(task)
			want(t, "the first checkpoint", err, loop.Cancelled)
			return err
		})
		wantTrue(t, "the body ran", progressed)
		return err
	})
}
