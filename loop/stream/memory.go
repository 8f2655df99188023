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

var _ VectoredSender = (*Memory)(nil)

// NewMemory makes two ends of a stream, with room for capacity bytes in each
// direction, or DefaultCapacity if that is not positive.
func NewMemory(capacity int) (a, b *Memory) {
	if capacity <= 0 {
		capacity = DefaultCapacity
	}
	one, two := &channel{capacity: capacity}, &channel{capacity: capacity}
	return &Memory{in: one, out: two}, &Memory{in: two, out: one}
}

// NewLockstep makes two ends of a stream that holds nothing: SendAll returns
// when the peer has taken everything. It is for tests: code that works on it
// does not rely on buffers anywhere.
func NewLockstep() (a, b *Memory) {
	one, two := &channel{}, &channel{}
	return &Memory{in: one, out: two}, &Memory{in: two, out: one}
}

// channel is one direction. Without capacity it holds what a sender offers,
// which is still the sender's.
type channel struct {
	data      []byte
	capacity  int
	moved     uint64          // bytes that were received
	receivers loop.ParkingLot // at most one
	senders   loop.ParkingLot // at most one
	receiving bool
	sending   bool
	ended     bool // nothing more will be sent
	aborted   bool // and what was sent is lost
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
	switch {
	case m.closed:
		return 0, fmt.Errorf("receiving: %w", loop.ErrClosed)
	case c.aborted:
		return 0, fmt.Errorf("receiving, when the other end has been aborted: %w", loop.ErrBroken)
	}
	return c.take(b), loop.ShieldedCheckpoint(t)
}

// take moves bytes into b. The sender hears of it once it can go on.
func (c *channel) take(b []byte) int {
	n := copy(b, c.data)
	c.moved += uint64(n)
	if c.capacity == 0 {
		c.data = c.data[n:]
	} else {
		c.data = append(c.data[:0], c.data[n:]...)
	}
	c.senders.UnparkOne()
	return n
}

// SendAll sends as a Stream does, and is a checkpoint.
func (m *Memory) SendAll(t *loop.Task, b []byte) error {
	return m.SendAllVectored(t, [][]byte{b})
}

// SendAllVectored sends as a VectoredSender does, and is a checkpoint.
func (m *Memory) SendAllVectored(t *loop.Task, buffers [][]byte) error {
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
	total := 0
	for _, b := range buffers {
		sent, err := m.send(t, b)
		total += sent
		if err != nil {
			return Partial(total, err)
		}
	}
	return loop.ShieldedCheckpoint(t)
}

func (m *Memory) send(t *loop.Task, b []byte) (sent int, err error) {
	c := m.out
	if c.capacity == 0 {
		return m.offer(t, b)
	}
	for sent < len(b) {
		if err := m.mayNotSend(); err != nil {
			return sent, err
		}
		n := min(len(b)-sent, c.capacity-len(c.data))
		if n == 0 {
			if err := c.senders.Park(t, "memory stream to send"); err != nil {
				return sent, err
			}
			continue
		}
		c.data = append(c.data, b[sent:sent+n]...)
		sent += n
		c.receivers.UnparkOne()
	}
	return sent, nil
}

// offer shows b to the receiver until it has been taken. What has not been
// taken when it is broken off was not sent.
func (m *Memory) offer(t *loop.Task, b []byte) (sent int, err error) {
	c := m.out
	c.data = b
	c.receivers.UnparkOne()
	for len(c.data) > 0 && err == nil {
		if err = m.mayNotSend(); err == nil {
			err = c.senders.Park(t, "the receiver to take everything")
		}
	}
	sent = len(b) - len(c.data)
	c.data = nil
	return sent, err
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
	m.in.deaf = true
	if m.in.capacity > 0 {
		m.in.data = nil
	}
	m.in.receivers.UnparkOne()
	m.in.senders.UnparkOne()
	return nil
}

// Abort closes this end as a reset closes a TCP connection: what was sent and
// not received is lost, and the peer gets ErrBroken. It is idempotent and
// never suspends.
func (m *Memory) Abort() error {
	if m.closed {
		return nil
	}
	m.out.aborted = true
	if m.out.capacity > 0 {
		m.out.data = nil
	}
	return m.Close()
}

// MemoryStatistics describes one end of a memory stream.
type MemoryStatistics struct {
	Received uint64 // bytes
	Waiting  int    // bytes that could be received now
	Sent     uint64 // bytes that the peer has received
	Unread   int    // bytes that the peer has not received
	Closed   bool   // on this side
}

// Statistics returns the present numbers.
func (m *Memory) Statistics() MemoryStatistics {
	return MemoryStatistics{
		Received: m.in.moved, Waiting: len(m.in.data),
		Sent: m.out.moved, Unread: len(m.out.data), Closed: m.closed,
	}
}

// String says what it is.
func (m *Memory) String() string { return "memory stream" }
