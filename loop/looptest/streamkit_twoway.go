package looptest

import (
	"math/rand/v2"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// twoWayCheck is a promise about both directions of a stream.
type twoWayCheck struct {
	name string
	fn   func(task *loop.Task, t testing.TB, a, b stream.Stream)
}

var twoWayChecks = []twoWayCheck{
	{"S373-duplex", checkDuplex},
	{"S375-half-close", checkHalfClose},
	{"S375-half-close-both-ways", checkHalfCloseBothWays},
	{"S375-end-cancelled", checkEndCancelled},
	{"S370-close-wakes-both", checkCloseWakesBoth},
}

// checkDuplex sends both ways at once, in pieces of any size.
func checkDuplex(task *loop.Task, t testing.TB, a, b stream.Stream) {
	rng := rand.New(rand.NewPCG(Seed(t), 0))
	there, back := pattern(1<<20), pattern(1<<20-1)
	must(t, together(task,
		func(task *loop.Task) error { return sendPieces(task, rng, a, there) },
		func(task *loop.Task) error { return sendPieces(task, rng, b, back) },
		func(task *loop.Task) error { return receivePieces(task, rng, a, back) },
		func(task *loop.Task) error { return receivePieces(task, rng, b, there) }))
}

func checkHalfClose(task *loop.Task, t testing.TB, a, b stream.Stream) {
	exchange(task, t, a, b, "request")
	must(t, AssertCheckpoint(task, t, func() error { return a.SendEOF(task) }))
	must(t, AssertCheckpoint(task, t, func() error { return a.SendEOF(task) }))
	wantErr(t, "sending after the end", a.SendAll(task, []byte("x")), loop.ErrClosed)
	wantErr(t, "sending nothing after the end", a.SendAll(task, nil), loop.ErrClosed)
	receives(task, t, b, "")
	receives(task, t, b, "")
	exchange(task, t, b, a, "a late reply")
	must(t, b.Close())
	receives(task, t, a, "")
	must(t, a.Close())
	wantErr(t, "the end after a close", a.SendEOF(task), loop.ErrClosed)
}

func checkHalfCloseBothWays(task *loop.Task, t testing.TB, a, b stream.Stream) {
	must(t, a.SendEOF(task))
	must(t, b.SendEOF(task))
	receives(task, t, a, "")
	receives(task, t, b, "")
	must(t, a.Close())
	must(t, b.Close())
}

func checkEndCancelled(task *loop.Task, t testing.TB, a, b stream.Stream) {
	must(t, loop.Scoped(task, func(s *loop.Scope) error {
		must(t, s.Cancel("test"))
		err := a.SendEOF(task)
		wantErr(t, "ending", err, loop.Cancelled)
		return err
	}))
	exchange(task, t, a, b, "not ended")
	must(t, a.SendEOF(task))
	receives(task, t, b, "")
}

// checkCloseWakesBoth has a task wait in each direction of the stream that is
// closed.
func checkCloseWakesBoth(task *loop.Task, t testing.TB, a, _ stream.Stream) {
	must(t, loop.Nurse(task, func(n *loop.Nursery) error {
		must(t, n.Spawn(func(task *loop.Task) error {
			_, err := clog(task, a)
			wantErr(t, "a send whose stream is closed", err, loop.ErrClosed)
			return nil
		}))
		must(t, n.Spawn(func(task *loop.Task) error {
			_, err := a.Receive(task, make([]byte, 1))
			wantErr(t, "a receive whose stream is closed", err, loop.ErrClosed)
			return nil
		}))
		WaitAllTasksBlocked(task, t)
		return a.Close()
	}))
}
