package worker

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/lion-go/lion/loop"
)

// A Limiter bounds how many jobs run at once. *locks.CapacityLimiter is one.
// Each job borrows in its own name.
type Limiter interface {
	// AcquireFor waits for a token. It is a checkpoint.
	AcquireFor(t *loop.Task, borrower any) error

	// ReleaseFor gives the token back; it is called on the loop, perhaps
	// outside any task. Sync-coloured.
	ReleaseFor(borrower any) error
}

// Option sets up a job.
type Option func(*Job)

// AbandonOnCancel lets Run return as soon as its task is cancelled. The job
// runs on, keeps its token until it ends, and what it returns is dropped.
func AbandonOnCancel() Option { return func(j *Job) { j.abandon = true } }

// WithLimiter takes the token from another limiter than that of the loop.
func WithLimiter(limiter Limiter) Option { return func(j *Job) { j.limiter = limiter } }

// Run runs fn on an ordinary goroutine, suspends t until fn has ended, and
// returns its error. A panic or Goexit of fn becomes a *loop.PanicError. It is
// a checkpoint: if t is cancelled before fn has begun, it never runs; later,
// Run waits for fn all the same and returns what it returned, unless
// AbandonOnCancel was given. An error of the limiter is returned; one from
// giving the token back is joined to that of fn. A nil fn is refused with
// loop.ErrMisuse.
func Run(t *loop.Task, fn func(*Job) error, opts ...Option) error {
	if fn == nil {
		return errNil
	}
	_, err := start(t, fn, reflect.ValueOf(fn).Pointer(), opts)
	return err
}

// Value is Run for a function with a result. It is a checkpoint. The result of
// an abandoned job is the zero value.
func Value[T any](t *loop.Task, fn func(*Job) (T, error), opts ...Option) (T, error) {
	var none T
	if fn == nil {
		return none, errNil
	}
	result := new(T)
	ended, err := start(t, func(j *Job) (err error) {
		*result, err = fn(j)
		return err
	}, reflect.ValueOf(fn).Pointer(), opts)
	if !ended { // it may still write its result
		return none, err
	}
	return *result, err
}

var errNil = fmt.Errorf("%w: a job without a function", loop.ErrMisuse)

// start runs fn and waits for it. It reports whether fn has ended, or never
// begun.
func start(t *loop.Task, fn func(*Job) error, pc uintptr, opts []Option) (ended bool, err error) {
	if t == nil {
		return true, loop.Checkpoint(t) // it says so
	}
	p := Of(t.Loop())
	j := &Job{pool: p, host: t, fn: fn, pc: pc, limiter: p.limiter}
	for _, opt := range opts {
		opt(j)
	}
	if j.limiter == nil {
		return true, fmt.Errorf("%w: a job with a nil limiter", loop.ErrMisuse)
	}
	p.stats.Waiting++
	err = j.limiter.AcquireFor(t, j)
	p.stats.Waiting--
	if err == nil {
		err = j.mayBegin(t)
	}
	if err != nil {
		return true, err
	}
	j.locals = t.Locals()
	j.deadline, j.limited = t.Deadline()
	p.stats.Running++
	p.stats.Started++
	go j.work()
	returned := false
	defer func() {
		if !returned { // by a Goexit in a callback: the job is waited for
			j.refuse(fmt.Errorf("the task of the job is ending: %w", loop.ErrBroken))
			_ = j.attend()
		}
	}()
	err = j.attend()
	returned = true
	if !j.ended {
		return false, err
	}
	return true, j.result()
}

// mayBegin gives the token back if t was cancelled after the token became its.
func (j *Job) mayBegin(t *loop.Task) error {
	err := loop.CheckpointIfCancelled(t)
	if err == nil {
		return nil
	}
	if failed := j.limiter.ReleaseFor(j); failed != nil {
		return errors.Join(err, failed)
	}
	return err
}

func (j *Job) result() error {
	if j.releaseErr != nil {
		return errors.Join(j.err, j.releaseErr)
	}
	return j.err
}
