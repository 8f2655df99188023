package micro

import (
	"context"
	"net"
	"testing"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
)

// BenchmarkDial connects to one live address over loopback, and resets the connection, so
// that no port waits in TIME_WAIT. The listener accepts in a goroutine and costs both the
// same.
func BenchmarkDial(b *testing.B) {
	address := acceptAll(b)
	b.Run("lion", func(b *testing.B) {
		inTask(b, func(t *loop.Task) error {
			for b.Loop() {
				conn, err := eyeballs.Dial(t, nil, address)
				if err != nil {
					return err
				}
				if err := conn.Abort(); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("net", func(b *testing.B) {
		b.ReportAllocs()
		var dialer net.Dialer
		for b.Loop() {
			conn, err := dialer.DialContext(context.Background(), "tcp", address)
			if err != nil {
				b.Fatal(err)
			}
			if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
				b.Fatal(err)
			}
			_ = conn.Close()
		}
	})
}

// acceptAll accepts connections, and drops them, until the benchmark is over. It returns the
// address.
func acceptAll(b *testing.B) string {
	b.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // the listener was closed
			}
			_ = conn.Close()
		}
	}()
	b.Cleanup(func() { _ = ln.Close(); <-done })
	return ln.Addr().String()
}
