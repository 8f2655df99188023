package socket_test

import (
	"crypto/tls"
	"errors"
	"io"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// How TLS connections end, in good order and otherwise.

// S395: a graceful end of both directions.
func TestTLSGracefulEnd(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := tlsPair(task, t)
		defer closeAll(a, b)
		must(t, a.SendEOF(task))
		must(t, a.SendEOF(task))
		receives(task, t, b, "")
		must(t, b.SendAll(task, []byte("late")))
		must(t, b.SendEOF(task))
		receives(task, t, a, "late")
		receives(task, t, a, "")
		want(t, "send after the end", a.SendAll(task, []byte("x")), loop.ErrClosed)
		must(t, a.Close())
		must(t, b.Close())
		_, err := a.Receive(task, make([]byte, 1))
		want(t, "receive", err, loop.ErrClosed)
		want(t, "send", b.SendAll(task, []byte("x")), loop.ErrClosed)
		want(t, "handshake", a.Handshake(task), loop.ErrClosed)
		return nil
	})
}

// S395: a close before the handshake is a plain end for the peer, and breaks
// its handshake.
func TestTLSCloseBeforeHandshake(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		client, server := overTLS(t, a, b)
		must(t, client.Close())
		if !a.Closed() {
			t.Error("the transport is open")
		}
		want(t, "handshake", server.Handshake(task), loop.ErrBroken)
		return server.Close()
	})
}

// S396: an end without a close_notify is an error, unless it was allowed; and
// in the middle of a record it is one always.
func TestTLSTruncation(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := tlsPair(task, t)
		must(t, a.SendAll(task, []byte("x")))
		must(t, a.Transport().Close())
		must(t, a.Close())
		receives(task, t, b, "x")
		for range 2 {
			_, err := b.Receive(task, make([]byte, 1))
			want(t, "strict", err, loop.ErrBroken)
			want(t, "strict", err, io.ErrUnexpectedEOF)
		}
		must(t, b.Close())

		a, b = tlsPair(task, t, socket.TLSAllowTruncation())
		must(t, a.Transport().Close())
		must(t, a.Close())
		receives(task, t, b, "")
		must(t, b.Close())

		ta, tb := pair(task, t)
		client, server := overTLS(t, ta, tb, socket.TLSAllowTruncation())
		shake(task, t, client, server)
		must(t, ta.SendAll(task, []byte{23, 3, 3, 0, 100, 1, 2, 3}))
		must(t, ta.Close())
		_, err := server.Receive(task, make([]byte, 1))
		want(t, "half a record", err, loop.ErrBroken)
		return server.Close()
	})
}

// S397: once the transport has failed everything says so, and the transport is
// closed once.
func TestTLSBrokenTransport(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := tlsPair(task, t)
		must(t, b.Transport().(*socket.Conn).Abort())
		var err error
		for err == nil {
			err = a.SendAll(task, make([]byte, 1<<16))
		}
		want(t, "send", err, loop.ErrBroken)
		want(t, "send again", a.SendAll(task, []byte("x")), loop.ErrBroken)
		_, err = a.Receive(task, make([]byte, 1))
		want(t, "receive", err, loop.ErrBroken)
		want(t, "end", a.SendEOF(task), loop.ErrBroken)
		must(t, a.Close())
		must(t, a.Close())
		return b.Close()
	})
}

// S399: a cancelled handshake breaks the connection, for those who wait for
// it too, and it can be closed.
func TestTLSCancelledHandshake(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		client, server := overTLS(t, a, b)
		defer closeAll(client, server)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			scope, err := loop.NewScope(task.Loop())
			must(t, err)
			must(t, n.Spawn(func(task *loop.Task) error {
				return loop.Enter(task, scope, func(*loop.Scope) error {
					err := client.Handshake(task)
					want(t, "handshake", err, loop.Cancelled)
					return err
				})
			}))
			settle(task, t)
			must(t, n.Spawn(func(task *loop.Task) error {
				want(t, "who waited", client.SendAll(task, []byte("x")), loop.ErrBroken)
				return nil
			}))
			settle(task, t)
			must(t, scope.Cancel("test"))
			settle(task, t)
			want(t, "later", client.Handshake(task), loop.ErrBroken)
			return nil
		})
	})
}

// A panic in a callback of the configuration does not leave others waiting.
func TestTLSCallbackPanics(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		client, err := socket.TLSClient(a, authority().client)
		must(t, err)
		server, err := socket.TLSServer(b, &tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { panic("boom") },
		})
		must(t, err)
		defer closeAll(client, server)
		err = loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(client.Handshake))
			must(t, n.Spawn(server.Handshake))
			return nil
		})
		var panicked *loop.PanicError
		if !errors.As(err, &panicked) {
			t.Errorf("no panic in %v", err)
		}
		want(t, "later", server.Handshake(task), loop.ErrBroken)
		return nil
	})
}
