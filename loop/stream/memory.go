package stream

import (
	"fmt"

	"github.com/lion-go/lion/loop"
)

// DefaultCapacity is how many bytes each direction of a memory stream holds
// before its sender waits: as much as a small socket buffer.
const DefaultCapacity = 4 << 10

// Memory is one end of a stream that goes through memory: for tests, and for
// code that wants a stream where no system is needed. It belongs to one loop.
type Memory struct {
	in, out *channel
	closed  bool
}

var _ Stream = (*Memory)(nil)

// NewMemory makes two ends of a stream, with room for capacity bytes in each
// direction, or DefaultCapacity if that is not positive.
func NewMemory(capacity int) (a, b *Memory) {
	if capacity <= 0 {
		capacity = DefaultCapacity
	}
	one, two := &channel{capacity: capacity}, &channel{capacity: capacity}
	return &Memory{in: one, out: two}, &Memory{in: two, out: one}
}

// channel is one direction.
type channel struct {
	data      []byte
	capacity  int
	receivers loop.ParkingLot // at most one
	senders   loop.ParkingLot // at most one
	receiving bool
	sending   bool
	ended     bool // nothing more will be sent
	deaf      bool // nobody will receive any more
}

// Receive receives as a Stream does, and is a checkpoint.
func (m *Memory) Receive(t *loop.Task, b []byte) (int, error) {
	c := m.in
	switch {
	case len(b) == 0:
		return 0, emptyBuffer()
	case c.receiving:
		return 0, fmt.Errorf("receiving: %w", loop.ErrBusy)
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return 0, err
	}
	c.receiving = true
	defer func() { c.receiving = false }()
	for len(c.data) == 0 && !c.ended && !m.closed {
		if err := c.receivers.Park(t, "memory stream to receive"); err != nil {
			return 0, err
		}
	}
	if m.closed {
		return 0, fmt.Errorf("receiving: %w", loop.ErrClosed)
	}
	n := copy(b, c.data)
	c.data = append(c.data[:0], c.data[n:]...)
	c.senders.UnparkOne()
	return n, loop.ShieldedCheckpoint(t)
}

// SendAll sends as a Stream does, and is a checkpoint.
func (m *Memory) SendAll(t *loop.Task, b []byte) error {
	c := m.out
	if c.sending {
		return fmt.Errorf("sending: %w", loop.ErrBusy)
	}
	if err := m.mayNotSend(); err != nil {
		return err
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	c.sending = true
	defer func() { c.sending = false }()
	for sent := 0; sent < len(b); {
		if err := m.mayNotSend(); err != nil {
			return Partial(sent, err)
		}
		n := min(len(b)-sent, c.capacity-len(c.data))
		if n == 0 {
			if err := c.senders.Park(t, "memory stream to send"); err != nil {
				return Partial(sent, err)
			}
			continue
		}
		c.data = append(c.data, b[sent:sent+n]...)
		sent += n
		c.receivers.UnparkOne()
	}
	return loop.ShieldedCheckpoint(t)
}

func (m *Memory) mayNotSend() error {
	switch {
	case m.closed, m.out.ended:
		return fmt.Errorf("sending: %w", loop.ErrClosed)
	case m.out.deaf:
		return fmt.Errorf("sending, when the other end has been closed: %w", loop.ErrBroken)
	}
	return nil
}

// SendEOF ends the sending direction as a Stream does, and is a checkpoint.
func (m *Memory) SendEOF(t *loop.Task) error {
	switch {
	case m.closed:
		return fmt.Errorf("sending: %w", loop.ErrClosed)
	case m.out.sending:
		return fmt.Errorf("sending: %w", loop.ErrBusy)
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	m.out.end()
	return loop.ShieldedCheckpoint(t)
}

func (c *channel) end() {
	c.ended = true
	c.receivers.UnparkOne()
	c.senders.UnparkOne()
}

// Close closes this end; what was sent can still be received at the other one.
// It is idempotent and never suspends.
func (m *Memory) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	m.out.end()
	m.in.deaf, m.in.data = true, nil
	m.in.receivers.UnparkOne()
	m.in.senders.UnparkOne()
	return nil
}

// String says what it is.
func (m *Memory) String() string { return "memory stream" }
