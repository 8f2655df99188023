package socket_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// An echo server for datagrams, and a client.
func ExampleListenUDP() {
	err := loop.Run(func(t *loop.Task) error {
		server, err := socket.ListenUDP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer server.Close()
		name, err := server.Name()
		if err != nil {
			return err
		}
		client, err := socket.ConnectUDP(t, name.AddrPort())
		if err != nil {
			return err
		}
		defer client.Close()
		if _, err := client.Send(t, []byte("roar"), 0); err != nil {
			return err
		}
		b := make([]byte, 1500)
		n, from, err := server.RecvFrom(t, b, 0)
		if err != nil {
			return err
		}
		if _, err := server.SendTo(t, b[:n], 0, from); err != nil {
			return err
		}
		n, err = client.Recv(t, b, 0)
		fmt.Printf("%s\n", b[:n])
		return err
	})
	fmt.Println(err)
	// Output:
	// roar
	// <nil>
}

func datagramPort(tb testing.TB, s *socket.Socket) uint16 {
	tb.Helper()
	name, err := s.Name()
	must(tb, err)
	return name.AddrPort().Port()
}

// TestListenUDPEverywhere hears from both families at one port, which nobody
// else can take.
func TestListenUDPEverywhere(t *testing.T) {
	run(t, func(task *loop.Task) error {
		s, err := socket.ListenUDP(task.Loop(), ":0")
		must(t, err)
		defer s.Close()
		port := datagramPort(t, s)
		from := []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		if s.Family() == sys.AF_INET6 {
			from = append(from, netip.IPv6Loopback())
		}
		for _, host := range from {
			c, err := socket.ConnectUDP(task, netip.AddrPortFrom(host, port))
			must(t, err)
			_, err = c.Send(task, []byte(host.String()), 0)
			must(t, err)
			b := make([]byte, 100)
			n, peer, err := s.RecvFrom(task, b, 0)
			must(t, err)
			if got := string(b[:n]); got != host.String() || peer.AddrPort().Addr().Unmap() != host {
				t.Errorf("%q from %v, not from %v", got, peer, host)
			}
			must(t, c.Close())
		}
		_, err = socket.ListenUDP(task.Loop(), fmt.Sprint(":", port))
		want(t, "the port again", err, sys.EADDRINUSE)
		return nil
	})
}

// TestUDPRefused: what cannot be meant is refused, and leaves nothing behind.
func TestUDPRefused(t *testing.T) {
	run(t, func(task *loop.Task) error {
		l := task.Loop()
		to := loopback(9)
		_, err := socket.ListenUDP(l, "localhost:0")
		want(t, "a name", err, loop.ErrMisuse)
		_, err = socket.ListenUDP(l, "127.0.0.1:0", socket.WithBacklog(5))
		want(t, "a backlog", err, loop.ErrMisuse)
		_, err = socket.ListenUDP(l, "127.0.0.1:0", socket.WithLocalAddr(to))
		want(t, "a second address", err, loop.ErrMisuse)
		_, err = socket.ConnectUDP(task, netip.AddrPort{})
		want(t, "no address", err, loop.ErrMisuse)
		_, err = socket.ConnectUDP(task, to, socket.WithBacklog(5))
		want(t, "a backlog", err, loop.ErrMisuse)
		_, err = socket.ConnectUDP(task, to, socket.WithLocalAddr(netip.MustParseAddrPort("[::1]:0")))
		want(t, "a local address of another family", err, sys.EAFNOSUPPORT)

		s, err := socket.ConnectUDP(task, to, socket.WithLocalAddr(loopback(0)),
			socket.With(socket.ReceiveBuffer, 1<<16))
		must(t, err)
		defer s.Close()
		if name, err := s.Name(); err != nil || name.AddrPort().Addr() != to.Addr() {
			t.Errorf("bound to %v, %v", name, err)
		}
		return nil
	})
}
