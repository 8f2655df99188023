package loop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// Torture (reliability 93): every call of the kernel fails, in a build with the
// tag faults; without it each body runs once. Reliability 27 to 31 are about the
// waits, 14 about the wakes.

// twoEnds makes two sockets that are connected, on every system.
func twoEnds() (a, b sys.FD, err error) {
	a, b, err = sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if errors.Is(err, errors.ErrUnsupported) {
		a, b, err = sys.SocketPair(sys.AF_INET, sys.SOCK_STREAM, 0)
	}
	if err == nil {
		if err = sys.SetsockoptInt(a, sys.SOL_SOCKET, sys.SO_SNDBUF, 4096); err != nil {
			_, _ = sys.Close(a), sys.Close(b)
		}
	}
	return a, b, err
}

// exchange sends bytes one way with the given waits, as a user of the loop who
// writes his own calls does.
func exchange(
	t *loop.Task, a, b sys.FD, readable, writable func(*loop.Task) error,
) error {
	return loop.Nurse(t, func(n *loop.Nursery) error {
		err := n.Spawn(func(t *loop.Task) error {
			data := make([]byte, 20_000)
			for left := len(data); left > 0; {
				n, err := sys.Send(a, data[:left], 0)
				if err == sys.WouldBlock {
					err = writable(t)
				}
				if err != nil {
					return err
				}
				left -= n
			}
			return sys.Shutdown(a, sys.SHUT_WR)
		})
		if err != nil {
			return err
		}
		for buf := make([]byte, 6000); ; {
			n, err := sys.Recv(b, buf, 0)
			switch {
			case err == sys.WouldBlock:
				err = readable(t)
			case n == 0 && err == nil:
				return nil
			}
			if err != nil {
				return err
			}
		}
	})
}

// Waits of registered descriptors.
func TestFaultsDescriptors(t *testing.T) {
	t.Log(looptest.Config{Limit: time.Minute}.EachFault(t, func(task *loop.Task) error {
		a, b, err := twoEnds()
		if err != nil {
			return err
		}
		defer func() { _, _ = sys.Close(a), sys.Close(b) }()
		da, db := task.Loop().Register(a), task.Loop().Register(b)
		defer da.Forget()
		defer db.Forget()
		return exchange(task, a, b, func(task *loop.Task) error {
			db.MarkDrained(sys.Readable)
			return loop.WaitReadable(task, db)
		}, func(task *loop.Task) error {
			da.MarkDrained(sys.Writable)
			return loop.WaitWritable(task, da)
		})
	}))
}

// Waits by number.
func TestFaultsForeign(t *testing.T) {
	t.Log(looptest.Config{Limit: time.Minute}.EachFault(t, func(task *loop.Task) error {
		a, b, err := twoEnds()
		if err != nil {
			return err
		}
		defer func() { _, _ = sys.Close(a), sys.Close(b) }()
		return exchange(task, a, b,
			func(task *loop.Task) error { return loop.WaitReadableFD(task, b) },
			func(task *loop.Task) error { return loop.WaitWritableFD(task, a) })
	}))
}

// Calls from outside, while the loop sleeps and while it does not; timers; and
// the end, with callers still there. None is lost, whatever the poller does.
func TestFaultsEntry(t *testing.T) {
	t.Log(looptest.Config{Limit: time.Minute}.EachFault(t, func(task *loop.Task) error {
		l := task.Loop()
		const callers, calls = 3, 5
		done, asked := 0, 0
		failed := make(chan error, callers)
		for range callers {
			go func() { // it ends with the loop at the latest
				for range calls {
					err := l.Do(context.Background(), func(task *loop.Task) error {
						asked++
						return loop.Checkpoint(task)
					})
					if err != nil {
						failed <- err
						return
					}
				}
				err := l.CallSoon(func() { done++ })
				if err != nil {
					failed <- err
				}
			}()
		}
		for done < callers {
			if err := loop.Sleep(task, time.Millisecond); err != nil {
				return err
			}
			select {
			case err := <-failed:
				return err
			default:
			}
		}
		if asked != callers*calls {
			t.Errorf("%d calls were made, not %d", asked, callers*calls)
		}
		return nil
	}))
}
