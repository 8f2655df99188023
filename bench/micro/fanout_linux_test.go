package micro

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// Fan-out: one message of 64 bytes goes to each of a thousand connections, in
// bursts, the next burst when the kernel has taken the last one. The client is a
// process of its own, on the system calls, the same for all. An operation is one
// message to all; run it in pairs:
//
//	go run ./bench/paired -bench FanOut8 -of write,buffers,lion -count 400x
//
// write is one write per message and connection; buffers is a goroutine per
// connection that sends all that is queued by net.Buffers; lion is
// stream.Writer.

const (
	fanConns = 1000
	fanSize  = 64
)

// watch connects and receives until all bytes have come, then says so with a
// byte on the first connection.
func watch(work []string) error {
	to, err := netip.ParseAddrPort(work[0])
	if err != nil {
		return err
	}
	total, _ := strconv.Atoi(work[1])
	epoll, err := unix.EpollCreate1(0)
	if err != nil {
		return err
	}
	first := -1
	for range fanConns {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		err = unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()})
		if err != nil {
			return err
		}
		event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &event); err != nil {
			return err
		}
		if first < 0 {
			first = fd
		}
	}
	if err := collect(epoll, total); err != nil {
		return err
	}
	_, err = unix.Write(first, []byte{1})
	return err
}

func collect(epoll, total int) error {
	events := make([]unix.EpollEvent, 256)
	room := make([]byte, 64<<10)
	for total > 0 {
		n, err := unix.EpollWait(epoll, events, -1)
		if err != nil && err != unix.EINTR {
			return err
		}
		for _, e := range events[:max(n, 0)] {
			got, err := unix.Read(int(e.Fd), room)
			if err != nil || got == 0 {
				return fmt.Errorf("%d bytes missing: %w", total, err)
			}
			total -= got
		}
	}
	return nil
}

// audience starts the client of a server at an address.
func audience(b *testing.B, at string) (wait func()) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=fan %s %d", clientVariable, at, b.N*fanConns*fanSize))
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	return func() {
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	}
}

// account has what was used since it was called reported per delivery.
func account(b *testing.B) (report func()) {
	runtime.GC()
	b.ResetTimer()
	before := processorTime(b)
	return func() {
		b.StopTimer()
		used := processorTime(b) - before
		deliveries := float64(b.N) * fanConns
		b.ReportMetric(float64(used.Nanoseconds())/deliveries, "cpu-ns/delivery")
		b.ReportMetric(deliveries/b.Elapsed().Seconds(), "deliveries/s")
	}
}

func BenchmarkFanOut1(b *testing.B)  { fanOut(b, 1) }
func BenchmarkFanOut8(b *testing.B)  { fanOut(b, 8) }
func BenchmarkFanOut32(b *testing.B) { fanOut(b, 32) }

func fanOut(b *testing.B, burst int) {
	b.Run("write", func(b *testing.B) { fanOverNet(b, burst, writeEach) })
	b.Run("buffers", func(b *testing.B) { fanOverNet(b, burst, writeQueued) })
	b.Run("lion", func(b *testing.B) { fanOverLion(b, burst) })
}

// bursts calls publish until b.N messages have been published.
func bursts(b *testing.B, burst int, publish func(n int) error) error {
	for left := b.N; left > 0; left -= min(burst, left) {
		if err := publish(min(burst, left)); err != nil {
			return err
		}
	}
	return nil
}

// publisher makes what sends a burst of n messages to all.
type publisher func(b *testing.B, conns []net.Conn) (publish func(n int) error, stop func())

func fanOverNet(b *testing.B, burst int, how publisher) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer ln.Close()
	defer audience(b, ln.Addr().String())()
	conns := make([]net.Conn, fanConns)
	for i := range conns {
		if conns[i], err = ln.Accept(); err != nil {
			b.Fatal(err)
		}
		defer conns[i].Close()
	}
	publish, stop := how(b, conns)
	defer stop()
	report := account(b)
	if err := bursts(b, burst, publish); err != nil {
		b.Fatal(err)
	}
	if _, err := conns[0].Read(make([]byte, 1)); err != nil {
		b.Fatal(err)
	}
	report()
}

// writeEach writes every message to every connection.
func writeEach(b *testing.B, conns []net.Conn) (func(n int) error, func()) {
	message := make([]byte, fanSize)
	return func(n int) error {
		for range n {
			for _, c := range conns {
				if _, err := c.Write(message); err != nil {
					return err
				}
			}
		}
		return nil
	}, func() {}
}

// writeQueued has a goroutine per connection that takes all that is queued.
func writeQueued(b *testing.B, conns []net.Conn) (func(n int) error, func()) {
	message := make([]byte, fanSize)
	var sent sync.WaitGroup
	queues := make([]chan []byte, len(conns))
	for i, c := range conns {
		queues[i] = make(chan []byte, stream.DefaultQueuedMessages)
		go drain(b, c, queues[i], &sent)
	}
	return func(n int) error {
			sent.Add(n * len(conns))
			for range n {
				for _, q := range queues {
					q <- message
				}
			}
			sent.Wait()
			return nil
		}, func() {
			for _, q := range queues {
				close(q)
			}
		}
}

func drain(b *testing.B, c net.Conn, queue <-chan []byte, sent *sync.WaitGroup) {
	room := make([][]byte, 0, stream.DefaultQueuedMessages)
	for message := range queue {
		batch := append(room[:0], message)
		for more := true; more && len(batch) < cap(batch); {
			select {
			case message, more = <-queue:
				if more {
					batch = append(batch, message)
				}
			default:
				more = false
			}
		}
		n := len(batch)
		buffers := net.Buffers(batch)
		if _, err := buffers.WriteTo(c); err != nil {
			b.Error(err)
		}
		sent.Add(-n)
	}
}

func fanOverLion(b *testing.B, burst int) {
	err := loop.Run(func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		defer audience(b, ln.Addr().String())()
		conns := make([]*socket.Conn, fanConns)
		for i := range conns {
			if conns[i], err = ln.Accept(t); err != nil {
				return err
			}
			defer conns[i].Close()
		}
		return loop.Nurse(t, func(n *loop.Nursery) error {
			writers := make([]*stream.Writer, len(conns))
			for i, c := range conns {
				if writers[i], err = stream.NewWriter(n, c); err != nil {
					return err
				}
			}
			return fanWriters(t, b, burst, writers, conns[0])
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func fanWriters(
	t *loop.Task, b *testing.B, burst int, writers []*stream.Writer, first *socket.Conn,
) error {
	message := make([]byte, fanSize)
	report := account(b)
	err := bursts(b, burst, func(n int) error {
		for range n {
			for _, w := range writers {
				if err := w.Put(message); err != nil {
					return err
				}
			}
		}
		for _, w := range writers {
			if err := w.Flush(t); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := first.Receive(t, make([]byte, 1)); err != nil {
		return err
	}
	report()
	return nil
}

// BenchmarkFanOutStuck puts messages for a client that never reads: what the
// memory of the process grows by, once the connection itself is full.
func BenchmarkFanOutStuck(b *testing.B) {
	b.Run("lion", func(b *testing.B) {
		err := loop.Run(func(t *loop.Task) error {
			pair, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
			if err != nil {
				return err
			}
			defer pair.Close()
			peer, err := net.Dial("tcp", pair.Addr().String())
			if err != nil {
				return err
			}
			defer peer.Close()
			c, err := pair.Accept(t)
			if err != nil {
				return err
			}
			defer c.Close()
			return loop.Nurse(t, func(n *loop.Nursery) error {
				w, err := stream.NewWriter(n, c, stream.WithPolicy(stream.DropOldest))
				if err != nil {
					return err
				}
				return stuff(t, b, n, w)
			})
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}

func stuff(t *loop.Task, b *testing.B, n *loop.Nursery, w *stream.Writer) error {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for b.Loop() {
		if err := w.Put(make([]byte, fanSize)); err != nil { // each one is another
			return err
		}
		if err := loop.Checkpoint(t); err != nil {
			return err
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapInuse)-float64(before.HeapInuse), "growth-B")
	b.ReportMetric(float64(after.Sys)-float64(before.Sys), "growth-sys-B")
	b.ReportMetric(float64(w.Statistics().Dropped), "dropped")
	return n.Cancel("the benchmark is over")
}
