package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// TestFaults is torture: a whole server and its client on one loop, in which
// every call of the kernel fails, in a build with the tag faults; without it
// this runs once. What the client gets is the beginning of the right answer.
func TestFaults(t *testing.T) {
	dir := t.TempDir()
	file := bytes.Repeat([]byte("0123456789"), 10_000)
	if err := os.WriteFile(filepath.Join(dir, "f.txt"), file, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := parse([]string{"-root", dir}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSite(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	var h fasthttp.ResponseHeader
	h.AppendBytes(nil) // starts a goroutine that keeps the date, for good
	report := looptest.Config{Limit: 30 * time.Second}.EachFault(t, func(task *loop.Task) error {
		return loop.FailAfter(task, time.Hour, func(*loop.Scope) error {
			return visited(task, t, s, file)
		})
	})
	t.Log(report)
}

// visited runs a server until a client has asked it four things.
func visited(task *loop.Task, t *testing.T, s *site, file []byte) error {
	ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
	if err != nil {
		return err
	}
	server, err := socket.NewServer(ln, newDesk(&overLion{site: s}).serve, socket.WithGrace(time.Minute))
	if err != nil {
		return errors.Join(err, ln.Close())
	}
	return loop.Nurse(task, func(n *loop.Nursery) error {
		if err := n.Spawn(server.Serve); err != nil {
			return err
		}
		defer server.Stop()
		conn, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		if err != nil {
			return err
		}
		defer conn.Close()
		from := stream.NewReader(conn, make([]byte, 4096))
		for _, ask := range []struct {
			path, header string
			want         []byte
		}{
			{"/hello", "", []byte(greeting)},
			{"/f.txt", "", file},
			{"/f.txt", "Range: bytes=7-20006\r\n", file[7:20_007]},
			{"/f.txt", "Range: bytes=9-99\r\n", file[9:100]},
		} {
			if err := asked(task, t, conn, from, ask.path, ask.header, ask.want); err != nil {
				return err
			}
		}
		return nil
	})
}

// asked makes one request, and compares.
func asked(
	task *loop.Task, t *testing.T, conn *socket.Conn, from *stream.Reader,
	path, header string, want []byte,
) error {
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n", path, header)
	if err := conn.SendAll(task, []byte(request)); err != nil {
		return err
	}
	length, status := -1, ""
	for {
		line, err := from.Line(task)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		if status == "" {
			status = string(line)
		}
		if value, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
			if length, err = strconv.Atoi(value); err != nil {
				return err
			}
		}
	}
	got := make([]byte, max(length, 0))
	n, err := stream.ReceiveExactly(task, from, got)
	switch {
	case !strings.HasPrefix(status, "HTTP/1.1 2"): // the file could not be opened
	case length != len(want) || !bytes.HasPrefix(want, got[:n]):
		t.Errorf("%s: %q, %d of %d bytes came, which are other than the %d wanted", path, status, n, length, len(want))
	case n < length && err == nil:
		return io.ErrUnexpectedEOF
	}
	return err
}
