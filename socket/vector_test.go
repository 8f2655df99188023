package socket_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// TestVectored sends many buffers in pieces: each goes on at the right place,
// and the caller's slice is as it was. Small ones are joined, and some of the
// middle size are in either company.
func TestVectored(t *testing.T) {
	for _, c := range []struct{ longest, total int }{
		{4000, 4 << 20}, {700, 1 << 20}, {400, 1 << 20}, {30, 200_000},
	} {
		t.Run(strconv.Itoa(c.longest), func(t *testing.T) { vectored(t, c.longest, c.total) })
	}
}

func vectored(t *testing.T, longest, total int) {
	t.Helper()
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t, socket.With(socket.SendBuffer, 10000))
		defer closeAll(a, b)
		rng := rand.New(rand.NewPCG(looptest.Seed(t), 1))
		data := pattern(total)
		var buffers [][]byte
		for rest := data; len(rest) > 0; {
			n := min(len(rest), rng.IntN(longest)*rng.IntN(2))
			buffers = append(buffers, rest[:n:n])
			rest = rest[n:]
		}
		buffers = append(buffers, nil)
		lengths := make([]int, len(buffers))
		for i, buffer := range buffers {
			lengths[i] = len(buffer)
		}
		if len(buffers) <= sys.MaxBuffers {
			t.Errorf("only %d buffers", len(buffers))
		}
		must(t, both(task,
			func(task *loop.Task) error {
				if err := a.SendAllVectored(task, buffers); err != nil {
					return err
				}
				return a.SendEOF(task)
			},
			func(task *loop.Task) error {
				got, err := receiveAll(task, b, 3000)
				if !bytes.Equal(got, data) {
					t.Errorf("%d bytes arrived of %d", len(got), len(data))
				}
				return err
			}))
		for i, buffer := range buffers {
			if len(buffer) != lengths[i] {
				t.Fatalf("buffer %d has %d bytes, and had %d", i, len(buffer), lengths[i])
			}
		}
		want(t, "afterwards", a.SendAllVectored(task, buffers), loop.ErrClosed)
		return nil
	})
}

// What arrives is as much as the error says, of large buffers and of small ones.
func TestVectoredCancelled(t *testing.T) {
	t.Run("large", func(t *testing.T) {
		vectoredCancelled(t, [][]byte{pattern(100), pattern(32 << 20), pattern(100)})
	})
	t.Run("small", func(t *testing.T) {
		vectoredCancelled(t, slices.Repeat([][]byte{pattern(100), pattern(311)}, 80_000))
	})
}

func vectoredCancelled(t *testing.T, buffers [][]byte) {
	t.Helper()
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer closeAll(a, b)
		sent, whole := 0, bytes.Join(buffers, nil)
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				err := a.SendAllVectored(task, buffers)
				sent = stream.Sent(err, 0)
				return err
			}))
			settle(task, t)
			return n.Cancel("half-way")
		}))
		if left := bytes.Join(buffers, nil); !bytes.Equal(left, whole) {
			t.Errorf("the buffers have %d bytes now, and had %d", len(left), len(whole))
		}
		must(t, a.Close())
		got, err := receiveAll(task, b, 1<<20)
		if err != nil || len(got) != sent || sent <= 100 || !bytes.HasPrefix(whole, got) {
			t.Errorf("%d bytes arrived, %d were sent: %v", len(got), sent, err)
		}
		must(t, looptest.AssertCheckpoint(task, t, func() error {
			return b.SendAllVectored(task, [][]byte{nil, {}})
		}))
		return nil
	})
}
