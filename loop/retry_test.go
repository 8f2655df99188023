package loop_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// Any nonblocking descriptor can be waited for: here the ends of a socket
// pair, without the package socket.
func ExampleRetry() {
	err := loop.Run(func(t *loop.Task) error {
		a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer sys.Close(a)
		defer sys.Close(b)
		d := t.Loop().Register(a)
		defer d.Forget() // before the close
		return loop.Nurse(t, func(n *loop.Nursery) error {
			err := n.Spawn(func(t *loop.Task) error {
				_, err := sys.Send(b, []byte("hello"), 0) // it has room
				return err
			})
			if err != nil {
				return err
			}
			buf := make([]byte, 10)
			k, err := loop.Retry(t, &d, sys.Readable, func() (int, error) {
				return sys.Recv(a, buf, 0)
			})
			fmt.Printf("%s\n", buf[:k])
			return err
		})
	})
	fmt.Println(err)
	// Output:
	// hello
	// <nil>
}

// registered makes a pair of sockets, the first with a registration.
func registered(t *loop.Task, tb testing.TB) (d *loop.Descriptor, peer sys.FD, end func()) {
	tb.Helper()
	a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if err != nil {
		tb.Fatal(err)
	}
	d = t.Loop().Register(a)
	return d, b, func() {
		d.Forget()
		_ = sys.Close(a) // nothing is tested with it
		_ = sys.Close(b)
	}
}

func TestRetryLooksAtCancellationFirst(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		d, _, end := registered(task, t)
		defer end()
		return loop.Scoped(task, func(s *loop.Scope) error {
			if err := s.Cancel("test"); err != nil {
				return err
			}
			_, err := loop.Retry(task, &d, sys.Readable, func() (int, error) {
				t.Error("the call was made")
				return 0, nil
			})
			return err
		})
	})
}

// A success stays one, even if a cancellation came meanwhile.
func TestRetryKeepsSuccess(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		d, _, end := registered(task, t)
		defer end()
		return loop.Scoped(task, func(s *loop.Scope) error {
			n, err := loop.Retry(task, &d, sys.Readable, func() (int, error) { return 7, s.Cancel("test") })
			if n != 7 || err != nil {
				t.Errorf("got %d, %v", n, err)
			}
			return nil
		})
	})
}

// One who waits hears of the end of the registration; and goes on with the
// next one, if the owner has made one.
func TestRetryRegistrations(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		d, peer, end := registered(task, t)
		defer func() { end() }()
		receive := func(task *loop.Task) error {
			b := make([]byte, 1)
			n, err := loop.Retry(task, &d, sys.Readable, func() (int, error) {
				return sys.Recv(d.FD(), b, 0)
			})
			if err == nil && string(b[:n]) != "x" {
				t.Errorf("received %q", b[:n])
			}
			return err
		}
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			if err := n.Spawn(receive); err != nil {
				return err
			}
			settle(task)
			old := d
			d = task.Loop().Register(old.FD())
			old.Forget()
			settle(task)
			_, err := sys.Send(peer, []byte("x"), 0)
			return err
		})
		if err != nil {
			return err
		}
		err = loop.Nurse(task, func(n *loop.Nursery) error {
			if err := n.Spawn(receive); err != nil {
				return err
			}
			settle(task)
			d.Forget()
			return nil
		})
		if !errors.Is(err, loop.ErrClosed) {
			t.Errorf("a wait on what is forgotten: %v", err)
		}
		if err := receive(task); err != loop.ErrClosed {
			t.Errorf("a call on what is forgotten: %v", err)
		}
		_, err = loop.RetryNowait(d, sys.Readable, func() (int, error) { return 0, nil })
		if err != loop.ErrClosed {
			t.Errorf("a call without waiting on what is forgotten: %v", err)
		}
		return nil
	})
}

func TestRetryNowait(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		d, _, end := registered(task, t)
		defer end()
		b := make([]byte, 1)
		_, err := loop.RetryNowait(d, sys.Readable, func() (int, error) { return sys.Recv(d.FD(), b, 0) })
		if err != loop.ErrWouldBlock || !d.Drained(sys.Readable) {
			t.Errorf("nothing is there: %v, drained = %v", err, d.Drained(sys.Readable))
		}
		return nil
	})
}
