package stream

import (
	"errors"
	"fmt"

	"github.com/lion-go/lion/loop"
)

// A Stream carries bytes in both directions. The package comment has the
// contract. It belongs to one loop.
type Stream interface {
	Receiver
	Sender

	// SendEOF says that nothing more will be sent, so that the peer's Receive
	// comes to its end; the other direction goes on. It is idempotent. ErrBusy
	// while another task sends. It is a checkpoint.
	SendEOF(t *loop.Task) error

	// Close ends both directions at once, and never blocks; tasks that wait
	// get ErrClosed. It is idempotent and sync-coloured.
	Close() error
}

// A Receiver is the receiving half of a Stream.
type Receiver interface {
	// Receive waits for at least one byte and stores up to len(b). Zero bytes
	// without an error are the end: the peer is done sending. An empty b is
	// refused with ErrMisuse, as the answer could not be told from the end. It
	// is a checkpoint; after Cancelled no byte has been taken.
	Receive(t *loop.Task, b []byte) (int, error)
}

// A Sender is the sending half of a Stream.
type Sender interface {
	// SendAll sends all of b, waiting as often as the peer makes it wait. If
	// it fails after some bytes went, the error is a *SendError; Sent tells
	// their number from any error. It is a checkpoint, even if b is empty.
	SendAll(t *loop.Task, b []byte) error
}

// A ReceiveCloser is a stream that only receives: the reading end of a pipe.
type ReceiveCloser interface {
	Receiver
	// Close is that of a Stream.
	Close() error
}

// A SendCloser is a stream that only sends: the writing end of a pipe. Its
// Close is how the peer comes to the end.
type SendCloser interface {
	Sender
	// Close is that of a Stream.
	Close() error
}

// A VectoredSender can send several buffers at once.
type VectoredSender interface {
	Sender

	// SendAllVectored sends all buffers, one after the other, as SendAll would
	// send them joined, with as few system calls as possible. The buffers are
	// the caller's again when it returns, and are as they were. It is a
	// checkpoint.
	SendAllVectored(t *loop.Task, buffers [][]byte) error
}

// SendAllVectored sends all buffers, one after the other: at once if to is a
// VectoredSender, as sockets are, else by one SendAll each, and then others
// that send meanwhile get between them instead of ErrBusy. The number of bytes
// in a *SendError counts all buffers. It is a checkpoint.
func SendAllVectored(t *loop.Task, to Sender, buffers [][]byte) error {
	if v, ok := to.(VectoredSender); ok {
		return v.SendAllVectored(t, buffers)
	}
	if len(buffers) == 0 {
		return to.SendAll(t, nil)
	}
	total := 0
	for _, b := range buffers {
		if err := to.SendAll(t, b); err != nil {
			return partialOf(total, err)
		}
		total += len(b)
	}
	return nil
}

// partialOf adds to the error of a SendAll the bytes that had gone before it.
func partialOf(sent int, err error) error {
	var e *SendError
	if errors.As(err, &e) {
		sent, err = sent+e.Sent, e.Err
	}
	return Partial(sent, err)
}

// SendError is the error of a SendAll that was cancelled, or failed, after
// some bytes had gone. After a cancellation the stream can be used, but what
// is sent next follows those bytes.
type SendError struct {
	Sent int   // bytes that were handed over
	Err  error // why the rest was not
}

// Error tells the reason and the number of bytes.
func (e *SendError) Error() string {
	return fmt.Sprintf("%v (after %d bytes were sent)", e.Err, e.Sent)
}

// Unwrap returns the reason.
func (e *SendError) Unwrap() error { return e.Err }

// Timeout reports whether the reason is a timeout, as net.Error has it.
func (e *SendError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary is false: what is left has to be sent by the caller, or never. It
// completes net.Error.
func (e *SendError) Temporary() bool { return false }

// Partial adds to err how many bytes had been sent, if there were any: for
// implementations of Sender.
func Partial(sent int, err error) error {
	if err == nil || sent == 0 {
		return err
	}
	return &SendError{Sent: sent, Err: err}
}

// Sent tells from the error of SendAll how many bytes went: all, for which it
// has to be told their number, or those that a *SendError names, or none.
func Sent(err error, all int) int {
	if err == nil {
		return all
	}
	var e *SendError // after the usual case, since it goes to the heap
	if errors.As(err, &e) {
		return e.Sent
	}
	return 0
}
