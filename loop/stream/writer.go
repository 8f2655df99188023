package stream

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lion-go/lion/loop"
)

// Nothing but a Writer queues output: a stream itself makes its sender wait.
// That is right for who answers requests, and wrong for who hands one message
// to a thousand connections, of which the slowest would hold up all others.
// What costs there is the send itself, 8 to 15 us in the kernel, so the lever is
// fewer sends: a Writer gathers what comes within a turn of the loop, and more
// while a send is under way, and sends all of it with one vectored call. It
// has a task while there is something to send, and none otherwise. Messages are
// queued by reference, so that one buffer serves any number of connections.

const (
	// DefaultQueuedBytes bounds what a Writer holds: a slow consumer costs that
	// much, beside what its connection holds in the kernel.
	DefaultQueuedBytes = 256 << 10

	// DefaultQueuedMessages bounds the messages that a Writer holds, which is
	// also as many as one system call takes.
	DefaultQueuedMessages = 1024

	// idleMessages is for how many messages a Writer that has nothing to do keeps
	// room: a usual batch of a chat or a feed. The two lists of a full queue, 48 KiB,
	// would stay with every connection that has been slow once.
	idleMessages = 64
)

// A Policy says what a Writer does with a message for which there is no room: the
// consumer is slow, or one turn of a task has put more than the bounds allow. The
// Writer sends when that turn ends, which a checkpoint does only now and then: who
// puts much in one go has larger bounds, or calls loop.Yield in between.
type Policy uint8

const (
	// Refuse leaves it to the caller: Put answers loop.ErrFull, and Send waits
	// for room. It is the default.
	Refuse Policy = iota

	// DropOldest makes room by dropping messages that wait, the oldest first, and
	// counts them: for consumers who want the news. While a Send waits, which came
	// first and is not dropped, it is the new message.
	DropOldest

	// DropNewest drops the message, and counts it: for consumers who want what
	// they have begun.
	DropNewest

	// CloseSlow aborts the stream, which must have an Abort or a Close. Whatever is
	// called next on the Writer answers ErrSlow; who receives on the stream is told
	// that it was closed.
	CloseSlow
)

// ErrSlow says that a Writer has given up its stream because the consumer was
// too slow. It matches loop.ErrBroken.
var ErrSlow = fmt.Errorf("stream: the consumer is too slow: %w", loop.ErrBroken)

// A Writer is a bounded queue of messages in front of a stream. It belongs to
// the loop of the stream. While it has something to send, others who send on the
// stream get loop.ErrBusy. Its errors come from the call after the one that
// failed; with WithFailure they are told at once.
type Writer struct {
	to      Sender
	nursery *loop.Nursery
	policy  Policy
	bytes   int // the bounds
	count   int
	failure func(error)

	queue   [][]byte
	spare   [][]byte  // of the batch that was sent last
	queued  int       // bytes in queue
	flying  int       // bytes of the batch that is being sent
	waiting []*waiter // in Send, the first to come first
	idle    loop.ParkingLot
	err     error
	sending bool
	stats   WriterStatistics
}

// A WriterOption sets up a Writer.
type WriterOption func(*Writer) error

// WithBound sets how many bytes and messages a Writer holds, those under way
// not counted. A single message may be larger, if nothing else waits. The
// defaults are DefaultQueuedBytes and DefaultQueuedMessages.
func WithBound(bytes, messages int) WriterOption {
	return func(w *Writer) error {
		if bytes < 1 || messages < 1 {
			return fmt.Errorf("%w: a queue of %d bytes and %d messages", loop.ErrMisuse, bytes, messages)
		}
		w.bytes, w.count = bytes, messages
		return nil
	}
}

// WithPolicy sets what happens when there is no room.
func WithPolicy(p Policy) WriterOption {
	return func(w *Writer) error {
		if p > CloseSlow {
			return fmt.Errorf("%w: policy %d", loop.ErrMisuse, p)
		}
		w.policy = p
		return nil
	}
}

// WithFailure has fn called, on the loop, when the Writer ends with an error.
// It must not block.
func WithFailure(fn func(error)) WriterOption {
	return func(w *Writer) error { w.failure = fn; return nil }
}

// NewWriter makes a Writer for a stream. Its task, while there is one, is a
// child of n. An error of the stream is the Writer's, and does not end the
// nursery; a cancellation of n ends the Writer, which answers loop.ErrClosed
// then, and what it holds is dropped, down to the rest of a message that has gone
// in part: Torn in the statistics tells that nothing else can follow on the stream.
func NewWriter(n *loop.Nursery, to Sender, opts ...WriterOption) (*Writer, error) {
	w := &Writer{to: to, nursery: n, bytes: DefaultQueuedBytes, count: DefaultQueuedMessages}
	if n == nil || to == nil {
		return nil, fmt.Errorf("%w: a writer without a nursery or a stream", loop.ErrMisuse)
	}
	for _, opt := range opts {
		if err := opt(w); err != nil {
			return nil, err
		}
	}
	if w.policy == CloseSlow && !closable(to) {
		return nil, fmt.Errorf("%w: a %T cannot be closed for being slow", loop.ErrMisuse, to)
	}
	return w, nil
}

// Put queues a message, which must not be changed any more: it goes out with
// what else is queued when its turn comes. Without room the policy decides. It
// never suspends. Errors: loop.ErrFull, ErrSlow, loop.ErrClosed, and that of
// the stream, once it has failed.
func (w *Writer) Put(b []byte) error {
	switch {
	case w.err != nil:
		return w.err
	case len(b) == 0:
		return nil
	case len(w.waiting) > 0 || !w.fits(len(b)):
		if done, err := w.overflow(b); done {
			return err
		}
	}
	return w.push(b)
}

func (w *Writer) fits(size int) bool {
	return len(w.queue) == 0 || len(w.queue) < w.count && w.queued+size <= w.bytes
}

// overflow does what the policy says, and reports whether b has been dealt with.
func (w *Writer) overflow(b []byte) (done bool, err error) {
	switch w.policy {
	case DropOldest:
		if len(w.waiting) > 0 { // who waits with Send has been there before
			w.drop(b)
			return true, nil
		}
		for !w.fits(len(b)) {
			w.drop(w.queue[0])
			w.queued -= len(w.queue[0])
			w.queue[0] = nil
			w.queue = w.queue[1:]
		}
		return false, nil
	case DropNewest:
		w.drop(b)
		return true, nil
	case CloseSlow:
		w.fail(ErrSlow)
		w.abort()
		return true, ErrSlow
	}
	return true, loop.ErrFull
}

func (w *Writer) drop(b []byte) {
	w.stats.Dropped++
	w.stats.DroppedBytes += uint64(len(b))
}

func (w *Writer) push(b []byte) error {
	if !w.sending {
		err := w.nursery.Spawn(w.run, loop.WithTaskName("stream.Writer"))
		if err != nil {
			if !errors.Is(err, loop.ErrWrongTask) { // who has no business here ends nothing
				w.fail(err)
			}
			return err
		}
		w.sending = true
	}
	w.queue = append(w.queue, b)
	w.queued += len(b)
	return nil
}

// A waiter is a Send that waits for room.
type waiter struct {
	w    *Writer
	task *loop.Task
	b    []byte
}

// Abort is called when the Send is cancelled: it waits no longer.
func (x *waiter) Abort(loop.Wait) bool {
	x.leave()
	return true
}

// leave reports whether the Send was still waiting for room. There may be room
// for who waits behind it.
func (x *waiter) leave() bool {
	i := slices.Index(x.w.waiting, x)
	if i >= 0 {
		x.w.waiting = slices.Delete(x.w.waiting, i, i+1)
		x.w.admit()
	}
	return i >= 0
}

// Send queues a message as Put does, but waits for room, whatever the policy
// is. Those who wait get room in the order in which they came, and their
// messages are queued before they run. It is a checkpoint; after Cancelled
// nothing has been queued.
func (w *Writer) Send(t *loop.Task, b []byte) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	switch {
	case w.err != nil:
		return w.err
	case len(b) > 0 && (len(w.waiting) > 0 || !w.fits(len(b))):
		x := &waiter{w, t, b}
		w.waiting = append(w.waiting, x)
		err := loop.Park(t, "room in a writer", x)
		if x.leave() && err == nil {
			err = fmt.Errorf("%w: a task that waited for a writer was unparked by hand", loop.ErrMisuse)
		}
		return err
	case len(b) > 0:
		if err := w.push(b); err != nil {
			return err
		}
	}
	return loop.ShieldedCheckpoint(t)
}

// admit queues what waits, as far as there is room, or tells who waits that
// there will be none.
func (w *Writer) admit() {
	for len(w.waiting) > 0 && (w.err != nil || w.fits(len(w.waiting[0].b))) {
		x := w.waiting[0]
		w.waiting = slices.Delete(w.waiting, 0, 1)
		err := w.err
		if err == nil {
			err = w.push(x.b)
		}
		_ = x.task.Unpark(err) // it is parked, or it would not be in the list
	}
}

// Flush waits until everything has been handed to the stream, also what is put
// meanwhile. It is a checkpoint. The error is that of the Writer.
func (w *Writer) Flush(t *loop.Task) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	for w.err == nil && w.sending {
		if err := w.idle.Park(t, "a writer to be idle"); err != nil {
			return err
		}
	}
	if w.err != nil {
		return w.err
	}
	return loop.ShieldedCheckpoint(t)
}

// Close ends the Writer at once: what is queued is dropped, what is under way
// goes on. It does not close the stream. It is idempotent and never suspends.
// To send everything first, Flush.
func (w *Writer) Close() error {
	if w.err == nil {
		w.fail(fmt.Errorf("stream: writing: %w", loop.ErrClosed))
	}
	return nil
}

// Err returns why the Writer has ended, or nil.
func (w *Writer) Err() error { return w.err }

// fail ends the Writer. The first reason stays.
func (w *Writer) fail(err error) {
	if w.err != nil {
		return
	}
	w.err = err
	for _, b := range w.queue {
		w.drop(b)
	}
	w.queue, w.spare, w.queued = nil, nil, 0
	w.admit()
	w.idle.UnparkAll()
	if w.failure != nil {
		w.failure(err)
	}
}

// closable reports whether abort can do something about a stream.
func closable(to Sender) bool {
	_, aborts := to.(interface{ Abort() error })
	_, closes := to.(interface{ Close() error })
	return aborts || closes
}

// abort ends the stream, so that a send under way ends too.
func (w *Writer) abort() {
	switch s := w.to.(type) {
	case interface{ Abort() error }:
		_ = s.Abort() // it is closed, whatever it says
	case interface{ Close() error }:
		_ = s.Close() // likewise
	}
}

// run sends what is queued until nothing is.
func (w *Writer) run(t *loop.Task) error {
	var batch [][]byte
	returned := false
	defer func() {
		w.sending = false
		if !returned { // the stream panicked: the nursery hears of that
			w.lose(batch, nil)
			w.fail(errPanicked)
		}
	}()
	for w.err == nil && len(w.queue) > 0 {
		batch = w.queue
		w.queue, w.flying, w.queued = w.spare[:0], w.queued, 0
		w.admit()
		err := SendAllVectored(t, w.to, batch)
		if err != nil {
			returned = true
			w.lose(batch, err)
			w.fail(forOthers(err))
			return passing(err)
		}
		w.stats.Sent += uint64(len(batch))
		w.stats.SentBytes += uint64(w.flying)
		w.stats.Batches++
		clear(batch)
		w.spare, w.flying = batch, 0
	}
	returned = true
	if cap(w.queue) > idleMessages || cap(w.spare) > idleMessages {
		w.queue, w.spare = nil, nil
	}
	w.idle.UnparkAll()
	return nil
}

// lose counts what a batch has come to whose send has failed.
func (w *Writer) lose(batch [][]byte, err error) {
	sent := Sent(err, 0)
	w.flying = 0
	for _, b := range batch {
		if sent < len(b) {
			w.stats.Torn = w.stats.Torn || sent > 0
			w.drop(b)
			sent = 0
			continue
		}
		sent -= len(b)
		w.stats.Sent++
		w.stats.SentBytes += uint64(len(b))
	}
}

var (
	errPanicked  = fmt.Errorf("stream: the stream of a writer panicked: %w", loop.ErrBroken)
	errCancelled = fmt.Errorf("stream: the nursery of a writer was cancelled: %w", loop.ErrClosed)
)

// forOthers is what a Writer says when its task has failed with err: nobody but
// that task has been cancelled.
func forOthers(err error) error {
	if passing(err) != nil {
		return errCancelled
	}
	return err
}

// passing returns err if it is a cancellation, which the nursery wants back.
func passing(err error) error {
	if errors.Is(err, loop.Cancelled) || errors.Is(err, loop.ErrInterrupt) {
		return err
	}
	return nil
}

// WriterStatistics describes a Writer.
type WriterStatistics struct {
	Queued       int    // messages that wait
	QueuedBytes  int    // and their bytes
	FlyingBytes  int    // bytes that are being sent
	Sent         uint64 // messages that the stream has taken
	SentBytes    uint64 // and their bytes
	Batches      uint64 // sends that it took
	Dropped      uint64 // messages that were not sent, or not to their end
	DroppedBytes uint64 // and their bytes
	Torn         bool   // one of them, the last that was begun, has gone in part
}

// Statistics returns the present numbers.
func (w *Writer) Statistics() WriterStatistics {
	s := w.stats
	s.Queued, s.QueuedBytes, s.FlyingBytes = len(w.queue), w.queued, w.flying
	return s
}
