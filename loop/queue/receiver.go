package queue

import (
	"iter"

	"github.com/lion-go/lion/loop"
)

// A Receiver is a handle to receive by.
type Receiver[T any] struct {
	core *core[T]
	handle
}

// Receive takes the oldest item, and suspends t until there is one. It is a
// checkpoint. It answers ErrEnd if the queue is empty and nobody is left to
// send, and ErrClosed if this handle has been closed, also while t waits.
func (r *Receiver[T]) Receive(t *loop.Task) (item T, err error) {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return item, err
	}
	//lion:opt queue-quiet with room or items and nobody waiting there is nothing else to look at
	if c := r.core; c.length > 0 && c.quiet() && !r.closed {
		return c.pop(), loop.ShieldedCheckpoint(t)
	}
	return r.receive(t)
}

// receive is Receive where somebody waits or has to.
func (r *Receiver[T]) receive(t *loop.Task) (item T, err error) {
	c := r.core
	if c.foreign(t.Loop()) {
		return item, errForeign
	}
	item, err = r.ReceiveNowait()
	switch err {
	case nil:
		return item, loop.ShieldedCheckpoint(t)
	case loop.ErrWouldBlock:
		return c.wait(t, &c.receivers, &r.handle, "queue receive", item)
	}
	return item, err
}

// ReceiveNowait takes the oldest item if there is one. It never suspends, and
// answers ErrWouldBlock if there is none, and otherwise as Receive does.
func (r *Receiver[T]) ReceiveNowait() (item T, err error) {
	c := r.core
	if r.closed {
		return item, errReceiveClosed
	}
	w := c.senders.pop()
	switch {
	case c.length > 0:
		item = c.pop()
		if w != nil {
			c.push(w.item) // the room is the sender's, whoever comes before it runs
		}
	case w != nil:
		item = w.item // from hand to hand: the queue holds nothing
	case c.openSenders == 0:
		return item, loop.ErrEnd
	default:
		return item, loop.ErrWouldBlock
	}
	if w != nil {
		w.serve()
	}
	return item, nil
}

// All ranges over the items until the end of the queue. Each step is a
// checkpoint that receives one item. Any error but the end is handed to the
// body, with no item, and ends the loop.
//
//	for item, err := range q.All(t) {
//		if err != nil {
//			return err
//		}
//		...
//	}
//
// To leave the loop early takes nothing from the queue, and does not close the
// handle.
func (r *Receiver[T]) All(t *loop.Task) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			item, err := r.Receive(t)
			if err == loop.ErrEnd {
				return
			}
			if !yield(item, err) || err != nil {
				return
			}
		}
	}
}

// Clone makes another handle to receive by. It answers ErrClosed if this one
// has been closed.
func (r *Receiver[T]) Clone() (*Receiver[T], error) {
	if r.closed {
		return nil, errReceiveClosed
	}
	r.core.openReceivers++
	return &Receiver[T]{core: r.core}, nil
}

// Close closes the handle; once is enough, and again does nothing. Tasks that
// wait through it get ErrClosed. Close the last one and what is queued is
// dropped, and senders get ErrBroken.
func (r *Receiver[T]) Close() {
	if r.closed {
		return
	}
	r.closed = true
	c := r.core
	c.openReceivers--
	c.receivers.fail(&r.handle, errReceiveClosed)
	if c.openReceivers == 0 {
		c.drop()
		c.senders.fail(nil, errSendBroken)
	}
}

// Statistics returns the present numbers of the queue.
func (r *Receiver[T]) Statistics() Statistics { return r.core.statistics() }
