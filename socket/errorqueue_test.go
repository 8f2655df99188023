package socket_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// TestErrorQueueBesideReceive waits for the error queue of a TCP connection, for
// the time at which something was sent, while another task receives on it.
func TestErrorQueueBesideReceive(t *testing.T) {
	if !socket.Timestamping.Supported() {
		t.Skip("this system has no error queue")
	}
	const sentBySoftware, reportSoftware, withoutData = 1 << 1, 1 << 4, 1 << 11
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		s := a.Socket()
		must(t, socket.Timestamping.Set(s, sentBySoftware|reportSoftware|withoutData))
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				receives(task, t, a, "reply")
				return nil
			}))
			must(t, n.Spawn(func(task *loop.Task) error {
				m := socket.Msg{Control: make([]byte, 512)}
				if _, err := s.RecvMsg(task, &m, sys.MSG_ERRQUEUE); err != nil {
					return err
				}
				timed := false
				for c := range socket.ControlMessages(m.Control) {
					_, ok := c.Timestamp()
					timed = timed || ok
				}
				if !timed {
					t.Errorf("no time in %x", m.Control)
				}
				return b.SendAll(task, []byte("reply"))
			}))
			settle(task, t) // both wait
			m := socket.Msg{Control: make([]byte, 512)}
			_, err := s.RecvMsgNowait(&m, sys.MSG_ERRQUEUE)
			want(t, "an empty error queue", err, loop.ErrWouldBlock)
			return a.SendAll(task, []byte("x"))
		})
	})
}
