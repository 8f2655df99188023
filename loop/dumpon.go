package loop

import (
	"bytes"
	"io"
	"os"
	"os/signal"
)

// WithDumpOn makes each of the signals write a dump (DumpAll) to w while the
// loop runs, instead of what it meant before: syscall.SIGQUIT, say, which a
// terminal sends for Ctrl-\, or syscall.SIGUSR1. A signal that the system does
// not have never comes: on Windows that is every one but os.Interrupt. With
// RunEach one dump shows all loops. Dumps are written one at a time, and
// signals that come meanwhile count as one.
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
	if len(on) == 0 {
		return func() {}
	}
	signals := make(chan os.Signal, 1)
	quit, ended := make(chan struct{}), make(chan struct{})
	signal.Notify(signals, on...)
	go func() {
		defer close(ended)
		for {
			select {
			case <-quit:
				return
			case <-signals:
				var b bytes.Buffer // so that it is written at once
				DumpAll(&b, loops...)
				w.Write(b.Bytes())
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(quit)
		<-ended
	}
}
