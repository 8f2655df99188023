package micro

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
)

// BenchmarkDeadline gives an operation that ends at once a deadline of ten seconds: by
// moving the deadline of a scope that is there, by a scope for the operation, and by what
// Go has.
func BenchmarkDeadline(b *testing.B) {
	const limit = 10 * time.Second
	b.Run("lion", func(b *testing.B) {
		inTask(b, func(t *loop.Task) error {
			return loop.Scoped(t, func(s *loop.Scope) error {
				for b.Loop() {
					if err := s.SetTimeout(limit); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
	b.Run("lion, a scope each", func(b *testing.B) {
		inTask(b, func(t *loop.Task) error {
			body := func(*loop.Scope) error { return nil }
			for b.Loop() {
				if err := loop.FailAfter(t, limit, body); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("SetReadDeadline", func(b *testing.B) {
		conn := tcpConn(b)
		b.ReportAllocs()
		for b.Loop() {
			if err := conn.SetReadDeadline(time.Now().Add(limit)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("context", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, cancel := context.WithTimeout(context.Background(), limit)
			cancel()
		}
	})
}

// tcpConn returns a connection over the loopback.
func tcpConn(b *testing.B) net.Conn {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { conn.Close() })
	peer, err := ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { peer.Close() })
	return conn
}
