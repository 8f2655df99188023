package sendfile

import (
	"errors"
	"io"
	"os"
	"sync"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/loop/worker"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Where the kernel does not help, pieces are read and sent. A read from the
// page cache takes some 10 us; what is not in it is read by a worker first.

// buffers are lent for the duration of one transfer, by all loops and workers.
var buffers = sync.Pool{New: func() any { b := make([]byte, piece); return &b }}

func lend() *[]byte      { return buffers.Get().(*[]byte) }
func giveBack(b *[]byte) { buffers.Put(b) }

// sendCopies sends a regular file over any stream, with its header and trailer.
func (x *transfer) sendCopies(t *loop.Task, to stream.Sender) error {
	send := func(b []byte) (int, error) {
		err := to.SendAll(t, b)
		return stream.Sent(err, len(b)), err
	}
	if len(x.header) > 0 || x.left == 0 && len(x.trailer) == 0 {
		n, err := send(x.header)
		x.note(n)
		if err != nil {
			return err
		}
	}
	if err := x.pieces(t, send); err != nil {
		return err
	}
	if len(x.trailer) == 0 {
		return nil
	}
	n, err := send(x.trailer)
	x.note(n)
	return err
}

// copyOver goes on with a connection for which the kernel does not help.
func (x *transfer) copyOver(t *loop.Task, claim socket.Claim) error {
	more := sys.MSG_MORE
	if x.unsized {
		more = 0 // it may be empty: the kernel would hold the header back for 200 ms
	}
	if err := x.sendBytes(t, claim, &x.header, more); err != nil {
		return err
	}
	err := x.pieces(t, func(b []byte) (sent int, err error) {
		for sent < len(b) && err == nil {
			var n int
			n, err = claim.Send(t, b[sent:], 0)
			sent += n
		}
		return sent, err
	})
	if err != nil {
		return err
	}
	return x.sendBytes(t, claim, &x.trailer, 0)
}

// pieces reads what is left of a regular file and has it sent.
func (x *transfer) pieces(t *loop.Task, send func(b []byte) (int, error)) error {
	buf := lend()
	defer giveBack(buf)
	for x.left > 0 {
		n, err := x.read(t, (*buf)[:min(x.left, piece)])
		if n == 0 {
			switch {
			case errors.Is(err, io.EOF) && x.unsized:
				return loop.ShieldedCheckpoint(t)
			case errors.Is(err, io.EOF):
				err = x.short()
			}
			return err
		}
		n, err = send((*buf)[:n])
		x.offset += int64(n)
		x.left -= int64(n)
		x.note(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// sendStream sends what is no regular file: a pipe, a device. Reading it may
// take for ever, so a worker does it; a cancellation does not wait for it, and
// what it then still reads is lost.
func (x *transfer) sendStream(t *loop.Task, to stream.Sender, f *os.File) error {
	send := func(b []byte) error {
		err := to.SendAll(t, b)
		x.note(stream.Sent(err, len(b)))
		return err
	}
	if err := send(x.header); err != nil {
		return err
	}
	for all := x.left < 0; all || x.left > 0; {
		b, err := x.readOn(t, f, all)
		if err == io.EOF && all {
			break
		}
		if err == io.EOF {
			return x.short()
		}
		if err != nil {
			return err
		}
		x.left -= int64(len(b))
		if err := send(b); err != nil {
			return err
		}
	}
	return send(x.trailer)
}

// readOn reads some bytes. Its buffer is not lent, since an abandoned read may
// still write to it.
func (x *transfer) readOn(t *loop.Task, f *os.File, all bool) ([]byte, error) {
	size := int64(piece)
	if !all {
		size = min(size, x.left)
	}
	return worker.Value(t, func(*worker.Job) ([]byte, error) {
		b := make([]byte, size)
		n, err := f.Read(b)
		if n > 0 {
			err = nil
		}
		return b[:n], err
	}, worker.AbandonOnCancel())
}
