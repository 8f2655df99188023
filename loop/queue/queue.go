package queue

import (
	"fmt"

	"github.com/lion-go/lion/loop"
)

// A Queue holds both ends of a queue. Its methods are theirs; as each end is
// closed and cloned by itself, that is written q.Sender.Close() and
// q.Receiver.Clone().
type Queue[T any] struct {
	*Sender[T]
	*Receiver[T]
}

// New makes a queue that holds up to size items. A size of 0 holds none: each
// sender waits until a receiver takes its item. A negative size is refused
// with ErrMisuse. For a queue without a bound see UnboundedQueue.
func New[T any](size int) (*Queue[T], error) {
	if size < 0 {
		return nil, fmt.Errorf("%w: a queue of %d items", loop.ErrMisuse, size)
	}
	c := &core[T]{size: size, openSenders: 1, openReceivers: 1}
	return &Queue[T]{&Sender[T]{core: c}, &Receiver[T]{core: c}}, nil
}

// Statistics returns the present numbers, which both ends share.
func (q *Queue[T]) Statistics() Statistics { return q.Sender.Statistics() }

// Statistics describes a queue at one moment.
type Statistics struct {
	Size           int // how many items it can hold
	Length         int // items that it holds
	Peak           int // the most items that it ever held
	OpenSenders    int // handles to send by that have not been closed
	OpenReceivers  int // handles to receive by that have not been closed
	TasksSending   int // tasks that wait for room
	TasksReceiving int // tasks that wait for an item
}

// core is what the ends of a queue share. Receivers wait only while it holds
// nothing, senders only while it is full.
type core[T any] struct {
	items         []T // a ring, of a power of two
	head          int // index of the oldest
	length        int
	size          int
	peak          int
	senders       line[T]
	receivers     line[T]
	openSenders   int
	openReceivers int
	spares        spares[T]
}

// firstRing is how many items a ring has room for at first; it doubles up to
// the size of the queue. Few queues fill up ever.
const firstRing = 8

// push adds an item for which there is room.
func (c *core[T]) push(item T) {
	if c.length == len(c.items) {
		c.grow()
	}
	c.items[(c.head+c.length)&(len(c.items)-1)] = item
	c.length++
	if c.length > c.peak {
		c.peak = c.length
	}
}

// pop removes the oldest item.
func (c *core[T]) pop() (item T) {
	var none T
	slot := &c.items[c.head]
	item, *slot = *slot, none
	c.head = (c.head + 1) & (len(c.items) - 1)
	c.length--
	return item
}

func (c *core[T]) grow() {
	ring := make([]T, max(firstRing, 2*len(c.items)))
	n := copy(ring, c.items[c.head:])
	copy(ring[n:], c.items[:c.head])
	c.items, c.head = ring, 0
}

// drop forgets all items.
func (c *core[T]) drop() { c.items, c.head, c.length = nil, 0, 0 }

// quiet reports whether nobody waits: most operations need to know no more.
func (c *core[T]) quiet() bool { return c.senders.first == nil && c.receivers.first == nil }

// foreign reports whether tasks of another loop wait here: never at both ends.
func (c *core[T]) foreign(on *loop.Loop) bool {
	w := c.senders.first
	if w == nil {
		w = c.receivers.first
	}
	return w != nil && w.task.Loop() != on
}

var (
	errSendClosed    = fmt.Errorf("sending by a handle of a queue: %w", loop.ErrClosed)
	errReceiveClosed = fmt.Errorf("receiving by a handle of a queue: %w", loop.ErrClosed)
	errSendBroken    = fmt.Errorf("sending to a queue without receivers: %w", loop.ErrBroken)
	errForeign       = fmt.Errorf("using a queue of another loop: %w", loop.ErrWrongTask)
	errUnparked      = fmt.Errorf("%w: a task that waited for a queue was unparked by hand", loop.ErrMisuse)
)

func (c *core[T]) statistics() Statistics {
	return Statistics{
		Size: c.size, Length: c.length, Peak: c.peak,
		OpenSenders: c.openSenders, OpenReceivers: c.openReceivers,
		TasksSending: c.senders.length, TasksReceiving: c.receivers.length,
	}
}
