package loop

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/lion-go/lion/sys"
)

// WithDumpOn makes each of the signals write a dump (DumpAll) to w while the
// loop runs, instead of what it meant before: syscall.SIGQUIT, say, which a
// terminal sends for Ctrl-\, or syscall.SIGUSR1. A signal that the system does
// not have never comes: on Windows that is every one but os.Interrupt. With
// RunEach one dump shows all loops. Dumps are written one at a time, and
// signals that come meanwhile count as one. What w answers is not looked at, as
// there is nobody to tell; Run waits for a dump that is being written.
func WithDumpOn(w io.Writer, signals ...os.Signal) Option {
	return func(l *Loop) error {
		if w == nil || len(signals) == 0 {
			return misuse("a dump needs a writer and a signal")
		}
		l.dumpTo, l.dumpOn = w, signals
		return nil
	}
}

// dumpOnSignals serves WithDumpOn for some loops until stop is called.
func dumpOnSignals(loops ...*Loop) (stop func()) {
	w, on := loops[0].dumpTo, loops[0].dumpOn
	for _, l := range loops {
		l.dumpOn = nil // it is served together with the others
	}
	on = slices.DeleteFunc(slices.Clone(on), func(s os.Signal) bool { return !sys.Catchable(s) })
	if len(on) == 0 {
		return func() {}
	}
	asked := make(chan struct{}, 1)
	giveBack, err := TakeSignals(func(os.Signal) {
		select {
		case asked <- struct{}{}:
		default: // one is due anyway
		}
	}, on...)
	if err != nil {
		panic(fmt.Sprintf("loop: signals that can be caught were refused: %v", err))
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-quit:
				return
			case <-asked:
				var b bytes.Buffer // so that it is written at once
				DumpAll(&b, loops...)
				_, _ = w.Write(b.Bytes())
			}
		}
	}()
	return func() {
		_ = giveBack(nil) // called once, and nothing is left over
		close(quit)
		<-ended
	}
}
