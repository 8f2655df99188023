package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/lion-go/lion/loop"
)

// ErrTooLong says that what was looked for does not fit into the buffer of a
// Reader, or is longer than was allowed. Nothing was taken.
var ErrTooLong = errors.New("stream: longer than the buffer, or than allowed")

// ReceiveExactly fills b, waiting as often as it has to, and returns how many
// bytes that took: fewer than len(b) only with an error. At the end of the
// stream that is io.EOF if nothing had come, else io.ErrUnexpectedEOF. It is a
// checkpoint; after Cancelled the bytes it has counted have been taken.
func ReceiveExactly(t *loop.Task, from Receiver, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, loop.Checkpoint(t)
	}
	for n := 0; n < len(b); {
		k, err := from.Receive(t, b[n:])
		n += k
		switch {
		case err != nil:
			return n, err
		case k == 0 && n == 0:
			return 0, io.EOF
		case k == 0:
			return n, io.ErrUnexpectedEOF
		}
	}
	return len(b), nil
}

// A Reader receives through a buffer, so that lines and other units can be
// taken one by one. The buffer is the caller's, and bounds what a peer can
// make the program keep. Cancelled never loses what is in it.
//
// A handler that goes idle must have Buffered at 0: the kernel does not know
// what is in a buffer here.
type Reader struct {
	from  Receiver
	buf   []byte
	r, w  int
	ended bool
}

// NewReader makes a Reader that uses buf, which must not be empty, for
// example a buffer of the task.
func NewReader(from Receiver, buf []byte) *Reader {
	return &Reader{from: from, buf: buf}
}

// Buffered returns what has been received and not been taken. It is valid
// until the next call.
func (r *Reader) Buffered() []byte { return r.buf[r.r:r.w] }

// Receive takes what is buffered, or else receives, as a Receiver does. It is
// a checkpoint.
func (r *Reader) Receive(t *loop.Task, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, emptyBuffer()
	}
	if r.r < r.w {
		if err := loop.CheckpointIfCancelled(t); err != nil {
			return 0, err
		}
		n := copy(b, r.Buffered())
		r.r += n
		return n, loop.ShieldedCheckpoint(t)
	}
	if r.ended {
		return 0, loop.Checkpoint(t)
	}
	return r.from.Receive(t, b)
}

// Until takes everything up to and including delim. The slice is valid until
// the next call. If the stream ends before, the error is io.EOF if nothing is
// left, else io.ErrUnexpectedEOF; if delim is not within the length of the
// buffer it is ErrTooLong. With an error nothing is taken. It is a checkpoint.
func (r *Reader) Until(t *loop.Task, delim byte) ([]byte, error) {
	searched := 0
	return r.take(t, func(have []byte) int {
		if i := bytes.IndexByte(have[searched:], delim); i >= 0 {
			return searched + i + 1
		}
		searched = len(have)
		return 0
	})
}

// UntilSequence takes everything up to and including delim, which must not be
// empty: a blank line, "\r\n\r\n", say. It fails as Until does, and is a
// checkpoint.
func (r *Reader) UntilSequence(t *loop.Task, delim []byte) ([]byte, error) {
	if len(delim) == 0 {
		return nil, fmt.Errorf("%w: looking for an empty sequence", loop.ErrMisuse)
	}
	searched := 0
	return r.take(t, func(have []byte) int {
		if i := bytes.Index(have[searched:], delim); i >= 0 {
			return searched + i + len(delim)
		}
		searched = max(0, len(have)-len(delim)+1) // it may have begun
		return 0
	})
}

// Line takes a line and returns it without its end, which is LF or CR LF. It
// fails as Until does, and is a checkpoint.
func (r *Reader) Line(t *loop.Task) ([]byte, error) { return r.LineWithin(t, len(r.buf)) }

// LineWithin is Line for lines of at most limit bytes, which is not negative,
// without their end. A longer one is ErrTooLong as soon as that is certain,
// even if the buffer has room for more. It is a checkpoint.
func (r *Reader) LineWithin(t *loop.Task, limit int) ([]byte, error) {
	if limit < 0 {
		return nil, fmt.Errorf("%w: a line of %d bytes", loop.ErrMisuse, limit)
	}
	searched := 0
	line, err := r.take(t, func(have []byte) int {
		i := bytes.IndexByte(have[searched:], '\n')
		searched += max(i, 0)
		switch {
		case i >= 0 && len(withoutEnd(have[:searched])) <= limit:
			return searched + 1
		case i >= 0 || len(withoutEnd(have)) > limit:
			return never
		}
		searched = len(have)
		return 0
	})
	if err != nil {
		return nil, err
	}
	return withoutEnd(line[:len(line)-1]), nil
}

// withoutEnd drops the CR that belongs to the end of a line.
func withoutEnd(line []byte) []byte { return bytes.TrimSuffix(line, []byte{'\r'}) }

// Next takes exactly n bytes, which is not negative. The slice is valid until
// the next call. It fails as Until does, and is a checkpoint.
func (r *Reader) Next(t *loop.Task, n int) ([]byte, error) {
	switch {
	case n < 0:
		return nil, fmt.Errorf("%w: taking %d bytes", loop.ErrMisuse, n)
	case n > len(r.buf):
		return nil, ErrTooLong
	case n == 0:
		return nil, loop.Checkpoint(t)
	}
	return r.take(t, func(have []byte) int {
		if len(have) < n {
			return 0
		}
		return n
	})
}

// Peek returns the next n bytes, which is not negative, and takes nothing. The
// slice is valid until the next call. It fails as Until does, and is a
// checkpoint.
func (r *Reader) Peek(t *loop.Task, n int) ([]byte, error) {
	b, err := r.Next(t, n)
	r.r -= len(b)
	return b, err
}

// never is the answer of a function that take asks: no further byte helps.
const never = -1

// take receives until enough says how many bytes of the buffer to take, which
// is not 0, or that it is too long.
func (r *Reader) take(t *loop.Task, enough func(have []byte) int) ([]byte, error) {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return nil, err
	}
	for {
		switch n := enough(r.Buffered()); {
		case n > 0:
			r.r += n
			return r.buf[r.r-n : r.r : r.r], loop.ShieldedCheckpoint(t)
		case n == never:
			return nil, ErrTooLong
		}
		if err := r.more(t); err != nil {
			return nil, err
		}
	}
}

// more receives into the buffer.
func (r *Reader) more(t *loop.Task) error {
	if r.r > 0 {
		copy(r.buf, r.buf[r.r:r.w])
		r.r, r.w = 0, r.w-r.r
	}
	switch {
	case r.ended && r.w == 0:
		return io.EOF
	case r.ended:
		return io.ErrUnexpectedEOF
	case r.w == len(r.buf):
		return ErrTooLong
	}
	n, err := r.from.Receive(t, r.buf[r.w:])
	r.w += n
	r.ended = err == nil && n == 0
	return err
}

func emptyBuffer() error {
	return fmt.Errorf("%w: receiving into an empty buffer", loop.ErrMisuse)
}
