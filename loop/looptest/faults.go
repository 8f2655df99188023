package looptest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
	"github.com/lion-go/lion/sys/faults"
)

const (
	// callsMax bounds the calls of one program, and so the runs of a test.
	callsMax = 10_000

	// bytesMax is up to where a transfer is cut at every byte.
	bytesMax = 40

	// faultPause is how long all tasks of a run must have been blocked before
	// its clock jumps: long enough for what comes through the kernel.
	faultPause = 20 * time.Millisecond

	// faultLeap is how far it jumps at a time. A worker may take longer than the
	// pause on a busy machine; that costs a minute of virtual time then, and not
	// the hour that a body has.
	faultLeap = time.Minute
)

// leaping is a clock that jumps no further than faultLeap at a time.
type leaping struct{ *Clock }

// Jump moves the clock to when, or in its direction.
func (c leaping) Jump(when time.Time) {
	if most := c.Now().Add(faultLeap); most.Before(when) {
		when = most
	}
	c.Clock.Jump(when)
}

// shortCuts are to how many bytes all transfers of a run are cut.
var shortCuts = []int{1, 2, 3, 7}

// FaultReport tells what EachFault did.
type FaultReport struct {
	Runs      int // of the body, altogether
	Failures  int // in which a call failed
	Survived  int // of these, those in which the body succeeded all the same
	Reported  int // those in which it returned the error of the call
	Cuts      int // in which transfers moved less than they could
	LateStops int // in which a cancellation came just after a call
}

// String is for logs.
func (r FaultReport) String() string {
	return fmt.Sprintf("%d runs: %d failing calls (%d survived, %d reported), %d short transfers, %d late cancellations",
		r.Runs, r.Failures, r.Survived, r.Reported, r.Cuts, r.LateStops)
}

// EachFault runs main again and again, and has each time another thing go wrong
// between the program and the kernel. A build with the tag faults is needed for
// that; another one runs main once, and so does go test -short.
//
//   - Each call of package sys fails, with each error of the table of package
//     faults: the first call with its first error, and so on, until main ends
//     before it comes to the call that is to fail. Then main may return an
//     error, or nil. An error must be one that a program can tell: errors.Is
//     finds an error number or an exported value in it, errors.As a type.
//   - Each transfer moves less than it could, and all transfers move only a few
//     bytes; events come without a cause, late and merged, or one by one. Then
//     main must succeed.
//   - Its scope is cancelled just after each call. Then it may be cancelled.
//
// Every run is one of Run, with its checks for hanging and leaking. Time is
// virtual, and jumps, a minute at the most, when all tasks have been blocked for
// a while; an option for another clock is permitted. A deadline of main that is to
// outlast workers should be an hour.
func EachFault(
	tb testing.TB, main func(*loop.Task) error, opts ...loop.Option,
) FaultReport {
	tb.Helper()
	return Config{}.EachFault(tb, main, opts...)
}

// EachFault is the function EachFault with the configuration c.
func (c Config) EachFault(
	tb testing.TB, main func(*loop.Task) error, opts ...loop.Option,
) FaultReport {
	tb.Helper()
	f := &faulty{c: c, tb: tb, main: main, opts: opts}
	f.run(&faults.Plan{}, "nothing goes wrong", nil)
	if !faults.Enabled || testing.Short() {
		return f.report
	}
	for how, name := range map[faults.Wakes]string{
		faults.Spurious: "spurious", faults.Merged: "merged", faults.Single: "single",
	} {
		f.run(&faults.Plan{Wakes: how}, name+" events", nil)
	}
	f.cuts()
	f.failures()
	f.lateStops()
	return f.report
}

// faulty is one EachFault.
type faulty struct {
	c      Config
	tb     testing.TB
	main   func(*loop.Task) error
	opts   []loop.Option
	loop   atomic.Pointer[loop.Loop] // of the present run
	scope  *loop.Scope               // of main while it runs
	report FaultReport
}

// run runs main with a plan in force. tolerable says which errors main may
// return; nil: none.
func (f *faulty) run(
	p *faults.Plan, what string, tolerable func(error) bool,
) (faults.Report, error) {
	f.tb.Helper()
	clock := NewClock()
	clock.SetThreshold(faultPause)
	opts := append([]loop.Option{loop.WithClock(leaping{clock})}, f.opts...)
	if err := warm(); err != nil {
		f.tb.Fatalf("the first loop failed: %v", err)
	}
	defer faults.End(p) // if the run hangs
	err := f.c.guard(f.tb, opts, func(see func(*loop.Loop), opts []loop.Option) error {
		if !faults.Begin(p) {
			return errors.New("looptest: two tests with faults at a time")
		}
		defer faults.End(p)
		f.loop.Store(nil)
		return loop.Run(func(t *loop.Task) error {
			see(t.Loop())
			return loop.Scoped(t, func(s *loop.Scope) error {
				f.scope = s
				f.loop.Store(t.Loop())
				defer func() { f.scope = nil }()
				return f.main(t)
			})
		}, opts...)
	})
	f.report.Runs++
	r := p.Report()
	if err != nil && (tolerable == nil || !tolerable(err)) {
		f.tb.Errorf("the body returned %v", Describe(err))
	}
	if f.tb.Failed() {
		f.tb.Fatalf("%s: call %d (%s %v) of %d, number %d", what, p.Call, r.Function, r.Err, r.Calls, p.Nth)
	}
	return r, err
}

// cuts has transfers move less than they could.
func (f *faulty) cuts() {
	f.tb.Helper()
	for _, most := range shortCuts {
		f.run(&faults.Plan{Kind: faults.CutAll, Nth: most}, "all transfers are short", nil)
		f.report.Cuts++
	}
	for call := 1; call <= callsMax; call++ {
		for most := 1; most <= bytesMax; most++ {
			r, _ := f.run(&faults.Plan{Kind: faults.Cut, Call: call, Nth: most}, "a short transfer", nil)
			if r.Calls < call {
				return
			}
			if !r.Hit {
				break
			}
			f.report.Cuts++
		}
	}
}

// failures has every call fail in every way.
func (f *faulty) failures() {
	f.tb.Helper()
	for call := 1; call <= callsMax; call++ {
		for nth := 0; ; nth++ {
			r, err := f.run(&faults.Plan{Kind: faults.Fail, Call: call, Nth: nth}, "a failure", distinct)
			if r.Calls < call {
				return
			}
			if !r.Hit {
				break
			}
			f.report.Failures++
			switch {
			case err == nil:
				f.report.Survived++
			case errors.Is(err, r.Err):
				f.report.Reported++
			}
		}
	}
}

// lateStops cancels main just after every call.
func (f *faulty) lateStops() {
	f.tb.Helper()
	for call := 1; call <= callsMax; call++ {
		p := &faults.Plan{Kind: faults.Late, Call: call}
		p.After = func() {
			if l := f.loop.Load(); l != nil {
				_ = l.CallSoon(f.cancel) // it may have ended
			}
		}
		r, _ := f.run(p, "a late cancellation", distinct)
		if !r.Hit {
			return
		}
		f.report.LateStops++
	}
}

// cancel cancels the scope of main, if that still runs.
func (f *faulty) cancel() {
	if f.scope != nil {
		_ = f.scope.Cancel("late") // it refuses no cancellation on its loop
	}
}

// known are errors that programs tell by their values.
var known = []error{
	loop.ErrBusy, loop.ErrClosed, loop.ErrLoopClosed, loop.ErrTimeout, loop.ErrInternal,
	loop.ErrMisuse, loop.ErrWrongTask, loop.ErrInterrupt, loop.ErrBroken, errors.ErrUnsupported,
	io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, net.ErrClosed, os.ErrDeadlineExceeded,
	fs.ErrClosed, context.Canceled, context.DeadlineExceeded,
}

// distinct reports whether a program can tell what each error in the tree is.
func distinct(err error) bool {
	switch e := err.(type) {
	case nil:
		return true
	case sys.Errno:
		return e != 0
	case interface{ Unwrap() []error }:
		return !slices.ContainsFunc(e.Unwrap(), func(err error) bool { return !distinct(err) })
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			return distinct(inner)
		}
	}
	if slices.Contains(known, err) {
		return true
	}
	switch fmt.Sprintf("%T", err) {
	case "*errors.errorString", "*fmt.fmtError", "*fmt.wrapError", "*seam.wouldBlock":
		return false
	}
	return true
}
