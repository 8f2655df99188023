package socket_test

import (
	"crypto/tls"
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// An echo server, and a client of it. Between two messages a connection holds
// neither a task nor a buffer.
func ExampleServe() {
	echo := func(t *loop.Task, c stream.Stream) error {
		buf := t.Buffer()
		n, err := c.Receive(t, buf)
		if err != nil || n == 0 { // 0: the peer is done sending
			return err
		}
		if err := c.SendAll(t, buf[:n]); err != nil {
			return err
		}
		return socket.GoIdle
	}
	err := loop.Run(func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		to := ln.Addr().AddrPort()
		server, err := socket.NewServer(ln, echo)
		if err != nil {
			return err
		}
		return loop.Nurse(t, func(n *loop.Nursery) error {
			if err := n.Spawn(server.Serve); err != nil {
				return err
			}
			defer server.Stop()
			c, err := socket.ConnectTCP(t, to)
			if err != nil {
				return err
			}
			defer c.Close()
			if err := c.SendAll(t, []byte("hello")); err != nil {
				return err
			}
			n2, err := c.Receive(t, t.Buffer())
			fmt.Printf("%s\n", t.Buffer()[:n2])
			return err
		})
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}

// Datagrams carry their addresses; nothing is allocated for them.
func ExampleSocket_RecvFrom() {
	err := loop.Run(func(t *loop.Task) error {
		at, err := socket.ParseAddr("127.0.0.1:0")
		if err != nil {
			return err
		}
		s, err := socket.New(t.Loop(), at.Family(), sys.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer s.Close()
		if err := s.Bind(at); err != nil {
			return err
		}
		own, err := s.Name()
		if err != nil {
			return err
		}
		if _, err := s.SendTo(t, []byte("to myself"), 0, own); err != nil {
			return err
		}
		n, from, err := s.RecvFrom(t, t.Buffer(), 0)
		fmt.Printf("%s, from myself: %v\n", t.Buffer()[:n], from == own)
		return err
	})
	fmt.Println(err)
	// Output:
	// to myself, from myself: true
	// <nil>
}

// A server that speaks TLS differs by one option. Its handlers may go idle as
// without it.
func ExampleWithTLS() {
	config := &tls.Config{} // Certificates, as crypto/tls has them
	err := loop.Run(func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		return socket.Serve(t, ln, func(t *loop.Task, c stream.Stream) error {
			state, err := c.(*socket.TLSConn).ConnectionState()
			if err != nil {
				return err
			}
			return c.SendAll(t, []byte("you speak "+tls.VersionName(state.Version)))
		}, socket.WithTLS(config))
	})
	fmt.Println(err)
	// Output: loop: misuse: a TLS server without a certificate
}
