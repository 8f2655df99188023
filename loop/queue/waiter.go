package queue

import (
	"fmt"

	"github.com/lion-go/lion/loop"
)

// A task that waits for a queue waits through a handle, which may be closed
// under it, and with a value to give or to get. A ParkingLot knows neither, so
// waits are lists of records of their own, on top of Park and Unpark.

// handle is one clone of an end of a queue.
type handle struct {
	closed bool
}

// waiter is a parked task, with its item: the one that it wants to send, or
// the one that it was handed.
type waiter[T any] struct {
	core   *core[T]
	task   *loop.Task
	via    *handle
	item   T
	served bool
	in     *line[T]
	next   *waiter[T]
	prev   *waiter[T]
}

// Abort takes the task out of its line: nothing has happened.
func (w *waiter[T]) Abort(loop.Wait) bool {
	w.in.remove(w)
	return true
}

// WaitDetail tells how full the queue is, and who is at its other end.
func (w *waiter[T]) WaitDetail() string {
	return fmt.Sprintf("%d of %d items, open: %d senders, %d receivers",
		w.core.length, w.core.size, w.core.openSenders, w.core.openReceivers)
}

// serve wakes a task that has been taken out of its line, as its item was
// taken or given.
func (w *waiter[T]) serve() {
	w.served = true
	w.task.Unpark(nil)
}

// wait parks t in a line with an item, until it is served. It returns the item
// that it has then.
func (c *core[T]) wait(t *loop.Task, in *line[T], via *handle, label string, item T) (T, error) {
	w := c.spares.take()
	w.core, w.task, w.via, w.item = c, t, via, item
	in.push(w)
	err := loop.Park(t, label, w)
	if w.in != nil { // nobody took it out who knows of lines
		in.remove(w)
	}
	if err == nil && !w.served {
		err = errUnparked
	}
	item = w.item
	c.spares.put(w)
	return item, err
}

// line is a list of waiters, the first of whom has waited longest.
type line[T any] struct {
	first, last *waiter[T]
	length      int
}

func (l *line[T]) push(w *waiter[T]) {
	w.in, w.prev, w.next = l, l.last, nil
	if l.last != nil {
		l.last.next = w
	} else {
		l.first = w
	}
	l.last = w
	l.length++
}

// pop takes out the first waiter, or nil.
func (l *line[T]) pop() *waiter[T] {
	w := l.first
	if w != nil {
		l.remove(w)
	}
	return w
}

func (l *line[T]) remove(w *waiter[T]) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		l.first = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		l.last = w.prev
	}
	w.in, w.next, w.prev = nil, nil, nil
	l.length--
}

// fail ends the waits through a handle, or all of them if it is nil.
func (l *line[T]) fail(via *handle, err error) {
	for w := l.first; w != nil; {
		next := w.next
		if via == nil || w.via == via {
			l.remove(w)
			w.task.Unpark(err)
		}
		w = next
	}
}

// sparesMax bounds the records that a queue keeps for the next waits, so that
// these need not allocate: more tasks seldom wait for one queue.
const sparesMax = 64

// spares is a list of records that are not in use.
type spares[T any] struct {
	first  *waiter[T]
	length int
}

func (s *spares[T]) take() *waiter[T] {
	w := s.first
	if w == nil {
		return new(waiter[T])
	}
	s.first, w.next = w.next, nil
	s.length--
	return w
}

func (s *spares[T]) put(w *waiter[T]) {
	*w = waiter[T]{}
	if s.length < sparesMax {
		w.next, s.first = s.first, w
		s.length++
	}
}
