package stdnet

import (
	"fmt"
	"io"
	"net"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// A TaskConn is a stream as a net.Conn that belongs to a task: Read and Write
// suspend that task. It is the one exception to the rule that what may suspend
// takes the task as its first parameter, for there is no room for it in the
// interface; hence the name of the type. Calls by another task, or by a
// goroutine while the task is not running, answer loop.ErrWrongTask; but
// Close, the deadlines and the addresses are for all tasks of the loop.
//
// Errors match those of both worlds: io.EOF at the end of the stream,
// net.ErrClosed and loop.ErrClosed after Close, os.ErrDeadlineExceeded and
// loop.ErrTimeout, a net.Error, after a deadline. loop.Cancelled comes through
// as it is and is to be handed up.
type TaskConn struct {
	t     *loop.Task
	c     stream.Stream
	read  deadline
	write deadline

	keepOpen bool
	closed   bool
}

var _ net.Conn = (*TaskConn)(nil)

// An Option sets up a TaskConn.
type Option func(*TaskConn)

// KeepOpen makes Close end the TaskConn only and leave the stream open: for
// libraries that close their connection whenever they return, when the stream
// is to be used further, by another call or by socket.GoIdle.
func KeepOpen() Option { return func(c *TaskConn) { c.keepOpen = true } }

// Bind makes a net.Conn of the stream c whose calls suspend the task t.
func Bind(t *loop.Task, c stream.Stream, opts ...Option) *TaskConn {
	bound := &TaskConn{t: t, c: c}
	for _, opt := range opts {
		opt(bound)
	}
	return bound
}

// Rebind makes the TaskConn, which must not be in use, that of another task and
// stream: open, without deadlines, and with the options it had. So it can be
// pooled. It never suspends.
func (c *TaskConn) Rebind(t *loop.Task, s stream.Stream) {
	*c = TaskConn{t: t, c: s, keepOpen: c.keepOpen}
}

// Task returns the task.
func (c *TaskConn) Task() *loop.Task { return c.t }

// Stream returns the stream.
func (c *TaskConn) Stream() stream.Stream { return c.c }

// Closed reports whether Close was called; with KeepOpen the stream may be
// open nevertheless.
func (c *TaskConn) Closed() bool { return c.closed }

// Read receives up to len(b) bytes, and answers io.EOF at the end. It suspends
// the task, and is a checkpoint.
func (c *TaskConn) Read(b []byte) (n int, err error) {
	switch {
	case c.closed:
		return 0, c.failed("recv", loop.ErrClosed)
	case len(b) == 0:
		return 0, nil
	}
	n, err = c.readInTime(b)
	if n == 0 && err == nil {
		return 0, io.EOF
	}
	return n, c.failed("recv", err)
}

// readInTime reads under the deadline, which may come, or come back, while it
// waits: so even without one it waits in a scope.
func (c *TaskConn) readInTime(b []byte) (n int, err error) {
	//lion:opt deadline-last a scope is allocated, and only a wait needs one
	if now, ok := c.c.(nowaiter); ok {
		n, err = c.atOnce(&c.read, func() (int, error) { return now.ReceiveNowait(b) })
		if err != loop.ErrWouldBlock {
			return n, err
		}
	}
	err = c.read.limit(c.t, func() (err error) {
		n, err = c.c.Receive(c.t, b)
		return err
	})
	return n, err
}

// nowaiter is a stream that can be tried without waiting.
type nowaiter interface {
	// ReceiveNowait receives; it never suspends.
	ReceiveNowait(b []byte) (int, error)
	// SendNowait sends some of b; it never suspends.
	SendNowait(b []byte) (int, error)
}

// atOnce makes a call that does not wait into a checkpoint under a deadline.
func (c *TaskConn) atOnce(d *deadline, call func() (int, error)) (int, error) {
	if err := loop.CheckpointIfCancelled(c.t); err != nil {
		return 0, err
	}
	if d.passed(c.t) {
		return 0, loop.ErrTimeout
	}
	n, err := call()
	if err == nil {
		err = loop.ShieldedCheckpoint(c.t)
	}
	return n, err
}

// Write sends all of b. If it fails it returns how much went. It suspends the
// task, and is a checkpoint.
func (c *TaskConn) Write(b []byte) (n int, err error) {
	if c.closed {
		return 0, c.failed("send", loop.ErrClosed)
	}
	n, err = c.writeInTime(b)
	return n, c.failed("send", err)
}

// writeInTime writes under the deadline; see readInTime.
func (c *TaskConn) writeInTime(b []byte) (n int, err error) {
	//lion:opt deadline-last
	if now, ok := c.c.(nowaiter); ok && len(b) > 0 {
		n, err = c.atOnce(&c.write, func() (int, error) { return now.SendNowait(b) })
		if n == len(b) || err != nil && err != loop.ErrWouldBlock {
			return n, err
		}
	}
	began := n
	err = c.write.limit(c.t, func() error {
		err := c.c.SendAll(c.t, b[began:])
		n = began + stream.Sent(err, len(b)-began)
		return err
	})
	return n, err
}

// failed makes what the TaskConn itself has found an error of its stream, if
// that is a connection: socket.KindOf shall know it.
func (c *TaskConn) failed(op string, err error) error {
	if err == loop.ErrTimeout || err == loop.ErrClosed {
		if s, ok := c.c.(interface{ Failure(string, error) error }); ok {
			err = s.Failure(op, err)
		}
	}
	return translate(err)
}

// CloseWrite tells the peer that nothing more will be written, as
// net.TCPConn's does. It suspends the task, and is a checkpoint.
func (c *TaskConn) CloseWrite() error {
	if c.closed {
		return errClosed
	}
	return translate(c.c.SendEOF(c.t))
}

// Close closes the stream, or with KeepOpen only the TaskConn. Calls after the
// first answer net.ErrClosed. It never suspends.
func (c *TaskConn) Close() error {
	if c.closed {
		return errClosed
	}
	c.closed = true
	if c.keepOpen {
		return nil
	}
	return translate(c.c.Close())
}

// LocalAddr returns the address of this end.
func (c *TaskConn) LocalAddr() net.Addr {
	if a, ok := c.c.(interface{ LocalAddr() socket.Addr }); ok {
		return netAddr(a.LocalAddr())
	}
	return unknownAddr{}
}

// RemoteAddr returns the address of the peer.
func (c *TaskConn) RemoteAddr() net.Addr {
	if a, ok := c.c.(interface{ RemoteAddr() socket.Addr }); ok {
		return netAddr(a.RemoteAddr())
	}
	return unknownAddr{}
}

// SetDeadline sets both deadlines; see SetReadDeadline.
func (c *TaskConn) SetDeadline(when time.Time) error {
	if err := c.SetReadDeadline(when); err != nil {
		return err
	}
	return c.SetWriteDeadline(when)
}

// SetReadDeadline makes reads that have not succeeded by then fail with a
// timeout; the zero time is never. It holds for the read under way, too, whether
// that began with a deadline or without: another task may thus end it. And it
// holds beside the deadlines of the scopes around the
// task: the earlier one wins. It never suspends.
func (c *TaskConn) SetReadDeadline(when time.Time) error {
	if c.closed {
		return errClosed
	}
	return c.read.move(when)
}

// SetWriteDeadline is SetReadDeadline for writes.
func (c *TaskConn) SetWriteDeadline(when time.Time) error {
	if c.closed {
		return errClosed
	}
	return c.write.move(when)
}

// deadline is that of one direction.
type deadline struct {
	when  time.Time
	set   bool
	scope *loop.Scope // of the call under way
}

func (d *deadline) move(when time.Time) error {
	d.when, d.set = when, !when.IsZero()
	if d.scope == nil {
		return nil
	}
	if d.set {
		return d.scope.SetDeadline(when)
	}
	d.scope.ClearDeadline()
	return nil
}

// passed reports whether it is too late, whatever could be done at once.
func (d *deadline) passed(t *loop.Task) bool { return d.set && !t.Now().Before(d.when) }

// limit runs fn under the deadline, also under one that is set meanwhile.
func (d *deadline) limit(t *loop.Task, fn func() error) error {
	if d.passed(t) {
		if err := loop.Checkpoint(t); err != nil {
			return err
		}
		return loop.ErrTimeout
	}
	s, err := loop.NewScope(t.Loop())
	if err == nil && d.set {
		err = s.SetDeadline(d.when)
	}
	if err != nil {
		return err
	}
	d.scope = s
	err = loop.Enter(t, s, func(*loop.Scope) error { return fn() })
	d.scope = nil
	if err == nil && s.CancelledCaught() {
		return loop.ErrTimeout
	}
	return err
}

// closedError is the error of what was closed on this side, in the words of
// both worlds.
type closedError struct{}

var errClosed error = closedError{}

func (closedError) Error() string { return net.ErrClosed.Error() }

func (closedError) Is(target error) bool { return target == net.ErrClosed || target == loop.ErrClosed }

// alsoClosed adds net.ErrClosed to an error that matches loop.ErrClosed.
type alsoClosed struct{ error }

func (e alsoClosed) Unwrap() error        { return e.error }
func (e alsoClosed) Is(target error) bool { return target == net.ErrClosed }

func netAddr(a socket.Addr) net.Addr {
	if name, ok := a.Unix(); ok {
		return &net.UnixAddr{Name: name, Net: "unix"}
	}
	if !a.IsValid() {
		return unknownAddr{}
	}
	return net.TCPAddrFromAddrPort(a.AddrPort())
}

// unknownAddr is the address of streams that have none.
type unknownAddr struct{}

func (unknownAddr) Network() string { return "stream" }
func (unknownAddr) String() string  { return "?" }

// String names the connection and its task.
func (c *TaskConn) String() string { return fmt.Sprintf("%v of %v", c.c, c.t) }
