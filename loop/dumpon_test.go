package loop_test

import (
	"os"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// dumpWriter hands over what is written to it, a whole dump at a time.
type dumpWriter chan string

func (w dumpWriter) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

// S440: a signal makes a dump of all loops, and means nothing else then.
func TestS440_ADumpOnASignal(t *testing.T) {
	if !sys.Catchable(sys.Hangup) {
		t.Skip("this system has no signals, only console events, which reach a whole console")
	}
	w := make(dumpWriter, 1)
	var text string
	looptest.Run(t, func(task *loop.Task) error {
		if err := sys.Raise(sys.Interrupt); err != nil {
			return err
		}
		l := task.Loop()
		go func() {
			text = <-w
			l.CallSoon(func() { task.Unpark(nil) })
		}()
		return loop.Park(task, "the dump", nil)
	}, loop.WithDumpOn(w, sys.Interrupt))
	wantText(t, text, "task 1 ", "waiting for", "on the dump", "other goroutine")
}

// One signal shows all loops of RunEach.
func TestS440_ADumpOnASignalShowsAllLoops(t *testing.T) {
	if !sys.Catchable(sys.Hangup) {
		t.Skip("this system has no signals, only console events, which reach a whole console")
	}
	w := make(dumpWriter, 1)
	texts := make(chan string, 1)
	err := looptest.Config{}.RunEach(t, 2, func(task *loop.Task, i int) error {
		if i == 1 {
			return loop.SleepForever(task)
		}
		if err := sys.Raise(sys.Interrupt); err != nil {
			return err
		}
		l := task.Loop()
		go func() {
			texts <- <-w
			l.CallSoon(func() { task.Unpark(errOther) })
		}()
		return loop.Park(task, "the dump", nil)
	}, loop.WithDumpOn(w, sys.Interrupt))
	want(t, "the run", err, errOther)
	text := <-texts
	wantTrue(t, "both loops are shown", strings.Count(text, "\nloop ") == 1 && strings.HasPrefix(text, "loop "))
	wantText(t, text, "on the dump")
}

func TestDumpOnMisuse(t *testing.T) {
	want(t, "no writer", loop.Run(nothing, loop.WithDumpOn(nil, os.Interrupt)), loop.ErrMisuse)
	want(t, "no signal", loop.Run(nothing, loop.WithDumpOn(os.Stderr)), loop.ErrMisuse)
}
