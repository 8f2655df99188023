package socket_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Many tasks wait for a socket each, and all are cancelled at once.
// S272.
func TestManyWaiters(t *testing.T) {
	const count = 800 // within the usual limit of 1,024 descriptors
	run(t, func(task *loop.Task) error {
		scope, err := loop.NewScope(task.Loop())
		must(t, err)
		var all []*socket.Socket
		defer func() {
			for _, s := range all {
				must(t, s.Close())
			}
		}()
		return loop.Enter(task, scope, func(*loop.Scope) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				for range count {
					s, _ := bind(task, t, sys.AF_INET)
					all = append(all, s)
					must(t, n.Spawn(func(task *loop.Task) error {
						_, err := s.Recv(task, make([]byte, 1), 0)
						return err
					}))
				}
				settle(task, t)
				if got := task.Statistics().Readers; got < count {
					t.Errorf("%d tasks wait", got)
				}
				return scope.Cancel("test")
			})
		})
	})
}

// A copy of a socket outlives the original; a detached one is closed as a
// Socket and open as a descriptor. S277, S278.
func TestDupAndDetach(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, own := bind(task, t, sys.AF_INET)
		b, err := a.Dup()
		must(t, err)
		if a.FD() == b.FD() {
			t.Error("a copy has the same number")
		}
		must(t, a.Close())
		if a.FD() != sys.Invalid || !a.Closed() {
			t.Errorf("closed, it is number %d", a.FD())
		}
		_, err = b.SendTo(task, []byte("x"), 0, own)
		must(t, err)
		fd, err := b.Detach()
		must(t, err)
		if b.FD() != sys.Invalid || !b.Closed() {
			t.Errorf("detached, it is number %d", b.FD())
		}
		c, err := socket.Adopt(task.Loop(), fd)
		must(t, err)
		defer c.Close()
		if n, from, err := c.RecvFrom(task, make([]byte, 9), 0); n != 1 || from != own || err != nil {
			t.Errorf("%d bytes from %v, %v", n, from, err)
		}
		if c.Family() != sys.AF_INET || c.Type() != sys.SOCK_DGRAM {
			t.Errorf("adopted as family %d, type %d", c.Family(), c.Type())
		}
		return nil
	})
}

// The variants of sending and receiving: a look without taking, a gathered
// message, boundaries of a connected socket, several sends as one datagram.
// S281, S288.
func TestSendRecvVariants(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := datagrams(task, t)
		defer closeAll(a, b)
		room := make([]byte, 9)
		_, err := b.RecvNowait(room, sys.MSG_PEEK)
		want(t, "a look at nothing", err, loop.ErrWouldBlock)
		m := &socket.Msg{Buffers: [][]byte{[]byte("ab"), nil, []byte("cd")}}
		n, err := a.SendMsg(task, m, 0)
		if n != 4 || err != nil {
			t.Fatalf("gathered: %d, %v", n, err)
		}
		for range 2 {
			n, err := b.Recv(task, room, sys.MSG_PEEK)
			if string(room[:n]) != "abcd" || err != nil {
				t.Errorf("a look: %q, %v", room[:n], err)
			}
		}
		m.Buffers = [][]byte{room[:2], room[4:7]}
		n, err = b.RecvMsg(task, m, 0)
		if n != 4 || string(room[:2])+string(room[4:6]) != "abcd" || err != nil {
			t.Errorf("scattered: %d, %q, %v", n, room, err)
		}
		_, err = b.RecvNowait(room, 0)
		want(t, "taken", err, loop.ErrWouldBlock)
		if sys.MSG_MORE == 0 {
			return nil // this system sends each on its own
		}
		for i, part := range []string{"one ", "two ", "3"} {
			flags := sys.MSG_MORE
			if i == 2 {
				flags = 0
			}
			_, err := a.Send(task, []byte(part), flags)
			must(t, err)
		}
		n, err = b.Recv(task, room, 0)
		if string(room[:n]) != "one two 3" || err != nil {
			t.Errorf("corked: %q, %v", room[:n], err)
		}
		return nil
	})
}

// Names of unix sockets: a path, an abstract one, and those that cannot be.
// S291, reliability 67.
func TestUnixNames(t *testing.T) {
	dir, err := os.MkdirTemp("", "lion")
	must(t, err)
	defer os.RemoveAll(dir)
	run(t, func(task *loop.Task) error {
		path := filepath.Join(dir, "s")
		ln, err := socket.ListenUnix(task.Loop(), path)
		if errors.Is(err, sys.EAFNOSUPPORT) || errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system has no unix sockets:", err)
		}
		must(t, err)
		defer ln.Close()
		if name, ok := ln.Addr().Unix(); name != path || !ok {
			t.Errorf("listening at %v", ln.Addr())
		}
		_, err = socket.ListenUnix(task.Loop(), path)
		want(t, "a name in use", err, sys.EADDRINUSE)
		abstract, err := socket.ListenUnix(task.Loop(), "@lion "+dir)
		if err == nil {
			if name, _ := abstract.Addr().Unix(); name != "@lion "+dir {
				t.Errorf("listening at %q", name)
			}
			must(t, abstract.Close())
		} else {
			want(t, "an abstract name", err, errors.ErrUnsupported)
		}
		for _, name := range []string{"", "a\x00b", strings.Repeat("x", 200)} {
			if _, err := socket.ListenUnix(task.Loop(), name); err == nil {
				t.Errorf("%q was taken", name)
			}
		}
		return nil
	})
}

// FuzzParseAddr: what is parsed is written as it was meant, and anything else is
// refused without a fault.
func FuzzParseAddr(f *testing.F) {
	for _, text := range []string{"127.0.0.1:80", "[::1%lo]:65535", "unix:@x", "unix:", ":0", "[::ffff:1.2.3.4]:1",
		"1.2.3.4:65536", "unix:a\x00b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := socket.ParseAddr(text)
		if err != nil {
			return
		}
		sa, err := a.Sockaddr(a.Family())
		if err != nil {
			return // a zone that is not there, or a name that cannot be
		}
		b := socket.AddrFrom(&sa)
		again, err := b.Sockaddr(b.Family())
		if err != nil || again != sa {
			t.Errorf("%q became %v, and that %v: %v", text, a, b, err)
		}
	})
}
