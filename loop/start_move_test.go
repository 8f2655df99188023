package loop_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// What the hand-over of a started task means for the scopes around and inside
// of it.

// A service that was started lives under its nursery: the end of the scope in
// which Start was called, and its cancellation, are no concern of it.
func TestStartedTaskLeavesCallersScope(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			slept := false
			err := loop.MoveOnAfter(task, time.Second, func(*loop.Scope) error {
				_, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
					ready(t, started, nil)
					err := loop.Sleep(task, 5*time.Second)
					slept = err == nil
					return err
				})
				if err != nil {
					return err
				}
				return loop.SleepForever(task)
			})
			if clock.Elapsed() != time.Second {
				t.Errorf("the scope was left at %v", clock.Elapsed())
			}
			if err := loop.Sleep(task, 5*time.Second); err != nil {
				return err
			}
			wantTrue(t, "the service slept on", slept)
			return err
		})
	})
}

// Scopes, nurseries and children inside of the task move along.
func TestStartedSubtreeMoves(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var record notes
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			err := loop.Scoped(task, func(s *loop.Scope) error {
				_, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
					return loop.Scoped(task, func(*loop.Scope) error {
						return loop.Nurse(task, func(n *loop.Nursery) error {
							n.Spawn(func(task *loop.Task) error {
								err := loop.SleepForever(task)
								wantText(t, reasonOf(t, err).Reason(), "the target")
								record.add("child")
								return err
							})
							ready(t, started, nil)
							err := loop.SleepForever(task)
							record.add("task")
							return err
						})
					})
				})
				s.Cancel("the caller")
				someTurns(task)
				return err
			})
			record.want(t)
			n.Cancel("the target")
			return err
		})
		record.wantAnyOrder(t, "child", "task")
		return err
	})
}

// someTurns gives others some turns, cancelled or not.
func someTurns(task *loop.Task) {
	for range 5 {
		loop.ShieldedCheckpoint(task)
	}
}

// The target is cancelled while the task already belongs to it and the caller
// has not had its turn: the start has succeeded.
func TestStartSucceedsThoughTargetIsCancelledAfterwards(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		looptest.Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				return loop.Shield(task, func(*loop.Scope) error {
					value, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
						ready(t, started, 1)
						n.Cancel("at once")
						return loop.Checkpoint(task)
					})
					if value != 1 || err != nil {
						t.Errorf("Start returned %v, %v", value, err)
					}
					return nil
				})
			})
		})
	})
}

// The caller is cancelled at the very moment: whoever comes first wins.
func TestStartAgainstCancel(t *testing.T) {
	looptest.Seeds(t, 2*orders, func(t *testing.T) {
		looptest.Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				moved := false
				var scope *loop.Scope
				n.Spawn(func(task *loop.Task) error {
					for scope == nil {
						loop.ShieldedCheckpoint(task)
					}
					return scope.Cancel("meanwhile")
				})
				return loop.Scoped(task, func(s *loop.Scope) error {
					value, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
						scope = s
						loop.ShieldedCheckpoint(task)
						err := started(1)
						moved = err == nil
						return err
					})
					if moved != (err == nil) || moved != (value == 1) {
						t.Errorf("moved: %v; Start returned %v, %v", moved, value, err)
					}
					return err
				})
			})
		})
	})
}

// An interrupt while main waits in Start cancels the task being started.
func TestStartInterrupted(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			_, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
				task.Loop().Interrupt()
				err := loop.SleepForever(task)
				if c := reasonOf(t, err); c.Source() != loop.SourceInterrupt {
					t.Errorf("cancelled by %v", c)
				}
				want(t, "started", started(1), loop.Cancelled)
				return err
			})
			want(t, "Start", err, loop.ErrInterrupt)
			return err
		})
	})
	want(t, "the run", err, loop.ErrInterrupt)
}

// A start whose function started other tasks on the way is undone whole.
func TestStartFailsWithSubtree(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			_, err := loop.Start(task, n, func(task *loop.Task, _ func(any) error) error {
				return loop.Nurse(task, func(inner *loop.Nursery) error {
					if _, err := loop.Start(task, inner, service(t, "helper")); err != nil {
						return err
					}
					return errKey
				})
			})
			looptest.AssertError(t, err, looptest.Group(errKey))
			return nil
		})
	})
}

func TestStartMisuse(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			_, err := loop.Start(task, n, nil)
			want(t, "a nil function", err, loop.ErrMisuse)
			_, err = loop.Start(task, nil, service(t, 1))
			want(t, "a nil nursery", err, loop.ErrMisuse)
			var late func(any) error
			_, err = loop.Start(task, n, func(_ *loop.Task, started func(any) error) error {
				late = started
				return errKey
			})
			want(t, "Start", err, errKey)
			want(t, "started after the end", late(1), loop.ErrMisuse)
			wantTrue(t, "no child", errors.Is(err, errKey) && n.Statistics().Children == 0)
			return nil
		})
	})
}
