package socket_test

import (
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// TestServeDeferred serves a listener with DeferAccept: whose first bytes have
// come is served at once, who is silent all the same goes idle, and who has
// broken off is counted. The option comes after the clients have connected, so
// that the silent ones need not wait until the system gives up deferring.
func TestServeDeferred(t *testing.T) {
	if !socket.DeferAccept.Supported() {
		t.Skip("this system cannot defer accepts")
	}
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		connect := func() *socket.Conn {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			return c
		}
		eager, silent, broken := connect(), connect(), connect()
		defer closeAll(eager, silent)
		must(t, eager.SendAll(task, []byte("at once")))
		must(t, broken.Abort())
		must(t, socket.DeferAccept.Set(ln.Socket(), 10*time.Second))

		s, err := socket.NewServer(ln, echo)
		must(t, err)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(s.Serve))
			defer s.Stop()
			until(task, t, func() bool { return s.Statistics().Accepted >= 2 })
			receives(task, t, eager, "at once")
			until(task, t, func() bool { return s.Statistics().Idle == 2 })
			if got := s.Statistics(); got.Runs != 1 || got.Active != 0 {
				t.Errorf("before the silent one spoke: %+v", got)
			}
			must(t, silent.SendAll(task, []byte("at last")))
			receives(task, t, silent, "at last")

			late := connect()
			defer late.Close()
			must(t, late.SendAll(task, []byte("deferred")))
			receives(task, t, late, "deferred")
			got := s.Statistics()
			if broken := got.Errors[socket.ErrorBroken]; got.Accepted == 4 && broken != 1 {
				t.Errorf("the broken one was not counted: %+v", got)
			}
			return nil
		})
	})
}
