package resolver

import (
	"context"
	"errors"
	"runtime/debug"
	"time"

	"github.com/lion-go/lion/loop"
)

// Reading a file may take for ever: /etc/hosts on an NFS mount whose server is
// gone answers neither stat nor open, nothing can stop the thread that asked,
// and nobody can be told that it will end. Hence files are read by one
// goroutine of its own for each resolver, one at a time, never by the tasks or
// workers of a loop. Lookups wait for it for a moment if there are settings
// already, and go on with those; what it brings home later still counts. So a
// dead mount costs one thread, however many lookups come and are cancelled.

// fileGrace is how long a lookup waits for files to be read again while there
// are settings from before. It is real time, whatever the clock of the loop.
const fileGrace = 250 * time.Millisecond

// reading is a look at the files that is on its way.
type reading struct {
	done chan struct{}
	err  error // a bug of ours, once done
}

// settingsFor returns the settings for a lookup, and looks at the files if the
// last look is too long ago. It is a checkpoint only if it does.
func (r *Resolver) settingsFor(t *loop.Task) (*settings, error) {
	if t == nil {
		return nil, loop.Checkpoint(t) // it says so
	}
	s := r.current.Load()
	now := r.sinceNew(t)
	checked := time.Duration(r.checked.Load())
	if s != nil {
		fixed := s.resolv.NoReload && r.config.Recheck > 0
		// Clocks of loops may disagree, but for no more than a moment.
		age := now - checked
		recent := age < r.config.Recheck && age > -r.config.Recheck
		if fixed || recent || r.config.Recheck > 0 && !r.checked.CompareAndSwap(int64(checked), int64(now)) {
			return s, nil
		}
		if r.config.Recheck > 0 && r.reading.Load() != nil {
			r.counters.stale.Add(1)
			return s, nil
		}
	}
	if err := r.reload(t, now); err != nil {
		return nil, err
	}
	return r.current.Load(), nil
}

// sinceNew is the time since New by the loop of t. All loops have that from the
// monotonic clock, which nobody sets; the times of day of two of them differ by
// what somebody has set it in between, and by how long the machine has slept.
func (r *Resolver) sinceNew(t *loop.Task) time.Duration { return t.Now().Sub(r.made) }

// reload looks at the files once for all tasks of a loop that want them at the
// same time.
func (r *Resolver) reload(t *loop.Task, now time.Duration) error {
	known := func() bool { return r.current.Load() != nil }
	return r.together(t, "files", known, func() error {
		ctx := t.Context()
		_, err := offload(t, func() (struct{}, error) { return struct{}{}, r.look(ctx, now) })
		if errors.Is(err, context.Canceled) {
			err = first(loop.CheckpointIfCancelled(t), err)
		}
		return err
	})
}

// look has the files read, or waits for who reads them already: as long as it
// takes if nothing is known yet. It blocks.
func (r *Resolver) look(ctx context.Context, now time.Duration) error {
	p := &reading{done: make(chan struct{})}
	for !r.reading.CompareAndSwap(nil, p) {
		if other := r.reading.Load(); other != nil {
			return r.await(ctx, other)
		}
	}
	go r.read(p, now)
	return r.await(ctx, p)
}

// await waits for a reading to end.
func (r *Resolver) await(ctx context.Context, p *reading) error {
	var enough <-chan time.Time
	if r.current.Load() != nil {
		timer := time.NewTimer(fileGrace)
		defer timer.Stop()
		enough = timer.C
	}
	select {
	case <-p.done:
		return p.err
	case <-enough:
		r.counters.stale.Add(1)
	case <-ctx.Done():
		return context.Canceled
	}
	return nil
}

// read looks at the files, and makes what they say current.
func (r *Resolver) read(p *reading, now time.Duration) {
	defer func() {
		if v := recover(); v != nil {
			p.err = &loop.PanicError{Value: v, Stack: debug.Stack(), Task: "resolver: files"}
		}
		r.reading.Store(nil)
		close(p.done)
	}()
	old := r.current.Load()
	if next := r.load(old); next != old {
		r.adopt(old, next)
	}
	r.checked.Store(int64(now))
}

// adopt makes new settings current, and forgets what was learned under the old
// ones.
func (r *Resolver) adopt(old, next *settings) {
	r.current.Store(next)
	if old != nil {
		r.counters.reloads.Add(1)
	}
	r.cache.flush()
	r.sources.forget()
}
