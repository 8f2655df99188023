package sendfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/loop/worker"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

const (
	// chunk is the most that is sent before others get their turn: some 50 us of
	// a core from the page cache, and enough that the calls do not count.
	chunk = 256 << 10

	// piece is how much is read at a time where bytes are copied.
	piece = 64 << 10

	// together is how many bytes the system reads from a disk at once, and so has
	// in its cache or not: the smallest read-ahead that systems come with.
	together = 128 << 10
)

// syscallConn is what SyscallConn answers.
type syscallConn interface{ Control(func(fd uintptr)) error }

// A Method is a way in which bytes were moved.
type Method uint8

const (
	// Copied bytes went through user space.
	Copied Method = iota
	// Sendfile is sendfile(2): file to socket in the kernel.
	Sendfile
	// Splice is splice(2): socket to socket in the kernel.
	Splice
)

// String names the method.
func (m Method) String() string {
	switch m {
	case Sendfile:
		return "sendfile"
	case Splice:
		return "splice"
	}
	return "copy"
}

// An Option sets up one call of Send or Copy.
type Option func(*config)

type config struct {
	header, trailer []byte
	progress        func(sent int64)
	method          *Method
}

// WithHeader sends b before the file, in the same packet if it fits. It must
// not be changed until Send returns.
func WithHeader(b []byte) Option { return func(c *config) { c.header = b } }

// WithTrailer sends b after the file.
func WithTrailer(b []byte) Option { return func(c *config) { c.trailer = b } }

// WithProgress has fn called after each part, with the bytes that have been
// sent so far. It must not block.
func WithProgress(fn func(sent int64)) Option { return func(c *config) { c.progress = fn } }

// MethodUsed stores at m how the bytes were moved, when the call returns: Copied
// if none of them stayed in the kernel.
func MethodUsed(m *Method) Option { return func(c *config) { c.method = m } }

// transfer is one call of Send.
type transfer struct {
	config
	f      *os.File
	raw    syscallConn // of f
	offset int64
	left   int64
	sent   int64
	used   Method
}

// Send sends n bytes of f, from the offset on, over to; all up to the present
// end if n is negative. What is no regular file is read from where it stands:
// the offset must be 0, and a negative n is everything up to its end. Send
// returns how many bytes went, those of the header and trailer included, also
// with an error; what a cancellation leaves half-way of a regular file can be
// continued from there. (Of a pipe up to 64 KiB may have been read, or be read
// yet, that did not go: they are lost.) A file that ends before n bytes is io.ErrUnexpectedEOF, after what
// there was has been sent. While Send runs on a *socket.Conn others that send on
// it get loop.ErrBusy. It is a checkpoint, and so is each part of a large file.
func Send(
	t *loop.Task, to stream.Sender, f *os.File, offset, n int64, opts ...Option,
) (sent int64, err error) {
	x := &transfer{f: f, offset: offset, left: n}
	for _, opt := range opts {
		opt(&x.config)
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return 0, err
	}
	err = x.run(t, to)
	if x.method != nil {
		*x.method = x.used
	}
	return x.sent, err
}

func (x *transfer) run(t *loop.Task, to stream.Sender) (err error) {
	if x.raw, err = x.f.SyscallConn(); err != nil {
		return err
	}
	info, err := x.f.Stat()
	if err != nil {
		return err
	}
	if x.offset < 0 || !info.Mode().IsRegular() && x.offset != 0 {
		return fmt.Errorf("%w: sending %s from offset %d", loop.ErrMisuse, x.f.Name(), x.offset)
	}
	if !info.Mode().IsRegular() {
		return x.sendStream(t, to)
	}
	if x.left < 0 {
		x.left = max(0, info.Size()-x.offset)
	}
	c, ok := to.(*socket.Conn)
	if !ok {
		return x.sendCopies(t, to)
	}
	return x.sendConn(t, c)
}

// sendConn sends over a connection, whose sending direction it holds.
func (x *transfer) sendConn(t *loop.Task, c *socket.Conn) error {
	claim, err := c.ClaimSend(t.Loop())
	if err != nil {
		return err
	}
	defer claim.Release()
	if err := x.sendBytes(t, claim, &x.header, x.left > 0 || len(x.trailer) > 0); err != nil {
		return err
	}
	for x.left > 0 {
		if err := x.warm(t); err != nil {
			return err
		}
		n, err := x.sendPart(t, claim)
		if errors.Is(err, errors.ErrUnsupported) {
			return x.copyOver(t, claim)
		}
		if err != nil {
			return err
		}
		x.advance(n)
	}
	return x.end(t, claim)
}

// end sends the trailer, and makes sure that there was a checkpoint.
func (x *transfer) end(t *loop.Task, claim socket.Claim) error {
	if x.sent == 0 && len(x.trailer) == 0 {
		return loop.ShieldedCheckpoint(t)
	}
	return x.sendBytes(t, claim, &x.trailer, false)
}

// sendPart sends a part in the kernel.
func (x *transfer) sendPart(t *loop.Task, claim socket.Claim) (int, error) {
	n, err := claim.Call(t, "sendfile", func(fd sys.FD) (n int, err error) {
		failed := x.raw.Control(func(file uintptr) {
			n, err = sys.Sendfile(fd, sys.FD(file), x.offset, int(min(x.left, chunk)))
		})
		if failed != nil {
			err = failed
		}
		return n, err
	})
	switch {
	case err != nil:
		return n, err
	case n == 0:
		return 0, x.short()
	}
	x.used = Sendfile
	return n, nil
}

// short is the error of a file that has become shorter.
func (x *transfer) short() error {
	return &fs.PathError{Op: "send", Path: x.f.Name(), Err: io.ErrUnexpectedEOF}
}

func (x *transfer) advance(n int) {
	x.offset += int64(n)
	x.left -= int64(n)
	x.note(n)
}

func (x *transfer) note(n int) {
	x.sent += int64(n)
	if x.progress != nil {
		x.progress(x.sent)
	}
}

// sendBytes sends what is left of *b. If more is to follow soon, the system may
// wait for it to fill a packet.
func (x *transfer) sendBytes(t *loop.Task, claim socket.Claim, b *[]byte, more bool) error {
	flags := 0
	if more {
		flags = sys.MSG_MORE
	}
	for len(*b) > 0 {
		n, err := claim.Send(t, *b, flags)
		if err != nil {
			return err
		}
		*b = (*b)[n:]
		x.note(n)
	}
	return nil
}

// warm has the next part read into the page cache, if it is not there: by a
// worker, since the disk may take its time.
func (x *transfer) warm(t *loop.Task) error {
	n := min(x.left, chunk)
	if (n <= together || x.cached(x.offset)) && x.cached(x.offset+n-1) {
		return nil
	}
	return worker.Run(t, func(*worker.Job) error {
		buf := lend()
		defer giveBack(buf)
		for at := x.offset; at < x.offset+n; at += piece {
			if _, err := x.f.ReadAt(*buf, at); err != nil {
				return nil // sending meets it again
			}
		}
		return nil
	})
}

// cached reports whether the byte at the offset can be read at once, as far as
// the system tells.
func (x *transfer) cached(offset int64) bool {
	cached, unknown := true, error(nil)
	err := x.raw.Control(func(file uintptr) { cached, unknown = sys.Cached(sys.FD(file), offset) })
	return cached || unknown != nil || err != nil
}
