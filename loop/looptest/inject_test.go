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
