package stdnet_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/textproto"
	"os"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/socket/stdnet"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func want(tb testing.TB, what string, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("%s: got %v, want %v", what, err, target)
	}
}

// run runs main with a pair of streams, of TCP and of memory: the latter
// cannot be tried without waiting.
func run(
	t *testing.T, main func(task *loop.Task, t *testing.T, a, b stream.Stream) error,
	opts ...loop.Option,
) {
	for name, makePair := range map[string]func(*loop.Task, testing.TB) (a, b stream.Stream){
		"tcp":    tcpPair,
		"memory": func(*loop.Task, testing.TB) (a, b stream.Stream) { return stream.NewMemory(0) },
	} {
		t.Run(name, func(t *testing.T) {
			config := looptest.Config{Limit: time.Minute}
			config.Run(t, func(task *loop.Task) error {
				a, b := makePair(task, t)
				return errors.Join(main(task, t, a, b), a.Close(), b.Close())
			}, opts...)
		})
	}
}

func tcpPair(t *loop.Task, tb testing.TB) (a, b stream.Stream) {
	tb.Helper()
	ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
	must(tb, err)
	defer ln.Close()
	a, err = socket.ConnectTCP(t, ln.Addr().AddrPort())
	must(tb, err)
	b, err = ln.Accept(t)
	must(tb, err)
	return a, b
}

// TestReadAndWrite goes through what parsers are built on.
func TestReadAndWrite(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				c := stdnet.Bind(task, a)
				_, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: lion\r\n"))
				must(t, err)
				_, err = c.Write([]byte("Accept: *\r\n\r\nrest"))
				must(t, err)
				return c.CloseWrite()
			}))
			c := stdnet.Bind(task, b)
			r := textproto.NewReader(bufio.NewReader(c))
			line, err := r.ReadLine()
			if err != nil || line != "GET / HTTP/1.1" {
				t.Errorf("the first line: %q, %v", line, err)
			}
			header, err := r.ReadMIMEHeader()
			if err != nil || header.Get("Host") != "lion" || header.Get("Accept") != "*" {
				t.Errorf("the header: %v, %v", header, err)
			}
			rest, err := io.ReadAll(r.R)
			if err != nil || string(rest) != "rest" {
				t.Errorf("the rest: %q, %v", rest, err)
			}
			n2, err := c.Read(nil)
			if n2 != 0 || err != nil {
				t.Errorf("reading nothing: %d, %v", n2, err)
			}
			return nil
		})
	})
}

func TestClose(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		c := stdnet.Bind(task, a)
		must(t, c.Close())
		for _, target := range []error{net.ErrClosed, loop.ErrClosed} {
			_, err := c.Read(make([]byte, 1))
			want(t, "reading", err, target)
			_, err = c.Write([]byte("x"))
			want(t, "writing", err, target)
			want(t, "closing again", c.Close(), target)
			want(t, "ending", c.CloseWrite(), target)
			want(t, "a deadline", c.SetDeadline(time.Time{}), target)
			_, err = a.Receive(task, make([]byte, 1))
			want(t, "the stream", err, loop.ErrClosed)
		}
		n, err := b.Receive(task, make([]byte, 1))
		if n != 0 || err != nil {
			t.Errorf("the peer: %d, %v", n, err)
		}
		return nil
	})
}

// TestClosedMeanwhile closes the stream while the task reads.
func TestClosedMeanwhile(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := stdnet.Bind(task, a).Read(make([]byte, 1))
				want(t, "in the words of net", err, net.ErrClosed)
				want(t, "in the words of lion", err, loop.ErrClosed)
				return nil
			}))
			looptest.WaitAllTasksBlocked(task, t)
			return a.Close()
		})
	})
}

// TestKeepOpen has a library close its connection, and goes on with the
// stream.
func TestKeepOpen(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		c := stdnet.Bind(task, a, stdnet.KeepOpen())
		must(t, c.SetDeadline(task.Now().Add(-time.Second)))
		must(t, c.Close())
		if !c.Closed() {
			t.Error("it is not closed")
		}
		_, err := c.Write([]byte("x"))
		want(t, "writing", err, net.ErrClosed)
		must(t, a.SendAll(task, []byte("open")))
		c.Rebind(task, a)
		_, err = c.Write([]byte(" again"))
		must(t, err)
		must(t, c.Close())
		got := make([]byte, 10)
		_, err = stream.ReceiveExactly(task, b, got)
		if err != nil || string(got) != "open again" {
			t.Errorf("received %q, %v", got, err)
		}
		return nil
	})
}

func isTimeout(tb testing.TB, what string, err error) {
	tb.Helper()
	want(tb, what, err, os.ErrDeadlineExceeded)
	want(tb, what, err, loop.ErrTimeout)
	var timeout net.Error
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		tb.Errorf("%s: %v is no timeout of package net", what, err)
	}
}

// TestDeadlines moves a read's deadline in every way.
func TestDeadlines(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		c := stdnet.Bind(task, a)
		room := make([]byte, 10)
		must(t, b.SendAll(task, []byte("x")))
		must(t, c.SetReadDeadline(task.Now().Add(-time.Second)))
		_, err := c.Read(room)
		isTimeout(t, "a deadline in the past, with something there", err)
		must(t, c.SetReadDeadline(task.Now().Add(time.Minute)))
		n, err := c.Read(room)
		if n != 1 || err != nil {
			t.Errorf("with a deadline in the future: %d, %v", n, err)
		}
		must(t, c.SetReadDeadline(task.Now().Add(20*time.Millisecond)))
		_, err = c.Read(room)
		isTimeout(t, "a deadline that passes", err)
		_, err = c.Read(room)
		isTimeout(t, "the same again", err)
		n, err = c.Write([]byte("writing"))
		if n != 7 || err != nil {
			t.Errorf("a write beside it: %d, %v", n, err)
		}
		must(t, c.SetReadDeadline(time.Time{}))
		must(t, b.SendAll(task, []byte("y")))
		n, err = c.Read(room)
		if n != 1 || err != nil {
			t.Errorf("without a deadline: %d, %v", n, err)
		}
		return nil
	})
}

// TestDeadlineMoved moves the deadline of a read under way: to the past, which
// ends it; and away, which lets it go on.
func TestDeadlineMoved(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		for _, toPast := range []bool{true, false} {
			var c *stdnet.TaskConn
			must(t, loop.Nurse(task, func(n *loop.Nursery) error {
				must(t, n.Spawn(func(task *loop.Task) error {
					c = stdnet.Bind(task, a)
					must(t, c.SetReadDeadline(task.Now().Add(time.Hour)))
					n, err := c.Read(make([]byte, 10))
					switch {
					case toPast:
						isTimeout(t, "a deadline that was moved to the past", err)
					case err != nil || n != 1:
						t.Errorf("a deadline that was moved away: %d, %v", n, err)
					}
					return nil
				}))
				looptest.WaitAllTasksBlocked(task, t)
				if toPast {
					return c.SetDeadline(task.Now().Add(-time.Second))
				}
				must(t, c.SetReadDeadline(time.Time{}))
				return b.SendAll(task, []byte("x"))
			}))
		}
		return nil
	})
}

// TestDeadlineSetWhilePending gives a deadline to calls under way that began
// without one, in both directions.
func TestDeadlineSetWhilePending(t *testing.T) {
	calls := map[string]func(c *stdnet.TaskConn) (int, error){
		"read":  func(c *stdnet.TaskConn) (int, error) { return c.Read(make([]byte, 1)) },
		"write": func(c *stdnet.TaskConn) (int, error) { return c.Write(make([]byte, 64<<20)) },
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
				var c *stdnet.TaskConn
				return loop.FailAfter(task, 10*time.Second, func(*loop.Scope) error {
					return loop.Nurse(task, func(n *loop.Nursery) error {
						must(t, n.Spawn(func(task *loop.Task) error {
							c = stdnet.Bind(task, a)
							_, err := call(c)
							isTimeout(t, "a deadline that came meanwhile", err)
							return nil
						}))
						looptest.WaitAllTasksBlocked(task, t)
						past := task.Now().Add(-time.Second)
						if name == "read" {
							return c.SetReadDeadline(past)
						}
						return c.SetWriteDeadline(past)
					})
				})
			})
		})
	}
}

// TestKindOfErrors has the time-outs and the end of a TaskConn count as the
// connection's.
func TestKindOfErrors(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := tcpPair(task, t)
		c := stdnet.Bind(task, a)
		must(t, c.SetDeadline(task.Now().Add(-time.Second)))
		_, err := c.Read(make([]byte, 1))
		isTimeout(t, "reading", err)
		if kind := socket.KindOf(a.(*socket.Conn), err); kind != socket.ErrorTimeout {
			t.Errorf("%v is of kind %v", err, kind)
		}
		if kind := socket.KindOf(b.(*socket.Conn), err); kind != socket.ErrorOther {
			t.Errorf("%v of the other end is of kind %v", err, kind)
		}
		must(t, c.Close())
		_, err = c.Write([]byte("x"))
		if kind := socket.KindOf(a.(*socket.Conn), err); kind != socket.ErrorClosed {
			t.Errorf("%v is of kind %v", err, kind)
		}
		return b.Close()
	})
}

// TestDeadlineOfScope has a scope around the task: the earlier one wins, and
// the outcome tells which.
func TestDeadlineOfScope(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		c := stdnet.Bind(task, a)
		must(t, c.SetDeadline(task.Now().Add(time.Hour)))
		must(t, loop.MoveOnAfter(task, 20*time.Millisecond, func(*loop.Scope) error {
			_, err := c.Read(make([]byte, 1))
			want(t, "the scope is earlier", err, loop.Cancelled)
			return err
		}))
		must(t, c.SetDeadline(task.Now().Add(20*time.Millisecond)))
		return loop.MoveOnAfter(task, time.Hour, func(*loop.Scope) error {
			_, err := c.Read(make([]byte, 1))
			isTimeout(t, "the deadline is earlier", err)
			return nil
		})
	})
}

// TestWriteTimesOut writes to a peer that does not read: the count is honest.
func TestWriteTimesOut(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		c := stdnet.Bind(task, a)
		data := bytes.Repeat([]byte("0123456789"), 4<<20)
		must(t, loop.Sleep(task, time.Millisecond)) // reads the clock
		must(t, c.SetWriteDeadline(task.Now().Add(200*time.Millisecond)))
		n, err := c.Write(data)
		isTimeout(t, "writing to nobody", err)
		if n <= 0 || n >= len(data) {
			t.Errorf("%d bytes of %d went", n, len(data))
		}
		must(t, c.Close())
		got := 0
		for room := make([]byte, 1<<20); ; {
			k, err := b.Receive(task, room)
			must(t, err)
			if k == 0 {
				break
			}
			if !bytes.Equal(room[:k], data[got:got+k]) {
				t.Fatalf("other bytes arrived after %d", got)
			}
			got += k
		}
		if got != n {
			t.Errorf("%d bytes arrived, %d were counted", got, n)
		}
		return nil
	})
}

func TestWrongTask(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		c := stdnet.Bind(task, a)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(*loop.Task) error {
				_, err := c.Read(make([]byte, 1))
				want(t, "reading by another task", err, loop.ErrWrongTask)
				_, err = c.Write([]byte("x"))
				want(t, "writing by another task", err, loop.ErrWrongTask)
				return nil
			})
		})
	})
}

func TestAddresses(t *testing.T) {
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		ca, cb := stdnet.Bind(task, a), stdnet.Bind(task, b)
		if _, ok := a.(*socket.Conn); !ok {
			if ca.LocalAddr().String() != "?" || ca.RemoteAddr().Network() != "stream" {
				t.Errorf("the addresses of %v: %v, %v", ca, ca.LocalAddr(), ca.RemoteAddr())
			}
			return nil
		}
		if ca.LocalAddr().String() != cb.RemoteAddr().String() ||
			cb.LocalAddr().String() != ca.RemoteAddr().String() {
			t.Errorf("%v to %v, and %v to %v", ca.LocalAddr(), ca.RemoteAddr(),
				cb.LocalAddr(), cb.RemoteAddr())
		}
		if _, ok := ca.RemoteAddr().(*net.TCPAddr); !ok {
			t.Errorf("an address of type %T", ca.RemoteAddr())
		}
		return nil
	})
}

// TestServedThroughNet serves with a library's habits: a buffered reader per
// request, a close at its end, and idleness between requests.
func TestServedThroughNet(t *testing.T) {
	handler := func(t *loop.Task, s stream.Stream) error {
		c := stdnet.Bind(t, s, stdnet.KeepOpen())
		defer c.Close()
		r := bufio.NewReaderSize(c, 100)
		line, err := r.ReadString('\n')
		if err == io.EOF && line == "" {
			return nil
		}
		for err == nil {
			if _, err = io.WriteString(c, "got "+line); err != nil || r.Buffered() == 0 {
				break
			}
			line, err = r.ReadString('\n')
		}
		if err != nil {
			return err
		}
		return socket.GoIdle
	}
	looptest.Run(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		must(t, err)
		to := ln.Addr().AddrPort()
		s, err := socket.NewServer(ln, handler)
		must(t, err)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(s.Serve))
			conn, err := socket.ConnectTCP(task, to)
			must(t, err)
			c := stdnet.Bind(task, conn)
			defer c.Close()
			r := bufio.NewReader(c)
			for range 20 {
				_, err := io.WriteString(c, "one\ntwo\n")
				must(t, err)
				for _, text := range []string{"got one\n", "got two\n"} {
					line, err := r.ReadString('\n')
					if err != nil || line != text {
						t.Fatalf("read %q, %v", line, err)
					}
				}
			}
			s.Stop()
			return nil
		})
	})
}

// TestReadAllocatesNothing holds also with deadlines, if there is something to
// read.
func TestReadAllocatesNothing(t *testing.T) {
	looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
		a, b := tcpPair(task, t)
		ca, cb := stdnet.Bind(task, a), stdnet.Bind(task, b)
		for _, when := range []time.Time{{}, task.Now().Add(time.Hour)} {
			must(t, ca.SetDeadline(when))
			must(t, cb.SetDeadline(when))
			data := make([]byte, 100)
			got := testing.AllocsPerRun(100, func() {
				_, err := ca.Write(data)
				must(t, err)
				_, err = cb.Read(data)
				must(t, err)
			})
			if got != 0 {
				t.Errorf("%v allocations, deadline %v", got, when)
			}
		}
		return errors.Join(a.Close(), b.Close())
	})
}
