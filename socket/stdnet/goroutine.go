package stdnet

import (
	"fmt"
	"net"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// A connection is driven by one of two: by a loop, whose tasks use it as a
// stream, or by the Go runtime, whose goroutines use it as a net.Conn. A
// net.Conn that reached through a loop for each call would cost twice as much
// as either. So a socket for goroutines leaves its loop, and becomes what
// package net would have made: a *net.TCPConn is read, written, spliced and
// given deadlines as ever. Both ways duplicate the descriptor and close the
// other one, so that a failure leaves everything as it was.

// NetConn takes c out of its loop, and makes a net.Conn of it: a *net.TCPConn
// or *net.UnixConn, for ordinary goroutines, net/http, database drivers. It
// has the options that package net gives to its connections: no delay, and
// keep-alive probes. c is closed, and tasks that wait on it get loop.ErrClosed;
// if NetConn fails c stays as it was. It must be called on the loop, and is
// sync-coloured. Windows: errors.ErrUnsupported.
func NetConn(c *socket.Conn) (net.Conn, error) {
	if c.Closed() {
		return nil, fmt.Errorf("stdnet: %v: %w", c, loop.ErrClosed)
	}
	return leave(c.Socket(), sys.FileConn)
}

// NetListener takes ln out of its loop, and makes a *net.TCPListener or
// *net.UnixListener of it. What waits to be accepted stays in its queue. See
// NetConn for the rest.
func NetListener(ln *socket.Listener) (net.Listener, error) {
	return leave(ln.Socket(), sys.FileListener)
}

// NetPacketConn takes a datagram socket out of its loop, and makes a
// *net.UDPConn or *net.UnixConn of it, with the methods for batches and control
// messages that QUIC libraries look for. See NetConn for the rest.
func NetPacketConn(s *socket.Socket) (net.PacketConn, error) {
	return leave(s, sys.FilePacketConn)
}

func leave[T any](s *socket.Socket, take func(sys.FD) (T, error)) (made T, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("stdnet: taking %v out of its loop: %w", s, err)
		}
	}()
	if s.Closed() {
		return made, loop.ErrClosed
	}
	fd, err := sys.Dup(s.FD())
	if err != nil {
		return made, err
	}
	if made, err = take(fd); err != nil {
		return made, err
	}
	_ = s.Close() // the socket lives on in made, whatever this says
	return made, nil
}

// Conn takes a connection of package net into the loop l, and makes a
// socket.Conn of it: what an http.Hijacker handed out, for one, or a listener
// of the standard library. Only what has a descriptor can be taken, so a
// *net.TCPConn or *net.UnixConn and not a *tls.Conn, else loop.ErrMisuse. c is
// closed, unless Conn fails; bytes that a bufio.Reader of the previous owner
// holds are not in it. It must be called on the loop, and is sync-coloured.
func Conn(l *loop.Loop, c net.Conn) (*socket.Conn, error) {
	s, err := enter(l, c)
	if err != nil {
		return nil, err
	}
	made, err := socket.NewConn(s)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	_ = c.Close() // the socket lives on in made, whatever this says
	return made, nil
}

// Listener takes a listener of package net into the loop l. See Conn. A
// *net.UnixListener removes its path when it is closed, and so here: take the
// path from it first (SetUnlinkOnClose).
func Listener(l *loop.Loop, ln net.Listener) (*socket.Listener, error) {
	s, err := enter(l, ln)
	if err != nil {
		return nil, err
	}
	made, err := socket.NewListener(s)
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	_ = ln.Close() // the socket lives on in made, whatever this says
	return made, nil
}

// PacketConn takes a datagram socket of package net into the loop l. See Conn.
func PacketConn(l *loop.Loop, c net.PacketConn) (*socket.Socket, error) {
	s, err := enter(l, c)
	if err != nil {
		return nil, err
	}
	_ = c.Close() // the socket lives on in s, whatever this says
	return s, nil
}

func enter(l *loop.Loop, c any) (*socket.Socket, error) {
	fd, err := sys.DupConn(c)
	if err != nil {
		return nil, fmt.Errorf("%w: stdnet: taking a %T into a loop: %w", loop.ErrMisuse, c, err)
	}
	s, err := socket.Adopt(l, fd)
	if err != nil {
		_ = sys.Close(fd)
		return nil, err
	}
	return s, nil
}
