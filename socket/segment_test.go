package socket_test

import (
	"bytes"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// receiveSegments receives datagrams until they hold n bytes, and answers the
// bytes and the sizes.
func receiveSegments(task *loop.Task, tb testing.TB, s *socket.Socket, n int) (all []byte, sizes []int) {
	tb.Helper()
	m := &socket.Msg{Buffers: [][]byte{make([]byte, 65536)}, Control: make([]byte, 64)}
	for len(all) < n {
		m.Control = m.Control[:cap(m.Control)]
		got, err := s.RecvMsg(task, m, 0)
		must(tb, err)
		for part := range socket.Segments(m.Buffers[0][:got], socket.SegmentSize(m.Control)) {
			sizes = append(sizes, len(part))
			all = append(all, part...)
		}
	}
	return all, sizes
}

// A burst arrives as datagrams of the given size and a rest, whether or not the
// receiver has them put together, by the kernel's segmentation where there is
// one. Reliability 64.
func TestSegments(t *testing.T) {
	for _, offload := range []bool{false, true} {
		run(t, func(task *loop.Task) error {
			a, _ := bind(task, t, sys.AF_INET)
			b, to := bind(task, t, sys.AF_INET)
			defer closeAll(a, b)
			must(t, socket.ReceiveBuffer.Set(b, 1<<20))
			if err := socket.ReceiveOffload.Set(b, offload); err != nil && offload {
				t.Skip("this system does not put datagrams together:", err)
			}
			x, err := socket.NewSegmentSender(a)
			must(t, err)
			data := pattern(30*1200 + 7)
			return loop.Nurse(task, func(n *loop.Nursery) error {
				must(t, n.Spawn(func(task *loop.Task) error {
					all, sizes := receiveSegments(task, t, b, len(data))
					if !bytes.Equal(all, data) || len(sizes) != 31 || sizes[0] != 1200 || sizes[30] != 7 {
						t.Errorf("%d bytes in %v", len(all), sizes)
					}
					return nil
				}))
				sent, err := x.Send(task, data, 1200, to, nil)
				if sent != len(data) || err != nil {
					t.Errorf("sent %d, %v", sent, err)
				}
				if s := x.Statistics(); s.Messages == 0 && s.Singles != 31 || s.Messages > 1 {
					t.Errorf("%+v", s)
				}
				return nil
			})
		})
	}
}

// Where segments cannot be, the datagrams go one by one, and that is known from
// then on for that destination. One that can neither way is the error, with an
// honest count.
func TestSegmentsFallBack(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, _ := bind(task, t, sys.AF_INET)
		b, to := bind(task, t, sys.AF_INET)
		defer closeAll(a, b)
		x, err := socket.NewSegmentSender(a)
		must(t, err)
		if sys.MSG_ERRQUEUE != 0 {
			// Linux does not cut what is to go without checksums: EINVAL.
			const soNoCheck = 11 // SO_NO_CHECK in socket(7)
			must(t, a.SetsockoptInt(sys.SOL_SOCKET, soNoCheck, 1))
		}
		for range 2 {
			sent, err := x.Send(task, pattern(3000), 1000, to, nil)
			must(t, err)
			all, sizes := receiveSegments(task, t, b, sent)
			if len(sizes) != 3 || !bytes.Equal(all, pattern(3000)) {
				t.Errorf("%v", sizes)
			}
		}
		if s := x.Statistics(); s.Messages != 0 || s.Singles != 6 || s.Refusals > 1 ||
			s.Refusals == 0 && sys.MSG_ERRQUEUE != 0 {
			t.Errorf("%+v", s)
		}
		for _, size := range []int{0, -1, 65536} {
			_, err = x.Send(task, pattern(10), size, to, nil)
			want(t, "a size", err, loop.ErrMisuse)
		}
		sent, err := x.Send(task, nil, 100, to, nil)
		if sent != 0 || err != nil {
			t.Errorf("an empty datagram: %d, %v", sent, err)
		}
		n, err := b.RecvNowait(make([]byte, 1), 0)
		if n != 0 || err != nil {
			t.Errorf("the empty datagram: %d, %v", n, err)
		}
		sent, err = x.Send(task, pattern(3000), 1000, socket.UnixAddr("x"), nil)
		want(t, "an address of another family", err, sys.EAFNOSUPPORT)
		if sent != 0 {
			t.Errorf("sent %d", sent)
		}
		st, other := unixPair(task, t, sys.SOCK_STREAM)
		defer closeAll(st, other)
		_, err = socket.NewSegmentSender(st)
		want(t, "a stream", err, loop.ErrMisuse)
		return nil
	})
}
