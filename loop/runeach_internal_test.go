package loop

import (
	"errors"
	"testing"
)

// A loop that an interrupt has ended leaves the others their grace: it neither
// cancels them nor interrupts those a second time that have heard of it. One that
// has not is told. Any other error cancels.
func TestRunEachInterruptLeavesGrace(t *testing.T) {
	err := RunEach(2, func(task *Task, i int) error {
		l := task.loop
		if i == 0 {
			return SleepForever(task)
		}
		heard := 0
		hear := func() { l.HandleInterrupt(func() { heard++ }) }
		hear()
		tellOthers(l.team, 0, ErrInterrupt) // of which nobody has told this loop
		if err := turn(task); err != nil || heard != 1 {
			t.Errorf("told of an interrupt: heard %d times: %v", heard, err)
		}
		hear()
		tellOthers(l.team, 0, &Group{errs: []error{ErrInterrupt, ErrInterrupt}})
		if err := turn(task); err != nil || heard != 1 {
			t.Errorf("told a second time: heard %d times: %v", heard, err)
		}
		tellOthers(l.team, 0, &Group{errs: []error{ErrInterrupt, ErrFull}})
		err := turn(task)
		if !errors.Is(err, Cancelled) || heard != 1 {
			t.Errorf("told of a failure: heard %d times: %v", heard, err)
		}
		return ErrInterrupt // ends the other, which has heard nothing
	})
	if err != ErrInterrupt {
		t.Errorf("the runs ended with %v", err)
	}
}

// turn lets the loop take what has entered it so far.
func turn(t *Task) error {
	if err := t.loop.CallSoon(func() { t.Unpark(nil) }); err != nil {
		return err
	}
	return errors.Join(Park(t, "a turn", nil), Checkpoint(t))
}
