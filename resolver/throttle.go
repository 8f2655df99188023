package resolver

import (
	"container/list"
	"sync"
)

// throttle lets a bounded number of lookups go at a time. The rest waits in a
// queue for each caller; callers take turns, and each is served in order. So a
// caller with ten thousand lookups delays one with a single lookup by no more
// than one. A slot is passed on when the work of a lookup has really ended,
// also if nobody waits for it any more.
type throttle struct {
	mu      sync.Mutex
	slots   int
	room    int // how many may wait
	inUse   int
	waiting int
	peak    int
	refused uint64
	queues  map[any]*callerQueue
	turns   list.List // of *callerQueue with somebody in them, next one first
}

// callerQueue holds the flights of one caller that wait.
type callerQueue struct {
	caller any
	turn   *list.Element
	queue  list.List // of *flight
}

func (th *throttle) init(slots, room int) {
	th.slots, th.room = slots, room
	th.queues = map[any]*callerQueue{}
}

// acquire gives f a slot, or a place in the queue of its caller, or ErrTooMany.
func (th *throttle) acquire(f *flight) (granted bool, err error) {
	th.mu.Lock()
	defer th.mu.Unlock()
	switch {
	case th.inUse < th.slots:
		th.inUse++
		th.peak = max(th.peak, th.inUse)
		return true, nil
	case th.waiting >= th.room:
		th.refused++
		return false, ErrTooMany
	}
	q := th.queues[f.caller]
	if q == nil {
		q = &callerQueue{caller: f.caller}
		q.turn = th.turns.PushBack(q)
		th.queues[f.caller] = q
	}
	f.place = q.queue.PushBack(f)
	th.waiting++
	return false, nil
}

// leave takes f out of the queue, and reports whether it was there.
func (th *throttle) leave(f *flight) bool {
	th.mu.Lock()
	defer th.mu.Unlock()
	if f.place == nil {
		return false
	}
	th.drop(th.queues[f.caller], f)
	return true
}

func (th *throttle) drop(q *callerQueue, f *flight) {
	q.queue.Remove(f.place)
	f.place = nil
	th.waiting--
	if q.queue.Len() == 0 {
		th.turns.Remove(q.turn)
		delete(th.queues, q.caller)
	}
}

// release gives a slot back, and passes it to the next flight in turn. It may
// be called from any goroutine.
func (th *throttle) release() {
	for {
		next := th.next()
		if next == nil || next.grant() {
			return
		}
	}
}

// next takes the next flight out of the queues, which has the slot then; nil
// if nobody waits and the slot is free.
func (th *throttle) next() *flight {
	th.mu.Lock()
	defer th.mu.Unlock()
	front := th.turns.Front()
	if front == nil {
		th.inUse--
		return nil
	}
	q := front.Value.(*callerQueue)
	th.turns.MoveToBack(front)
	f := q.queue.Front().Value.(*flight)
	th.drop(q, f)
	return f
}
