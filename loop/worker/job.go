package worker

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/lion-go/lion/loop"
)

// A Job is a function that runs on an ordinary goroutine while a task waits
// for it. The function is given it, and may hand it to further goroutines. All
// its methods may be called from any goroutine that is not a loop's.
type Job struct {
	pool    *Pool
	host    *loop.Task // who waits
	limiter Limiter
	pc      uintptr // of the function
	abandon bool

	// These belong to the loop.
	waiting    bool // the host is parked for this job
	gone       bool // the host waits no more
	ended      bool
	err        error
	releaseErr error

	deadline time.Time
	limited  bool

	mu       sync.Mutex // guards what follows
	fn       func(*Job) error
	over     bool  // fn has returned
	outcome  error // what it returned
	cause    error // of a cancellation that reached the host
	requests []*request
	refusal  error // why requests are refused
	locals   loop.Locals
	context  context.Context
	stop     context.CancelCauseFunc
}

// request is one call of Do.
type request struct {
	fn     func(*loop.Task) error
	locals loop.Locals
	done   chan error // has room for the answer
}

// Name returns the name of the function.
func (j *Job) Name() string {
	f := runtime.FuncForPC(j.pc)
	if f == nil {
		return "?"
	}
	return f.Name()[strings.LastIndexByte(f.Name(), '/')+1:]
}

// String names the job: it is the borrower of its token.
func (j *Job) String() string { return "worker " + j.Name() }

// work is the goroutine.
func (j *Job) work() {
	var err error
	returned := false
	defer func() {
		if !returned {
			e := &loop.PanicError{Value: recover(), Stack: debug.Stack(), Task: j.String()}
			e.Goexit = e.Value == nil
			err = e
		}
		j.end(err)
	}()
	err = j.fn(j)
	returned = true
}

func (j *Job) end(err error) {
	j.mu.Lock()
	j.over, j.outcome, j.fn = true, err, nil
	stop := j.stop
	j.mu.Unlock()
	if stop != nil {
		stop(context.Canceled)
	}
	j.refuse(errEnded)
	j.pool.deliver(j)
}

var errEnded = fmt.Errorf("the job has ended: %w", loop.ErrClosed)

// CheckCancelled returns the *loop.CancelledError once a cancellation has
// reached the task that waits for the job, or ErrInterrupt for an interrupt,
// and else nil. Returned from the job, the error is absorbed by the scope that
// was cancelled. After the end of the job it matches loop.ErrClosed.
func (j *Job) CheckCancelled() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.over {
		return errEnded
	}
	return j.cause
}

// Context returns a context for libraries: done when CheckCancelled has
// something to say, or the job has ended. It has the deadline of the waiting
// task, and carries the locals of the job at the first call.
func (j *Job) Context() context.Context {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.context != nil {
		return j.context
	}
	parent := context.Background()
	if j.locals != (loop.Locals{}) {
		parent = j.locals.Context(parent)
	}
	ctx, stop := context.WithCancelCause(parent)
	j.context, j.stop = &jobContext{ctx, j.deadline, j.limited}, stop
	switch {
	case j.over:
		stop(context.Canceled)
	case j.cause != nil:
		stop(j.cause)
	}
	return j.context
}

// jobContext announces the deadline that the loop keeps.
type jobContext struct {
	context.Context
	when    time.Time
	limited bool
}

// Deadline returns the deadline of the task that waits.
func (c *jobContext) Deadline() (time.Time, bool) { return c.when, c.limited }

// Locals returns the task-locals of the job: at first those that the task had
// when it called Run.
func (j *Job) Locals() loop.Locals {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.locals
}

// SetLocals replaces them, for the job and for what it calls back. The task
// does not see it.
func (j *Job) SetLocals(values loop.Locals) {
	j.mu.Lock()
	j.locals = values
	j.mu.Unlock()
}

// Do runs fn on the loop, and waits for its end and returns its error; a panic
// becomes a *loop.PanicError. fn runs as the task that waits for the job,
// inside the same scopes, so that it sees a cancellation of that at its
// checkpoints; with the locals of the job, and what it sets stays inside. In a
// job that may be abandoned it runs as a system task instead, see
// loop.Loop.Do.
//
// Do blocks its goroutine: inside a task it is refused with loop.ErrMisuse.
// After the end of the job the answer matches loop.ErrClosed, after that of
// the loop loop.ErrLoopClosed.
func (j *Job) Do(fn func(*loop.Task) error) error {
	switch {
	case fn == nil:
		return errNil
	case loop.Inside():
		return fmt.Errorf("%w: Job.Do was called inside a task", loop.ErrMisuse)
	case j.abandon:
		if err := j.refused(); err != nil {
			return err
		}
		return j.host.Loop().Do(j.Locals().Context(context.Background()), fn)
	}
	r := &request{fn: fn, done: make(chan error, 1)}
	j.mu.Lock()
	if err := j.refusal; err != nil {
		j.mu.Unlock()
		return err
	}
	r.locals = j.locals
	j.requests = append(j.requests, r)
	j.mu.Unlock()
	j.pool.deliver(j)
	return <-r.done
}

func (j *Job) refused() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.refusal
}

// refuse answers all requests, those to come as well.
func (j *Job) refuse(why error) {
	j.mu.Lock()
	if j.refusal == nil {
		j.refusal = why
	}
	requests := j.requests
	j.requests = nil
	j.mu.Unlock()
	for _, r := range requests {
		r.done <- why
	}
}

func (j *Job) nextRequest() *request {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.requests) == 0 {
		return nil
	}
	r := j.requests[0]
	j.requests = j.requests[1:]
	return r
}
