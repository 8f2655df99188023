package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// Torture: a fetch and its server on one loop, in which every call of the
// kernel fails, in a build with the tag faults; without it each test runs once.
// What is written is the document, or its beginning; in a file, all or nothing.

// short is a document that can be sent byte by byte, again and again.
var short = document[:10_000]

// patience is longer than a machine under load can be late.
var patience = []string{"-timeout", "1h", "-stall", "1h", "-connect-timeout", "1h"}

// serving answers "/moved" with a redirect and everything else with the document.
func serving(t *loop.Task, c stream.Stream) error {
	line, err := stream.NewReader(c, make([]byte, 4096)).UntilSequence(t, []byte("\r\n\r\n"))
	if err != nil {
		return err
	}
	if bytes.HasPrefix(line, []byte("GET /moved ")) {
		return c.SendAll(t, []byte("HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n"))
	}
	head := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", len(short))
	return stream.SendAllVectored(t, c, [][]byte{[]byte(head), []byte(short)})
}

// torture fetches with everything going wrong, and hands check what was written.
func torture(
	t *testing.T, opts []socket.ServeOption, scheme string, flags []string, check func(err error, out string),
) {
	t.Helper()
	opts = append([]socket.ServeOption{socket.WithGrace(time.Minute),
		socket.OnError(func(*socket.Conn, error) {})}, opts...)
	t.Log(looptest.Config{Limit: time.Minute}.EachFault(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		at, err := ln.Socket().Name()
		if err != nil {
			return errors.Join(err, ln.Close())
		}
		server, err := socket.NewServer(ln, serving, opts...)
		if err != nil {
			return errors.Join(err, ln.Close())
		}
		config, err := parse(append(slices.Clone(flags), scheme+"://"+at.String()+"/moved"), io.Discard)
		if err != nil {
			return errors.Join(err, ln.Close())
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			if err := n.Spawn(server.Serve); err != nil {
				return err
			}
			defer server.Stop()
			var out bytes.Buffer
			err := (&fetch{config: config, stdout: &out, stderr: io.Discard}).run(task)
			if code := exitCode(err); (code == exitOK) != (err == nil) || err != nil && explain(err) == "" {
				t.Errorf("%v is code %d, %q", err, code, explain(err))
			}
			check(err, out.String())
			return err
		})
	}))
}

func TestFaults(t *testing.T) {
	torture(t, nil, "http", patience, func(err error, out string) {
		if !strings.HasPrefix(short, out) || err == nil && len(out) != len(short) {
			t.Errorf("%d bytes were written: %v", len(out), err)
		}
	})
}

func TestFaultsFile(t *testing.T) {
	dir, err := os.MkdirTemp("", "get") // Wine cannot remove the one of t
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "document")
	flags := append(slices.Clone(patience), "-o", name)
	torture(t, nil, "http", flags, func(err error, _ string) {
		text, unread := os.ReadFile(name)
		if err == nil && string(text) != short || err != nil && !errors.Is(unread, os.ErrNotExist) {
			t.Errorf("the file has %d bytes, %v: %v", len(text), unread, err)
		}
		entries, unread := os.ReadDir(filepath.Dir(name))
		if unread != nil || err != nil && len(entries) != 0 {
			t.Errorf("%d files are left, %v: %v", len(entries), unread, err)
		}
		_ = os.Remove(name)
	})
}
