package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS037CancelIdempotent(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			want(t, "cancelling", s.Cancel("first"), nil)
			want(t, "cancelling again", s.Cancel("second"), nil)
			defer func() { wantState(t, s, true, false) }() // not caught before the exit
			return loop.Checkpoint(task)
		})
	})
	looptest.Run(t, func(task *loop.Task) error {
		scope, err := loop.NewScope(task.Loop())
		if err != nil {
			return err
		}
		err = loop.Enter(task, scope, func(s *loop.Scope) error {
			s.Cancel("first")
			s.Cancel("second")
			return loop.Checkpoint(task)
		})
		wantState(t, scope, true, true)
		return err
	})
}

// S038: a cancelled scope whose body never came to a checkpoint has caught
// nothing.
func TestS038CancelledButNotSeen(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var scope *loop.Scope
		err := loop.Scoped(task, func(s *loop.Scope) error {
			scope = s
			return s.Cancel("nobody will see")
		})
		wantState(t, scope, true, false)
		want(t, "afterwards", loop.Checkpoint(task), nil)
		return err
	})
}

func TestS039StateNames(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		s, err := loop.NewScope(task.Loop(), loop.WithTimeout(5*time.Second))
		if err != nil {
			return err
		}
		wantText(t, s.String(), "unentered", "timeout 5s")
		err = loop.Enter(task, s, func(s *loop.Scope) error {
			wantText(t, s.String(), "active", "deadline in 5s")
			clock.Advance(7 * time.Second)
			err := loop.Checkpoint(task)
			wantText(t, s.String(), "active", "deadline cancel", "deadline 2s ago")
			return err
		})
		wantText(t, s.String(), "exited", "deadline cancel", "2s ago")
		off := make(chan string)
		go func() { off <- s.String() }()
		wantText(t, <-off, "exited")
		explicit, _ := loop.NewScope(task.Loop())
		explicit.Cancel("why")
		wantText(t, explicit.String(), "unentered", "explicit cancel")
		return err
	})
}

func TestS040ArgumentValidation(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l, later := task.Loop(), task.Now().Add(time.Hour)
		_, err := loop.NewScope(l, loop.WithDeadline(later), loop.WithTimeout(time.Hour))
		want(t, "a deadline and a timeout", err, loop.ErrMisuse)
		_, err = loop.NewScope(l, loop.WithTimeout(time.Hour), loop.WithDeadline(later))
		want(t, "a timeout and a deadline", err, loop.ErrMisuse)
		_, err = loop.NewScope(l, loop.WithTimeout(-1))
		want(t, "a negative timeout", err, loop.ErrMisuse)
		both := loop.MoveOnAfter(task, time.Hour, func(*loop.Scope) error { return errKey },
			loop.WithDeadline(later))
		want(t, "MoveOnAfter with a deadline", both, loop.ErrMisuse)
		s, err := loop.NewScope(l, loop.WithTimeout(time.Hour))
		want(t, "setting a negative timeout", s.SetTimeout(-1), loop.ErrMisuse)
		if d, ok, _ := s.Timeout(); d != time.Hour || !ok {
			t.Errorf("the refused timeout left %v, %v", d, ok)
		}
		return err
	})
}

func TestS041NobodyCanForgeCancelled(t *testing.T) {
	// stale is the Cancelled of a scope that has been left.
	stale := func(task *loop.Task) (err error) {
		loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("long ago")
			err = loop.Checkpoint(task)
			return err
		})
		return err
	}
	bodies := map[string]func(*loop.Task, error) error{
		"returned by main": func(_ *loop.Task, old error) error { return old },
		"in a scope": func(task *loop.Task, old error) error {
			return loop.Scoped(task, func(*loop.Scope) error { return old })
		},
		"in FailAfter": func(task *loop.Task, old error) error {
			return loop.FailAfter(task, time.Hour, func(*loop.Scope) error { return old })
		},
		"in the body of a nursery": func(task *loop.Task, old error) error {
			return loop.Nurse(task, func(*loop.Nursery) error { return old })
		},
		"in a child": func(task *loop.Task, old error) error {
			return loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(failing(old)) })
		},
		"in a child, joined": func(task *loop.Task, old error) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				return n.Spawn(failing(errors.Join(errKey, old)))
			})
		},
		"in a child, in a group": func(task *loop.Task, old error) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				return n.Spawn(func(task *loop.Task) error {
					return loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(failing(old)) })
				})
			})
		},
	}
	for name, body := range bodies {
		var old error
		err := looptest.RunErr(t, func(task *loop.Task) error {
			old = stale(task)
			return body(task, old)
		})
		want(t, name, err, loop.Cancelled)
		wantTrue(t, name+": it is the old one", reasonOf(t, err) == old)
		wantTrue(t, name+": it is no time-out", !errors.Is(err, loop.ErrTimeout))
	}
}

func TestS046TimeoutOnlyInside(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		var scope *loop.Scope
		err := loop.MoveOnAfter(task, time.Second, func(s *loop.Scope) error {
			scope = s
			return loop.Checkpoint(task)
		})
		clock.Advance(2 * time.Second)
		want(t, "a later checkpoint", loop.Checkpoint(task), nil)
		wantState(t, scope, false, false)
		return err
	})
}

func TestS052CancelBeforeEntry(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		s, err := loop.NewScope(task.Loop())
		if err != nil {
			return err
		}
		s.Cancel("before anybody came")
		err = loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(task *loop.Task) error {
				return loop.Enter(task, s, func(*loop.Scope) error {
					err := loop.Sleep(task, time.Hour)
					want(t, "the first sleep", err, loop.Cancelled)
					if r := reasonOf(t, err).Reason(); r != "before anybody came" {
						t.Errorf("the reason is %q", r)
					}
					return err
				})
			})
		})
		wantState(t, s, true, true)
		wantTrue(t, "no time passed", clock.Elapsed() == 0)
		return err
	})
}

func TestS053ShieldBeforeEntry(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		s, err := loop.NewScope(task.Loop())
		if err != nil {
			return err
		}
		s.SetShield(true)
		return loop.Scoped(task, func(outer *loop.Scope) error {
			outer.Cancel("now")
			err := loop.Enter(task, s, func(*loop.Scope) error { return loop.Checkpoint(task) })
			want(t, "inside the shield", err, nil)
			return loop.Checkpoint(task)
		})
	})
}

func TestS054SingleUse(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		again := func(task *loop.Task, s *loop.Scope) error {
			return loop.Enter(task, s, func(*loop.Scope) error { t.Error("entered twice"); return nil })
		}
		s, err := loop.NewScope(task.Loop())
		if err != nil {
			return err
		}
		err = loop.Enter(task, s, func(*loop.Scope) error {
			want(t, "while active in this task", again(task, s), loop.ErrMisuse)
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				return n.Spawn(func(other *loop.Task) error {
					want(t, "while active in another task", again(other, s), loop.ErrMisuse)
					return nil
				})
			})
			if err != nil {
				return err
			}
			want(t, "the use under way", loop.Checkpoint(task), nil)
			s.Cancel("now")
			return loop.Checkpoint(task)
		})
		wantState(t, s, true, true)
		want(t, "after the exit", again(task, s), loop.ErrMisuse)
		return err
	})
}

func TestS055CancelAfterExit(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var s *loop.Scope
		err := loop.Scoped(task, func(scope *loop.Scope) error { s = scope; return nil })
		s.Cancel("too late")
		wantState(t, s, true, false)
		want(t, "whoever was inside", loop.Checkpoint(task), nil)
		return err
	})
}

func TestS086ScopeAsValueInOtherTask(t *testing.T) {
	looptest.Run(t, func(a *loop.Task) error {
		s, err := loop.NewScope(a.Loop())
		if err != nil {
			return err
		}
		return loop.Nurse(a, func(n *loop.Nursery) error {
			n.Spawn(func(b *loop.Task) error {
				err := loop.Enter(b, s, func(*loop.Scope) error { return loop.SleepForever(b) })
				want(t, "the part inside", err, nil)
				return loop.Checkpoint(b)
			})
			settled(a, t)
			s.Cancel("from outside")
			want(t, "the canceller", loop.Checkpoint(a), nil)
			settled(a, t)
			wantState(t, s, true, true)
			return nil
		})
	})
}

func TestS081CancelFromLoopCallback(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			go task.Loop().CallSoon(func() { want(t, "cancelling", s.Cancel("from a callback"), nil) })
			err := loop.SleepForever(task)
			c := reasonOf(t, err)
			if c.Source() != loop.SourceExplicit || c.By() != "" || c.Reason() != "from a callback" {
				t.Errorf("cancelled by %q: %v", c.By(), c)
			}
			return err
		})
	})
}

// S082: a scope is confined to its loop, and says so.
func TestS082CancelIsLoopConfined(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			refused := make(chan error)
			go func() { refused <- s.Cancel("from a goroutine") }()
			want(t, "cancelling from a goroutine", <-refused, loop.ErrWrongTask)
			wantState(t, s, false, false)
			return loop.Checkpoint(task)
		})
	})
}

// A panic of the body leaves the task in the scope in which it was, and the
// scope exited.
func TestScopeIsLeftByPanic(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		before := task.Scope()
		s, err := loop.NewScope(task.Loop(), loop.WithTimeout(time.Hour))
		if err != nil {
			return err
		}
		func() {
			defer func() { recover() }()
			loop.Enter(task, s, func(s *loop.Scope) error { s.Cancel("and"); panic("ouch") })
		}()
		wantTrue(t, "the task is where it was", task.Scope() == before)
		wantText(t, s.String(), "exited")
		if s := task.Statistics(); s.Timers != 0 {
			t.Errorf("%d timers are left", s.Timers)
		}
		return loop.Checkpoint(task)
	})
}

func TestScopeOfAnotherLoop(t *testing.T) {
	var foreign *loop.Scope
	var nursery *loop.Nursery
	looptest.Run(t, func(task *loop.Task) (err error) {
		foreign, err = loop.NewScope(task.Loop())
		loop.Nurse(task, func(n *loop.Nursery) error { nursery = n; return nil })
		return err
	})
	looptest.Run(t, func(task *loop.Task) error {
		err := loop.Enter(task, foreign, func(*loop.Scope) error { return errKey })
		want(t, "entering it", err, loop.ErrWrongTask)
		_, err = loop.Start(task, nursery, service(t, 1))
		want(t, "starting in its nursery", err, loop.ErrWrongTask)
		return nil
	})
}
