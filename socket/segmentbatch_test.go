package socket_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// batchTo sends messages of the given sizes, message i to the peer peers[i],
// the bytes of each saying which it is, and returns what each peer should get.
func batchTo(
	task *loop.Task, t *testing.T, x *socket.SegmentSender,
	to []socket.Addr, peers, sizes []int,
) (expected [][][]byte) {
	t.Helper()
	ms := make([]socket.Msg, len(sizes))
	expected = make([][][]byte, len(to))
	for i, n := range sizes {
		b := bytes.Repeat([]byte{byte(i + 1)}, n)
		ms[i].Buffers = [][]byte{b[:n/2], b[n/2:]}
		sa, err := to[peers[i]].Sockaddr(sys.AF_INET)
		must(t, err)
		ms[i].Name = sa
		expected[peers[i]] = append(expected[peers[i]], b)
	}
	for sent := 0; sent < len(ms); {
		n, err := x.SendBatch(task, ms[sent:], 0)
		must(t, err)
		for i := sent; i < sent+n; i++ {
			if ms[i].N != sizes[i] {
				t.Errorf("message %d of %d bytes: %d sent", i, sizes[i], ms[i].N)
			}
		}
		sent += n
	}
	return expected
}

// expect receives exactly these datagrams, in order, and then none.
func expect(t *testing.T, s *socket.Socket, want [][]byte) {
	t.Helper()
	room := make([]byte, 65536)
	for i, w := range want {
		n, err := s.RecvNowait(room, 0)
		if err != nil || !bytes.Equal(room[:n], w) {
			t.Fatalf("datagram %d: %d bytes, %v; want %d bytes", i, n, err, len(w))
		}
	}
	if n, err := s.RecvNowait(room, 0); err != loop.ErrWouldBlock {
		t.Errorf("one more datagram: %d bytes, %v", n, err)
	}
}

// Whatever the sizes and destinations of a batch are, what arrives is what was
// sent, in order: empty datagrams, sizes that go down and up, peers that take
// turns, where messages are joined and where that is refused. P.
func TestSegmentBatch(t *testing.T) {
	for _, refusing := range []bool{false, true} {
		run(t, func(task *loop.Task) error {
			a, _ := bind(task, t, sys.AF_INET)
			b, toB := bind(task, t, sys.AF_INET)
			c, toC := bind(task, t, sys.AF_INET)
			defer closeAll(a, b, c)
			if refusing && sys.MSG_ERRQUEUE != 0 {
				const soNoCheck = 11 // SO_NO_CHECK in socket(7): not cut by Linux, EINVAL
				must(t, a.SetsockoptInt(sys.SOL_SOCKET, soNoCheck, 1))
			}
			x, err := socket.NewSegmentSender(a)
			must(t, err)
			random := rand.New(rand.NewPCG(3, 1))
			for range 100 {
				count := 1 + random.IntN(80)
				peers, sizes := make([]int, count), make([]int, count)
				for i := range count {
					if i > 0 && random.IntN(4) > 0 {
						peers[i], sizes[i] = peers[i-1], sizes[i-1]
					} else {
						peers[i], sizes[i] = random.IntN(2), random.IntN(40)
					}
				}
				expected := batchTo(task, t, x, []socket.Addr{toB, toC}, peers, sizes)
				expect(t, b, expected[0])
				expect(t, c, expected[1])
			}
			got := x.Statistics()
			if sys.MSG_ERRQUEUE != 0 && (got.Messages == 0) != refusing {
				t.Errorf("refusing %v: %+v", refusing, got)
			}
			return nil
		})
	}
}

// Large datagrams arrive as well: those of which one fills a message, and those
// that a route does not take in one piece.
func TestSegmentBatchLarge(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, _ := bind(task, t, sys.AF_INET)
		b, to := bind(task, t, sys.AF_INET)
		defer closeAll(a, b)
		must(t, socket.ReceiveBuffer.Set(b, 1<<20))
		x, err := socket.NewSegmentSender(a)
		must(t, err)
		for _, n := range []int{20000, 100, 40000} { // 40000: one of them fills a message
			expected := batchTo(task, t, x, []socket.Addr{to}, []int{0, 0, 0}, []int{n, n, n})
			expect(t, b, expected[0])
		}
		if got := x.Statistics(); got.Refusals > 1 {
			t.Errorf("%+v", got)
		}
		return nil
	})
}

// Control data is kept to its message, and a socket that cuts everything by
// itself is left alone.
func TestSegmentBatchApart(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, _ := bind(task, t, sys.AF_INET)
		b, to := bind(task, t, sys.AF_INET)
		defer closeAll(a, b)
		x, err := socket.NewSegmentSender(a)
		must(t, err)
		sa, err := to.Sockaddr(sys.AF_INET)
		must(t, err)
		var hops socket.Control
		if err := hops.AddHopLimit(to, 9); errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system takes no hop limit with a message")
		}
		must(t, hops.AddHopLimit(to, 9))
		ms := make([]socket.Msg, 3)
		for i := range ms {
			ms[i].Buffers, ms[i].Name, ms[i].Control = [][]byte{{byte(i)}}, sa, hops.Bytes()
		}
		if n, err := x.SendBatch(task, ms, 0); n != 3 || err != nil {
			t.Errorf("with control data: %d, %v", n, err)
		}
		expect(t, b, [][]byte{{0}, {1}, {2}})
		if got := x.Statistics(); got.Messages != 0 || got.Singles != 3 {
			t.Errorf("%+v", got)
		}
		if err := socket.SegmentSizeAlways.Set(a, 10); err != nil {
			return nil // there is none here
		}
		if x, err = socket.NewSegmentSender(a); err != nil {
			return err
		}
		for i := range ms {
			ms[i].Buffers, ms[i].Control = [][]byte{pattern(15)}, nil
		}
		if n, err := x.SendBatch(task, ms[:2], 0); n != 2 || err != nil {
			t.Errorf("with segments always: %d, %v", n, err)
		}
		expect(t, b, [][]byte{pattern(15)[:10], pattern(15)[10:], pattern(15)[:10], pattern(15)[10:]})
		_, err = x.SendBatch(task, nil, 0)
		want(t, "no messages", err, loop.ErrMisuse)
		return nil
	})
}

func TestSegmentBatchAllocatesNothing(t *testing.T) {
	runBudgeted(t, func(task *loop.Task) error {
		a, _ := bind(task, t, sys.AF_INET)
		b, to := bind(task, t, sys.AF_INET)
		defer closeAll(a, b)
		x, err := socket.NewSegmentSender(a)
		must(t, err)
		sa, err := to.Sockaddr(sys.AF_INET)
		must(t, err)
		ms := make([]socket.Msg, 8)
		for i := range ms {
			ms[i].Buffers, ms[i].Name = [][]byte{pattern(100)}, sa
		}
		room := make([]byte, 200)
		allocates(t, "a joined batch", 0, func() {
			if n, err := x.SendBatch(task, ms, 0); n != 8 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			for range ms {
				_, err := b.RecvNowait(room, 0)
				must(t, err)
			}
		})
		return nil
	})
}
