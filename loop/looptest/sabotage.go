package looptest

import (
	"errors"
	"fmt"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// Sabotage is a Stream around another one that is as awkward as the contract
// allows: it hands on bytes in pieces, and breaks where it is told to. Code
// that works on it does not rely on how bytes are cut.
type Sabotage struct {
	stream.Stream

	// Pieces bounds how many bytes the calls of Receive return, and how many
	// bytes SendAll hands on at once: the first, the second, and so on; the
	// last holds for all that follow. Without any there is no bound; one that
	// is not positive counts as 1.
	Pieces []int

	// BreakReceive, BreakSend: after so many bytes the direction breaks, and
	// the call answers loop.ErrBroken. Those before do arrive. Nil: never.
	BreakReceive, BreakSend *int

	received, sent   int // bytes
	receives, pieces int // calls
	broke            bool
}

// Broke reports whether a call was told that a direction is broken.
func (s *Sabotage) Broke() bool { return s.broke }

// size is how many of n bytes the call may move, if done have been moved and
// the direction breaks at end; 0: it breaks now.
func (s *Sabotage) size(call, n, done int, end *int) int {
	if len(s.Pieces) > 0 {
		n = min(n, max(1, s.Pieces[min(call, len(s.Pieces)-1)]))
	}
	if end != nil {
		n = min(n, max(0, *end-done))
	}
	return n
}

// fail breaks a direction.
func (s *Sabotage) fail(t *loop.Task, what string, after int) error {
	if err := loop.Checkpoint(t); err != nil {
		return err
	}
	s.broke = true
	return fmt.Errorf("%s: sabotage after %d bytes: %w", what, after, loop.ErrBroken)
}

// Receive receives less than it could. It is a checkpoint.
func (s *Sabotage) Receive(t *loop.Task, b []byte) (int, error) {
	if len(b) == 0 {
		return s.Stream.Receive(t, b)
	}
	n := s.size(s.receives, len(b), s.received, s.BreakReceive)
	s.receives++
	if n == 0 {
		return 0, s.fail(t, "receiving", s.received)
	}
	n, err := s.Stream.Receive(t, b[:n])
	s.received += n
	return n, err
}

// SendAll sends piece by piece. It is a checkpoint. While it has handed on one
// piece and not the next, the stream below does not answer ErrBusy.
func (s *Sabotage) SendAll(t *loop.Task, b []byte) error {
	for total := 0; ; {
		n := s.size(s.pieces, len(b)-total, s.sent, s.BreakSend)
		if n == 0 && total < len(b) {
			return stream.Partial(total, s.fail(t, "sending", s.sent))
		}
		s.pieces++
		err := s.Stream.SendAll(t, b[total:total+n])
		went := stream.Sent(err, n)
		total, s.sent = total+went, s.sent+went
		if err != nil {
			return stream.Partial(total, reason(err))
		}
		if total == len(b) {
			return nil
		}
	}
}

// reason takes the count from an error of SendAll, since it was of a piece.
func reason(err error) error {
	if partial, ok := err.(*stream.SendError); ok {
		return partial.Err
	}
	return err
}

// EachSplit runs fn with a stream from which data can be received, and then
// the end: byte by byte; whole; and cut in two at every offset. It is for code
// that takes something apart: what fn returns fails the test, as does what it
// finds with tb. Sends of fn go nowhere.
func EachSplit(
	tb testing.TB, data []byte, fn func(t *loop.Task, s stream.Stream) error,
	opts ...loop.Option,
) {
	tb.Helper()
	cuts := [][]int{{1}, nil}
	for at := 1; at < len(data); at++ {
		cuts = append(cuts, []int{at, len(data)})
	}
	for _, cut := range cuts {
		Run(tb, func(t *loop.Task) error {
			return feed(t, data, func(s stream.Stream) error {
				return fn(t, &Sabotage{Stream: s, Pieces: cut})
			})
		}, opts...)
		if tb.Failed() {
			tb.Fatalf("it fails with the pieces %v of %d bytes", cut, len(data))
		}
	}
}

// EachBreak runs fn with a stream from which data can be received, and that
// breaks: before the first byte, after the first, and so on, until fn comes to
// its end unharmed. It returns how many breaks there were. A second round does
// the same to what fn sends, which goes nowhere. The test fails if fn returns
// nil although the stream broke, or an error that does not match
// loop.ErrBroken, or one although nothing broke; and, as with Run, if it hangs
// or leaves something behind.
func EachBreak(
	tb testing.TB, data []byte, fn func(t *loop.Task, s stream.Stream) error,
	opts ...loop.Option,
) (breaks int) {
	tb.Helper()
	for _, sending := range []bool{false, true} {
		for at := 0; breakAt(tb, data, fn, sending, at, opts); at++ {
			if breaks++; breaks > momentsMax {
				tb.Fatalf("there are more than %d breaks", momentsMax)
			}
		}
	}
	return breaks
}

// breakAt runs fn with one break, and reports whether fn came so far.
func breakAt(
	tb testing.TB, data []byte, fn func(t *loop.Task, s stream.Stream) error,
	sending bool, at int, opts []loop.Option,
) bool {
	tb.Helper()
	s := &Sabotage{}
	if sending {
		s.BreakSend = &at
	} else {
		s.BreakReceive = &at
	}
	err := RunErr(tb, func(t *loop.Task) error {
		return feed(t, data, func(below stream.Stream) error {
			s.Stream = below
			return fn(t, s)
		})
	}, opts...)
	if s.broke && !errors.Is(err, loop.ErrBroken) || !s.broke && err != nil {
		tb.Fatalf("sending = %v, broken after %d bytes = %v: the error is %v", sending, at, s.broke, err)
	}
	return s.broke
}

// feed runs fn with an end of a stream at which data and the end have come. At
// the other end somebody takes what fn sends.
func feed(t *loop.Task, data []byte, fn func(stream.Stream) error) (err error) {
	far, near := stream.NewMemory(len(data) + 1)
	defer far.Close()
	defer near.Close()
	if err := far.SendAll(t, data); err != nil {
		return err
	}
	if err := far.SendEOF(t); err != nil {
		return err
	}
	_ = loop.Nurse(t, func(n *loop.Nursery) error {
		spawned := n.Spawn(func(t *loop.Task) error {
			b := make([]byte, 1<<10)
			for {
				if n, err := far.Receive(t, b); n == 0 || err != nil {
					return err
				}
			}
		})
		err = errors.Join(spawned, fn(near))
		return near.Close()
	})
	return err
}
