package looptest

import (
	"errors"
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
)

func TestS410Sequencer(t *testing.T) {
	Seeds(t, 20, func(t *testing.T) {
		var s Sequencer
		var order []int
		part := func(positions ...int) func(*loop.Task) error {
			return func(task *loop.Task) error {
				for _, p := range positions {
					err := s.Do(task, p, func() error {
						order = append(order, p)
						return loop.Checkpoint(task) // the piece lasts; nobody overtakes it
					})
					if err != nil {
						return err
					}
				}
				return nil
			}
		}
		Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(part(1, 3, 4))
				n.Spawn(part(0, 2))
				if err := part(5)(task); err != nil {
					return err
				}
				for _, p := range []int{0, 5, -1} {
					if err := part(p)(task); !errors.Is(err, loop.ErrMisuse) {
						t.Errorf("position %d again: %v", p, err)
					}
				}
				return nil
			})
		})
		if !slices.Equal(order, []int{0, 1, 2, 3, 4, 5}) {
			t.Errorf("order %v", order)
		}
	})
}

func TestS411SequencerCancel(t *testing.T) {
	Seeds(t, 20, func(t *testing.T) {
		var s Sequencer
		var victim *loop.Scope
		broken := 0
		part := func(position int) func(*loop.Task) error {
			return func(task *loop.Task) error {
				err := s.Do(task, position, func() error { t.Errorf("%d ran", position); return nil })
				if errors.Is(err, loop.ErrBroken) {
					broken++
					return nil
				}
				return err
			}
		}
		Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(part(2))
				n.Spawn(func(task *loop.Task) error {
					return loop.Scoped(task, func(scope *loop.Scope) error {
						victim = scope
						return part(1)(task)
					})
				})
				n.Spawn(part(3))
				WaitAllTasksBlocked(task, t)
				victim.Cancel("to break the sequence")
				WaitAllTasksBlocked(task, t)
				if !victim.CancelledCaught() || broken != 2 {
					t.Errorf("caught = %v, %d broken", victim.CancelledCaught(), broken)
				}
				return part(0)(task)
			})
		})
		if broken != 3 {
			t.Errorf("%d participants saw the breakage", broken)
		}
	})
}

func TestSequencerChecksCancellation(t *testing.T) {
	Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(scope *loop.Scope) error {
			var s Sequencer
			scope.Cancel("first")
			return s.Do(task, 0, func() error { t.Error("it ran"); return nil })
		})
	})
}
