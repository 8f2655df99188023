package eyeballs_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Torture (reliability 93): races in which every call of the kernel is made to
// fail, in a build with the tag faults; without it each runs once.

// greeting is what the server of a race says first.
const greeting = "hello"

// torture has everything go wrong in a race to two addresses, of which nobody
// listens at the first. dial runs it and receives what the winner is sent.
func torture(
	t *testing.T, opts []socket.ServeOption,
	dial func(t *loop.Task, dead, live netip.AddrPort) (stream.Stream, error),
) {
	t.Helper()
	t.Log(looptest.Config{Limit: time.Minute}.EachFault(t, func(task *loop.Task) error {
		return loop.FailAfter(task, time.Hour, func(*loop.Scope) error {
			return raced(task, t, opts, dial)
		})
	}))
}

func raced(
	task *loop.Task, t *testing.T, opts []socket.ServeOption,
	dial func(t *loop.Task, dead, live netip.AddrPort) (stream.Stream, error),
) error {
	ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
	if err != nil {
		return err
	}
	deaf, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	defer deaf.Close()
	if err := deaf.Bind(socket.InetAddr(netip.MustParseAddrPort("127.0.0.1:0"))); err != nil {
		return errors.Join(err, ln.Close())
	}
	dead, err := deaf.Name()
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	greet := func(t *loop.Task, s stream.Stream) error { return s.SendAll(t, []byte(greeting)) }
	opts = append([]socket.ServeOption{socket.StartAtAccept(), socket.WithGrace(time.Minute),
		socket.OnError(func(*socket.Conn, error) {})}, opts...)
	server, err := socket.NewServer(ln, greet, opts...)
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	return loop.Nurse(task, func(n *loop.Nursery) error {
		if err := n.Spawn(server.Serve); err != nil {
			return err
		}
		defer server.Stop()
		c, err := dial(task, dead.AddrPort(), ln.Addr().AddrPort())
		if err != nil {
			return err
		}
		defer c.Close()
		text := make([]byte, len(greeting))
		got, err := stream.ReceiveExactly(task, c, text)
		if string(text[:got]) != greeting[:got] {
			t.Errorf("received %q", text[:got])
		}
		return err
	})
}

func TestFaultsConnect(t *testing.T) {
	torture(t, nil, func(t *loop.Task, dead, live netip.AddrPort) (stream.Stream, error) {
		c, err := eyeballs.Connect(t, []netip.AddrPort{dead, live})
		if err != nil {
			return nil, err // not a stream that holds nil
		}
		return c, nil
	})
}

// lateAnswer resolves to the dead address, and later to the living one.
func lateAnswer(dead, live netip.AddrPort) socket.Resolve {
	return func(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
		deliver(socket.Answer{Family: sys.AF_INET6, Err: errors.ErrUnsupported})
		if err := loop.Sleep(t, 10*time.Millisecond); err != nil {
			return err
		}
		deliver(socket.Answer{Family: sys.AF_INET, Addrs: []netip.AddrPort{dead, live}})
		return loop.Checkpoint(t)
	}
}

func TestFaultsDial(t *testing.T) {
	torture(t, nil, func(t *loop.Task, dead, live netip.AddrPort) (stream.Stream, error) {
		c, err := eyeballs.Dial(t, lateAnswer(dead, live), "www.example.org:80")
		if err != nil {
			return nil, err // likewise
		}
		return c, nil
	})
}

func TestFaultsDialTLS(t *testing.T) {
	server, client := identity(t)
	torture(t, []socket.ServeOption{socket.WithTLS(server)}, func(t *loop.Task, dead, live netip.AddrPort) (stream.Stream, error) {
		c, err := eyeballs.DialTLS(t, lateAnswer(dead, live), "example.com:443", client.Clone())
		if err != nil {
			return nil, err // likewise
		}
		return c, nil
	})
}
