package loop

import (
	"errors"
	"os"
	"testing"

	"github.com/lion-go/lion/sys"
)

// A signal that comes when no loop takes calls any more is not lost.
func TestS246LateSignal(t *testing.T) {
	var ended *Loop
	if err := Run(func(t *Task) error { ended = t.Loop(); return nil }); err != nil {
		t.Fatal(err)
	}
	c := catchSignals(ended)
	c.receive(sys.Interrupt)
	if !c.stop() {
		t.Error("the late signal was lost")
	}
	c = catchSignals(ended)
	if c.stop() {
		t.Error("a signal was made up")
	}
	if err := withInterrupt(nil); err != ErrInterrupt {
		t.Errorf("the result is %v", err)
	}
}

// A full queue has room for an interrupt.
func TestInterruptFindsRoom(t *testing.T) {
	err := Run(func(t *Task) error {
		for t.Loop().CallSoon(func() {}) == nil {
		}
		if err := t.Loop().Interrupt(); err != nil {
			return err
		}
		return SleepForever(t)
	}, WithEntryQueueSize(2))
	if err != ErrInterrupt {
		t.Errorf("Run returned %v", err)
	}
}

// The third signal ends the process with the status that a shell expects.
func TestThirdSignalExits(t *testing.T) {
	err := Run(func(t *Task) error {
		c := catchSignals(t.Loop())
		defer c.stop()
		status := 0
		c.exit = func(code int) { status = code }
		c.count = 2
		c.receive(sys.Terminate)
		if status != 143 {
			return misuse("exit status %d", status)
		}
		return SleepForever(t)
	})
	if err != ErrInterrupt {
		t.Errorf("Run returned %v", err)
	}
}

// Signals that are given back by two goroutines at once are given back once.
func TestSignalsGivenBackTwiceAtOnce(t *testing.T) {
	for range 100 {
		giveBack, err := TakeSignals(func(os.Signal) {}, os.Interrupt)
		if err != nil {
			t.Fatal(err)
		}
		answers := make(chan error, 2)
		for range 2 {
			go func() { answers <- giveBack(nil) }()
		}
		first, second := <-answers, <-answers
		if first != nil {
			first, second = second, first
		}
		if first != nil || !errors.Is(second, ErrClosed) {
			t.Fatalf("got %v and %v", first, second)
		}
	}
}
