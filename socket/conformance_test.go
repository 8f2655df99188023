package socket_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// The contract of stream.Stream, for everything that satisfies it here.

type maker func(t *loop.Task, tb testing.TB) (a, b stream.Stream)

var makers = map[string]maker{
	"tcp": func(t *loop.Task, tb testing.TB) (a, b stream.Stream) { return pair(t, tb) },
	"unix": func(t *loop.Task, tb testing.TB) (a, b stream.Stream) {
		sa, sb := unixPair(t, tb, sys.SOCK_STREAM)
		ca, err := socket.NewConn(sa)
		must(tb, err)
		cb, err := socket.NewConn(sb)
		must(tb, err)
		return ca, cb
	},
	"memory": func(*loop.Task, testing.TB) (a, b stream.Stream) { return stream.NewMemory(0) },
}

// eachStream runs fn as a task with both ends of every kind of stream.
func eachStream(t *testing.T, fn func(task *loop.Task, t *testing.T, a, b stream.Stream)) {
	for name, makePair := range makers {
		t.Run(name, func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := makePair(task, t)
				defer closeAll(a, b)
				fn(task, t, a, b)
				return nil
			})
		})
	}
}

// both runs two tasks to their ends.
func both(t *loop.Task, one, two func(*loop.Task) error) error {
	return loop.Nurse(t, func(n *loop.Nursery) error {
		if err := n.Spawn(one); err != nil {
			return err
		}
		return n.Spawn(two)
	})
}

// receives fails the test unless the next receive gets text.
func receives(t *loop.Task, tb testing.TB, s stream.Receiver, text string) {
	tb.Helper()
	b := make([]byte, 100)
	n, err := s.Receive(t, b)
	if err != nil || string(b[:n]) != text {
		tb.Errorf("received %q, %v; want %q", b[:n], err, text)
	}
}

// clog sends until the sender has to wait, and returns how much went. It keeps
// waiting until the scope around it is cancelled.
func clog(t *loop.Task, s stream.Sender) (int, error) {
	chunk := make([]byte, 1<<16)
	for total := 0; ; {
		err := s.SendAll(t, chunk)
		total += stream.Sent(err, len(chunk))
		if err != nil {
			return total, err
		}
	}
}

func TestStreamSimple(t *testing.T) {
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		must(t, looptest.AssertCheckpoint(task, t, func() error { return a.SendAll(task, []byte("x")) }))
		must(t, looptest.AssertCheckpoint(task, t, func() error {
			receives(task, t, b, "x")
			return nil
		}))
		must(t, looptest.AssertCheckpoint(task, t, func() error { return a.SendAll(task, nil) }))
		must(t, a.SendAll(task, []byte("y")))
		receives(task, t, b, "y")
		_, err := b.Receive(task, nil)
		want(t, "receiving into nothing", err, loop.ErrMisuse)
	})
}

func TestStreamEnd(t *testing.T) {
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		must(t, a.SendAll(task, []byte("request")))
		must(t, looptest.AssertCheckpoint(task, t, func() error { return a.SendEOF(task) }))
		must(t, a.SendEOF(task))
		want(t, "sending after the end", a.SendAll(task, []byte("x")), loop.ErrClosed)
		receives(task, t, b, "request")
		receives(task, t, b, "")
		receives(task, t, b, "")
		must(t, b.SendAll(task, []byte("a late reply")))
		receives(task, t, a, "a late reply")
		must(t, b.Close())
		receives(task, t, a, "")
	})
}

func TestStreamClose(t *testing.T) {
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		must(t, a.SendAll(task, []byte("last words")))
		must(t, looptest.AssertNoCheckpoint(task, t, a.Close))
		must(t, a.Close())
		want(t, "sending", a.SendAll(task, []byte("x")), loop.ErrClosed)
		want(t, "sending nothing", a.SendAll(task, nil), loop.ErrClosed)
		want(t, "ending", a.SendEOF(task), loop.ErrClosed)
		_, err := a.Receive(task, make([]byte, 1))
		want(t, "receiving", err, loop.ErrClosed)
		receives(task, t, b, "last words")
		receives(task, t, b, "")
	})
}

func TestStreamCancelled(t *testing.T) {
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		must(t, b.SendAll(task, []byte("waiting")))
		err := loop.Scoped(task, func(s *loop.Scope) error {
			must(t, s.Cancel("test"))
			want(t, "sending", a.SendAll(task, []byte("x")), loop.Cancelled)
			want(t, "sending nothing", a.SendAll(task, nil), loop.Cancelled)
			want(t, "ending", a.SendEOF(task), loop.Cancelled)
			_, err := a.Receive(task, make([]byte, 10))
			want(t, "receiving", err, loop.Cancelled)
			return err
		})
		must(t, err)
		receives(task, t, a, "waiting") // nothing was taken
		must(t, a.SendAll(task, []byte("after")))
		receives(task, t, b, "after") // and nothing was sent or ended
	})
}

func TestStreamCloseWakesReceiver(t *testing.T) {
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := a.Receive(task, make([]byte, 1))
				want(t, "a receive whose stream is closed", err, loop.ErrClosed)
				return nil
			}))
			settle(task, t)
			return a.Close()
		}))
	})
}

func TestStreamCloseWakesSender(t *testing.T) {
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := clog(task, a)
				want(t, "a send whose stream is closed", err, loop.ErrClosed)
				return nil
			}))
			settle(task, t)
			return a.Close()
		}))
	})
}

func TestStreamBusy(t *testing.T) {
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		var first loop.ParkingLot // where the first receiver is waited for
		received := false
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				receives(task, t, a, "for the first")
				received = true
				first.UnparkAll()
				return nil
			}))
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := clog(task, a)
				return err
			}))
			settle(task, t)
			_, err := a.Receive(task, make([]byte, 1))
			want(t, "a second receive", err, loop.ErrBusy)
			want(t, "a second send", a.SendAll(task, []byte("x")), loop.ErrBusy)
			want(t, "a second send of nothing", a.SendAll(task, nil), loop.ErrBusy)
			want(t, "the end during a send", a.SendEOF(task), loop.ErrBusy)
			if c, ok := a.(*socket.Conn); ok {
				_, err = c.ReceiveNowait(make([]byte, 1))
				want(t, "a receive without waiting", err, loop.ErrBusy)
				_, err = c.SendNowait([]byte("x"))
				want(t, "a send without waiting", err, loop.ErrBusy)
				want(t, "a vectored send", c.SendAllVectored(task, nil), loop.ErrBusy)
			}
			must(t, b.SendAll(task, []byte("for the first")))
			if !received {
				must(t, first.Park(task, "the first receiver"))
			}
			return n.Cancel("done")
		}))
	})
}

// TestStreamBounded has a sender whose peer never reads: it waits, and the
// system holds a bounded amount.
func TestStreamBounded(t *testing.T) {
	const most = 64 << 20
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		sent := 0
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) (err error) {
				sent, err = clog(task, a)
				want(t, "a send that was cancelled", err, loop.Cancelled)
				return err
			}))
			settle(task, t)
			return n.Cancel("it waits")
		}))
		if sent == 0 || sent > most {
			t.Errorf("%d bytes went to a peer that never reads", sent)
		}
		must(t, a.Close())
		all, err := receiveAll(task, b, 1<<16)
		if err != nil || len(all) != sent {
			t.Errorf("%d bytes arrived of %d: %v", len(all), sent, err)
		}
	})
}

// TestStreamQueuedAtClose closes a stream with output on its way to a slow
// reader: all of it arrives.
func TestStreamQueuedAtClose(t *testing.T) {
	data := pattern(4 << 20)
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		must(t, both(task,
			func(task *loop.Task) error {
				if err := a.SendAll(task, data); err != nil {
					return err
				}
				return a.Close()
			},
			func(task *loop.Task) error {
				got, err := receiveAll(task, b, 1000)
				if !bytes.Equal(got, data) {
					t.Errorf("%d bytes arrived of %d", len(got), len(data))
				}
				return err
			}))
	})
}

func TestStreamPeerClosed(t *testing.T) {
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		must(t, b.Close())
		_, err := clog(task, a)
		want(t, "sending to who has closed", err, loop.ErrBroken)
		want(t, "sending again", a.SendAll(task, []byte("x")), loop.ErrBroken)
		if _, ok := a.(*socket.Conn); ok && !errors.Is(err, sys.EPIPE) &&
			!errors.Is(err, sys.ECONNRESET) && !errors.Is(err, sys.ECONNABORTED) {
			t.Errorf("the reason of the system is missing: %v", err)
		}
	})
}

// TestStreamDuplex sends random pieces both ways at once.
func TestStreamDuplex(t *testing.T) {
	const size = 1 << 20
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		rng := rand.New(rand.NewPCG(looptest.Seed(t), 0))
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			for i, s := range []stream.Stream{a, b} {
				must(t, n.Spawn(func(task *loop.Task) error { return sendPieces(task, rng, s, data) }))
				must(t, n.Spawn(func(task *loop.Task) error {
					got, err := receiveAll(task, s, 1+rng.IntN(16384))
					if !bytes.Equal(got, data) {
						return fmt.Errorf("end %d received other %d bytes: %w", i, len(got), err)
					}
					return err
				}))
			}
			return nil
		}))
	})
}

func sendPieces(t *loop.Task, rng *rand.Rand, s stream.Stream, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), 1+rng.IntN(16384))
		if err := s.SendAll(t, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return s.SendEOF(t)
}

// TestStreamCountsWhatWent cancels a send half-way and goes on from where it
// was: the peer gets every byte once.
func TestStreamCountsWhatWent(t *testing.T) {
	data := pattern(32 << 20)
	eachStream(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) {
		sent := 0
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				err := a.SendAll(task, data)
				sent = stream.Sent(err, len(data))
				var partial *stream.SendError
				if !errors.As(err, &partial) || partial.Sent != sent {
					t.Errorf("a send that was cancelled half-way: %v", err)
				}
				return err
			}))
			settle(task, t)
			return n.Cancel("half-way")
		}))
		must(t, both(task,
			func(task *loop.Task) error {
				if err := a.SendAll(task, data[sent:]); err != nil {
					return err
				}
				return a.SendEOF(task)
			},
			func(task *loop.Task) error {
				got, err := receiveAll(task, b, 1<<20)
				if !bytes.Equal(got, data) {
					t.Errorf("%d bytes arrived of %d", len(got), len(data))
				}
				return err
			}))
	})
}
