package socket_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// counted counts the sends of a stream.
type counted struct {
	stream.Stream
	sends int
}

func (c *counted) SendAll(t *loop.Task, b []byte) error {
	c.sends++
	return c.Stream.SendAll(t, b)
}

// What is queued for a TLS connection goes out together: the messages of a Writer
// share records, and a send.
func TestTLSWriterSharesRecords(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ma, mb := stream.NewMemory(1 << 20)
		transport := &counted{Stream: ma}
		a, b := overTLS(t, transport, mb)
		defer closeAll(a, b)
		shake(task, t, a, b)
		transport.sends = 0
		message := []byte("what is new")
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			w, err := stream.NewWriter(n, a)
			must(t, err)
			for range 1000 {
				must(t, w.Put(message))
			}
			return w.Flush(task)
		})
		got := make([]byte, 1000*len(message))
		_, failed := stream.ReceiveExactly(task, b, got)
		must(t, failed)
		if !bytes.Equal(got, bytes.Repeat(message, 1000)) {
			t.Error("something else came")
		}
		if transport.sends != 1 {
			t.Errorf("%d sends", transport.sends)
		}
		return err
	})
}

// pieces cuts data into buffers of all sizes, also empty ones.
func pieces(r *rand.Rand, data []byte) (buffers [][]byte) {
	for len(data) > 0 {
		n := min(len(data), r.IntN([]int{1, 30, 2000, 70_000, 200_000}[r.IntN(5)]))
		buffers, data = append(buffers, data[:n:n]), data[n:]
	}
	return append(buffers, nil)
}

// Buffers of all sizes arrive as if they had been joined, and stay as they are.
func TestTLSVectored(t *testing.T) {
	data := pattern(1 << 20)
	run(t, func(task *loop.Task) error {
		for seed := range uint64(10) {
			buffers := pieces(rand.New(rand.NewPCG(seed, 0)), data)
			a, b := tlsPair(task, t)
			must(t, both(task, func(task *loop.Task) error {
				must(t, a.SendAllVectored(task, nil))
				if err := a.SendAllVectored(task, buffers); err != nil {
					return err
				}
				return a.SendEOF(task)
			}, func(task *loop.Task) error {
				got, err := receiveAll(task, b, 30_000)
				if !bytes.Equal(got, data) {
					t.Errorf("seed %d: %d bytes came", seed, len(got))
				}
				return err
			}))
			if !bytes.Equal(bytes.Join(buffers, nil), data) || a.Statistics().Sent != uint64(len(data)) {
				t.Errorf("seed %d: the buffers have changed, or %+v", seed, a.Statistics())
			}
			closeAll(a, b)
		}
		return nil
	})
}

// Wherever it is cancelled the error tells how much went, and it can be carried on.
func TestTLSVectoredCancelledEverywhere(t *testing.T) {
	data := pattern(20_000)
	moments := looptest.Config{Limit: limit}.CancelEverywhere(t, func(task *loop.Task) error {
		ma, mb := stream.NewMemory(1000)
		a, b := overTLS(t, ma, mb)
		defer closeAll(a, b)
		must(t, loop.Shield(task, func(*loop.Scope) error { shake(task, t, a, b); return nil }))
		r := rand.New(rand.NewPCG(1, 0))
		sent, got := 0, []byte(nil)
		send := func(task *loop.Task) error {
			for sent < len(data) {
				piece := data[sent:min(len(data), sent+8000)]
				err := a.SendAllVectored(task, pieces(r, piece))
				if sent += stream.Sent(err, len(piece)); err != nil {
					return err
				}
			}
			return a.SendAllVectored(task, nil) // what has been encrypted may wait
		}
		receive := func(task *loop.Task) error {
			for room := make([]byte, 3000); len(got) < len(data); {
				n, err := b.Receive(task, room)
				if got = append(got, room[:n]...); err != nil {
					return err
				}
			}
			return nil
		}
		err := both(task, send, receive)
		must(t, loop.Shield(task, func(*loop.Scope) error { return both(task, send, receive) }))
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes came, other than the %d that were sent", len(got), len(data))
		}
		return err
	})
	t.Logf("%d moments", moments)
}

// A buffer of which a part is left, behind a long chunk or a full record, is joined
// with those that follow, none of which loses a byte.
func TestTLSVectoredJoinsTheRest(t *testing.T) {
	data := pattern(150_000)
	buffers := [][]byte{data[:100_000]}
	for rest := data[100_000:]; len(rest) > 0; rest = rest[min(3001, len(rest)):] {
		buffers = append(buffers, rest[:min(3001, len(rest))])
	}
	run(t, func(task *loop.Task) error {
		a, b := tlsPair(task, t)
		defer closeAll(a, b)
		return both(task, func(task *loop.Task) error {
			must(t, a.SendAllVectored(task, buffers))
			return a.SendEOF(task)
		}, func(task *loop.Task) error {
			got, err := receiveAll(task, b, 30_000)
			if !bytes.Equal(got, data) {
				t.Errorf("%d bytes came, or others", len(got))
			}
			return err
		})
	})
}
