package socket_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// lateStream is a transport that still writes into the buffer of a receive
// after it was closed, as a call of the system on another thread would.
type lateStream struct {
	stream.Stream
	lot    loop.ParkingLot
	buffer []byte
}

func (s *lateStream) Receive(t *loop.Task, b []byte) (int, error) {
	s.buffer = b
	return 0, errors.Join(s.lot.Park(t, "test"), loop.ErrClosed)
}

func (s *lateStream) Close() error {
	s.lot.UnparkAll()
	return s.Stream.Close()
}

// A buffer that the transport receives into is lent to nobody else when the
// connection is closed meanwhile.
func TestTLSCloseWhileReceiving(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(0)
		late := &lateStream{Stream: a}
		c, err := socket.TLSClient(late, authority().client)
		must(t, err)
		defer closeAll(b)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				want(t, "handshake", c.Handshake(task), loop.ErrClosed)
				return nil
			}))
			settle(task, t)
			must(t, c.Close())
			for range 100 { // per processor there is one that is lent first
				if lent := socket.LendTLSBuffer(); &lent[0] == &late.buffer[0] {
					t.Fatal("the buffer was lent to somebody else")
				}
			}
			return nil
		})
	})
}

// What came in one record is received by one call, also by a handler that was
// called because the server had looked for it.
func TestServeTLSWholeRecord(t *testing.T) {
	var sizes []int
	record := func(t *loop.Task, c stream.Stream) error {
		n, err := c.Receive(t, t.Buffer())
		if err != nil || n == 0 {
			return err
		}
		sizes = append(sizes, n)
		if err := c.SendAll(t, t.Buffer()[:n]); err != nil {
			return err
		}
		return socket.GoIdle
	}
	run(t, func(task *loop.Task) error {
		return serving(task, t, record, func(s *socket.Server) error {
			c := dialTLS(task, t, s)
			defer c.Close()
			for range 3 {
				must(t, c.SendAll(task, []byte("hello")))
				receives(task, t, c, "hello")
			}
			for _, n := range sizes {
				if n != 5 {
					t.Errorf("received in pieces: %v", sizes)
				}
			}
			return nil
		}, withTLS())
	})
}

// TestTLSIdleMemory measures what a connection holds that a TLS server has
// idle: the growth of the heap. The clients keep their descriptors only.
func TestTLSIdleMemory(t *testing.T) {
	const clients, request, most = 200, 200, 16 << 10
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			var all []*socket.Conn
			connect := func(n int) {
				for range n {
					conn := dial(task, t, s)
					c, err := socket.TLSClient(conn, authority().client)
					must(t, err)
					must(t, c.SendAll(task, make([]byte, request)))
					_, err = c.Receive(task, make([]byte, request))
					must(t, err)
					all = append(all, conn)
				}
				until(task, t, func() bool { return s.Statistics().Idle == len(all) })
			}
			connect(20) // pools and tables
			before := heap()
			connect(clients)
			each := (int64(heap()) - int64(before)) / clients
			t.Logf("an idle TLS connection holds %d bytes", each)
			if each > most {
				t.Errorf("an idle TLS connection holds %d bytes, and may hold %d", each, most)
			}
			for _, c := range all {
				must(t, c.Abort())
			}
			return nil
		}, withTLS(), socket.OnError(func(*socket.Conn, error) {}))
	})
}
