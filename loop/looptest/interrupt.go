package looptest

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// ownInterrupt has an interrupt from the keyboard, somebody losing patience,
// show what the tasks do, fail the test and interrupt its loops, so that the
// run stops as a program would; the second one ends the process. A loop with
// CatchInterrupt deals with interrupts itself.
func ownInterrupt(tb testing.TB, loops *seen) (giveBack func()) {
	tb.Helper()
	var once sync.Once
	var release func(left func() []os.Signal) error
	giveBackWith := func(left ...os.Signal) {
		once.Do(func() { _ = release(func() []os.Signal { return left }) })
	}
	count := 0
	release, err := loop.TakeSignals(func(s os.Signal) {
		if count++; count > 1 {
			go giveBackWith(s) // nobody else has it, so the process dies of it
			return
		}
		running := loops.all()
		var b strings.Builder
		_ = loop.DumpAll(&b, running...) // a builder takes everything
		tb.Errorf("%v; another one ends the process\n\n%s", s, b.String())
		fmt.Fprintln(os.Stderr, b.String()) // in case the test does not end
		for _, l := range running {
			_ = l.Interrupt() // one that has ended needs none
		}
	}, sys.Interrupt)
	if err != nil {
		tb.Fatalf("taking the interrupt: %v", err)
	}
	return func() { giveBackWith() }
}
