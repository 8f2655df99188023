package loop

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// DefaultEntryQueueSize is how many calls from outside may wait for a loop:
// enough for bursts from thousands of goroutines, and a bound on the memory
// that a stuck loop can cost.
const DefaultEntryQueueSize = 65536

// entryQueue holds calls from other goroutines. It is the one part of a loop
// that needs a mutex: held for an append, or to take what is there.
type entryQueue struct {
	mu     sync.Mutex
	calls  []call
	spare  []call
	keys   map[any]struct{} // of idempotent calls that have not started
	limit  int
	closed bool
	length atomic.Int64
	room   chan struct{} // closed when a full queue has been emptied
}

type call struct {
	fn     func()
	key    any
	urgent bool // it may exceed the limit; there is one such key
}

func (q *entryQueue) waiting() bool { return q.length.Load() > 0 }

func (q *entryQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.makeRoom()
}

func (q *entryQueue) makeRoom() {
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
}

// put appends a call. A full queue gives the channel that is closed when
// there is room.
func (q *entryQueue) put(c call) (room <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, ErrLoopClosed
	}
	if c.key != nil {
		if _, queued := q.keys[c.key]; queued {
			return nil, nil
		}
	}
	if len(q.calls) >= q.limit && !c.urgent {
		if q.room == nil {
			q.room = make(chan struct{})
		}
		return q.room, ErrFull
	}
	if c.key != nil {
		if q.keys == nil {
			q.keys = map[any]struct{}{}
		}
		q.keys[c.key] = struct{}{}
	}
	q.calls = append(q.calls, c)
	q.length.Store(int64(len(q.calls)))
	return nil, nil
}

// take removes everything that is queued.
func (q *entryQueue) take() []call {
	q.mu.Lock()
	defer q.mu.Unlock()
	taken := q.calls
	q.calls, q.spare = q.spare[:0], nil
	q.length.Store(0)
	q.makeRoom()
	return taken
}

func (q *entryQueue) started(key any) {
	q.mu.Lock()
	delete(q.keys, key)
	q.mu.Unlock()
}

// CallSoon queues fn to be called on the loop, outside any task, and returns
// at once. It may be called from any goroutine, also in a signal handler's.
// Calls run in the order in which they were accepted; each pass of the loop
// runs exactly those that were queued at its start. A call that was accepted
// is made, even if the main task ends meanwhile. fn must not block; if it
// panics, Run returns ErrInternal. A full queue answers ErrFull, an ended loop
// ErrLoopClosed. Sync-coloured.
func (l *Loop) CallSoon(fn func()) error {
	if fn == nil {
		return misuse("calling a nil function")
	}
	_, err := l.enqueue(call{fn: fn})
	return err
}

// CallSoonOnce is CallSoon for calls that are idempotent: while a call with
// an equal key is queued and has not started, another is accepted without
// being queued.
func (l *Loop) CallSoonOnce(key any, fn func()) error {
	if fn == nil || key == nil {
		return misuse("an idempotent call needs a key and a function")
	}
	_, err := l.enqueue(call{fn: fn, key: key})
	return err
}

func (l *Loop) enqueue(c call) (room <-chan struct{}, err error) {
	room, err = l.entry.put(c)
	if err == nil && l.sleeping.CompareAndSwap(true, false) {
		l.poller.Wake()
	}
	return room, err
}

// runEntries makes the calls that are queued now.
func (l *Loop) runEntries() {
	if !l.entry.waiting() {
		return
	}
	calls := l.entry.take()
	for i, c := range calls {
		calls[i] = call{}
		if c.key != nil {
			l.entry.started(c.key)
		}
		l.counters.entries++
		if err := guarded("entry callback", c.fn); err != nil {
			l.crash(fmt.Errorf("an entry callback failed: %w", err))
		}
	}
	l.entry.spare = calls[:0]
}

// guarded calls fn and returns a panic as an error that blames what.
func guarded(what string, fn func()) (err error) {
	returned := false
	defer func() {
		if !returned {
			err = &PanicError{Value: recover(), Stack: debug.Stack(), Task: what, part: true}
		}
	}()
	fn()
	returned = true
	return nil
}

// Do runs fn as a task of the loop on behalf of an ordinary goroutine, and
// waits for its end and returns its error. If ctx is done first, the task is
// cancelled, and Do still waits for it; it then returns the cause of ctx if
// the task ended with nothing but Cancelled. While the entry queue is full it
// waits for room. An ended or ending loop answers ErrLoopClosed.
//
// Do blocks its goroutine, so within a task it is refused with ErrMisuse.
func (l *Loop) Do(ctx context.Context, fn func(*Task) error) error {
	switch {
	case fn == nil:
		return misuse("doing a nil function")
	case onLoopGoroutine():
		return misuse("Do was called inside a task")
	}
	job := &doJob{loop: l, ctx: ctx, fn: fn, done: make(chan error, 1)}
	for {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		room, err := l.enqueue(call{fn: job.start})
		if err == nil {
			break
		}
		if room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
		}
	}
	stop := context.AfterFunc(ctx, job.cancelSoon)
	defer stop()
	select {
	case err := <-job.done:
		return err
	case <-l.ended:
	}
	select {
	case err := <-job.done:
		return err
	default: // the loop broke before the task had its first turn
		return ErrLoopClosed
	}
}

// doJob is one call of Do.
type doJob struct {
	loop  *Loop
	ctx   context.Context
	fn    func(*Task) error
	scope *Scope
	done  chan error
	ended bool
}

// start runs on the loop.
func (j *doJob) start() {
	err := j.loop.SpawnSystem(j.run, WithTaskName("Do "+functionName(codePointer(j.fn))))
	if err != nil {
		j.done <- err
	}
}

// run is the task. What fn returns goes to the caller of Do, and not to the
// loop; so does a panic.
func (j *doJob) run(t *Task) error {
	j.scope = &Scope{loop: j.loop}
	if j.ctx.Err() != nil {
		j.scope.cancel(SourceExplicit, "the context was done")
	}
	returned := false
	defer func() {
		j.ended = true
		if !returned {
			e := &PanicError{Value: recover(), Stack: debug.Stack(), Task: t.Name()}
			e.Goexit = e.Value == nil
			j.done <- e
		}
	}()
	err := Enter(t, j.scope, func(*Scope) error { return j.fn(t) })
	if j.scope.caught && err == nil {
		err = context.Cause(j.ctx)
	}
	returned = true
	j.done <- err
	return nil
}

// cancelSoon runs on any goroutine, when the context is done. Should the
// queue be full, the call is made as soon as there is room.
func (j *doJob) cancelSoon() {
	for {
		room, err := j.loop.enqueue(call{fn: j.cancel})
		if err == nil || room == nil {
			return
		}
		<-room
	}
}

// cancel runs on the loop.
func (j *doJob) cancel() {
	if j.scope != nil && !j.ended {
		j.scope.cancel(SourceExplicit, "the context was done")
	}
}
