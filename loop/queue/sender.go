package queue

import "github.com/lion-go/lion/loop"

// A Sender is a handle to send by.
type Sender[T any] struct {
	core *core[T]
	handle
}

// Send puts an item into the queue, and suspends t until there is room. It is
// a checkpoint. It answers ErrClosed if this handle has been closed, also
// while t waits, and ErrBroken if nobody is left to receive.
func (s *Sender[T]) Send(t *loop.Task, item T) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	//lion:opt queue-quiet with room or items and nobody waiting there is nothing else to look at
	if c := s.core; c.length < c.size && c.quiet() && c.openReceivers > 0 && !s.closed {
		c.push(item)
		return loop.ShieldedCheckpoint(t)
	}
	return s.send(t, item)
}

// send is Send where somebody waits or has to.
func (s *Sender[T]) send(t *loop.Task, item T) error {
	c := s.core
	if c.foreign(t.Loop()) {
		return errForeign
	}
	err := s.SendNowait(item)
	switch err {
	case nil:
		return loop.ShieldedCheckpoint(t)
	case loop.ErrWouldBlock:
		_, err = c.wait(t, &c.senders, &s.handle, "queue send", item)
	}
	return err
}

// SendNowait puts an item into the queue if there is room, or gives it to a
// receiver that waits. It never suspends, and answers ErrWouldBlock if the
// queue is full, and otherwise as Send does.
func (s *Sender[T]) SendNowait(item T) error {
	c := s.core
	switch {
	case s.closed:
		return errSendClosed
	case c.openReceivers == 0:
		return errSendBroken
	case c.receivers.first != nil:
		w := c.receivers.pop()
		w.item = item
		w.serve()
		return nil
	case c.length == c.size:
		return loop.ErrWouldBlock
	}
	c.push(item)
	return nil
}

// Clone makes another handle to send by. It answers ErrClosed if this one has
// been closed.
func (s *Sender[T]) Clone() (*Sender[T], error) {
	if s.closed {
		return nil, errSendClosed
	}
	s.core.openSenders++
	return &Sender[T]{core: s.core}, nil
}

// Close closes the handle; once is enough, and again does nothing. Tasks that
// wait through it get ErrClosed. Close the last one and receivers get ErrEnd
// after what is queued.
func (s *Sender[T]) Close() {
	if s.closed {
		return
	}
	s.closed = true
	c := s.core
	c.openSenders--
	c.senders.fail(&s.handle, errSendClosed)
	if c.openSenders == 0 {
		c.receivers.fail(nil, loop.ErrEnd)
	}
}

// Statistics returns the present numbers of the queue.
func (s *Sender[T]) Statistics() Statistics { return s.core.statistics() }
