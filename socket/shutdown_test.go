package socket_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// TestShutdownWakesReceiver ends the receiving direction on this side while a
// task waits in it: the task sees the end.
func TestShutdownWakesReceiver(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				receives(task, t, a, "")
				return nil
			}))
			settle(task, t)
			return a.Socket().Shutdown(sys.SHUT_RD)
		}))
		receives(task, t, a, "")
		must(t, a.SendAll(task, []byte("still sending")))
		receives(task, t, b, "still sending")
		return nil
	})
}

// TestShutdownBoth ends both directions: the peer sees the end, and what waits
// here wakes.
func TestShutdownBoth(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		must(t, a.SendAll(task, []byte("last")))
		must(t, a.Socket().Shutdown(sys.SHUT_RDWR))
		want(t, "sending", a.SendAll(task, []byte("x")), loop.ErrClosed)
		receives(task, t, b, "last")
		receives(task, t, b, "")
		receives(task, t, a, "")
		must(t, a.Close())
		want(t, "a closed socket", a.Socket().Shutdown(sys.SHUT_WR), loop.ErrClosed)
		return nil
	})
}
