package micro

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
)

// Static files over connections that stay: a request of a line, an answer of a
// header and a file. The file is opened for each request, as package net has to,
// whose sendfile goes by the position of the file; or it is shared (lion-shared, and
// floor, which is what the system calls cost that this takes).
// The client is a process of its own that keeps fileClients requests under way
// and has the kernel throw the answers away (MSG_TRUNC in tcp(7)).
//
//	go test -run '^$' -bench StaticFile -benchtime 50000x -count 8 ./bench/micro
//
// How many requests a server can answer shows where the client does not take the
// time of its processor:
//
//	LION_MICRO_CLIENT_CPU=1 taskset -c 0 go run ./bench/paired -bench StaticFile/64KiB \
//		-of net,lion,lion-shared -rounds 25

const (
	fileClients = 32
	fileRequest = "GET /f HTTP/1.1\r\nHost: a\r\n\r\n"
	fileHeader  = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 0000065536\r\n" +
		"Last-Modified: Sat, 01 Jan 2000 00:00:00 GMT\r\nX: 0123456789\r\n\r\n"
)

func BenchmarkStaticFile(b *testing.B) {
	for _, size := range []int{4 << 10, 64 << 10} {
		name := filepath.Join(b.TempDir(), "f")
		if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct {
			name  string
			serve func(b *testing.B) (string, func())
		}{
			{"net", func(b *testing.B) (string, func()) { return filesOverNet(b, name, size) }},
			{"lion", func(b *testing.B) (string, func()) { return filesOverLion(b, name, false) }},
			{"lion-shared", func(b *testing.B) (string, func()) { return filesOverLion(b, name, true) }},
			{"floor", func(b *testing.B) (string, func()) { return filesOverFloor(b, name, size) }},
		} {
			b.Run(fmt.Sprintf("%dKiB/%s", size>>10, c.name), func(b *testing.B) {
				count := max(b.N/fileClients, 1) * fileClients
				contestWith(b, count, "cpu-ns/request", c.serve, func(at string) string {
					return fmt.Sprintf("files %s %d %d", at, count, len(fileHeader)+size)
				})
			})
		}
	}
}

// fetch asks count times for size bytes, on fileClients connections in turn.
func fetch(work []string) error {
	to, err := netip.ParseAddrPort(work[0])
	if err != nil {
		return err
	}
	count, _ := strconv.Atoi(work[1])
	size, _ := strconv.Atoi(work[2])
	var fds [fileClients]int
	for i := range fds {
		if fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0); err != nil {
			return err
		}
		defer unix.Close(fds[i])
		if err := unix.Connect(fds[i], &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
			return err
		}
		if _, err := unix.Write(fds[i], []byte(fileRequest)); err != nil {
			return err
		}
	}
	room := make([]byte, size)
	for done := 0; done < count; done++ {
		fd := fds[done%fileClients]
		for left := size; left > 0; {
			n, _, err := unix.Recvfrom(fd, room[:left], unix.MSG_TRUNC|unix.MSG_WAITALL)
			if err == unix.EINTR {
				continue
			}
			if err != nil || n == 0 {
				return errors.Join(io.ErrUnexpectedEOF, err)
			}
			left -= n
		}
		if done < count-fileClients {
			if _, err := unix.Write(fd, []byte(fileRequest)); err != nil {
				return err
			}
		}
	}
	return nil
}

func filesOverNet(b *testing.B, name string, size int) (string, func()) {
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
				for r := bufio.NewReaderSize(c, 4096); ; {
					if _, err := r.Discard(len(fileRequest)); err != nil {
						return
					}
					if err := fileOverNet(c, name); err != nil {
						return
					}
				}
			}()
		}
	}()
	return ln.Addr().String(), func() { ln.Close() }
}

func fileOverNet(c net.Conn, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c, fileHeader); err != nil {
		return err
	}
	_, err = io.Copy(c, io.LimitReader(f, info.Size())) // sendfile(2)
	return err
}

func filesOverLion(b *testing.B, name string, share bool) (string, func()) {
	shared, err := sendfile.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	at, stop, ended := make(chan string, 1), make(chan func(), 1), make(chan error, 1)
	go func() {
		ended <- loop.Run(func(t *loop.Task) error {
			ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
			if err != nil {
				return err
			}
			s, err := socket.NewServer(ln, func(t *loop.Task, c stream.Stream) error {
				n, err := c.Receive(t, t.Buffer())
				if err != nil || n == 0 {
					return err
				}
				if share {
					err = sendOne(t, c, shared)
				} else {
					err = openAndSend(t, c, name)
				}
				if err != nil {
					return err
				}
				return socket.GoIdle
			})
			if err != nil {
				return err
			}
			l := t.Loop()
			stop <- func() { _ = l.CallSoon(s.Stop) }
			at <- ln.Addr().String()
			return s.Serve(t)
		})
	}()
	return <-at, func() {
		(<-stop)()
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
		shared.Close()
	}
}

var fileHeaderBytes = []byte(fileHeader)

func sendOne(t *loop.Task, c stream.Stream, f *sendfile.File) error {
	_, err := f.Send(t, c, 0, -1, sendfile.WithHeader(fileHeaderBytes))
	return err
}

func openAndSend(t *loop.Task, c stream.Stream, name string) error {
	f, err := sendfile.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return sendOne(t, c, f)
}

// What other tasks notice of a file that is not in the page cache: how late a
// task wakes that sleeps a millisecond, while 64 MiB are sent beside it, by
// package sendfile, by a task that reads and sends, and while nothing is sent.
//
//	go test -run '^$' -bench ColdFile -benchtime 3x ./bench/micro
func BenchmarkColdFile(b *testing.B) {
	const size = 64 << 20
	name := filepath.Join(b.TempDir(), "f")
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		b.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for _, c := range []struct {
		name string
		send func(*loop.Task, *socket.Conn) error
	}{
		{"none", func(t *loop.Task, _ *socket.Conn) error { return loop.Sleep(t, 100*time.Millisecond) }},
		{"lion", func(t *loop.Task, c *socket.Conn) error {
			_, err := sendfile.Send(t, c, f, 0, -1)
			return err
		}},
		{"reading", func(t *loop.Task, c *socket.Conn) error {
			buf := make([]byte, 256<<10)
			for at := int64(0); at < size; {
				n, err := f.ReadAt(buf, at)
				if n == 0 {
					return err
				}
				at += int64(n)
				if err := c.SendAll(t, buf[:n]); err != nil {
					return err
				}
			}
			return nil
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			var late []time.Duration
			for range b.N {
				if err := f.Sync(); err != nil {
					b.Fatal(err)
				}
				if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
					b.Fatal(err)
				}
				if err := loop.Run(func(t *loop.Task) error { return beside(t, &late, c.send) }); err != nil {
					b.Fatal(err)
				}
			}
			slices.Sort(late)
			report := func(share float64, unit string) {
				at := min(int(share*float64(len(late))), len(late)-1)
				b.ReportMetric(float64(late[at].Microseconds()), unit)
			}
			report(0.5, "late-p50-us")
			report(0.99, "late-p99-us")
			report(1, "late-max-us")
		})
	}
}

// beside sends to an end that takes everything, and notes how late another task
// wakes meanwhile.
func beside(t *loop.Task, late *[]time.Duration, send func(*loop.Task, *socket.Conn) error) error {
	sink, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer sink.Close()
	go func() {
		c, err := sink.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 1<<20)
		for {
			if _, err := c.Read(buf); err != nil {
				return
			}
		}
	}()
	c, err := socket.ConnectTCP(t, netip.MustParseAddrPort(strings.TrimSpace(sink.Addr().String())))
	if err != nil {
		return err
	}
	defer c.Close()
	done := false
	return loop.Nurse(t, func(n *loop.Nursery) error {
		if err := n.Spawn(func(t *loop.Task) error {
			for !done {
				began := time.Now()
				if err := loop.Sleep(t, time.Millisecond); err != nil {
					return err
				}
				*late = append(*late, time.Since(began)-time.Millisecond)
			}
			return nil
		}); err != nil {
			return err
		}
		defer func() { done = true }()
		return send(t, c)
	})
}
