package socket_test

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Scenarios T: the contract of stream.Stream, for everything that satisfies it
// here, and what connections promise beyond it.

var makers = map[string]looptest.StreamMaker{
	"tcp": func(t *loop.Task, tb testing.TB) (a, b stream.Stream) { return pair(t, tb) },
	"unix": func(t *loop.Task, tb testing.TB) (a, b stream.Stream) {
		sa, sb := unixPair(t, tb, sys.SOCK_STREAM)
		ca, err := socket.NewConn(sa)
		must(tb, err)
		cb, err := socket.NewConn(sb)
		must(tb, err)
		return ca, cb
	},
}

func TestStreams(t *testing.T) {
	looptest.EachKernel(t, func(t *testing.T) {
		for name, makePair := range makers {
			t.Run(name, func(t *testing.T) {
				looptest.Config{Limit: limit}.TestStream(t, makePair)
			})
		}
	})
}

// eachConn runs fn as a task with both ends of every kind of connection.
func eachConn(t *testing.T, fn func(task *loop.Task, t *testing.T, a, b *socket.Conn)) {
	for name, makePair := range makers {
		t.Run(name, func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := makePair(task, t)
				defer closeAll(a, b)
				fn(task, t, a.(*socket.Conn), b.(*socket.Conn))
				return nil
			})
		})
	}
}

// both runs two tasks to their ends.
func both(t *loop.Task, one, two func(*loop.Task) error) error {
	return loop.Nurse(t, func(n *loop.Nursery) error {
		if err := n.Spawn(one); err != nil {
			return err
		}
		return n.Spawn(two)
	})
}

// receives fails the test unless the next receive gets text.
func receives(t *loop.Task, tb testing.TB, s stream.Receiver, text string) {
	tb.Helper()
	b := make([]byte, 100)
	n, err := s.Receive(t, b)
	if err != nil || string(b[:n]) != text {
		tb.Errorf("received %q, %v; want %q", b[:n], err, text)
	}
}

// clog sends until the sender has to wait, and returns how much went. It keeps
// waiting until the scope around it is cancelled.
func clog(t *loop.Task, s stream.Sender) (int, error) {
	chunk := make([]byte, 1<<16)
	for total := 0; ; {
		err := s.SendAll(t, chunk)
		total += stream.Sent(err, len(chunk))
		if err != nil {
			return total, err
		}
	}
}

// The calls that do not wait are refused, too, while a task waits in their
// direction.
func TestConnNowaitBusy(t *testing.T) {
	eachConn(t, func(task *loop.Task, t *testing.T, a, b *socket.Conn) {
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := a.Receive(task, make([]byte, 1))
				return err
			}))
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := clog(task, a)
				return err
			}))
			settle(task, t)
			_, err := a.ReceiveNowait(make([]byte, 1))
			want(t, "a receive without waiting", err, loop.ErrBusy)
			_, err = a.SendNowait([]byte("x"))
			want(t, "a send without waiting", err, loop.ErrBusy)
			want(t, "a vectored send of nothing", a.SendAllVectored(task, nil), loop.ErrBusy)
			return n.Cancel("done")
		}))
	})
}

func TestConnPeerClosedTellsWhy(t *testing.T) {
	eachConn(t, func(task *loop.Task, t *testing.T, a, b *socket.Conn) {
		must(t, b.Close())
		_, err := clog(task, a)
		want(t, "sending to who has closed", err, loop.ErrBroken)
		if !errors.Is(err, sys.EPIPE) && !errors.Is(err, sys.ECONNRESET) &&
			!errors.Is(err, sys.ECONNABORTED) {
			t.Errorf("the reason of the system is missing: %v", err)
		}
	})
}

// TestS379ErrorMapping: a descriptor that was closed behind the back of its
// socket is closed; whatever else the system says breaks the connection, and
// can be matched.
func TestS379ErrorMapping(t *testing.T) {
	eachConn(t, func(task *loop.Task, t *testing.T, a, b *socket.Conn) {
		must(t, sys.Close(a.Socket().FD()))
		_, err := a.Receive(task, make([]byte, 1))
		want(t, "receiving from what is closed", err, loop.ErrClosed)
		want(t, "sending on it", a.SendAll(task, []byte("x")), loop.ErrClosed)
		_, err = clog(task, b)
		want(t, "sending to what is closed", err, loop.ErrBroken)
		var errno sys.Errno
		if !errors.As(err, &errno) {
			t.Errorf("the reason of the system is missing: %v", err)
		}
	})
}
