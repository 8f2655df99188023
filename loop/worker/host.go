package worker

import (
	"runtime/debug"

	"github.com/lion-go/lion/loop"
)

// What the waiting task does, on the loop.

// attend waits for the end of the job, and does what it asks for meanwhile. It
// returns an error if the task has to leave the job alone.
func (j *Job) attend() error {
	for {
		for r := j.nextRequest(); r != nil; r = j.nextRequest() {
			j.pool.stats.Callbacks++
			r.serve(j.host)
		}
		if j.ended {
			return nil
		}
		j.waiting = true
		err := loop.Park(j.host, "worker", j)
		j.waiting = false
		if err != nil {
			j.leave(err)
			return err
		}
	}
}

// leave lets the job run on by itself.
func (j *Job) leave(why error) {
	j.gone = true
	j.pool.stats.Abandoned++
	j.pool.stats.Abandons++
	j.note(why)
	if !j.abandon {
		j.refuse(loop.ErrLoopClosed) // only a broken loop takes its tasks away
	}
}

// hear runs on the loop, outside any task: the job has ended, or asks for
// something.
func (j *Job) hear() {
	j.mu.Lock()
	over, outcome := j.over, j.outcome
	j.mu.Unlock()
	if over && !j.ended {
		j.ended, j.err = true, outcome
		j.releaseErr = j.limiter.ReleaseFor(j)
		j.pool.ended(j.gone)
	}
	if j.waiting {
		j.waiting = false
		_ = j.host.Unpark(nil)
	}
}

// serve runs one request as a part of the waiting task.
func (r *request) serve(host *loop.Task) {
	before, returned := host.Locals(), false
	host.SetLocals(r.locals)
	defer func() {
		host.SetLocals(before)
		if returned {
			return
		}
		e := &loop.PanicError{Value: recover(), Stack: debug.Stack(), Task: host.Name()}
		e.Goexit = e.Value == nil // that goes on
		r.done <- e
	}()
	err := r.fn(host)
	returned = true
	r.done <- err
}

// Abort makes a cancellation of the waiting task known to the job. The task
// leaves it alone only if it may.
func (j *Job) Abort(w loop.Wait) bool {
	j.note(w.Cause)
	if j.abandon {
		j.waiting = false
	}
	return j.abandon
}

// WaitDetail names the function of the job.
func (j *Job) WaitDetail() string { return j.Name() }

// note keeps the first cause for the job.
func (j *Job) note(cause error) {
	j.mu.Lock()
	if j.cause == nil {
		j.cause = cause
	}
	stop := j.stop
	j.mu.Unlock()
	if stop != nil {
		stop(cause)
	}
}
