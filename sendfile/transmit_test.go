package sendfile_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// What these tests are about is the system's own where it has it, and a stand-in
// elsewhere.

// transmits has files sent so while the test runs.
func transmits(tb testing.TB) { tb.Cleanup(sendfile.Transmit(nil)) }

// open opens a file with data in it.
func open(tb testing.TB, data []byte) *sendfile.File {
	tb.Helper()
	f, err := sendfile.Open(closedFile(tb, data))
	must(tb, err)
	tb.Cleanup(func() { _ = f.Close() }) // a test may have done it
	return f
}

// narrowPair is a pair that takes less than one part of a file, so that a
// transmission is under way as long as nobody receives.
func narrowPair(t *loop.Task, tb testing.TB) (a, b *socket.Conn) {
	tb.Helper()
	a, b = pair(t, tb)
	must(tb, socket.SendBuffer.Set(a.Socket(), 64<<10))
	must(tb, socket.ReceiveBuffer.Set(b.Socket(), 64<<10))
	return a, b
}

// firstByte waits until a transmission has begun, and returns what came.
func firstByte(t *loop.Task, tb testing.TB, from *socket.Conn) []byte {
	tb.Helper()
	b := make([]byte, 1)
	n, err := from.Receive(t, b)
	must(tb, err)
	return b[:n]
}

// S296: parts of a file, from anywhere in it, with what goes before and after.
func TestTransmit(t *testing.T) {
	transmits(t)
	data := pattern(3<<20 + 17)
	f := open(t, data)
	for name, part := range map[string]struct{ offset, n, header int64 }{
		"all": {0, -1, 0}, "a part": {1000, 300_000, 7}, "the last": {3 << 20, -1, 0},
		"one call": {1, sendfile.TransmitPart, 1}, "behind the end": {1 << 40, -1, 1},
		"a large header": {500_000, 100_000, sys.MaxTransmitEdge},
		"a larger one":   {500_000, 100_000, sys.MaxTransmitEdge + 1},
	} {
		t.Run(name, func(t *testing.T) {
			body := data[min(part.offset, int64(len(data))):]
			if part.n >= 0 {
				body = body[:part.n]
			}
			tail := []byte(" after")
			expect := bytes.Join([][]byte{data[:part.header], body, tail}, nil)
			run(t, func(task *loop.Task) error {
				a, b := pair(task, t)
				defer a.Close()
				defer b.Close()
				return both(task, func(task *loop.Task) error {
					var method sendfile.Method
					calls, last := 0, int64(0)
					n, err := f.Send(task, a, part.offset, part.n,
						sendfile.WithHeader(data[:part.header]), sendfile.WithTrailer(tail),
						sendfile.MethodUsed(&method), sendfile.WithProgress(func(n int64) {
							calls++
							if n <= last {
								t.Errorf("%d bytes, then %d", last, n)
							}
							last = n
						}))
					if (method == sendfile.TransmitFile) != (len(body) > 16<<10) {
						t.Errorf("sent by %v", method)
					}
					if n != int64(len(expect)) || last != n || a.Statistics().Sent != uint64(n) {
						t.Errorf("%d bytes sent of %d, %d at last; the connection counts %d",
							n, len(expect), last, a.Statistics().Sent)
					}
					if calls < len(body)/sendfile.TransmitPart {
						t.Errorf("%d parts", calls)
					}
					return errors.Join(err, a.SendEOF(task))
				}, func(task *loop.Task) error { return receives(task, t, b, expect) })
			})
		})
	}
}

// A file that becomes shorter ends it with an error, after what there was and the
// header, and no trailer follows.
func TestTransmitFileShrinks(t *testing.T) {
	transmits(t)
	const cut = sendfile.TransmitPart
	data, head := pattern(3*cut), []byte("a head")
	for name, when := range map[string]int64{"before": 0, "meanwhile": 1} {
		t.Run(name, func(t *testing.T) {
			f := open(t, data)
			left := map[bool]int64{true: 0, false: cut}[when == 0]
			shorten := func() {
				if err := os.Truncate(f.Name(), left); err != nil {
					t.Skipf("the system does not let it: %v", err)
				}
			}
			if when == 0 {
				shorten()
			}
			expect := append(head[:len(head):len(head)], data[:left]...)
			run(t, func(task *loop.Task) error {
				a, b := pair(task, t)
				defer a.Close()
				defer b.Close()
				return both(task, func(task *loop.Task) error {
					n, err := f.Send(task, a, 0, -1, sendfile.WithHeader(head),
						sendfile.WithTrailer([]byte("never")),
						sendfile.WithProgress(func(n int64) {
							if when > 0 && n == int64(len(expect)) {
								shorten()
							}
						}))
					want(t, "send", err, io.ErrUnexpectedEOF)
					if n != int64(len(expect)) {
						t.Errorf("%d bytes were sent, want %d", n, len(expect))
					}
					return a.SendEOF(task)
				}, func(task *loop.Task) error { return receives(task, t, b, expect) })
			})
		})
	}
}

// A cancelled transfer says how much went, and can be continued; meanwhile the
// direction belongs to it, and the loop goes on.
func TestTransmitCancelled(t *testing.T) {
	transmits(t)
	data := pattern(32 << 20)
	f := open(t, data)
	run(t, func(task *loop.Task) error {
		a, b := narrowPair(task, t)
		defer a.Close()
		defer b.Close()
		var sent int64
		var first []byte
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) (err error) {
				sent, err = f.Send(task, a, 0, -1)
				want(t, "send", err, loop.Cancelled)
				return err
			}))
			first = firstByte(task, t, b)
			want(t, "a send beside it", a.SendAll(task, []byte("x")), loop.ErrBusy)
			_, err := a.Socket().Detach()
			want(t, "taking it away", err, loop.ErrBusy)
			return n.Cancel("test")
		}))
		if sent == 0 || sent >= sendfile.TransmitPart || a.Statistics().Sent != uint64(sent) {
			t.Errorf("%d of %d bytes were sent", sent, len(data))
		}
		return both(task, func(task *loop.Task) error {
			_, err := f.Send(task, a, sent, -1)
			return errors.Join(err, a.SendEOF(task))
		}, func(task *loop.Task) error { return receives(task, t, b, data[len(first):]) })
	})
}

// Cancelled at every moment, it has sent what it says.
func TestTransmitCancelledEverywhere(t *testing.T) {
	transmits(t)
	data := pattern(200_000)
	f := open(t, data)
	looptest.Config{}.CancelEverywhere(t, func(task *loop.Task) (err error) {
		var a, b *socket.Conn
		must(t, loop.Shield(task, func(*loop.Scope) error {
			a, b = pair(task, t)
			return nil
		}))
		defer a.Close()
		defer b.Close()
		sent, sendErr := f.Send(task, a, 0, -1, sendfile.WithHeader([]byte("head")))
		all := append([]byte("head"), data...)[:sent]
		must(t, loop.Shield(task, func(*loop.Scope) error {
			return both(task, a.SendEOF, func(task *loop.Task) error { return receives(task, t, b, all) })
		}))
		return sendErr
	})
}

// Closed by another task it ends soon, and the descriptor goes after it: connections
// that are made meanwhile get nothing of the file.
func TestTransmitClosed(t *testing.T) {
	transmits(t)
	data := pattern(32 << 20)
	f := open(t, data)
	for name, end := range map[string]func(*socket.Conn) error{
		"closed": (*socket.Conn).Close, "aborted": (*socket.Conn).Abort,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := narrowPair(task, t)
				defer b.Close()
				sent, first := int64(0), []byte(nil)
				must(t, loop.Nurse(task, func(n *loop.Nursery) error {
					must(t, n.Spawn(func(task *loop.Task) (err error) {
						sent, err = f.Send(task, a, 0, -1)
						want(t, "send", err, loop.ErrClosed)
						return nil
					}))
					first = firstByte(task, t, b)
					must(t, end(a))
					must(t, end(a)) // idempotent
					c, d := pair(task, t)
					must(t, c.SendAll(task, []byte("another")))
					must(t, c.Close())
					must(t, receives(task, t, d, []byte("another")))
					return d.Close()
				}))
				got, err := receiveAll(task, b)
				got = append(first, got...)
				if !bytes.HasPrefix(data, got) || sent == 0 || sent >= sendfile.TransmitPart {
					t.Errorf("%d bytes came, %d were sent", len(got), sent)
				}
				if name == "closed" && (err != nil || int64(len(got)) != sent) {
					t.Errorf("%d bytes came of %d: %v", len(got), sent, err)
				}
				if a.Statistics().Sent != uint64(sent) {
					t.Errorf("%d bytes were sent, or %d", sent, a.Statistics().Sent)
				}
				return nil
			})
		})
	}
}

// A file that is closed meanwhile ends it.
func TestTransmitFileClosed(t *testing.T) {
	transmits(t)
	f := open(t, pattern(32<<20))
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer a.Close()
		defer b.Close()
		return both(task, func(task *loop.Task) error {
			n, err := f.Send(task, a, 0, -1, sendfile.WithProgress(func(int64) { _ = f.Close() }))
			want(t, "a file that was closed", err, os.ErrClosed)
			if n == 0 || n >= f.Size() {
				t.Errorf("%d bytes were sent", n)
			}
			return a.SendEOF(task)
		}, func(task *loop.Task) error {
			_, err := receiveAll(task, b)
			return err
		})
	})
}

// A peer that resets the connection ends it.
func TestTransmitBroken(t *testing.T) {
	if can, should := sendfile.TransmittedBySystem(); can && !should {
		t.Skip("Wine loses a reset that meets the transmission at work, and is not to use it")
	}
	transmits(t)
	f := open(t, pattern(32<<20))
	run(t, func(task *loop.Task) error {
		a, b := narrowPair(task, t)
		defer a.Close()
		must(t, both(task, func(task *loop.Task) error {
			n, err := f.Send(task, a, 0, -1)
			want(t, "a peer that has gone", err, loop.ErrBroken)
			if n >= f.Size() {
				t.Errorf("%d bytes were sent", n)
			}
			return nil
		}, func(task *loop.Task) error {
			_ = firstByte(task, t, b)
			return b.Abort()
		}))
		must(t, a.Close())
		_, err := f.Send(task, a, 0, -1)
		want(t, "a closed connection", err, loop.ErrClosed)
		return nil
	})
}

// What the system does not begin is copied, and so is what is beyond the bound.
func TestTransmitRefused(t *testing.T) {
	data := pattern(2*sendfile.TransmitPart + 5)
	f := open(t, data)
	for name, refused := range map[string]int{"the first": 1, "the second": 2} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			defer sendfile.Transmit(func() error {
				if calls++; calls == refused {
					return errors.ErrUnsupported
				}
				return nil
			})()
			sendsAll(t, f, data, 1)
			if calls != refused {
				t.Errorf("%d transmissions, after number %d was refused", calls, refused)
			}
		})
	}
	t.Run("too many", func(t *testing.T) {
		if can, should := sendfile.TransmittedBySystem(); can && !should {
			t.Skip("Windows for clients carries out two at a time")
		}
		transmits(t)
		sendsAll(t, f, data, sendfile.TransmitMax+1)
	})
}

// sendsAll sends f over some connections at once whose peers begin to receive when
// all are under way. One is copied at least if there are too many.
func sendsAll(t *testing.T, f *sendfile.File, data []byte, connections int) {
	t.Helper()
	run(t, func(task *loop.Task) error {
		copied := 0
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			ends := make([]*socket.Conn, connections)
			for i := range ends {
				a, b := narrowPair(task, t)
				ends[i] = b
				must(t, n.Spawn(func(task *loop.Task) error {
					var method sendfile.Method
					sent, err := f.Send(task, a, 0, -1, sendfile.MethodUsed(&method))
					if method == sendfile.Copied {
						copied++
					}
					if sent != int64(len(data)) {
						t.Errorf("%d bytes were sent by %v", sent, method)
					}
					return errors.Join(err, a.Close())
				}))
			}
			if connections > 1 {
				looptest.WaitAllTasksBlocked(task, t)
				if n := sendfile.Transmitting(); n != sendfile.TransmitMax {
					t.Errorf("%d are sent by the system", n)
				}
			}
			for _, b := range ends {
				must(t, receives(task, t, b, data))
				must(t, b.Close())
			}
			return nil
		}))
		if connections > 1 && copied != connections-sendfile.TransmitMax {
			t.Errorf("%d were copied", copied)
		}
		if n := sendfile.Transmitting(); n != 0 {
			t.Errorf("%d are believed to be under way", n)
		}
		return nil
	})
}

// Torture: every call of the kernel fails.
func TestFaultsTransmit(t *testing.T) {
	transmits(t)
	data, head, tail := pattern(30_000), []byte("a head, "), []byte(", a tail")
	f := open(t, data)
	whole := bytes.Join([][]byte{head, data[100:], tail}, nil)
	tortureSend(t, whole, func(task *loop.Task, c *socket.Conn) (int64, error) {
		return f.Send(task, c, 100, -1, sendfile.WithHeader(head), sendfile.WithTrailer(tail))
	})
}
