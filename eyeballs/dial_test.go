package eyeballs_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Real sockets over loopback: what the tests with a fake world can not see.

// serve runs fn with the address of a listener that accepts and sends a byte.
func serve(t *testing.T, fn func(task *loop.Task, at netip.AddrPort) error, opts ...loop.Option) {
	t.Helper()
	looptest.Run(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				return socket.Serve(task, ln, func(task *loop.Task, c stream.Stream) error {
					return c.SendAll(task, []byte("!"))
				}, socket.StartAtAccept(), socket.WithGrace(0))
			})
			if err := fn(task, ln.Addr().AddrPort()); err != nil {
				return err
			}
			return n.Cancel("done")
		})
	}, opts...)
}

// static answers every name with these addresses.
func static(addrs ...netip.AddrPort) socket.Resolve {
	return func(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
		for _, addr := range addrs {
			family := socket.InetAddr(addr).Family()
			deliver(socket.Answer{Family: family, Addrs: []netip.AddrPort{addr}})
		}
		return loop.Checkpoint(t)
	}
}

// refused is an address at which nobody listens.
func refused(t *testing.T, l *loop.Loop) netip.AddrPort {
	t.Helper()
	ln, err := socket.ListenTCP(l, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().AddrPort()
}

func TestDialByName(t *testing.T) {
	serve(t, func(task *loop.Task, at netip.AddrPort) error {
		var tr eyeballs.Trace
		conn, err := eyeballs.Dial(task, static(refused(t, task.Loop()), at), "example.com:80",
			eyeballs.WithTrace(&tr))
		if err != nil {
			return err
		}
		defer conn.Close()
		if conn.RemoteAddr().AddrPort() != at || tr.Winner < 0 || tr.Attempts[tr.Winner].Addr != at {
			t.Errorf("connected to %v, want %v; trace:\n%v", conn, at, &tr)
		}
		n, err := conn.Receive(task, make([]byte, 1))
		if n != 1 {
			t.Errorf("received %d bytes, %v", n, err)
		}
		return nil
	})
}

// Scenario S332: attempts leave from the address they are told to.
func TestS332LocalAddress(t *testing.T) {
	serve(t, func(task *loop.Task, at netip.AddrPort) error {
		for _, c := range []struct{ local, want string }{
			{"127.0.0.1", "127.0.0.1"}, {"0.0.0.0", "127.0.0.1"}, {"::", ""},
		} {
			conn, err := eyeballs.Connect(task, []netip.AddrPort{at},
				eyeballs.WithLocalAddrs(netip.MustParseAddr(c.local)))
			if c.want == "" {
				var failed *eyeballs.AttemptError
				if !errors.Is(err, eyeballs.ErrNoLocalAddress) || !errors.As(err, &failed) ||
					failed.Attempt.Stage != eyeballs.StageBind {
					t.Errorf("from %s: %v", c.local, err)
				}
				continue
			}
			if err != nil {
				return err
			}
			if own := conn.LocalAddr().AddrPort().Addr().String(); own != c.want {
				t.Errorf("bound to %s it leaves from %s", c.local, own)
			}
			_ = conn.Close()
		}
		return nil
	})
}

// A handshake over the real connection is a part of the race, and one that
// fails leads to the next address.
func TestHandshakeOverTheConnection(t *testing.T) {
	serve(t, func(task *loop.Task, at netip.AddrPort) error {
		tries := 0
		shake := func(t *loop.Task, c *socket.Conn) error {
			if tries++; tries == 1 {
				return errors.New("not this one")
			}
			_, err := c.Receive(t, make([]byte, 1))
			return err
		}
		mapped := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.2"), at.Port())
		conn, err := eyeballs.Connect(task, []netip.AddrPort{at, at, mapped},
			eyeballs.WithHandshake(shake))
		if tries != 2 && err == nil {
			t.Errorf("%d handshakes", tries)
		}
		if err == nil {
			_ = conn.Close()
		} else if !strings.Contains(err.Error(), "handshake: not this one") {
			t.Errorf("the error is %v", err)
		}
		return nil
	})
}

// Scenario S409 with real sockets: cancelled at every moment it leaves nothing.
func TestCancelEverywhereWithRealSockets(t *testing.T) {
	moments := looptest.CancelEverywhere(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		conn, err := eyeballs.Dial(task, static(refused(t, task.Loop()), ln.Addr().AddrPort()),
			"example.com:80")
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if moments == 0 {
		t.Error("it was never cancelled")
	}
}

// Scenario S317: a handshake that panics closes what was connected.
func TestS317PanicInTheHandshake(t *testing.T) {
	serve(t, func(task *loop.Task, at netip.AddrPort) error {
		conn, err := eyeballs.Connect(task, []netip.AddrPort{at},
			eyeballs.WithHandshake(func(*loop.Task, *socket.Conn) error { panic("at the wrong time") }))
		var panicked *loop.PanicError
		if conn != nil || !errors.As(err, &panicked) || panicked.Value != "at the wrong time" {
			t.Errorf("%v, %v", conn, err)
		}
		return nil
	})
}

// Scenario S333 and S335: what can not mean anything is refused before a lookup.
func TestS333Arguments(t *testing.T) {
	never := func(*loop.Task, socket.Query, func(socket.Answer)) error {
		t.Error("a name was looked up")
		return nil
	}
	looptest.Run(t, func(task *loop.Task) error {
		for _, address := range []string{"", "example.com", ":80", "example.com:", "::1:80",
			"[::1]", "example.com:65536", "example.com:-1"} {
			conn, err := eyeballs.Dial(task, never, address)
			prefix := fmt.Sprintf("eyeballs: connect %q: ", address)
			if !errors.Is(err, loop.ErrMisuse) || !strings.HasPrefix(err.Error(), prefix) {
				t.Errorf("%q: %v, %v", address, conn, err)
			}
		}
		if _, err := eyeballs.Dial(task, nil, "example.com:80"); !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("without a resolver: %v", err)
		}
		if _, err := eyeballs.Connect(task, make([]netip.AddrPort, 1)); !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("to no address: %v", err)
		}
		return nil
	})
}

// Scenario E74: a zone that this host does not have fails before a socket is
// made.
func TestE74UnknownZone(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		_, err := eyeballs.Dial(task, nil, "[fe80::1%nowhere9]:80")
		var failed *eyeballs.AttemptError
		if !errors.As(err, &failed) || failed.Attempt.Stage != eyeballs.StageSocket ||
			!strings.Contains(err.Error(), "nowhere9") {
			t.Errorf("the error is %v", err)
		}
		return nil
	})
}

// Dial is a checkpoint, with literals as well.
func TestDialIsACheckpoint(t *testing.T) {
	serve(t, func(task *loop.Task, at netip.AddrPort) error {
		return looptest.AssertCheckpoint(task, t, func() error {
			conn, err := eyeballs.Dial(task, nil, at.String())
			if err != nil {
				return err
			}
			return conn.Close()
		})
	})
}

// A refused connection of a literal is told with its errno and address.
func TestRefused(t *testing.T) {
	looptest.Config{Limit: 2 * looptest.Patience}.Run(t, func(task *loop.Task) error {
		at := refused(t, task.Loop())
		_, err := eyeballs.Dial(task, nil, at.String())
		if !errors.Is(err, sys.ECONNREFUSED) || !strings.Contains(err.Error(), at.String()) {
			t.Errorf("the error is %v", err)
		}
		return nil
	})
}
