package sendfile

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/worker"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Windows sends a file by itself (TransmitFile), and has nobody ask whether it could
// go on. A worker has it begin, since that may read the disk, and waits for its end.
//
// That is for what Open has opened: an *os.File has a position, which it would move
// under the feet of others. The trailer goes by a call of its own: the system would
// send it after a file that has become shorter meanwhile, too.

const (
	// transmitMin is up to where copying costs less: a call ends when the peer has
	// acknowledged all of it, and a thread and an event are taken until then.
	transmitMin = 256 << 10

	// transmitPart is the most that one call is asked for: enough that a worker and a
	// round trip for each do not count, and a part of a file that others can wait
	// for, be it for progress or to be cancelled.
	transmitPart = 1 << 20

	// transmitMax bounds the files that are sent so at once, of all loops. Each holds
	// a thread for as long as its peer likes. What is beyond is read and sent.
	transmitMax = 64
)

// transmitting counts the files that are sent so.
var transmitting atomic.Int32

// A transmission is what the system sends by itself.
type transmission interface {
	Wait() (int, error) // blocks; must be called once
	Cancel() error      // from any goroutine; Wait returns soon then
}

// transmitter begins such; tests have another than the system.
type transmitter interface {
	takes(n int64) bool // whether it is for so much
	begin(socket, file sys.FD, head []byte, offset int64, n int) (transmission, error)
}

var transmissions transmitter = systemTransmitter{}

// systemTransmitter is the system itself.
type systemTransmitter struct{}

func (systemTransmitter) takes(n int64) bool { return n > transmitMin && sys.Transmits() }

func (systemTransmitter) begin(
	socket, file sys.FD, head []byte, offset int64, n int,
) (transmission, error) {
	s, err := sys.BeginTransmit(socket, file, head, offset, n, nil)
	if err != nil {
		return nil, err // and no interface with a nil pointer in it
	}
	return s, nil
}

// transmit sends a file part by part. If one fails before a byte of it went, the rest
// is copied: that meets the reason, unless it is one of TransmitFile alone.
func (x *transfer) transmit(t *loop.Task, claim socket.Claim, f *File) error {
	if transmitting.Add(1) > transmitMax {
		transmitting.Add(-1)
		return x.copyOver(t, claim)
	}
	again, err := x.transmitParts(t, claim, f)
	if again {
		return x.copyOver(t, claim)
	}
	return err
}

// transmitParts does it, and reports whether the rest is to be copied.
func (x *transfer) transmitParts(
	t *loop.Task, claim socket.Claim, f *File,
) (again bool, err error) {
	defer transmitting.Add(-1)
	if len(x.header) > sys.MaxTransmitEdge {
		if err := x.sendBytes(t, claim, &x.header, sys.MSG_MORE); err != nil {
			return false, err
		}
	}
	for x.left > 0 {
		p := &part{x: x, f: f}
		n, err := p.send(t, claim)
		if n > 0 {
			x.took(n, TransmitFile)
		}
		switch {
		case n > 0 && err == nil:
		case n > 0, errors.Is(err, loop.Cancelled), errors.Is(err, loop.ErrInterrupt),
			errors.Is(err, loop.ErrClosed):
			return false, err
		case err != nil:
			return true, nil
		default:
			if err := x.sendBytes(t, claim, &x.header, 0); err != nil {
				return false, err
			}
			return false, x.short()
		}
	}
	return false, x.sendBytes(t, claim, &x.trailer, 0)
}

// part is one transmission of a file.
type part struct {
	x *transfer
	f *File

	life    context.Context // done when it is to end early
	running sync.Mutex      // held by the worker
}

// send has the part sent. It is a checkpoint.
func (p *part) send(t *loop.Task, claim socket.Claim) (int, error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	p.life = ctx
	return claim.Lend(t, "TransmitFile", stop, func(socket sys.FD) (int, error) {
		defer func() {
			// A loop that breaks down takes its tasks from their workers; the socket
			// stays until the worker has let go of it, and it does not begin any more.
			stop()
			p.running.Lock()
			defer p.running.Unlock()
		}()
		n, err := worker.Value(t, func(j *worker.Job) (int, error) {
			p.running.Lock()
			defer p.running.Unlock()
			defer context.AfterFunc(j.Context(), stop)()
			return p.run(socket)
		}, worker.WithLimiter(unlimited{}))
		if err != nil && ctx.Err() != nil {
			// Stopped by a cancellation, unless the connection was closed.
			if cancelled := loop.CheckpointIfCancelled(t); cancelled != nil {
				err = cancelled
			}
		}
		return n, err
	})
}

// run sends the part, on the worker.
func (p *part) run(socket sys.FD) (n int, err error) {
	closed := p.f.Control(func(file uintptr) {
		if err = p.life.Err(); err != nil {
			return
		}
		x := p.x
		var s transmission
		s, err = transmissions.begin(socket, sys.FD(file), x.header, x.offset,
			int(min(x.left, transmitPart)))
		if err != nil {
			return
		}
		defer context.AfterFunc(p.life, func() { _ = s.Cancel() })()
		n, err = s.Wait()
	})
	if closed != nil {
		return 0, closed
	}
	return n, err
}

// unlimited is a limiter that has no limit: transmitMax is one.
type unlimited struct{}

// AcquireFor always has a token. It is a cancel point.
func (unlimited) AcquireFor(t *loop.Task, _ any) error { return loop.CheckpointIfCancelled(t) }

// ReleaseFor takes it back.
func (unlimited) ReleaseFor(any) error { return nil }
