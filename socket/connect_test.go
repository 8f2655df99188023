package socket_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// deadPort is a port of the loopback address on which nobody listens. The
// socket that holds it keeps others from taking it.
func deadPort(t *loop.Task, tb testing.TB) (netip.AddrPort, *socket.Socket) {
	tb.Helper()
	s, err := socket.New(t.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
	must(tb, err)
	must(tb, s.Bind(socket.InetAddr(loopback(0))))
	name, err := s.Name()
	must(tb, err)
	return name.AddrPort(), s
}

func TestConnectRefused(t *testing.T) {
	run(t, func(task *loop.Task) error {
		to, holder := deadPort(task, t)
		defer closeAll(holder)
		_, err := socket.ConnectTCP(task, to)
		want(t, "a port that refuses", err, sys.ECONNREFUSED)
		var op *socket.OpError
		if !errors.As(err, &op) || op.Op != "connect" || op.Addr.AddrPort() != to {
			t.Errorf("error %#v", err)
		}
		if !strings.Contains(err.Error(), to.String()) {
			t.Errorf("the address is missing: %v", err)
		}
		if errors.Is(err, loop.ErrBroken) {
			t.Error("nothing was there that could break")
		}

		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		want(t, "refused", s.Connect(task, socket.InetAddr(to)), sys.ECONNREFUSED)
		if !s.Closed() || s.FD() != sys.Invalid {
			t.Error("the socket of a failed connect is open")
		}
		want(t, "afterwards", s.Connect(task, socket.InetAddr(to)), loop.ErrClosed)
		return nil
	})
}

// TestConnectUnreachable connects to where no TCP can go.
func TestConnectUnreachable(t *testing.T) {
	run(t, func(task *loop.Task) error {
		to := netip.MustParseAddrPort("255.255.255.255:9")
		err := loop.FailAfter(task, 10*time.Second, func(*loop.Scope) error {
			_, err := socket.ConnectTCP(task, to)
			return err
		})
		var op *socket.OpError
		if !errors.As(err, &op) || op.Addr.AddrPort() != to {
			t.Errorf("connecting to the broadcast address: %v", err)
		}
		return nil
	})
}

// clogged is a listener whose queue is full, with those who fill it, so that
// the next connect neither succeeds nor fails.
func clogged(t *loop.Task, tb testing.TB) (netip.AddrPort, func()) {
	tb.Helper()
	const most = 64 // far more than a queue for one holds
	ln := listen(t, tb, socket.WithBacklog(1))
	to := ln.Addr().AddrPort()
	var waiting []*socket.Conn
	release := func() {
		ln.Close()
		for _, c := range waiting {
			c.Close()
		}
	}
	for range most {
		var c *socket.Conn
		err := loop.FailAfter(t, 200*time.Millisecond, func(*loop.Scope) (err error) {
			c, err = socket.ConnectTCP(t, to)
			return err
		})
		if errors.Is(err, loop.ErrTimeout) {
			return to, release
		}
		if err != nil {
			release()
			tb.Skipf("a full queue does not make connects wait here: %v", err)
		}
		waiting = append(waiting, c)
	}
	release()
	tb.Skipf("a queue for one holds %d connections here", most)
	return to, nil
}

func TestConnectCancelled(t *testing.T) {
	run(t, func(task *loop.Task) error {
		to, release := clogged(task, t)
		defer release()
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		err = loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				err := s.Connect(task, socket.InetAddr(to))
				want(t, "a cancelled connect", err, loop.Cancelled)
				return err
			}))
			settle(task, t)
			second := s.Connect(task, socket.InetAddr(to))
			want(t, "connecting twice at once", second, loop.ErrBusy)
			if s.Closed() {
				t.Error("the second connect closed the socket")
			}
			return n.Cancel("enough")
		})
		must(t, err)
		if !s.Closed() {
			t.Error("the socket of a cancelled connect is open")
		}
		return nil
	})
}

func TestConnectClosedMeanwhile(t *testing.T) {
	run(t, func(task *loop.Task) error {
		to, release := clogged(task, t)
		defer release()
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				err := s.Connect(task, socket.InetAddr(to))
				want(t, "a connect whose socket is closed", err, loop.ErrClosed)
				return nil
			}))
			settle(task, t)
			return s.Close()
		})
	})
}

func TestConnectPrecancelled(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		defer ln.Close()
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		err = loop.Scoped(task, func(scope *loop.Scope) error {
			must(t, scope.Cancel("before"))
			err := s.Connect(task, ln.Addr())
			want(t, "a connect in a cancelled scope", err, loop.Cancelled)
			return err
		})
		must(t, err)
		if !s.Closed() {
			t.Error("the socket is open")
		}
		if _, err := ln.AcceptNowait(); err != loop.ErrWouldBlock {
			t.Errorf("something was connected: %v", err)
		}
		return nil
	})
}

func TestConnectMisuse(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		err := a.Socket().Connect(task, b.LocalAddr())
		want(t, "connecting again", err, sys.EISCONN)
		if a.Closed() {
			t.Error("connecting again closed the connection")
		}
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		defer s.Close()
		want(t, "no address", s.Connect(task, socket.Addr{}), loop.ErrMisuse)
		six := socket.InetAddr(netip.MustParseAddrPort("[::1]:9"))
		want(t, "another family", s.Connect(task, six), sys.EAFNOSUPPORT)
		if s.Closed() {
			t.Error("an address that cannot be meant closed the socket")
		}
		_, err = socket.ConnectTCP(task, netip.AddrPort{})
		want(t, "the zero address", err, loop.ErrMisuse)
		return nil
	})
}

func TestConnectToItself(t *testing.T) {
	run(t, func(task *loop.Task) error {
		to, s := deadPort(task, t)
		err := s.Connect(task, socket.InetAddr(to))
		if errors.Is(err, sys.ECONNREFUSED) {
			t.Skip("this system does not connect sockets to themselves")
		}
		want(t, "a connection to itself", err, socket.ErrSelfConnect)
		if !s.Closed() {
			t.Error("the socket is open")
		}
		return nil
	})
}

func TestConnectFromLocalAddress(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		defer ln.Close()
		from := loopback(0)
		c, err := socket.ConnectTCP(task, ln.Addr().AddrPort(), socket.WithLocalAddr(from))
		must(t, err)
		defer c.Close()
		s, err := ln.Accept(task)
		must(t, err)
		defer s.Close()
		if c.LocalAddr() != s.RemoteAddr() || c.RemoteAddr() != s.LocalAddr() {
			t.Errorf("%v to %v is seen as %v to %v",
				c.LocalAddr(), c.RemoteAddr(), s.RemoteAddr(), s.LocalAddr())
		}
		if c.LocalAddr().AddrPort().Addr() != from.Addr() {
			t.Errorf("connected from %v, not %v", c.LocalAddr(), from)
		}
		for _, conn := range []*socket.Conn{c, s} {
			on, err := socket.NoDelay.Get(conn.Socket())
			if err != nil || !on {
				t.Errorf("TCP_NODELAY of %v: %v, %v", conn, on, err)
			}
		}
		return nil
	})
}

func TestConnectIsCheckpoint(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		defer ln.Close()
		var c, s *socket.Conn
		must(t, looptest.AssertCheckpoint(task, t, func() (err error) {
			c, err = socket.ConnectTCP(task, ln.Addr().AddrPort())
			return err
		}))
		must(t, looptest.AssertCheckpoint(task, t, func() (err error) {
			s, err = ln.Accept(task)
			return err
		}))
		closeAll(c, s)
		return nil
	})
}

// TestConnectAgainSeqpacket connects a socket of packets that has a connection:
// that is refused, and the connection stays.
func TestConnectAgainSeqpacket(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := unixPair(task, t, sys.SOCK_SEQPACKET)
		defer closeAll(a, b)
		err := a.Connect(task, socket.UnixAddr("/no/such/listener"))
		want(t, "connecting again", err, sys.EISCONN)
		_, err = a.Send(task, []byte("x"), 0)
		want(t, "sending afterwards", err, nil)
		return nil
	})
}

// TestConnectClosed connects sockets that are closed, one that was connected
// and one that never was.
func TestConnectClosed(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		fresh, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		closeAll(a, b, fresh)
		to := socket.InetAddr(loopback(1))
		want(t, "once connected", a.Socket().Connect(task, to), loop.ErrClosed)
		want(t, "never connected", fresh.Connect(task, to), loop.ErrClosed)
		return nil
	})
}
