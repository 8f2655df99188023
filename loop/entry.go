package loop

import (
	"fmt"
	"reflect"
	"runtime/debug"
	"slices"
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
	filled atomic.Bool   // there are calls
	room   chan struct{} // closed when a full queue has been emptied
	rooms  []*Waker      // woken then

	peak    int    // the greatest length so far
	refused uint64 // calls that found no room
}

// call is an entry: a function; or a *Waker or *visit as the key, and no
// function.
type call struct {
	fn  func()
	key any
}

func (q *entryQueue) waiting() bool { return q.filled.Load() }

func (q *entryQueue) close() {
	q.mu.Lock()
	q.closed = true
	rooms := q.makeRoom()
	q.mu.Unlock()
	wakeAll(rooms)
}

// makeRoom tells goroutines that there is room, and returns the wakers of
// those who do not wait on a channel: they are to be woken without the mutex,
// since two loops may wait for room in each other's queues.
func (q *entryQueue) makeRoom() (rooms []*Waker) {
	if q.room != nil {
		close(q.room)
		q.room = nil
	}
	rooms, q.rooms = q.rooms, nil
	return rooms
}

func wakeAll(rooms []*Waker) {
	for _, w := range rooms {
		_ = w.Wake() // a loop that has ended waits for nothing
	}
}

// put appends a call. A full queue wakes w, if there is one, when there is
// room, and else gives a channel that is closed then.
func (q *entryQueue) put(c call, w *Waker) (room <-chan struct{}, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return nil, ErrLoopClosed
	case c.fn != nil && c.key != nil:
		if _, queued := q.keys[c.key]; queued {
			return nil, nil
		}
	}
	if len(q.calls) >= q.limit {
		return q.waitForRoom(w), ErrFull
	}
	if c.fn != nil && c.key != nil {
		if q.keys == nil {
			q.keys = map[any]struct{}{}
		}
		q.keys[c.key] = struct{}{}
	}
	q.append(c)
	return nil, nil
}

func (q *entryQueue) waitForRoom(w *Waker) <-chan struct{} {
	q.refused++
	if w != nil {
		q.rooms = append(q.rooms, w)
		return nil
	}
	if q.room == nil {
		q.room = make(chan struct{})
	}
	return q.room
}

// leave takes back that w waits for room.
func (q *entryQueue) leave(w *Waker) {
	q.mu.Lock()
	q.rooms = slices.DeleteFunc(q.rooms, func(other *Waker) bool { return other == w })
	q.mu.Unlock()
}

func (q *entryQueue) append(c call) {
	q.calls = append(q.calls, c)
	q.peak = max(q.peak, len(q.calls))
	if len(q.calls) == 1 {
		q.filled.Store(true)
	}
}

// take removes everything that is queued.
func (q *entryQueue) take() []call {
	q.mu.Lock()
	taken := q.calls
	q.calls, q.spare = q.spare[:0], nil
	q.filled.Store(false)
	rooms := q.makeRoom()
	q.mu.Unlock()
	wakeAll(rooms)
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
	_, err := l.enqueue(call{fn: fn}, nil)
	return err
}

// CallSoonOnce is CallSoon for calls that are idempotent: while a call with
// an equal key is queued and has not started, another is accepted without
// being queued. A nil key, and one that cannot be compared, are refused with
// ErrMisuse. For one function that is called again and again, and must
// never find the queue full, make a Waker.
func (l *Loop) CallSoonOnce(key any, fn func()) error {
	if fn == nil || key == nil {
		return misuse("an idempotent call needs a key and a function")
	}
	if !reflect.ValueOf(key).Comparable() || key != key { // NaN
		return misuse("a key of type %T can not be told from others", key)
	}
	_, err := l.enqueue(call{fn: fn, key: key}, nil)
	return err
}

func (l *Loop) enqueue(c call, w *Waker) (room <-chan struct{}, err error) {
	room, err = l.entry.put(c, w)
	if err == nil {
		l.wakeUp()
	}
	return room, err
}

// wakeUp ends the sleep of the loop, if it sleeps: one wake-up stands for all
// that has been queued meanwhile.
func (l *Loop) wakeUp() {
	if l.sleeping.Load() && l.sleeping.CompareAndSwap(true, false) {
		l.poller.Wake()
	}
}

// runEntries makes the calls that are queued now.
func (l *Loop) runEntries() {
	if !l.entry.waiting() {
		return
	}
	calls := l.entry.take()
	for i, c := range calls {
		calls[i] = call{}
		l.counters.entries++
		if err := l.perform(c); err != nil {
			l.crash(fmt.Errorf("an entry callback failed: %w", err))
		}
	}
	l.entry.spare = calls[:0]
}

// perform makes one call. What escapes it is returned.
func (l *Loop) perform(c call) error {
	if c.fn == nil {
		return l.performOwn(c.key)
	}
	if c.key != nil { // of any type: it is the user's
		l.entry.started(c.key)
	}
	return guarded("entry callback", c.fn)
}

// performOwn makes a call that has its function in itself.
func (l *Loop) performOwn(of any) error {
	if w, ok := of.(*Waker); ok {
		return guarded("entry callback", w.fire)
	}
	of.(*visit).begin()
	return nil
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

// A Waker calls one function on its loop whenever other goroutines have asked
// for it. It is for the far end of a hand-over: put what is to be handed over
// where the function finds it, then Wake. Its place in the entry queue is its
// own, so it never finds the queue full, and it allocates nothing.
type Waker struct {
	loop   *Loop
	fn     func()
	queued bool // guarded by the mutex of the entry queue
}

// NewWaker makes a Waker that calls fn on l, outside any task. As with
// CallSoon, fn must not block, and a panic of it ends the loop. A nil fn is
// refused with ErrMisuse.
func NewWaker(l *Loop, fn func()) (*Waker, error) {
	if l == nil || fn == nil {
		return nil, misuse("a waker needs a loop and a function")
	}
	return &Waker{loop: l, fn: fn}, nil
}

// Wake has the function called soon, in order with the calls of CallSoon. It
// may be called from any goroutine. However often it is called before the
// function begins, that runs once; a Wake while it runs makes it run again. An
// ended loop answers ErrLoopClosed. Sync-coloured.
func (w *Waker) Wake() error {
	q := &w.loop.entry
	q.mu.Lock()
	switch {
	case q.closed:
		q.mu.Unlock()
		return ErrLoopClosed
	case !w.queued:
		w.queued = true
		q.append(call{key: w})
	}
	q.mu.Unlock()
	w.loop.wakeUp()
	return nil
}

// fire runs on the loop.
func (w *Waker) fire() {
	q := &w.loop.entry
	q.mu.Lock()
	w.queued = false
	q.mu.Unlock()
	w.fn()
}
