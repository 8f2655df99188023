package socket

import (
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sys"
)

// A Conn is a stream.Stream over a connected stream socket, TCP or unix. It
// has no buffer of its own: what Receive does not take stays in the kernel,
// and SendAll waits for the peer.
type Conn struct {
	s    Socket
	peer Addr // as accept or connect knew it; invalid if it has not been asked for

	proxy *ProxyHeader // with which it began, if a server asked for that
}

var _ stream.Stream = (*Conn)(nil)

// NewConn makes a Conn of a connected stream socket, which it takes over: the
// socket must not be used for receives and sends any more. Anything else is
// refused with ErrMisuse.
func NewConn(s *Socket) (*Conn, error) {
	switch {
	case s.closed:
		return nil, opError("wrap", Addr{}, loop.ErrClosed)
	case s.typ != sys.SOCK_STREAM || !s.connected:
		return nil, misuse("%v is not a connected stream socket", s)
	case s.receiving || s.sending:
		return nil, opError("wrap", Addr{}, loop.ErrBusy)
	}
	fd, err := s.Detach()
	if err != nil {
		return nil, err
	}
	c := &Conn{}
	c.s = *s
	c.s.closed, c.s.d = false, s.d.Loop().Register(fd)
	return c, nil
}

// Receive receives up to len(b) bytes, waiting until there is at least one.
// Zero bytes without an error are the end: the peer is done sending. An empty
// b is refused with ErrMisuse. It is a checkpoint; after Cancelled nothing has
// been taken.
func (c *Conn) Receive(t *loop.Task, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, misuse("receiving into an empty buffer")
	}
	n, err := c.s.recv(t, b, 0)
	if err != nil {
		return n, c.failed("recv", err)
	}
	return n, nil
}

// ReceiveNowait is Receive that never suspends: ErrWouldBlock if there is
// nothing.
func (c *Conn) ReceiveNowait(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, misuse("receiving into an empty buffer")
	}
	if c.s.receiving {
		return 0, c.failed("recv", loop.ErrBusy)
	}
	n, err := once(&c.s, sys.Readable, func() (int, error) { return c.s.tryRecv(b, 0) })
	if err != nil {
		return n, c.failed("recv", err)
	}
	return n, nil
}

// SendAll sends all of b, waiting as often as the peer makes it wait. An error
// after some bytes went is a *stream.SendError, with their number. It is a
// checkpoint, even if b is empty.
func (c *Conn) SendAll(t *loop.Task, b []byte) error {
	if err := c.claimSend(t); err != nil {
		return c.failed("send", err)
	}
	rest := b
	for {
		n, err := c.sendSome(t, rest)
		rest = rest[n:]
		if err != nil {
			c.s.sending = false
			return stream.Partial(len(b)-len(rest), c.failed("send", err))
		}
		if len(rest) == 0 {
			c.s.sending = false
			return nil
		}
	}
}

func (c *Conn) sendSome(t *loop.Task, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, loop.Checkpoint(t)
	}
	return retry(t, &c.s, sys.Writable, func() (int, error) { return c.s.trySend(b, 0) })
}

// claimSend reserves the sending direction, which SendAll holds over all its
// parts.
func (c *Conn) claimSend(t *loop.Task) error {
	if c.s.sentEOF {
		return loop.ErrClosed
	}
	return c.s.claim(t, &c.s.sending)
}

// SendNowait sends as much of b as the system takes at once, and returns how
// much that was. It never suspends: ErrWouldBlock if nothing is taken.
func (c *Conn) SendNowait(b []byte) (int, error) {
	switch {
	case c.s.sentEOF:
		return 0, c.failed("send", loop.ErrClosed)
	case c.s.sending:
		return 0, c.failed("send", loop.ErrBusy)
	}
	n, err := once(&c.s, sys.Writable, func() (int, error) { return c.s.trySend(b, 0) })
	if err != nil {
		return n, c.failed("send", err)
	}
	return n, nil
}

// SendAllVectored sends all buffers, one after the other, as SendAll would
// send them joined, with as few system calls as possible: up to sys.MaxBuffers
// go in one. The buffers are the caller's; elements of the slice are changed
// while it runs and are restored when it returns. It is a checkpoint.
func (c *Conn) SendAllVectored(t *loop.Task, buffers [][]byte) error {
	if err := c.claimSend(t); err != nil {
		return c.failed("sendmsg", err)
	}
	sent, err := c.sendVector(t, buffers)
	c.s.sending = false
	if err != nil {
		return stream.Partial(sent, c.failed("sendmsg", err))
	}
	return nil
}

// SendEOF tells the peer that nothing more will be sent, see SHUT_WR in
// shutdown(2); its reply can still be received. It is idempotent; a later send
// answers ErrClosed. ErrBusy while another task sends. It is a checkpoint.
func (c *Conn) SendEOF(t *loop.Task) error {
	if err := c.s.claim(t, &c.s.sending); err != nil {
		return c.failed("shutdown", err)
	}
	c.s.sending = false
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	if !c.s.sentEOF {
		if err := sys.Shutdown(c.s.d.FD(), sys.SHUT_WR); err != nil {
			return c.failed("shutdown", err)
		}
		c.s.sentEOF = true
	}
	return loop.ShieldedCheckpoint(t)
}

// Close closes the connection; see Socket.Close. What was sent is still
// delivered, unless received bytes were left unread. It is idempotent and
// never blocks.
func (c *Conn) Close() error { return c.s.Close() }

// Abort closes the connection with a reset: the peer gets an error, and output
// that is on its way is dropped. It is idempotent and never blocks.
func (c *Conn) Abort() error {
	if c.s.closed {
		return nil
	}
	// An error means that there is no connection left to reset.
	_ = sys.SetLinger(c.s.d.FD(), true, 0)
	c.s.lingers = false
	return c.s.Close()
}

// Closed reports whether the connection was closed on this side.
func (c *Conn) Closed() bool { return c.s.closed }

// LocalAddr returns the address of this end, or an invalid one if it has been
// closed. IPv4 addresses of sockets for both families are plain ones.
func (c *Conn) LocalAddr() Addr {
	own, err := c.s.Name()
	if err != nil {
		return Addr{}
	}
	return own.Unmap()
}

// RemoteAddr returns the address of the peer. IPv4 addresses of sockets for
// both families are plain ones. It stays known after the end.
func (c *Conn) RemoteAddr() Addr {
	if !c.peer.IsValid() {
		if peer, err := c.s.PeerName(); err == nil {
			c.peer = peer.Unmap()
		}
	}
	return c.peer
}

// Loop returns the loop of the connection.
func (c *Conn) Loop() *loop.Loop { return c.s.Loop() }

// Socket returns the socket of the connection, for its options and the like.
// To receive or send with it works too, but behind the back of the stream.
func (c *Conn) Socket() *Socket { return &c.s }

// Statistics returns the numbers of the socket.
func (c *Conn) Statistics() Statistics { return c.s.Statistics() }

// String names the connection by its peer.
func (c *Conn) String() string { return fmt.Sprintf("conn(%v)", c.RemoteAddr()) }

// Failure makes err an *OpError of this connection, so that KindOf counts it as
// such: for what is built on connections and has errors of its own, say
// io.ErrUnexpectedEOF for a request that was cut off, or a time-out. An error of
// another connection stays what it is. Sync-coloured.
func (c *Conn) Failure(op string, err error) error { return c.failed(op, err) }

// failed wraps an error of the loop or of the system. It is cold.
//
//go:noinline
func (c *Conn) failed(op string, err error) error {
	if err == loop.ErrWouldBlock {
		return err
	}
	return c.s.dataError(op, c.RemoteAddr(), err)
}
