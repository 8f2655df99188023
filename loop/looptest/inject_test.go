package looptest

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
)

func TestCancelEverywhere(t *testing.T) {
	cancelled, finished := 0, 0
	moments := CancelEverywhere(t, func(task *loop.Task) error {
		err := loop.Sleep(task, time.Second)
		if err == nil {
			err = loop.Checkpoint(task)
		}
		if errors.Is(err, loop.Cancelled) {
			cancelled++
		} else {
			finished++
		}
		return err
	})
	if moments < 3 || cancelled < 3 || cancelled+finished != moments+1 {
		t.Errorf("%d moments, %d times cancelled, %d times not", moments, cancelled, finished)
	}
}

// A program that gets it wrong at one moment is found out.
func TestCancelEverywhereFindsLoss(t *testing.T) {
	r := record(func(r *recorder) {
		CancelEverywhere(r, func(task *loop.Task) error {
			taken := true // something that has to be given back
			if err := loop.Sleep(task, time.Second); err != nil {
				return err
			}
			if err := loop.Checkpoint(task); err != nil && taken {
				return errTest
			}
			return nil
		})
	})
	wantFailure(t, r, "the run failed", "test")
}

// Every checkpoint of every task is one at which the cancellation comes in
// some run, also while others could run.
func TestCancelEverywhereIsComplete(t *testing.T) {
	const tasks, checkpoints = 3, 20
	var hit [tasks][checkpoints]bool
	CancelEverywhere(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for i := range tasks {
				must(t, n.Spawn(func(task *loop.Task) error {
					for k := range checkpoints {
						if err := loop.Checkpoint(task); err != nil {
							hit[i][k] = true
							return err
						}
					}
					return nil
				}))
			}
			return nil
		})
	})
	for i := range hit {
		for k, hit := range hit[i] {
			if !hit {
				t.Errorf("task %d was never cancelled at its checkpoint %d", i, k)
			}
		}
	}
}

// There is a moment between the wake-up of a task and its turn: what it waited
// for has happened, and so it hears of the cancellation at its next checkpoint.
func TestCancelEverywhereBetweenWakeAndTurn(t *testing.T) {
	late := 0
	CancelEverywhere(t, func(task *loop.Task) error {
		s := task.Scope()
		err := loop.Sleep(task, time.Second)
		if err == nil && s.CancelCalled() {
			late++
			err = loop.CheckpointIfCancelled(task)
			wantErr(t, "the next checkpoint", err, loop.Cancelled)
		}
		return err
	})
	if late == 0 {
		t.Error("no cancellation came between the wake-up and the turn")
	}
}
