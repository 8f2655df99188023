package sendfile

import (
	"errors"
	"fmt"
	"io"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// UnsentError is the error of a Copy that was broken off with bytes in its
// hands: they have been received, and could not be sent.
type UnsentError struct {
	Data []byte // at most 1 MiB
	Err  error  // why they could not be sent
}

// Error tells the reason and the number of bytes.
func (e *UnsentError) Error() string {
	return fmt.Sprintf("%v (%d bytes were received and not sent)", e.Err, len(e.Data))
}

// Unwrap returns the reason.
func (e *UnsentError) Unwrap() error { return e.Err }

// Copy moves what src receives to dst: n bytes, or everything up to the end of
// src if n is negative. An end before n bytes is no error: the count tells. It
// returns how many bytes were sent. If it is cancelled, or dst fails, bytes
// that it holds come back in an *UnsentError: none is lost. While it runs others
// that receive on src or send on dst get loop.ErrBusy. It does not end or
// close either. Who waits for src holds no buffer; after a transfer in bulk two
// descriptors, those of a pipe, stay until Copy returns. It is a checkpoint, and so
// is each piece.
func Copy(
	t *loop.Task, dst, src *socket.Conn, n int64, opts ...Option,
) (moved int64, err error) {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return 0, err
	}
	x := &relay{left: n, all: n < 0}
	x.take, x.giveBack = x.lend, x.release
	for _, opt := range opts {
		opt(&x.config)
	}
	if x.in, err = src.ClaimReceive(t.Loop()); err != nil {
		return 0, err
	}
	defer x.in.Release()
	if x.out, err = dst.ClaimSend(t.Loop()); err != nil {
		return 0, err
	}
	defer x.out.Release()
	defer func() { // also if progress panics
		if failed := x.pipe.close(); err == nil {
			err = failed
		}
	}()
	err = x.run(t)
	if x.method != nil {
		*x.method = x.used
	}
	return x.moved, err
}

// fewInARow is how many small pieces end a bulk transfer.
const fewInARow = 16

// relay is one call of Copy.
type relay struct {
	config
	in, out socket.Claim
	left    int64
	all     bool
	moved   int64
	used    Method
	pipe    pipe
	refused bool // splice is not to be had

	buf      *[]byte // lent
	take     func() []byte
	giveBack func()
}

func (x *relay) run(t *loop.Task) error {
	if x.left == 0 {
		return loop.ShieldedCheckpoint(t)
	}
	few := fewInARow // small pieces since the last large one
	for x.all || x.left > 0 {
		n, err := 0, error(nil)
		if few < fewInARow && !x.refused {
			n, err = x.splice(t)
		} else {
			n, err = x.copy(t)
		}
		if err != nil || n == 0 {
			return err
		}
		// A large piece says that there is more. Small ones cost less by a copy, but a
		// receiver that takes little at a time makes some of them small.
		if few++; n >= piece/2 {
			few = 0
		}
	}
	return nil
}

func (x *relay) sent(n int) {
	x.moved += int64(n)
	x.left -= int64(n)
	if x.progress != nil {
		x.progress(x.moved)
	}
}

// room is how much may be taken of src at once.
func (x *relay) room(most int) int {
	if x.all {
		return most
	}
	return int(min(x.left, int64(most)))
}

// copy moves one piece through user space. Zero bytes are the end. Who waits for
// its source has no buffer: a proxy has thousands that do.
func (x *relay) copy(t *loop.Task) (int, error) {
	n, err := x.in.ReceiveLent(t, x.take, x.giveBack)
	if err != nil {
		return 0, err
	}
	defer x.giveBack()
	return n, x.deliver(t, (*x.buf)[:n])
}

func (x *relay) lend() []byte {
	x.buf = lend()
	return (*x.buf)[:x.room(piece)]
}

func (x *relay) release() {
	giveBack(x.buf)
	x.buf = nil
}

// deliver sends what has been received.
func (x *relay) deliver(t *loop.Task, rest []byte) error {
	for len(rest) > 0 {
		sent, err := x.out.Send(t, rest, 0)
		x.sent(sent)
		if rest = rest[sent:]; err != nil {
			return &UnsentError{Data: append([]byte(nil), rest...), Err: err}
		}
	}
	return nil
}

// splice moves one piece through the pipe, in the kernel. The pipe is empty at
// first, so that a socket is all that can make it wait.
func (x *relay) splice(t *loop.Task) (int, error) {
	if err := x.pipe.open(); err != nil {
		x.refused = true
		return x.copy(t)
	}
	n, err := x.in.Call(t, "splice", func(fd sys.FD) (int, error) {
		return sys.Splice(fd, x.pipe.w, x.room(x.pipe.room))
	})
	if errors.Is(err, errors.ErrUnsupported) {
		x.refused = true
		return x.copy(t)
	}
	if err != nil || n == 0 {
		return 0, err
	}
	x.used = Splice
	for x.pipe.held = n; x.pipe.held > 0; {
		sent, err := x.out.Call(t, "splice", func(fd sys.FD) (int, error) {
			return sys.Splice(x.pipe.r, fd, x.pipe.held)
		})
		x.sent(sent)
		x.pipe.held -= sent
		if errors.Is(err, errors.ErrUnsupported) {
			x.refused = true // by the receiver, with bytes in the pipe
			return n, x.bail(t)
		}
		if err != nil {
			data, failed := x.pipe.drain()
			if failed != nil {
				err = errors.Join(err, failed)
			}
			return n, &UnsentError{Data: data, Err: err}
		}
	}
	return n, nil
}

// bail sends the bytes in the pipe through user space.
func (x *relay) bail(t *loop.Task) error {
	data, failed := x.pipe.drain()
	if err := x.deliver(t, data); err != nil {
		return err
	}
	return failed
}

// pipe belongs to one Copy: it is never handed to another with bytes in it.
type pipe struct {
	r, w   sys.FD
	opened bool
	held   int // bytes in it
	room   int // how many fit
}

// pipeRoom is how much a pipe is to hold: with less a call moves too little to be
// worth it, and more is not granted to everybody; see pipe(7).
const pipeRoom = 1 << 20

func (p *pipe) open() (err error) {
	if !p.opened {
		p.r, p.w, err = sys.Pipe()
		if p.opened = err == nil; p.opened {
			p.room = sys.GrowPipe(p.w, pipeRoom)
		}
	}
	return err
}

func (p *pipe) close() error {
	if !p.opened {
		return nil
	}
	return errors.Join(sys.Close(p.r), sys.Close(p.w))
}

// drain takes out what is in it.
func (p *pipe) drain() ([]byte, error) {
	data := make([]byte, p.held)
	for got := 0; got < len(data); {
		n, err := sys.Read(p.r, data[got:])
		if err == nil && n == 0 {
			err = io.ErrUnexpectedEOF // this side still has the writing end
		}
		if err != nil {
			return data[:got], err
		}
		got += n
		p.held -= n
	}
	return data, nil
}
