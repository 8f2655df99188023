package socket_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Nothing on the way of a byte allocates once it has been gone before.

const allocRuns = 200

// allocates fails the test unless fn allocates at most limit times.
func allocates(tb testing.TB, what string, limit float64, fn func()) {
	tb.Helper()
	if got := testing.AllocsPerRun(allocRuns, fn); got > limit {
		tb.Errorf("%s allocates %v times, and may %v times", what, got, limit)
	}
}

// freshMessage is how often the system's part allocates for a message that has
// not been used before: nothing on Unix; Windows wants the buffers in an order
// of its own.
func freshMessage(tb testing.TB, fd sys.FD) float64 {
	tb.Helper()
	room := make([]byte, 10)
	return testing.AllocsPerRun(allocRuns, func() {
		buffers := [2][]byte{room[:5], room[5:]}
		m := socket.Msg{Buffers: buffers[:], WantName: true}
		if _, err := sys.RecvMsg(fd, &m, 0); err != sys.WouldBlock {
			tb.Errorf("receiving nothing: %v", err)
		}
	})
}

func TestTransferAllocatesNothing(t *testing.T) {
	runBudgeted(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		data, room := make([]byte, 100), make([]byte, 1000)
		vector := [][]byte{data[:50], data[50:]}
		allocates(t, "a send and a receive", 0, func() {
			must(t, a.SendAll(task, data))
			_, err := b.Receive(task, room)
			must(t, err)
		})
		allocates(t, "a vectored send of small buffers", 0, func() {
			must(t, a.SendAllVectored(task, vector))
			_, err := stream.ReceiveExactly(task, b, room[:len(data)])
			must(t, err)
		})
		large := [][]byte{make([]byte, 700), make([]byte, 300)}
		allocates(t, "a vectored send of large buffers", freshMessage(t, a.Socket().FD()), func() {
			must(t, a.SendAllVectored(task, large))
			_, err := stream.ReceiveExactly(task, b, room)
			must(t, err)
		})
		allocates(t, "calls without waiting", 0, func() {
			_, err := a.SendNowait(data)
			must(t, err)
			_, err = b.ReceiveNowait(room)
			must(t, err)
			_, _ = b.ReceiveNowait(room)
		})
		return nil
	})
}

// TestStackBufferStaysThere receives into an array: it must not escape.
func TestStackBufferStaysThere(t *testing.T) {
	runBudgeted(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		allocates(t, "with buffers on the stack", 0, func() {
			var data, room [100]byte
			must(t, a.SendAll(task, data[:]))
			_, err := b.Receive(task, room[:])
			must(t, err)
		})
		return nil
	})
}

func TestDatagramAllocatesNothing(t *testing.T) {
	runBudgeted(t, func(task *loop.Task) error {
		a, b := datagrams(task, t)
		defer closeAll(a, b)
		c, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		must(t, err)
		defer c.Close()
		must(t, c.Bind(socket.InetAddr(loopback(0))))
		to, err := c.Name()
		must(t, err)
		data, room := make([]byte, 100), make([]byte, 1000)
		m := &socket.Msg{Buffers: [][]byte{room}, WantName: true}
		allocates(t, "a datagram", 0, func() {
			_, err := a.Send(task, data, 0)
			must(t, err)
			_, err = b.RecvMsg(task, m, 0)
			must(t, err)
		})
		allocates(t, "a datagram with addresses", 2*freshMessage(t, a.FD()), func() {
			_, err := c.SendTo(task, data, 0, to)
			must(t, err)
			_, _, err = c.RecvFrom(task, room, 0)
			must(t, err)
		})
		return nil
	})
}

// TestWaitAllocatesNothing has two tasks send to and fro, so that each receive
// waits.
func TestWaitAllocatesNothing(t *testing.T) {
	runBudgeted(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				defer b.Close()
				room := make([]byte, 100)
				for {
					n, err := b.Receive(task, room)
					if err != nil || n == 0 {
						return err
					}
					if err := b.SendAll(task, room[:n]); err != nil {
						return err
					}
				}
			}))
			data := make([]byte, 100)
			allocates(t, "a round trip with waits", 0, func() {
				must(t, a.SendAll(task, data))
				_, err := a.Receive(task, data)
				must(t, err)
			})
			return a.SendEOF(task)
		})
	})
}

// TestIdleCycleAllocatesATask goes from idle to a handler and back: the task
// is the only thing that is new each time.
func TestIdleCycleAllocatesATask(t *testing.T) {
	runBudgeted(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			c := dial(task, t, s)
			defer c.Close()
			data := make([]byte, 100)
			allocates(t, "a request of an idle connection", 1, func() {
				must(t, c.SendAll(task, data))
				_, err := c.Receive(task, data)
				must(t, err)
			})
			return nil
		})
	})
}

// TestIdleSize holds idle connections to what their structures may take.
func TestIdleSize(t *testing.T) {
	const most = 512
	if got := socket.IdleConnectionSize(); got > most {
		t.Errorf("an idle connection takes %d bytes, and may take %d", got, most)
	} else {
		t.Logf("an idle connection takes %d bytes", got)
	}
}
