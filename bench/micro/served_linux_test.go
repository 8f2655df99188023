package micro

import (
	"net"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// BenchmarkServedRequest serves one request on each of 64 idle connections that have become
// readable together, again and again; least-ns is what a request cost in the best round, which
// is also a figure on a machine that is busy. The rival makes the same system calls and does
// nothing else: what lion takes more is what its server costs.
func BenchmarkServedRequest(b *testing.B) {
	b.Run("lion", servedByLion)
	b.Run("system calls", servedByCalls)
}

// crowd is the clients, which send and receive while the clock stands still.
type crowd struct {
	conns []net.Conn
	total time.Duration
	least time.Duration
}

func newCrowd(b *testing.B, at string) *crowd {
	c := &crowd{least: time.Hour}
	for range together {
		conn, err := net.Dial("tcp", at)
		if err != nil {
			b.Fatal(err)
		}
		c.conns = append(c.conns, conn)
	}
	return c
}

func (c *crowd) close() {
	for _, conn := range c.conns {
		conn.Close()
	}
}

// round sends a request on each connection, has them served, and takes the answers.
func (c *crowd) round(b *testing.B, serve func() error) {
	for _, conn := range c.conns {
		if _, err := conn.Write([]byte(request)); err != nil {
			b.Fatal(err)
		}
	}
	began := time.Now()
	err := serve()
	took := time.Since(began)
	c.total += took
	c.least = min(c.least, took/together)
	if err != nil {
		b.Fatal(err)
	}
	var answer [2 * len(request)]byte
	for _, conn := range c.conns {
		if _, err := conn.Read(answer[:]); err != nil {
			b.Fatal(err)
		}
	}
}

// rounds makes b.N requests. The timer of the benchmark would look at the heap at each round,
// and disturb what is measured.
func (c *crowd) rounds(b *testing.B, serve func() error) {
	for n := 0; n < b.N; n += together {
		c.round(b, serve)
	}
	b.ReportMetric(float64(c.total.Nanoseconds())/float64(b.N), "ns/op")
	b.ReportMetric(float64(c.least.Nanoseconds()), "least-ns")
}

func servedByLion(b *testing.B) {
	err := loop.Run(func(t *loop.Task) error {
		var all loop.ParkingLot
		answered := 0
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		server, err := socket.NewServer(ln, func(t *loop.Task, c stream.Stream) error {
			buf := t.Buffer()
			n, err := c.Receive(t, buf)
			if err != nil || n == 0 {
				return err
			}
			if err := c.SendAll(t, buf[:n]); err != nil {
				return err
			}
			if answered++; answered%together == 0 {
				all.UnparkOne()
			}
			return socket.GoIdle
		})
		if err != nil {
			return err
		}
		return loop.Nurse(t, func(n *loop.Nursery) error {
			n.Spawn(server.Serve)
			clients := newCrowd(b, ln.Addr().String())
			clients.rounds(b, func() error { return all.Park(t, "answers") })
			clients.close()
			server.Stop()
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func servedByCalls(b *testing.B) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	clients := newCrowd(b, ln.Addr().String())
	defer clients.close()
	poller, err := sys.NewPoller()
	if err != nil {
		b.Fatal(err)
	}
	defer poller.Close()
	for range clients.conns {
		conn, err := ln.Accept()
		if err != nil {
			b.Fatal(err)
		}
		defer conn.Close()
		file, err := conn.(*net.TCPConn).File()
		if err != nil {
			b.Fatal(err)
		}
		defer file.Close()
		if err := poller.Arm(sys.FD(file.Fd()), uint64(file.Fd()), sys.Readable); err != nil {
			b.Fatal(err)
		}
	}
	events := make([]sys.Event, together)
	var buf [4096]byte
	clients.rounds(b, func() error {
		for answered := 0; answered < together; {
			found, err := poller.Wait(events, 0)
			if err != nil {
				return err
			}
			for _, e := range events[:found] {
				n, err := sys.Recv(sys.FD(e.Key), buf[:], 0)
				if err == nil && n > 0 {
					_, err = sys.Send(sys.FD(e.Key), buf[:n], 0)
				}
				if err != nil {
					return err
				}
				answered++
			}
		}
		return nil
	})
}
