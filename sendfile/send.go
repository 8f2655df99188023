package sendfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

const (
	// chunk is the most that is sent before others get their turn: some 50 us of
	// a core from the page cache, and enough that the calls do not count.
	chunk = 256 << 10

	// piece is how much is read at a time where bytes are copied.
	piece = 64 << 10

	// small is up to where a file is read, and sent by one call together with what
	// goes before and after it: the copy costs less than the calls.
	small = 16 << 10
)

// Send sends n bytes of f, from the offset on, over to; all up to the present
// end if n is negative. What is no regular file is read from where it stands:
// the offset must be 0, and a negative n is everything up to its end. Send
// returns how many bytes went, those of the header and trailer included, also
// with an error; what a cancellation leaves half-way of a regular file can be
// continued from there, unless it was TransmitFile's and cost the connection. (Of
// a pipe up to 64 KiB may have been read, or be read yet, that did not go: they are
// lost.) A file that ends before n bytes is io.ErrUnexpectedEOF, after what there
// was has been sent. While Send runs on a *socket.Conn others that send on it get
// loop.ErrBusy. It is a checkpoint, and so is each part of a large file.
func Send(
	t *loop.Task, to stream.Sender, f *os.File, offset, n int64, opts ...Option,
) (sent int64, err error) {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return 0, err
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, err
	}
	x := takeTransfer(offset, n, opts)
	x.f, x.raw = f, raw
	err = x.runAny(t, to, f)
	return x.end(), err
}

// runAny finds out what f is. A look at the page cache that succeeds has shown
// that it has offsets, and saves the question.
func (x *transfer) runAny(t *loop.Task, to stream.Sender, f *os.File) error {
	if _, isConn := to.(*socket.Conn); isConn && x.offset >= 0 && x.left > 0 && x.look() {
		return x.run(t, to)
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() && x.offset == 0 {
		return x.sendStream(t, to, f)
	}
	if x.offset < 0 || x.offset > 0 && !info.Mode().IsRegular() {
		return x.misplaced()
	}
	if x.left < 0 {
		x.toTheEnd(info.Size())
	}
	return x.run(t, to)
}

// toTheEnd has all sent that a file of this size has.
func (x *transfer) toTheEnd(size int64) {
	if x.unsized = size == 0; x.unsized {
		x.left = math.MaxInt64
		return
	}
	x.left = max(0, size-x.offset)
}

func (x *transfer) misplaced() error {
	return fmt.Errorf("%w: sending %s from offset %d", loop.ErrMisuse, x.f.Name(), x.offset)
}

// run sends a regular file.
func (x *transfer) run(t *loop.Task, to stream.Sender) error {
	if c, ok := to.(*socket.Conn); ok {
		return x.sendConn(t, c)
	}
	return x.sendCopies(t, to)
}

// sendConn sends over a connection, whose sending direction it holds.
func (x *transfer) sendConn(t *loop.Task, c *socket.Conn) error {
	claim, err := c.ClaimSend(t.Loop())
	if err != nil {
		return err
	}
	defer claim.Release()
	x.t = t
	if x.unsized {
		return x.copyOver(t, claim)
	}
	if x.body == nil && x.isSmall() && !x.gather(x.readCached) && x.blind {
		x.gather(x.f.ReadAt)
	}
	if x.body != nil {
		return x.sendGathered(t, claim)
	}
	if f, ok := x.f.(*File); ok && transmissions.takes(x.left) {
		return x.transmit(t, claim, f)
	}
	for x.left > 0 {
		n, err := claim.Call(t, "sendfile", x.part)
		switch {
		case err == nil && n == 0:
			return x.short()
		case err == nil:
			x.took(n, Sendfile)
		case errors.Is(err, errCold):
			err = x.warm(t)
		case errors.Is(err, errors.ErrUnsupported):
			return x.copyOver(t, claim)
		}
		if err != nil {
			return err
		}
	}
	return x.sendBytes(t, claim, &x.trailer, 0)
}

// sendPart sends a part in the kernel, and the header before it.
func (x *transfer) sendPart(socket sys.FD) (int, error) {
	x.socket = socket
	if err := x.raw.Control(x.onSend); err != nil {
		return 0, err
	}
	return x.n, x.err
}

func (x *transfer) sendNow(file uintptr) {
	if x.lookNow(file); !x.fresh && !x.blind {
		x.n, x.err = 0, errCold
		return
	}
	send := sys.Sendfile
	if x.fresh {
		send = sys.SendfileNowait
	}
	x.fresh = false // what has been seen does not stay true while it waits
	x.n, x.err = send(x.socket, sys.FD(file), x.header, x.offset, int(min(x.left, chunk)))
}

// took counts what the kernel has sent.
func (x *transfer) took(n int, by Method) {
	head := min(n, len(x.header))
	x.header = x.header[head:]
	if n > head {
		x.used = by
	}
	x.offset += int64(n - head)
	x.left -= int64(n - head)
	x.note(n)
}

func (x *transfer) note(n int) {
	x.sent += int64(n)
	if x.progress != nil {
		x.progress(x.sent)
	}
}

// short is the error of a file that has become shorter.
func (x *transfer) short() error {
	return &fs.PathError{Op: "send", Path: x.f.Name(), Err: io.ErrUnexpectedEOF}
}

// sendGathered sends all by one call, if the connection takes it.
func (x *transfer) sendGathered(t *loop.Task, claim socket.Claim) error {
	if len(x.body) == 0 {
		return loop.ShieldedCheckpoint(t)
	}
	return x.sendBytes(t, claim, &x.body, 0)
}

// sendBytes sends what is left of *b.
func (x *transfer) sendBytes(t *loop.Task, claim socket.Claim, b *[]byte, flags int) error {
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
