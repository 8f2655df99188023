package micro

import (
	"io"
	"net"
	"strconv"
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// Short connections: accept, one request, one answer, close; what one costs the
// server in processor time. For system calls per connection run rawserver under
// strace -c -f, and a client of this file against it:
//
//	LION_MICRO_CLIENT="short 127.0.0.1:7000 10000" ./micro.test

const (
	together = 64 // clients at a time
	request  = "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
)

// visit makes connections, one request each, until count have been answered.
func visit(work []string) error {
	count, err := strconv.Atoi(work[1])
	if err != nil {
		return err
	}
	var clients sync.WaitGroup
	failed := make(chan error, together)
	for range together {
		clients.Go(func() {
			for range count / together {
				if err := visitOnce(work[0]); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	clients.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func visitOnce(at string) error {
	c, err := net.Dial("tcp", at)
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return err
	}
	_, err = c.Read(make([]byte, 1000))
	return err
}

func BenchmarkShortConnection(b *testing.B) {
	b.Run("net", func(b *testing.B) { contestShort(b, shortOverNet) })
	b.Run("lion", func(b *testing.B) { contestShort(b, shortOverLion) })
}

func contestShort(b *testing.B, serve func(b *testing.B) (at string, stop func())) {
	count := max(b.N/together, 1) * together
	contestWith(b, count, "cpu-ns/connection", serve, func(at string) string {
		return "short " + at + " " + strconv.Itoa(count)
	})
}

func shortOverNet(b *testing.B) (string, func()) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				buf := make([]byte, 4096)
				if n, err := c.Read(buf); err == nil {
					_, _ = c.Write(buf[:n])
				}
			}()
		}
	}()
	return ln.Addr().String(), func() { ln.Close() }
}

func shortOverLion(b *testing.B) (string, func()) {
	at, _, stop := serveOnLoop(b, nil, func(t *loop.Task, c stream.Stream) error {
		buf := t.Buffer()
		n, err := c.Receive(t, buf)
		if err != nil || n == 0 {
			return err
		}
		if err := c.SendAll(t, buf[:n]); err != nil {
			return err
		}
		return c.Close()
	})
	return at, stop
}
