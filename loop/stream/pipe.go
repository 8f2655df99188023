package stream

import (
	"errors"
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Pipes. Facts, and hence this code:
//
//   - A pipe goes one way, and its ends are different things: there is a type
//     for each. The writing end has no half-close; Close is its end.
//   - A write of at most PIPE_BUF bytes (4,096 on Linux, 512 elsewhere) is
//     taken whole or not at all; a longer one is taken as far as there is room
//     (pipe(7)). So SendAll goes on where the system stopped.
//   - Writing when nobody can read any more raises SIGPIPE. The Go runtime
//     turns that into EPIPE for all descriptors but 1 and 2, where it ends the
//     program, as it does for every other program whose output nobody wants.
//   - O_NONBLOCK belongs to the open file and not to the descriptor, so whoever
//     shares the file, a parent, a child, a shell, finds it changed too
//     (fcntl(2)). A descriptor from elsewhere gets back the mode that it had
//     when it is closed or detached. In between others see EAGAIN, which many
//     programs do not expect of their standard input: hand over a pipe of its
//     own instead, or leave such a descriptor to a worker.
//   - Read and write on a regular file never answer EAGAIN, they just take
//     their time, and epoll refuses such files. A pipe end around one works,
//     but holds up the loop: files belong to a worker.
//   - Windows has no readiness for pipes: there Pipe and the Adopt functions
//     answer errors.ErrUnsupported.

// PipeError is the error of an operation on a pipe. With errors.Is it matches
// the errno of the system; loop.ErrClosed if this end had been closed on this
// side, or its descriptor was no longer one (EBADF); and loop.ErrBroken if
// anything else went wrong.
type PipeError struct {
	Op  string // the system call that failed, in the words of its man page
	FD  sys.FD // of this end
	Err error  // an errno, as a rule

	kind error // ErrClosed, ErrBroken or nil
}

// Error tells the operation, the descriptor and the reason.
func (e *PipeError) Error() string {
	return fmt.Sprintf("stream: %s of descriptor %v: %v", e.Op, e.FD, e.Err)
}

// Unwrap returns the reason.
func (e *PipeError) Unwrap() error { return e.Err }

// Is reports whether target is the kind of the error.
func (e *PipeError) Is(target error) bool { return e.kind != nil && target == e.kind }

// PipeStatistics describes one end of a pipe.
type PipeStatistics struct {
	Bytes  uint64 // received or sent
	Busy   bool   // a task is in a Receive or a SendAll
	Closed bool   // closed or detached on this side
}

// pipeEnd is what both ends have in common.
type pipeEnd struct {
	d        *loop.Descriptor
	bytes    uint64
	busy     bool
	closed   bool
	blocking bool // the descriptor was blocking before it was adopted
}

// PipeReader is the reading end of a pipe, or of anything else that read(2)
// reads and that has readiness: a FIFO, a terminal. It belongs to one loop.
type PipeReader struct{ end pipeEnd }

// PipeWriter is the writing end of a pipe, or of anything else that write(2)
// writes and that has readiness. It belongs to one loop.
type PipeWriter struct{ end pipeEnd }

var (
	_ ReceiveCloser = (*PipeReader)(nil)
	_ SendCloser    = (*PipeWriter)(nil)
)

// Pipe makes a pipe of the system, see pipe(2). Its descriptors are
// nonblocking and not inherited by children. Errors: errors.ErrUnsupported on
// Windows, or a *PipeError. Sync-coloured.
func Pipe(l *loop.Loop) (r *PipeReader, w *PipeWriter, err error) {
	fr, fw, err := sys.Pipe()
	if err != nil {
		return nil, nil, &PipeError{Op: "pipe", FD: sys.Invalid, Err: err}
	}
	r = &PipeReader{pipeEnd{d: l.Register(fr)}}
	w = &PipeWriter{pipeEnd{d: l.Register(fw)}}
	return r, w, nil
}

// AdoptReader makes a PipeReader of a descriptor, which it takes over and
// makes nonblocking; Close and Detach give its open file the old mode back,
// since others may share that. Sockets belong to socket.Adopt. With an error,
// a *PipeError, it stays the caller's. Sync-coloured.
func AdoptReader(l *loop.Loop, fd sys.FD) (*PipeReader, error) {
	blocking, err := unblock(fd)
	if err != nil {
		return nil, err
	}
	return &PipeReader{pipeEnd{d: l.Register(fd), blocking: blocking}}, nil
}

// AdoptWriter is AdoptReader for a descriptor that is written to.
// Sync-coloured.
func AdoptWriter(l *loop.Loop, fd sys.FD) (*PipeWriter, error) {
	blocking, err := unblock(fd)
	if err != nil {
		return nil, err
	}
	return &PipeWriter{pipeEnd{d: l.Register(fd), blocking: blocking}}, nil
}

func unblock(fd sys.FD) (wasBlocking bool, err error) {
	nonblocking, err := sys.Nonblocking(fd)
	if err == nil && !nonblocking {
		err = sys.SetNonblock(fd, true)
	}
	if err != nil {
		return false, pipeError("fcntl", fd, err)
	}
	return !nonblocking, nil
}

// Receive receives as a Receiver does, see read(2), and is a checkpoint. A
// *PipeError tells what the system said.
func (r *PipeReader) Receive(t *loop.Task, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, emptyBuffer()
	}
	e := &r.end
	if err := e.claim(t); err != nil {
		return 0, e.failed("read", err)
	}
	n, err := loop.Retry(t, &e.d, sys.Readable, func() (int, error) {
		return sys.Read(e.d.FD(), b)
	})
	e.busy = false
	e.bytes += uint64(n)
	if err != nil {
		return n, e.failed("read", err)
	}
	return n, nil
}

// SendAll sends as a Sender does, see write(2), and is a checkpoint. A
// *PipeError tells what the system said: EPIPE, which is a loop.ErrBroken, if
// nobody can read any more.
func (w *PipeWriter) SendAll(t *loop.Task, b []byte) error {
	e := &w.end
	if err := e.claim(t); err != nil {
		return e.failed("write", err)
	}
	sent, err := e.sendAll(t, b)
	e.busy = false
	e.bytes += uint64(sent)
	if err != nil {
		return Partial(sent, e.failed("write", err))
	}
	return nil
}

func (e *pipeEnd) sendAll(t *loop.Task, b []byte) (sent int, err error) {
	if len(b) == 0 {
		return 0, loop.Checkpoint(t)
	}
	for sent < len(b) {
		n, err := loop.Retry(t, &e.d, sys.Writable, func() (int, error) {
			return sys.Write(e.d.FD(), b[sent:])
		})
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// claim reserves the end for a call of t. Tasks of other loops are refused
// here, since a call that does not have to wait would not notice them.
func (e *pipeEnd) claim(t *loop.Task) error {
	switch {
	case e.closed:
		return loop.ErrClosed
	case t.Loop() != e.d.Loop():
		return fmt.Errorf("a pipe of another loop, or a nil task: %w", loop.ErrWrongTask)
	case e.busy:
		return loop.ErrBusy
	}
	e.busy = true
	return nil
}

// Close closes this end; a task that waits on it gets ErrClosed. What is in
// the pipe can still be read at the other end. It is idempotent, sync-coloured
// and never blocks.
func (r *PipeReader) Close() error { return r.end.close() }

// Close closes this end, which is how a pipe says that nothing more will come;
// a task that waits on it gets ErrClosed. What is in the pipe can still be
// read. It is idempotent, sync-coloured and never blocks.
func (w *PipeWriter) Close() error { return w.end.close() }

func (e *pipeEnd) close() error {
	if e.closed {
		return nil
	}
	fd, restored := e.release()
	if err := sys.Close(fd); err != nil {
		return pipeError("close", fd, err)
	}
	return restored
}

// Detach takes the descriptor out of the reader and its loop without closing
// it: the reader is closed, and the descriptor is as it was when it was
// adopted. Sync-coloured.
func (r *PipeReader) Detach() (sys.FD, error) { return r.end.detach() }

// Detach takes the descriptor out of the writer and its loop without closing
// it: the writer is closed, and the descriptor is as it was when it was
// adopted. Sync-coloured.
func (w *PipeWriter) Detach() (sys.FD, error) { return w.end.detach() }

func (e *pipeEnd) detach() (sys.FD, error) {
	if e.closed {
		return sys.Invalid, e.failed("detach", loop.ErrClosed)
	}
	return e.release()
}

// release takes the descriptor from the loop and gives it its old mode back.
func (e *pipeEnd) release() (sys.FD, error) {
	e.closed = true
	fd := e.d.FD()
	e.d.Forget()
	if !e.blocking {
		return fd, nil
	}
	if err := sys.SetNonblock(fd, false); err != nil {
		return fd, pipeError("fcntl", fd, err)
	}
	return fd, nil
}

// Statistics returns the present numbers.
func (r *PipeReader) Statistics() PipeStatistics { return r.end.statistics() }

// Statistics returns the present numbers.
func (w *PipeWriter) Statistics() PipeStatistics { return w.end.statistics() }

func (e *pipeEnd) statistics() PipeStatistics {
	return PipeStatistics{Bytes: e.bytes, Busy: e.busy, Closed: e.closed}
}

// String names the end by its descriptor.
func (r *PipeReader) String() string { return r.end.name("reader") }

// String names the end by its descriptor.
func (w *PipeWriter) String() string { return w.end.name("writer") }

func (e *pipeEnd) name(kind string) string {
	if e.closed {
		return "pipe " + kind + "(closed)"
	}
	return fmt.Sprintf("pipe %s(fd %d)", kind, e.d.FD())
}

func (e *pipeEnd) failed(op string, err error) error { return pipeError(op, e.d.FD(), err) }

// pipeError wraps err once. What comes from the loop passes as it is: a
// cancellation, an interrupt, a wrong task.
func pipeError(op string, fd sys.FD, err error) error {
	e := &PipeError{Op: op, FD: fd, Err: err}
	errno, system := err.(sys.Errno)
	switch {
	case errors.Is(err, loop.ErrClosed):
		e.Err, e.kind = loop.ErrClosed, loop.ErrClosed
	case err == loop.ErrBusy:
	case !system:
		return err
	case errno == sys.EBADF:
		e.kind = loop.ErrClosed
	case errno != sys.EINVAL && errno != sys.EFAULT:
		e.kind = loop.ErrBroken
	}
	return e
}
