package socket_test

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

func TestListenAddresses(t *testing.T) {
	run(t, func(task *loop.Task) error {
		for _, text := range []string{
			"localhost:0", "example.org:80", "127.0.0.1", "127.0.0.1:http", ":http", "",
			"127.0.0.1:70000",
		} {
			_, err := socket.ListenTCP(task.Loop(), text)
			want(t, text, err, loop.ErrMisuse)
		}
		_, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0", socket.WithBacklog(0))
		want(t, "no backlog", err, loop.ErrMisuse)
		_, err = socket.ListenTCP(task.Loop(), "203.0.113.1:0") // RFC 5737: nobody's
		want(t, "an address of somebody else", err, sys.EADDRNOTAVAIL)
		return nil
	})
}

// TestListenEverywhere serves both families, and shows IPv4 peers as such.
func TestListenEverywhere(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), ":0")
		must(t, err)
		defer ln.Close()
		port := ln.Addr().AddrPort().Port()
		c, err := socket.ConnectTCP(task, loopback(port))
		must(t, err)
		defer c.Close()
		s, err := ln.Accept(task)
		must(t, err)
		defer s.Close()
		if s.RemoteAddr() != c.LocalAddr() || s.LocalAddr() != c.RemoteAddr() {
			t.Errorf("%v to %v is seen as %v to %v",
				c.LocalAddr(), c.RemoteAddr(), s.RemoteAddr(), s.LocalAddr())
		}
		return nil
	})
}

// TestListenV6Only sees that a listener on IPv6 leaves IPv4 alone.
func TestListenV6Only(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "[::]:0")
		if errors.Is(err, sys.EAFNOSUPPORT) || errors.Is(err, sys.EADDRNOTAVAIL) {
			t.Skipf("this machine has no IPv6: %v", err)
		}
		must(t, err)
		defer ln.Close()
		port := ln.Addr().AddrPort().Port()
		_, err = socket.ConnectTCP(task, loopback(port))
		want(t, "IPv4 to an IPv6 listener", err, sys.ECONNREFUSED)
		c, err := socket.ConnectTCP(task, netip.AddrPortFrom(netip.IPv6Loopback(), port))
		must(t, err)
		defer c.Close()
		s, err := ln.Accept(task)
		must(t, err)
		return s.Close()
	})
}

// TestListenAgain takes a port over from a listener whose connections are
// still dying, but not from one that listens.
func TestListenAgain(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		at := ln.Addr()
		_, err := socket.ListenTCP(task.Loop(), at.String())
		want(t, "a port that is listened on", err, sys.EADDRINUSE)
		c, err := socket.ConnectTCP(task, at.AddrPort())
		must(t, err)
		defer c.Close()
		s, err := ln.Accept(task)
		must(t, err)
		must(t, s.Close()) // this end closes first, so it goes to TIME_WAIT
		receives(task, t, c, "")
		must(t, ln.Close())
		again, err := socket.ListenTCP(task.Loop(), at.String())
		must(t, err)
		return again.Close()
	})
}

func TestAcceptNowait(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		defer ln.Close()
		if _, err := ln.AcceptNowait(); err != loop.ErrWouldBlock {
			t.Errorf("without a client: %v", err)
		}
		const clients = 3
		var all []closer
		for range clients {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			all = append(all, c)
		}
		for range clients {
			s, err := ln.AcceptNowait()
			must(t, err)
			all = append(all, s)
		}
		if _, err := ln.AcceptNowait(); err != loop.ErrWouldBlock {
			t.Errorf("after all have come: %v", err)
		}
		if got := ln.Statistics().Accepted; got != clients {
			t.Errorf("%d connections were counted", got)
		}
		closeAll(all...)
		return nil
	})
}

// TestAcceptNowaitBesideAccept serves each of two clients once, one of them by
// the task that waits.
func TestAcceptNowaitBesideAccept(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		defer ln.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			served := 0
			must(t, n.Spawn(func(task *loop.Task) error {
				s, err := ln.Accept(task)
				served++
				closeAll(s)
				return err
			}))
			settle(task, t)
			var clients []closer
			for range 2 {
				c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
				must(t, err)
				clients = append(clients, c)
			}
			for served < 2 {
				s, err := ln.AcceptNowait()
				if err == nil {
					served++
					closeAll(s)
				} else if err != loop.ErrWouldBlock {
					return err
				}
				must(t, loop.Checkpoint(task))
			}
			closeAll(clients...)
			return nil
		})
	})
}

// TestNoDelayWithoutInheritance makes a listener hand nothing on, as a system
// might: its connections have TCP_NODELAY nevertheless.
func TestNoDelayWithoutInheritance(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		defer ln.Close()
		must(t, socket.NoDelay.Set(ln.Socket(), false))
		for range 2 {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			s, err := ln.Accept(task)
			must(t, err)
			if on, err := socket.NoDelay.Get(s.Socket()); err != nil || !on {
				t.Errorf("TCP_NODELAY of an accepted connection: %v, %v", on, err)
			}
			closeAll(c, s)
		}
		return nil
	})
}

func TestListenerClose(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := ln.Accept(task)
				want(t, "an accept whose listener is closed", err, loop.ErrClosed)
				return nil
			}))
			settle(task, t)
			_, second := ln.Accept(task)
			want(t, "a second accept", second, loop.ErrBusy)
			return ln.Close()
		}))
		must(t, ln.Close())
		_, err := ln.Accept(task)
		want(t, "afterwards", err, loop.ErrClosed)
		if ln.Addr().IsValid() || ln.String() != "listener(closed)" {
			t.Errorf("the address of a closed listener: %v", ln)
		}
		return nil
	})
}

// TestNewListener wraps sockets that others have set up.
func TestNewListener(t *testing.T) {
	run(t, func(task *loop.Task) error {
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		must(t, s.Bind(socket.InetAddr(loopback(0))))
		if _, err := s.GetsockoptInt(sys.SOL_SOCKET, sys.SO_ACCEPTCONN); err == nil {
			_, err = socket.NewListener(s)
			want(t, "a socket that does not listen", err, loop.ErrMisuse)
		}
		must(t, s.Listen(16))
		ln, err := socket.NewListener(s)
		must(t, err)
		defer ln.Close()
		c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		must(t, err)
		defer c.Close()
		a, err := ln.Accept(task)
		must(t, err)
		return a.Close()
	})
}

// wantsLimit skips a test that needs scarce where there is no such thing.
func wantsLimit(tb testing.TB) {
	tb.Helper()
	if _, err := sys.OpenFDs(); err != nil {
		tb.Skipf("this system does not tell what is open: %v", err)
	}
	if _, _, err := sys.MaxFiles(); err != nil {
		tb.Skipf("this system does not limit descriptors: %v", err)
	}
}

// scarce lets the process open just n more descriptors until it is undone. The
// limit is on numbers, so the gaps below the highest one in use are filled.
func scarce(tb testing.TB, n int) (undo func()) {
	tb.Helper()
	fds, err := sys.OpenFDs()
	must(tb, err)
	highest := slices.Max(fds)
	old, err := sys.SetMaxFiles(uint64(highest) + 1)
	must(tb, err)
	var filled []sys.FD
	for {
		fd, err := sys.Dup(highest)
		if err != nil {
			break
		}
		filled = append(filled, fd)
	}
	_, err = sys.SetMaxFiles(uint64(highest) + 1 + uint64(n))
	must(tb, err)
	return func() {
		for _, fd := range filled {
			_ = sys.Close(fd)
		}
		if _, err := sys.SetMaxFiles(old); err != nil {
			tb.Error(err)
		}
	}
}

// TestAcceptExhausted runs out of descriptors: the listener waits, says so
// each time, does not spin, and goes on when there are some again. Nobody in
// its queue is lost.
func TestAcceptExhausted(t *testing.T) {
	wantsLimit(t)
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		defer ln.Close()
		c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		must(t, err)
		defer c.Close()
		undo := scarce(t, 0)
		defer func() { undo() }()
		reported := 0
		ln.OnExhausted(func(err error) {
			reported++
			want(t, "the report", err, sys.EMFILE)
		})
		_, err = ln.AcceptNowait()
		want(t, "accepting without waiting", err, sys.EMFILE)
		start := time.Now()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				s, err := ln.Accept(task)
				closeAll(s)
				return err
			}))
			must(t, loop.Sleep(task, 350*time.Millisecond))
			most := int(time.Since(start)/(100*time.Millisecond)) + 2
			if got := ln.Statistics().Exhausted; reported < 3 || reported > most || got != uint64(reported) {
				t.Errorf("%d reports, %d counted, in %v", reported, got, time.Since(start))
			}
			undo()
			undo = func() {}
			return nil
		})
	})
}

// TestSurvivesDeadClients accepts connections that were reset while they
// waited in the queue: the listener goes on.
func TestSurvivesDeadClients(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		defer ln.Close()
		for range 3 {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			must(t, c.Abort())
		}
		c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		must(t, err)
		defer c.Close()
		for {
			s, err := ln.Accept(task)
			must(t, err)
			peer := s.RemoteAddr()
			must(t, s.Close())
			if peer == c.LocalAddr() {
				return nil
			}
		}
	})
}

// TestDeferAccept wakes the listener with the first bytes.
func TestDeferAccept(t *testing.T) {
	run(t, func(task *loop.Task) error {
		if !socket.DeferAccept.Supported() {
			t.Skip("this system cannot defer accepts")
		}
		ln := listen(task, t, socket.With(socket.DeferAccept, 10*time.Second))
		defer ln.Close()
		c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		must(t, err)
		defer c.Close()
		settle(task, t)
		if _, err := ln.AcceptNowait(); err != loop.ErrWouldBlock {
			t.Errorf("before there is anything to read: %v", err)
		}
		must(t, c.SendAll(task, []byte("hello")))
		s, err := ln.Accept(task)
		must(t, err)
		defer s.Close()
		receives(task, t, s, "hello")
		return nil
	})
}

func TestUnixStreams(t *testing.T) {
	run(t, func(task *loop.Task) error {
		if _, err := socket.ConnectUnix(task, "nobody"); !errors.Is(err, sys.ENOENT) {
			t.Skipf("this system has no unix sockets: %v", err)
		}
		name := t.TempDir() + "/socket"
		ln, err := socket.ListenUnix(task.Loop(), name)
		must(t, err)
		defer ln.Close()
		if got, ok := ln.Addr().Unix(); !ok || got != name {
			t.Errorf("listening on %q, not %q", got, name)
		}
		c, err := socket.ConnectUnix(task, name)
		must(t, err)
		defer c.Close()
		s, err := ln.Accept(task)
		must(t, err)
		defer s.Close()
		must(t, c.SendAll(task, []byte("hello")))
		receives(task, t, s, "hello")
		_, err = socket.ConnectUnix(task, name+"-nobody")
		want(t, "a name that nobody has", err, sys.ENOENT)
		_, err = socket.ListenUnix(task.Loop(), name)
		want(t, "a name that is taken", err, sys.EADDRINUSE)
		_, err = socket.ListenUnix(task.Loop(), string(make([]byte, 300)))
		if err == nil {
			t.Error("an impossible name was taken")
		}
		return nil
	})
}

// TestBadAddress says what is wrong, not only that something is.
func TestBadAddress(t *testing.T) {
	run(t, func(task *loop.Task) error {
		for text, why := range map[string]string{
			"localhost:80":    "a name",
			"127.0.0.1":       "no port",
			"7000":            "a port only",
			"::1:80":          "brackets",
			"fe80::1%eth0:80": "brackets",
			"127.0.0.1:99999": "no such port",
			":-1":             "no such port",
			"127.0.0.1:http":  "not a number",
			":http":           "not a number",
			"127.0.0.1:":      "not a number",
			"":                "no port",
		} {
			_, err := socket.ListenTCP(task.Loop(), text)
			want(t, text, err, loop.ErrMisuse)
			if err != nil && (!strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), strconv.Quote(text))) {
				t.Errorf("%q: %v, nothing of %q", text, err, why)
			}
		}
		_, err := socket.ParseAddr(":0")
		if want(t, ":0", err, loop.ErrMisuse); !strings.Contains(err.Error(), "no host") {
			t.Error(err)
		}
		return nil
	})
}
