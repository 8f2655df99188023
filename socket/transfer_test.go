package socket_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// tellsResets reports whether the system tells a receiver of a reset. Wine
// does not: its poll takes the error away.
func tellsResets(t *loop.Task, tb testing.TB) bool {
	tb.Helper()
	a, b := pair(t, tb)
	defer closeAll(b)
	must(tb, a.Abort())
	for {
		_, err := sys.Recv(b.Socket().FD(), make([]byte, 1), 0)
		if err != sys.WouldBlock {
			return err != nil
		}
		must(tb, loop.Sleep(t, time.Millisecond))
	}
}

// TestReset resets a connection in mid-request: the other end learns that it
// is broken and why, and stays broken.
func TestReset(t *testing.T) {
	run(t, func(task *loop.Task) error {
		told := tellsResets(task, t)
		a, b := pair(task, t)
		defer closeAll(a, b)
		must(t, a.SendAll(task, []byte("GET / HT")))
		receives(task, t, b, "GET / HT")
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := b.Receive(task, make([]byte, 10))
				if !told {
					return err
				}
				want(t, "a receive when the peer resets", err, loop.ErrBroken)
				want(t, "its reason", err, sys.ECONNRESET)
				if socket.KindOf(b, err) != socket.ErrorBroken {
					t.Errorf("kind %v", socket.KindOf(b, err))
				}
				return nil
			}))
			settle(task, t)
			return a.Abort()
		}))
		must(t, a.Abort())
		want(t, "sending", b.SendAll(task, []byte("x")), loop.ErrBroken)
		if !b.RemoteAddr().IsValid() {
			t.Error("the peer of a broken connection is forgotten")
		}
		return nil
	})
}

func TestEmptyDatagrams(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := datagrams(task, t)
		defer closeAll(a, b)
		for _, text := range []string{"", "x", ""} {
			n, err := a.Send(task, []byte(text), 0)
			if err != nil || n != len(text) {
				t.Errorf("sending %q: %d, %v", text, n, err)
			}
		}
		for _, text := range []string{"", "x", ""} {
			recvs(task, t, b, text)
		}
		if _, err := b.RecvNowait(make([]byte, 1), 0); err != loop.ErrWouldBlock {
			t.Errorf("after all have come: %v", err)
		}
		return nil
	})
}

func TestTruncatedDatagram(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := datagrams(task, t)
		defer closeAll(a, b)
		for range 2 {
			_, err := a.Send(task, []byte("seven b"), 0)
			must(t, err)
		}
		m := &socket.Msg{Buffers: [][]byte{make([]byte, 2), make([]byte, 2)}, WantName: true}
		n, err := b.RecvMsg(task, m, 0)
		if err != nil || n != 4 || m.Flags&sys.MSG_TRUNC == 0 {
			t.Errorf("cut to %d bytes, flags %#x: %v", n, m.Flags, err)
		}
		if string(m.Buffers[0])+string(m.Buffers[1]) != "seve" {
			t.Errorf("scattered %q", m.Buffers)
		}
		name, err := a.Name()
		must(t, err)
		if from := socket.AddrFrom(&m.Name); from != name {
			t.Errorf("from %v, not %v", from, name)
		}
		m = &socket.Msg{Buffers: [][]byte{make([]byte, 4), make([]byte, 4)}}
		n, err = b.RecvMsg(task, m, 0)
		if err != nil || n != 7 || m.Flags&sys.MSG_TRUNC != 0 {
			t.Errorf("%d bytes, flags %#x: %v", n, m.Flags, err)
		}
		_, err = a.Send(task, make([]byte, 70000), 0)
		want(t, "a datagram that is too long", err, sys.EMSGSIZE)
		if errors.Is(err, loop.ErrBroken) {
			t.Error("it broke the socket")
		}
		return nil
	})
}

func TestSendToRecvFrom(t *testing.T) {
	run(t, func(task *loop.Task) error {
		bound := func() (*socket.Socket, socket.Addr) {
			s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
			must(t, err)
			must(t, s.Bind(socket.InetAddr(loopback(0))))
			name, err := s.Name()
			must(t, err)
			return s, name
		}
		a, at := bound()
		b, bt := bound()
		defer closeAll(a, b)
		_, _, err := b.RecvFromNowait(make([]byte, 10), 0)
		want(t, "nothing to receive", err, loop.ErrWouldBlock)
		must(t, both(task,
			func(task *loop.Task) error {
				var room [10]byte
				n, from, err := b.RecvFrom(task, room[:], 0)
				if string(room[:n]) != "hi" || from != at {
					t.Errorf("%q from %v, not %v", room[:n], from, at)
				}
				return err
			},
			func(task *loop.Task) error {
				_, err := a.SendTo(task, []byte("hi"), 0, bt)
				return err
			}))
		_, err = a.SendToNowait([]byte("hi"), 0, bt)
		must(t, err)
		_, err = a.SendTo(task, []byte("hi"), 0, socket.UnixAddr("name"))
		want(t, "another family", err, sys.EAFNOSUPPORT)
		_, err = a.SendTo(task, []byte("hi"), 0, socket.Addr{})
		want(t, "no address", err, loop.ErrMisuse)
		return nil
	})
}

// TestSharedDatagramSocket has many tasks send on one socket: messages do not
// mix, so that is no conflict.
func TestSharedDatagramSocket(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := datagrams(task, t)
		defer closeAll(a, b)
		const senders = 10
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			for range senders {
				must(t, n.Spawn(func(task *loop.Task) error {
					_, err := a.Send(task, []byte("x"), 0)
					return err
				}))
			}
			return nil
		}))
		for range senders {
			recvs(task, t, b, "x")
		}
		return nil
	})
}

// numbered makes a socket for datagrams that has the given number, which has
// just been closed.
func numbered(t *loop.Task, tb testing.TB, number sys.FD) *socket.Socket {
	tb.Helper()
	var others []closer
	defer func() { closeAll(others...) }()
	for range 100 {
		s, err := socket.New(t.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		must(tb, err)
		if s.FD() == number {
			return s
		}
		others = append(others, s)
	}
	tb.Skip("this system does not give a number again soon")
	return nil
}

// TestReusedNumber closes a socket twice; in between its number has become
// that of another one, which must not be touched.
func TestReusedNumber(t *testing.T) {
	run(t, func(task *loop.Task) error {
		first, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		must(t, err)
		number := first.FD()
		must(t, first.Close())
		second := numbered(task, t, number)
		must(t, first.Close())
		_, err = first.RecvNowait(make([]byte, 1), 0)
		want(t, "the closed one", err, loop.ErrClosed)
		if _, err := second.GetsockoptInt(sys.SOL_SOCKET, sys.SO_TYPE); err != nil {
			t.Errorf("another socket was touched: %v", err)
		}
		return second.Close()
	})
}

// TestClosedBeforeTurn closes a socket between the event that wakes a receiver
// and the receiver's turn, and lets another socket, with something to receive,
// take its number.
func TestClosedBeforeTurn(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		run(t, func(task *loop.Task) error {
			a, b := pair(task, t)
			defer closeAll(a, b)
			return loop.Nurse(task, func(n *loop.Nursery) error {
				must(t, n.Spawn(func(task *loop.Task) error {
					room := make([]byte, 20)
					n, err := b.Receive(task, room)
					if err != nil {
						want(t, "the receiver", err, loop.ErrClosed)
					} else if string(room[:n]) != "data" {
						t.Errorf("received %q, which was for another socket", room[:n])
					}
					return nil
				}))
				settle(task, t)
				must(t, a.SendAll(task, []byte("data")))
				// One poll makes both tasks runnable; whose turn comes first is
				// drawn by lot.
				for task.Statistics().Readers > 0 {
					must(t, loop.Checkpoint(task))
				}
				number := b.Socket().FD()
				must(t, b.Close())
				other := numbered(task, t, number)
				defer other.Close()
				must(t, other.Bind(socket.InetAddr(loopback(0))))
				name, err := other.Name()
				must(t, err)
				_, err = other.SendToNowait([]byte("not for b"), 0, name)
				must(t, err)
				settle(task, t) // the receiver has its turn
				room := make([]byte, 20)
				got, err := other.RecvNowait(room, 0)
				if err != nil || string(room[:got]) != "not for b" {
					t.Errorf("the other socket has %q, %v", room[:got], err)
				}
				return nil
			})
		})
	})
}

func TestDetachAndAdopt(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a)
		var fd sys.FD
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := b.Receive(task, make([]byte, 1))
				want(t, "a receive whose socket is detached", err, loop.ErrClosed)
				return nil
			}))
			settle(task, t)
			var err error
			fd, err = b.Socket().Detach()
			return err
		}))
		_, err := b.Socket().Detach()
		want(t, "detaching again", err, loop.ErrClosed)
		must(t, b.Close()) // it owns nothing any more
		s, err := socket.Adopt(task.Loop(), fd)
		must(t, err)
		if s.Family() != sys.AF_INET || s.Type() != sys.SOCK_STREAM || s.FD() != fd {
			t.Errorf("adopted %v: family %d, type %d", s, s.Family(), s.Type())
		}
		c, err := socket.NewConn(s)
		must(t, err)
		defer c.Close()
		_, err = socket.NewConn(s)
		want(t, "wrapping again", err, loop.ErrClosed)
		must(t, a.SendAll(task, []byte("still there")))
		receives(task, t, c, "still there")
		dup, err := c.Socket().Dup()
		must(t, err)
		must(t, c.Close())
		_, err = dup.Send(task, []byte("the copy"), 0)
		must(t, err)
		receives(task, t, a, "the copy")
		return dup.Close()
	})
}

func TestAdoptNoSocket(t *testing.T) {
	run(t, func(task *loop.Task) error {
		_, err := socket.Adopt(task.Loop(), sys.Invalid)
		if err == nil {
			t.Error("no descriptor at all was adopted")
		}
		r, w, err := sys.Pipe()
		if err != nil {
			t.Skipf("pipes: %v", err)
		}
		_, err = socket.Adopt(task.Loop(), r)
		want(t, "adopting a pipe", err, sys.ENOTSOCK)
		return errors.Join(sys.Close(r), sys.Close(w))
	})
}

// TestClosedUnderfoot closes a descriptor behind the back of its socket.
func TestClosedUnderfoot(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a)
		must(t, sys.Close(b.Socket().FD()))
		_, err := b.Receive(task, make([]byte, 1))
		want(t, "receiving", err, loop.ErrClosed)
		want(t, "sending", b.SendAll(task, []byte("x")), loop.ErrClosed)
		_, err = b.Socket().Detach()
		return err
	})
}

func TestWrongKinds(t *testing.T) {
	run(t, func(task *loop.Task) error {
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		defer s.Close()
		_, err = socket.NewConn(s)
		want(t, "a connection that is none", err, loop.ErrMisuse)
		_, _, err = s.Accept(task)
		if err == nil || errors.Is(err, loop.ErrWouldBlock) {
			t.Errorf("accepting without listening: %v", err)
		}
		d, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		must(t, err)
		defer d.Close()
		_, err = socket.NewListener(d)
		want(t, "a listener for datagrams", err, loop.ErrMisuse)
		_, err = socket.New(task.Loop(), 12345, sys.SOCK_STREAM, 0)
		var op *socket.OpError
		if !errors.As(err, &op) || op.Op != "socket" {
			t.Errorf("a family that does not exist: %v", err)
		}
		return nil
	})
}

// TestOtherLoop uses a socket with the task of another loop: always refused,
// also by calls that would not have to wait.
func TestOtherLoop(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		must(t, a.SendAll(task, []byte("x")))
		arrived(task, t, b.Socket())
		errs := make(chan error, 2)
		go func() {
			errs <- loop.Run(func(other *loop.Task) error {
				_, err := b.Receive(other, make([]byte, 1))
				errs <- err
				return nil
			})
		}()
		want(t, "a task of another loop", <-errs, loop.ErrWrongTask)
		return <-errs
	})
}

// TestLingeringClose has output that nobody takes and a linger time: the close
// does not hold the loop.
func TestLingeringClose(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(b)
		s := a.Socket()
		must(t, socket.Linger.Set(s, socket.LingerTime{On: true, Time: time.Second}))
		got, err := socket.Linger.Get(s)
		if err != nil || !got.On || got.Time != time.Second {
			t.Errorf("linger time %v, %v", got, err)
		}
		for {
			if _, err := a.SendNowait(make([]byte, 1<<16)); err != nil {
				want(t, "sending without end", err, loop.ErrWouldBlock)
				break
			}
		}
		start := time.Now()
		must(t, a.Close())
		if d := time.Since(start); d > 500*time.Millisecond {
			t.Errorf("close took %v", d)
		}
		_, err = receiveAll(task, b, 1<<16) // lets the linger end
		return err
	})
}
