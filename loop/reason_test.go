package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

func wantReason(tb testing.TB, err error, source loop.Source, by string, parts ...string) {
	tb.Helper()
	c := reasonOf(tb, err)
	if c.Source() != source || c.By() != by {
		tb.Errorf("cancelled by %v and task %q; want %v, %q", c.Source(), c.By(), source, by)
	}
	wantText(tb, c.Reason(), parts...)
	wantText(tb, c.Error(), append(parts, source.String(), by)...)
}

func TestS076ReasonExplicit(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(*loop.Task) error { return s.Cancel("hello") }, loop.WithTaskName("canceller"))
				err := loop.SleepForever(task)
				wantReason(t, err, loop.SourceExplicit, "canceller", "hello")
				return err
			})
			return err
		})
	})
}

func TestS077ReasonDeadline(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		check := func() error {
			err := loop.Checkpoint(task)
			wantReason(t, err, loop.SourceDeadline, "")
			return err
		}
		atOnce := loop.MoveOnAt(task, time.Time{}, func(*loop.Scope) error { return check() })
		later := loop.Scoped(task, func(s *loop.Scope) error {
			s.SetDeadline(time.Time{})
			return check()
		})
		return errors.Join(atOnce, later)
	})
}

func TestS078ReasonNursery(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		seen := 0
		note := func(by string, parts ...string) func(*loop.Task) error {
			return func(task *loop.Task) error {
				err := loop.SleepForever(task)
				wantReason(t, err, loop.SourceNursery, by, parts...)
				seen++
				return err
			}
		}
		err := looptest.RunErr(t, func(main *loop.Task) error {
			err := loop.Nurse(main, func(n *loop.Nursery) error {
				watch := note("culprit", "task culprit failed", "key")
				n.Spawn(watch)
				n.Spawn(func(task *loop.Task) error { // a grandchild sees the same
					return loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(watch) })
				})
				settled(main, t)
				n.Spawn(failing(errKey), loop.WithTaskName("culprit"))
				return watch(main)
			})
			looptest.AssertError(t, err, looptest.Group(errKey))
			return loop.Nurse(main, func(n *loop.Nursery) error {
				n.Spawn(note(main.Name(), "the body", "value"))
				settled(main, t)
				return errValue
			})
		})
		looptest.AssertError(t, err, looptest.Group(errValue))
		if seen != 4 {
			t.Errorf("%d tasks saw a reason", seen)
		}
	})
}

// A reason is short, even if the error is a panic with its stack.
func TestReasonIsShort(t *testing.T) {
	looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(*loop.Task) error { panic("ouch") }, loop.WithTaskName("culprit"))
			err := loop.SleepForever(task)
			wantReason(t, err, loop.SourceNursery, "culprit", "ouch")
			if r := reasonOf(t, err).Reason(); len(r) > 300 {
				t.Errorf("the reason has %d bytes", len(r))
			}
			return err
		})
	})
}

func TestS079ReasonNotOverwritten(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		first := loop.MoveOnAfter(task, time.Second, func(s *loop.Scope) error {
			s.Cancel("by hand")
			clock.Advance(2 * time.Second)
			s.Cancel("by hand again")
			err := loop.Checkpoint(task)
			wantReason(t, err, loop.SourceExplicit, task.Name(), "by hand")
			wantTrue(t, "it is the first reason", reasonOf(t, err).Reason() == "by hand")
			return err
		})
		second := loop.MoveOnAfter(task, time.Second, func(s *loop.Scope) error {
			clock.Advance(2 * time.Second)
			s.Cancel("by hand")
			err := loop.Checkpoint(task)
			wantReason(t, err, loop.SourceDeadline, "")
			return err
		})
		return errors.Join(first, second)
	})
}

func TestS080ReasonInterrupt(t *testing.T) {
	var sibling error
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				sibling = loop.SleepForever(task)
				return sibling
			})
			settled(task, t)
			task.Loop().Interrupt()
			return loop.SleepForever(task)
		})
	})
	if err != loop.ErrInterrupt {
		t.Errorf("the run ended with %v", err)
	}
	wantReason(t, sibling, loop.SourceInterrupt, reasonOf(t, sibling).By(), "interrupted")
}

// All tasks under one scope share one error value.
func TestReasonIsShared(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		values := map[error]bool{}
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			for range 3 {
				n.Spawn(func(task *loop.Task) error {
					err := loop.SleepForever(task)
					values[err] = true
					return err
				})
			}
			settled(task, t)
			return n.Cancel("all")
		})
		if len(values) != 1 {
			t.Errorf("%d values", len(values))
		}
		return err
	})
}
