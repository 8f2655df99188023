package loop

import (
	"bytes"
	"errors"
	"fmt"
	"os"

	"github.com/lion-go/lion/sys"
)

// CatchInterrupt makes the signals that ask a program to stop, SIGINT and
// SIGTERM, interrupt the loop: the first is delivered as Loop.Interrupt says,
// the second writes a dump (DumpAll) to standard error and interrupts
// again, the third ends the process at once, with the status 128 + the number
// of the signal. The signals get their former meaning back when Run returns.
func CatchInterrupt() Option {
	return func(l *Loop) error { l.catchSignals = true; return nil }
}

// catcher receives signals for some loops. All catchers of a process share the
// signals.
type catcher struct {
	signalOwner
	loops []*Loop
	count int // signals so far
	exit  func(code int)
	late  bool      // the last signal found no loop
	first os.Signal // what asked for the end

	reported chan struct{} // closed when the stacks have been printed
}

func catchSignals(loops ...*Loop) *catcher {
	c := &catcher{loops: loops, exit: os.Exit}
	c.fn, c.sigs, c.shared = c.receive, []os.Signal{sys.Interrupt, sys.Terminate}, true
	c.take()
	return c
}

func (c *catcher) receive(s os.Signal) {
	switch c.count++; c.count {
	case 1:
		c.first = s
		c.interrupt()
	case 2:
		c.reported = make(chan struct{})
		go c.report(s)
	default:
		c.exit(exitStatus(s))
		c.interrupt() // where a test has replaced exit
	}
}

func (c *catcher) interrupt() {
	c.late = true
	for _, l := range c.loops {
		if l.Interrupt() == nil {
			c.late = false
		}
	}
}

// report prints where everything is, and interrupts. A loop may take a second
// not to answer, and standard error may be blocked: the third signal is heard
// all the same.
func (c *catcher) report(s os.Signal) {
	defer close(c.reported)
	var b bytes.Buffer
	fmt.Fprintf(&b, "lion: second %v; the next one ends the process\n\n", s)
	_ = DumpAll(&b, c.loops...) // a buffer takes everything
	c.interrupt()
	_, _ = b.WriteTo(os.Stderr)
}

// stop gives the signals back. It reports whether one came so late that no
// loop could take it any more: it is not lost, Run returns ErrInterrupt.
func (c *catcher) stop() (late bool) {
	left := c.release()
	if c.first == nil && len(left) > 0 {
		c.first = left[0]
	}
	if p := c.loops[0].firstSignal; p != nil {
		*p = c.first
	}
	if c.reported != nil {
		<-c.reported
	}
	return c.late || len(left) > 0
}

// withInterrupt adds an interrupt that no loop took to the result of a run.
func withInterrupt(err error) error {
	switch {
	case err == nil:
		return ErrInterrupt
	case errors.Is(err, ErrInterrupt):
		return err
	}
	return errors.Join(ErrInterrupt, err)
}

// exitStatus is what a shell reports for a process that died of s.
func exitStatus(s os.Signal) int {
	if s == sys.Terminate {
		return 128 + 15
	}
	return 128 + 2
}

// Main runs a program: Run with CatchInterrupt, a report of the error on
// standard error, and the exit of the process. The status is 0 if main
// returned nil, 1 if it failed, and if it was interrupted and nothing else went
// wrong what a shell reports for the first signal: 130 (128 + SIGINT) for an
// interrupt from the keyboard or by Loop.Interrupt, 143 (128 + SIGTERM) for a
// request to terminate. A server for which that is an orderly end returns nil
// where its error == ErrInterrupt, or is a Group of nothing else, which a nursery
// around it makes of that. Main does not return.
func Main(main func(*Task) error, opts ...Option) {
	var first os.Signal
	err := Run(main, append(opts, CatchInterrupt(), noteSignal(&first))...)
	os.Exit(report(err, first))
}

// MainEach is Main for RunEach.
func MainEach(n int, main func(*Task, int) error, opts ...Option) {
	var first os.Signal
	err := RunEach(n, main, append(opts, CatchInterrupt(), noteSignal(&first))...)
	os.Exit(report(err, first))
}

// noteSignal has the first signal stored when the run has ended.
func noteSignal(first *os.Signal) Option {
	return func(l *Loop) error { l.firstSignal = first; return nil }
}

// report prints what went wrong and returns the exit status. first is the
// signal that asked for the end, if one did.
func report(err error, first os.Signal) int {
	switch {
	case err == nil:
		return 0
	case err == ErrInterrupt:
		return exitStatus(first)
	}
	var p *PanicError
	if errors.As(err, &p) {
		fmt.Fprintln(os.Stderr, "lion: the program panicked")
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}
