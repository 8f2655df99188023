package stdnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/lion-go/lion/eyeballs"
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/loop/worker"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/socket/stdnet"
	"github.com/lion-go/lion/sys"
)

// Torture (reliability 93): bodies in which every call of the kernel is made to
// fail, in a build with the tag faults; without it each runs once. What package
// net calls by itself does not fail, but what lion does around it.

// faultTime is how long a body waits for what a failure has swallowed. Workers
// are in it, so it is an hour.
const faultTime = time.Hour

func torture(t *testing.T, main func(*loop.Task) error) {
	t.Helper()
	t.Log(looptest.Config{Limit: time.Minute}.EachFault(t, func(task *loop.Task) error {
		return loop.FailAfter(task, faultTime, func(*loop.Scope) error { return main(task) })
	}))
}

// between runs two ends of a TCP connection, each with a deadline of net, so
// that none waits for what a failure of the other has swallowed.
func between(task *loop.Task, client, server func(*stdnet.TaskConn) error) error {
	ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	side := func(task *loop.Task, s stream.Stream, fn func(*stdnet.TaskConn) error) error {
		c := stdnet.Bind(task, s)
		err := c.SetDeadline(task.Now().Add(faultTime / 2))
		if err == nil {
			err = fn(c)
		}
		return errors.Join(err, c.Close())
	}
	return loop.Nurse(task, func(n *loop.Nursery) error {
		err := n.Spawn(func(task *loop.Task) error {
			s, err := ln.Accept(task)
			if err != nil {
				return err
			}
			return side(task, s, server)
		})
		if err != nil {
			return err
		}
		s, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		if err != nil {
			return err
		}
		return side(task, s, client)
	})
}

// prefix reads all, which is data if nothing failed, and else its beginning.
func prefix(t *testing.T, from io.Reader, data []byte) error {
	t.Helper()
	got, err := io.ReadAll(from)
	if !bytes.HasPrefix(data, got) {
		t.Errorf("%d bytes came, which are others", len(got))
	}
	if err == nil && len(got) < len(data) { // the sender failed, and closed
		return io.ErrUnexpectedEOF
	}
	return err
}

// Files and other readers, whole and in part, as http.ServeContent sends them.
func TestFaultsReadFrom(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 600)
	name := temporary(t, data)
	want := bytes.Join([][]byte{[]byte("head"), data[10:1010], data[1010:], []byte("tail")}, nil)
	torture(t, func(task *loop.Task) error {
		return between(task, func(c *stdnet.TaskConn) error {
			f, err := os.Open(name)
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = f.Seek(10, io.SeekStart)
			if err == nil {
				_, err = c.Write([]byte("head"))
			}
			if err == nil {
				_, err = io.CopyN(c, f, 1000)
			}
			if err == nil {
				_, err = c.ReadFrom(f)
			}
			if err == nil {
				_, err = c.ReadFrom(bytes.NewReader([]byte("tail")))
			}
			if err == nil {
				err = c.CloseWrite()
			}
			if err == nil {
				err = prefix(t, c, nil)
			}
			return err
		}, func(c *stdnet.TaskConn) error { return prefix(t, c, want) })
	})
}

// temporary makes a file. It is removed without a look at the result, since
// Wine cannot remove what has just been sent.
func temporary(t *testing.T, data []byte) string {
	t.Helper()
	f, err := os.CreateTemp("", "stdnet")
	must(t, err)
	t.Cleanup(func() { _ = os.Remove(f.Name()) })
	_, err = f.Write(data)
	must(t, errors.Join(err, f.Close()))
	return f.Name()
}

// A connection, a listener and a datagram socket leave the loop, work, and come
// back.
func TestFaultsLeaveAndEnter(t *testing.T) {
	needsNet(t)
	torture(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer func() { _ = ln.Close() }()
		if ln, err = throughNet(ln, stdnet.NetListener, func(out net.Listener) (*socket.Listener, error) {
			return stdnet.Listener(task.Loop(), out)
		}); err != nil {
			return err
		}
		a, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		if err != nil {
			return err
		}
		defer func() { _ = a.Close() }()
		b, err := ln.Accept(task)
		if err != nil {
			return err
		}
		defer b.Close()
		back, err := throughNet(a, stdnet.NetConn, func(out net.Conn) (*socket.Conn, error) {
			return stdnet.Conn(task.Loop(), out)
		})
		if err != nil {
			return err
		}
		defer back.Close()
		if err := back.SendAll(task, []byte("text")); err != nil {
			return err
		}
		text := make([]byte, 4)
		n, err := stream.ReceiveExactly(task, b, text)
		if string(text[:n]) != "text"[:n] {
			t.Errorf("received %q", text[:n])
		}
		return errors.Join(err, datagramSocket(task))
	})
}

// datagramSocket takes one out of the loop and back in.
func datagramSocket(task *loop.Task) error {
	s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	err = s.Bind(socket.InetAddr(netip.MustParseAddrPort("127.0.0.1:0")))
	if err == nil {
		s, err = throughNet(s, stdnet.NetPacketConn, func(out net.PacketConn) (*socket.Socket, error) {
			return stdnet.PacketConn(task.Loop(), out)
		})
	}
	if err == nil {
		_, err = s.SendTo(task, []byte("text"), 0, socket.InetAddr(netip.MustParseAddrPort("127.0.0.1:9")))
	}
	return err
}

// throughNet takes something out of its loop and back in. If it could not leave
// it is as it was, and who has it closes it.
func throughNet[T, U interface{ Close() error }](in T, leave func(T) (U, error), enter func(U) (T, error)) (T, error) {
	out, err := leave(in)
	if err != nil {
		return in, err
	}
	back, err := enter(out)
	if err != nil {
		return in, errors.Join(err, out.Close())
	}
	return back, nil
}

// A goroutine dials by name, and asks.
func TestFaultsDialer(t *testing.T) {
	needsNet(t)
	torture(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			err := n.Spawn(func(task *loop.Task) error {
				defer ln.Close() // or who has connected waits for us, in the kernel
				c, err := ln.Accept(task)
				if err != nil {
					return err
				}
				defer c.Close()
				return c.SendAll(task, []byte("text"))
			})
			if err != nil {
				return err
			}
			d := &stdnet.Dialer{Loop: task.Loop(), Resolve: resolver.Default,
				Options: []eyeballs.Option{eyeballs.WithTimeout(faultTime / 2)}}
			return worker.Run(task, func(j *worker.Job) error {
				c, err := d.DialContext(j.Context(), "tcp", ln.Addr().String())
				if err != nil {
					return err
				}
				defer c.Close()
				return prefix(t, c, []byte("text"))
			})
		})
	})
}
