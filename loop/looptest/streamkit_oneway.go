package looptest

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// boundedMost is how much a stream may hold for a peer that never reads. The
// kernel's buffers of a TCP connection over loopback come to a tenth of it.
const boundedMost = 64 << 20

// oneWayCheck is a promise about one direction.
type oneWayCheck struct {
	name string
	fn   func(*loop.Task, testing.TB, stream.SendCloser, stream.ReceiveCloser)
}

var oneWayChecks = []oneWayCheck{
	{"S358-simple", checkSimple},
	{"S359-empty-send", checkEmptySend},
	{"S360-arguments", checkArguments},
	{"S361-busy-receiver", checkBusyReceiver},
	{"S361-busy-sender", checkBusySender},
	{"S363-peer-closed", checkPeerClosed},
	{"S364-closed-locally", checkClosedLocally},
	{"S365-close-delivers", checkCloseDelivers},
	{"S366-abort", checkAbort},
	{"S368-cancelled", checkCancelled},
	{"S369-close-wakes-receiver", checkCloseWakesReceiver},
	{"S370-close-wakes-sender", checkCloseWakesSender},
	{"S372-peer-close-wakes-sender", checkPeerCloseWakesSender},
	{"S373-random-pieces", checkRandomPieces},
	{"S374-end-then-close", checkEnd},
	{"S377-large-sends", checkLargeSends},
	{"S380-counts-what-went", checkCounts},
	{"bounded", checkBounded},
}

// The other side waits whenever a checkpoint is counted, so that only the call
// in question can have made it.
func checkSimple(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	send := func(task *loop.Task) error { return s.SendAll(task, []byte("x")) }
	receive := func(task *loop.Task) error { receives(task, t, r, "x"); return nil }
	meanwhile(task, t, receive, func() error {
		return AssertCheckpoint(task, t, func() error { return send(task) })
	})
	meanwhile(task, t, send, func() error {
		return AssertCheckpoint(task, t, func() error { return receive(task) })
	})
}

func checkEmptySend(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	must(t, AssertCheckpoint(task, t, func() error { return s.SendAll(task, nil) }))
	must(t, AssertCheckpoint(task, t, func() error { return s.SendAll(task, []byte{}) }))
	exchange(task, t, s, r, "y")
}

func checkArguments(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	for _, empty := range [][]byte{nil, {}, make([]byte, 0, 10)} {
		_, err := r.Receive(task, empty)
		wantErr(t, "receiving into an empty buffer", err, loop.ErrMisuse)
	}
	backing := []byte("..abc..")
	must(t, together(task,
		func(task *loop.Task) error { return s.SendAll(task, backing[2:5]) },
		func(task *loop.Task) error {
			into := []byte("......")
			n, err := stream.ReceiveExactly(task, r, into[1:4])
			if err != nil || n != 3 || string(into) != ".abc.." {
				t.Errorf("received %q, %v", into, err)
			}
			return nil
		}))
	if string(backing) != "..abc.." {
		t.Errorf("the sender's buffer is now %q", backing)
	}
}

func checkBusyReceiver(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	first := func(task *loop.Task) error { receives(task, t, r, "for the first"); return nil }
	meanwhile(task, t, first, func() error {
		_, err := r.Receive(task, make([]byte, 1))
		wantErr(t, "a second receive", err, loop.ErrBusy)
		return s.SendAll(task, []byte("for the first"))
	})
}

func checkBusySender(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	first := func(task *loop.Task) error {
		_, err := clog(task, s)
		wantErr(t, "a send that nobody receives, cancelled", err, loop.Cancelled)
		return err
	}
	must(t, loop.Nurse(task, func(n *loop.Nursery) error {
		must(t, n.Spawn(first))
		WaitAllTasksBlocked(task, t)
		wantErr(t, "a second send", s.SendAll(task, []byte("x")), loop.ErrBusy)
		wantErr(t, "a second send of nothing", s.SendAll(task, nil), loop.ErrBusy)
		if v, ok := s.(stream.VectoredSender); ok {
			wantErr(t, "a vectored send", v.SendAllVectored(task, [][]byte{{1}}), loop.ErrBusy)
		}
		if e, ok := s.(interface{ SendEOF(*loop.Task) error }); ok {
			wantErr(t, "the end during a send", e.SendEOF(task), loop.ErrBusy)
		}
		return n.Cancel("the innocent one waits still")
	}))
}

func checkPeerClosed(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	must(t, r.Close())
	_, err := clog(task, s)
	wantErr(t, "sending to who has closed", err, loop.ErrBroken)
	wantErr(t, "sending again", s.SendAll(task, []byte("x")), loop.ErrBroken)
}

func checkClosedLocally(
	task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser,
) {
	for range 3 {
		must(t, AssertNoCheckpoint(task, t, s.Close))
	}
	wantErr(t, "sending after a close", s.SendAll(task, []byte("x")), loop.ErrClosed)
	wantErr(t, "sending nothing after a close", s.SendAll(task, nil), loop.ErrClosed)
	for range 3 {
		must(t, AssertNoCheckpoint(task, t, r.Close))
	}
	_, err := r.Receive(task, make([]byte, 1))
	wantErr(t, "receiving after a close", err, loop.ErrClosed)
}

func checkCloseDelivers(
	task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser,
) {
	words := func(task *loop.Task) error {
		if err := s.SendAll(task, []byte("last words")); err != nil {
			return err
		}
		return s.Close()
	}
	meanwhile(task, t, words, func() error {
		receives(task, t, r, "last words")
		receives(task, t, r, "")
		return nil
	})
}

func checkAbort(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	abort := s.Close
	if a, ok := s.(interface{ Abort() error }); ok {
		abort = a.Abort
	}
	meanwhile(task, t, func(task *loop.Task) error {
		_, err := receiveAll(task, r, 10)
		if err != nil && !errors.Is(err, loop.ErrBroken) {
			t.Errorf("receiving from who has aborted: %v", err)
		}
		return nil
	}, func() error {
		must(t, AssertNoCheckpoint(task, t, abort))
		return abort()
	})
	wantErr(t, "sending after an abort", s.SendAll(task, []byte("x")), loop.ErrClosed)
}

func checkCancelled(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	waiting := func(task *loop.Task) error { return s.SendAll(task, []byte("waiting")) }
	meanwhile(task, t, waiting, func() error {
		must(t, loop.Scoped(task, func(scope *loop.Scope) error {
			must(t, scope.Cancel("test"))
			_, err := r.Receive(task, make([]byte, 10))
			wantErr(t, "receiving what is there", err, loop.Cancelled)
			return err
		}))
		receives(task, t, r, "waiting") // nothing was taken
		return nil
	})
	must(t, loop.Scoped(task, func(scope *loop.Scope) error {
		must(t, scope.Cancel("test"))
		wantErr(t, "sending", s.SendAll(task, []byte("x")), loop.Cancelled)
		wantErr(t, "sending nothing", s.SendAll(task, nil), loop.Cancelled)
		_, err := r.Receive(task, make([]byte, 10))
		wantErr(t, "receiving", err, loop.Cancelled)
		return err
	}))
	must(t, loop.Nurse(task, func(n *loop.Nursery) error {
		must(t, n.Spawn(func(task *loop.Task) error {
			_, err := r.Receive(task, make([]byte, 10))
			wantErr(t, "a receive that waits", err, loop.Cancelled)
			return err
		}))
		WaitAllTasksBlocked(task, t)
		return n.Cancel("test")
	}))
	exchange(task, t, s, r, "after") // and nothing was sent
	must(t, s.Close())
	receives(task, t, r, "")
	must(t, r.Close())
}

func checkCloseWakesReceiver(
	task *loop.Task, t testing.TB, _ stream.SendCloser, r stream.ReceiveCloser,
) {
	meanwhile(task, t, func(task *loop.Task) error {
		_, err := r.Receive(task, make([]byte, 1))
		wantErr(t, "a receive whose stream is closed", err, loop.ErrClosed)
		return nil
	}, r.Close)
}

func checkCloseWakesSender(
	task *loop.Task, t testing.TB, s stream.SendCloser, _ stream.ReceiveCloser,
) {
	meanwhile(task, t, func(task *loop.Task) error {
		_, err := clog(task, s)
		wantErr(t, "a send whose stream is closed", err, loop.ErrClosed)
		return nil
	}, s.Close)
}

func checkPeerCloseWakesSender(
	task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser,
) {
	meanwhile(task, t, func(task *loop.Task) error {
		_, err := clog(task, s)
		wantErr(t, "a send whose peer closes", err, loop.ErrBroken)
		return nil
	}, r.Close)
}

func checkRandomPieces(
	task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser,
) {
	rng := rand.New(rand.NewPCG(Seed(t), 0))
	data := pattern(1 << 18)
	must(t, together(task,
		func(task *loop.Task) error { return sendPieces(task, rng, s, data) },
		func(task *loop.Task) error { return receivePieces(task, rng, r, data) }))
}

// sendPieces sends data in pieces of any size, from a buffer that is used
// again at once, and ends the direction, or closes the stream if it has only
// that.
func sendPieces(task *loop.Task, rng *rand.Rand, s stream.SendCloser, data []byte) error {
	buf := make([]byte, 1<<14)
	for len(data) > 0 {
		n := copy(buf, data[:min(len(data), 1+rng.IntN(len(buf)))])
		if err := s.SendAll(task, buf[:n]); err != nil {
			return err
		}
		clear(buf)
		data = data[n:]
	}
	return sendEnd(task, s)
}

func sendEnd(task *loop.Task, s stream.SendCloser) error {
	if e, ok := s.(interface{ SendEOF(*loop.Task) error }); ok {
		return e.SendEOF(task)
	}
	return s.Close()
}

// receivePieces receives until the end into room of any size.
func receivePieces(task *loop.Task, rng *rand.Rand, r stream.Receiver, want []byte) error {
	var got []byte
	for {
		room := make([]byte, 1+rng.IntN(1<<14))
		n, err := r.Receive(task, room)
		if err != nil {
			return err
		}
		if n == 0 {
			return same(got, want)
		}
		got = append(got, room[:n]...)
	}
}

func checkEnd(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	must(t, sendEnd(task, s))
	wantErr(t, "sending after the end", s.SendAll(task, []byte("x")), loop.ErrClosed)
	for range 3 {
		receives(task, t, r, "")
	}
	must(t, r.Close())
}

func checkLargeSends(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	data := pattern(patternMax)
	sender := func(task *loop.Task) error {
		ours := slices.Clone(data)
		if err := s.SendAll(task, ours); err != nil {
			return err
		}
		clear(ours) // it is the caller's again
		return s.Close()
	}
	meanwhile(task, t, sender, func() error {
		got, err := receiveAll(task, r, 1<<17)
		must(t, err)
		return same(got, data)
	})
}

// checkCounts cancels a send half-way and goes on from where it was: the peer
// gets every byte once.
func checkCounts(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	block := pattern(1 << 20) // again and again, until the sender has to wait
	sent := 0
	must(t, loop.Nurse(task, func(n *loop.Nursery) error {
		must(t, n.Spawn(func(task *loop.Task) (err error) {
			for err == nil {
				err = s.SendAll(task, block)
				sent += stream.Sent(err, len(block))
			}
			wantErr(t, "a send that was cancelled half-way", err, loop.Cancelled)
			return err
		}))
		must(t, n.Spawn(func(task *loop.Task) error {
			b := make([]byte, 100)
			n, err := stream.ReceiveExactly(task, r, b)
			must(t, err)
			return same(b[:n], block[:n])
		}))
		WaitAllTasksBlocked(task, t)
		return n.Cancel("half-way")
	}))
	if sent < 100 {
		t.Errorf("the error says that %d bytes went; 100 were received", sent)
	}
	must(t, together(task,
		func(task *loop.Task) error {
			if err := s.SendAll(task, block[sent%len(block):]); err != nil {
				return err
			}
			return s.Close()
		},
		func(task *loop.Task) error {
			got, err := receiveAll(task, r, 1<<20)
			must(t, err)
			blocks := sent/len(block) + 1
			return same(got, bytes.Repeat(block, blocks)[100:])
		}))
}

// checkBounded has a sender whose peer never reads: it waits, and the stream
// holds a bounded amount.
func checkBounded(task *loop.Task, t testing.TB, s stream.SendCloser, r stream.ReceiveCloser) {
	sent := 0
	must(t, loop.Nurse(task, func(n *loop.Nursery) error {
		must(t, n.Spawn(func(task *loop.Task) (err error) {
			sent, err = clog(task, s)
			wantErr(t, "a send that nobody receives, cancelled", err, loop.Cancelled)
			return err
		}))
		WaitAllTasksBlocked(task, t)
		return n.Cancel("it waits")
	}))
	if sent > boundedMost {
		t.Errorf("%d bytes went to a peer that never reads", sent)
	}
	all, err := receiveRest(task, s, r)
	if err != nil || len(all) != sent {
		t.Errorf("%d bytes arrived of %d: %v", len(all), sent, err)
	}
}

// receiveRest ends the stream, and receives until the end. What counts as sent
// may still wait in the stream for the next send, or for this end.
func receiveRest(
	task *loop.Task, s stream.SendCloser, r stream.ReceiveCloser,
) (rest []byte, err error) {
	err = together(task, func(task *loop.Task) error {
		return errors.Join(sendEnd(task, s), s.Close())
	}, func(task *loop.Task) (err error) {
		rest, err = receiveAll(task, r, 1000)
		return err
	})
	return rest, err
}

// cancelStream cancels a transfer at every moment. Then what the sender says
// that it sent is what the peer has got, or gets until the end.
func (c Config) cancelStream(t testing.TB, make OneWayMaker) {
	data := pattern(5000)
	c.CancelEverywhere(t, func(task *loop.Task) (err error) {
		var s stream.SendCloser
		var r stream.ReceiveCloser
		must(t, loop.Shield(task, func(*loop.Scope) error {
			s, r = make(task, t)
			return nil
		}))
		defer closeBoth(s, r)
		sent, got := 0, []byte(nil)
		err = together(task,
			func(task *loop.Task) (err error) {
				for err == nil && sent < len(data) {
					piece := data[sent:min(sent+999, len(data))]
					err = s.SendAll(task, piece)
					sent += stream.Sent(err, len(piece))
				}
				return err
			},
			func(task *loop.Task) error {
				b := [700]byte{}
				for len(got) < len(data) {
					n, err := r.Receive(task, b[:])
					if got = append(got, b[:n]...); err != nil {
						return err
					}
				}
				return nil
			})
		must(t, loop.Shield(task, func(*loop.Scope) error {
			rest, err := receiveRest(task, s, r)
			must(t, err)
			return same(append(got, rest...), data[:sent])
		}))
		return err
	})
}
