package sendfile_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func want(tb testing.TB, what string, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("%s: got %v, want %v", what, err, target)
	}
}

func run(t *testing.T, main func(*loop.Task) error) {
	t.Helper()
	looptest.Config{Limit: time.Minute}.Run(t, main)
}

func pair(t *loop.Task, tb testing.TB) (a, b *socket.Conn) {
	tb.Helper()
	ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
	must(tb, err)
	defer ln.Close()
	a, err = socket.ConnectTCP(t, ln.Addr().AddrPort())
	must(tb, err)
	b, err = ln.Accept(t)
	must(tb, err)
	return a, b
}

func both(t *loop.Task, fns ...func(*loop.Task) error) error {
	return loop.Nurse(t, func(n *loop.Nursery) error {
		for _, fn := range fns {
			if err := n.Spawn(fn); err != nil {
				return err
			}
		}
		return nil
	})
}

func pattern(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // it never fails
	return b
}

func file(tb testing.TB, data []byte) *os.File {
	tb.Helper()
	f, err := os.CreateTemp("", "sendfile")
	must(tb, err)
	tb.Cleanup(func() { _ = os.Remove(f.Name()) }) // a test may have done it
	_, err = f.Write(data)
	must(tb, err)
	return f
}

// receiveAll receives until the end.
func receiveAll(t *loop.Task, from stream.Receiver) (all []byte, err error) {
	buf := make([]byte, 100_000)
	for {
		n, err := from.Receive(t, buf)
		if err != nil || n == 0 {
			return all, err
		}
		all = append(all, buf[:n]...)
	}
}

// receives fails the test unless exactly data comes, and then the end.
func receives(t *loop.Task, tb testing.TB, from stream.Receiver, data []byte) error {
	got, err := receiveAll(t, from)
	if !bytes.Equal(got, data) {
		tb.Errorf("%d bytes came, other than the %d that were sent", len(got), len(data))
	}
	return err
}

// S296: files of all sizes, parts of them, with what goes before and after.
func TestSend(t *testing.T) {
	data := pattern(3<<20 + 17)
	for name, part := range map[string]struct{ offset, n int64 }{
		"all": {0, -1}, "nothing": {5, 0}, "a byte": {7, 1}, "the last": {int64(len(data)) - 1, -1},
		"a part": {1000, 300_000}, "behind the end": {1 << 40, -1},
	} {
		t.Run(name, func(t *testing.T) {
			body := data[min(part.offset, int64(len(data))):]
			if part.n >= 0 {
				body = body[:part.n]
			}
			head, tail := []byte("before "), []byte(" after")
			for _, with := range []bool{false, true} {
				expect, opts := body, []sendfile.Option{}
				if with {
					expect = bytes.Join([][]byte{head, body, tail}, nil)
					opts = append(opts, sendfile.WithHeader(head), sendfile.WithTrailer(tail))
				}
				run(t, func(task *loop.Task) error {
					a, b := pair(task, t)
					defer a.Close()
					defer b.Close()
					f := file(t, data)
					defer f.Close()
					_, err := f.Seek(3, io.SeekStart)
					must(t, err)
					var method sendfile.Method
					return both(task, func(task *loop.Task) error {
						n, err := sendfile.Send(task, a, f, part.offset, part.n,
							append(opts, sendfile.MethodUsed(&method))...)
						_, unsupported := sys.Sendfile(sys.Invalid, sys.Invalid, nil, 0, 1)
						kernel := !errors.Is(unsupported, errors.ErrUnsupported) && len(body) > 16<<10
						if kernel != (method == sendfile.Sendfile) {
							t.Errorf("sent by %v", method)
						}
						if n != int64(len(expect)) {
							t.Errorf("%d bytes sent, want %d", n, len(expect))
						}
						if at, _ := f.Seek(0, io.SeekCurrent); at != 3 {
							t.Errorf("the position of the file is %d", at)
						}
						return errors.Join(err, a.SendEOF(task))
					}, func(task *loop.Task) error { return receives(task, t, b, expect) })
				})
			}
		})
	}
}

// Streams that are no sockets get the same bytes.
func TestSendOverStreams(t *testing.T) {
	data := pattern(300_000)
	for name, makePair := range map[string]func(*loop.Task, testing.TB) (a, b stream.Stream){
		"memory": func(*loop.Task, testing.TB) (a, b stream.Stream) { return stream.NewMemory(0) },
		"tls":    tlsPair,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := makePair(task, t)
				defer a.Close()
				defer b.Close()
				f := file(t, data)
				defer f.Close()
				method := sendfile.Splice
				return both(task, func(task *loop.Task) error {
					n, err := sendfile.Send(task, a, f, 0, -1, sendfile.WithHeader([]byte("x")),
						sendfile.WithTrailer([]byte("y")), sendfile.MethodUsed(&method))
					if n != int64(len(data))+2 || method != sendfile.Copied {
						t.Errorf("%d bytes by %v", n, method)
					}
					return errors.Join(err, a.SendEOF(task))
				}, func(task *loop.Task) error {
					return receives(task, t, b, append(append([]byte("x"), data...), 'y'))
				})
			})
		})
	}
}

func tlsPair(t *loop.Task, tb testing.TB) (a, b stream.Stream) {
	ta, tb2 := pair(t, tb)
	server := &tls.Config{Certificates: []tls.Certificate{certificate(tb)}}
	client := &tls.Config{InsecureSkipVerify: true}
	a, err := socket.TLSClient(ta, client)
	must(tb, err)
	b, err = socket.TLSServer(tb2, server)
	must(tb, err)
	must(tb, both(t, a.(*socket.TLSConn).Handshake, b.(*socket.TLSConn).Handshake))
	return a, b
}

// A file beyond 4 GiB is sent from where it was asked for.
func TestSendFarOffset(t *testing.T) {
	data := pattern(200_000)
	const far = 5 << 30
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer a.Close()
		defer b.Close()
		f := file(t, nil)
		defer f.Close()
		if _, err := f.WriteAt(data, far); err != nil {
			t.Skipf("the file system takes no file of 5 GiB: %v", err)
		}
		return both(task, func(task *loop.Task) error {
			_, err := sendfile.Send(task, a, f, far, -1)
			return errors.Join(err, a.SendEOF(task))
		}, func(task *loop.Task) error { return receives(task, t, b, data) })
	})
}

// A file that becomes shorter under way ends the transfer with an error, after
// all that there was; one that grows is sent as it was.
func TestSendFileChanges(t *testing.T) {
	data := pattern(2 << 20)
	const cut = 1 << 20
	for name, change := range map[string]func(f *os.File) error{
		"shrinks": func(f *os.File) error { return f.Truncate(cut) },
		"grows": func(f *os.File) error {
			_, err := f.WriteAt([]byte("more"), int64(len(data)))
			return err
		},
		"vanishes": func(f *os.File) error { return os.Remove(f.Name()) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := pair(task, t)
				defer a.Close()
				defer b.Close()
				f := file(t, data)
				defer f.Close()
				changed := false
				return both(task, func(task *loop.Task) error {
					n, err := sendfile.Send(task, a, f, 0, -1, sendfile.WithProgress(func(int64) {
						if !changed {
							changed = true
							if err := change(f); err != nil {
								t.Logf("the system does not let it: %v", err)
							}
						}
					}))
					if name == "shrinks" {
						want(t, "send", err, io.ErrUnexpectedEOF)
						if n != cut {
							t.Errorf("%d bytes were sent of %d", n, cut)
						}
						return a.SendEOF(task)
					}
					return errors.Join(err, a.SendEOF(task))
				}, func(task *loop.Task) error {
					if name == "shrinks" {
						return receives(task, t, b, data[:cut])
					}
					return receives(task, t, b, data)
				})
			})
		})
	}
}

// A cancelled transfer says how much went, and can be continued; meanwhile the
// direction belongs to it.
func TestSendCancelled(t *testing.T) {
	data := pattern(32 << 20)
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer a.Close()
		defer b.Close()
		f := file(t, data)
		defer f.Close()
		var sent int64
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) (err error) {
				sent, err = sendfile.Send(task, a, f, 0, -1)
				want(t, "send", err, loop.Cancelled)
				return err
			}))
			looptest.WaitAllTasksBlocked(task, t)
			want(t, "a send beside it", a.SendAll(task, []byte("x")), loop.ErrBusy)
			_, err := sendfile.Send(task, a, f, 0, -1)
			want(t, "another beside it", err, loop.ErrBusy)
			return n.Cancel("test")
		}))
		if sent == 0 || sent >= int64(len(data)) {
			t.Errorf("%d of %d bytes were sent", sent, len(data))
		}
		return both(task, func(task *loop.Task) error {
			_, err := sendfile.Send(task, a, f, sent, -1)
			return errors.Join(err, a.SendEOF(task))
		}, func(task *loop.Task) error { return receives(task, t, b, data) })
	})
}

// Cancelled at every moment, it has sent what it says.
func TestSendCancelledEverywhere(t *testing.T) {
	data := pattern(1 << 20)
	looptest.Config{Limit: time.Minute}.CancelEverywhere(t, func(task *loop.Task) (err error) {
		var a, b *socket.Conn
		f := file(t, data)
		defer f.Close()
		must(t, loop.Shield(task, func(*loop.Scope) error {
			a, b = pair(task, t)
			return nil
		}))
		defer a.Close()
		defer b.Close()
		sent, sendErr := sendfile.Send(task, a, f, 0, -1, sendfile.WithHeader([]byte("head")))
		all := append([]byte("head"), data...)[:sent]
		must(t, loop.Shield(task, func(*loop.Scope) error {
			return both(task, a.SendEOF, func(task *loop.Task) error { return receives(task, t, b, all) })
		}))
		return sendErr
	})
}

// Many send from one descriptor at once.
func TestSendShared(t *testing.T) {
	data := pattern(1 << 20)
	run(t, func(task *loop.Task) error {
		f := file(t, data)
		defer f.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for i := range 4 {
				a, b := pair(task, t)
				offset := int64(i) * 1000
				must(t, n.Spawn(func(task *loop.Task) error {
					_, err := sendfile.Send(task, a, f, offset, -1)
					return errors.Join(err, a.Close())
				}))
				must(t, n.Spawn(func(task *loop.Task) error {
					return errors.Join(receives(task, t, b, data[offset:]), b.Close())
				}))
			}
			return nil
		})
	})
}

// What is no regular file is read to its end.
func TestSendPipe(t *testing.T) {
	data := pattern(200_000)
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer a.Close()
		defer b.Close()
		r, w, err := os.Pipe()
		must(t, err)
		defer r.Close()
		go func() {
			_, _ = w.Write(data)
			w.Close()
		}()
		_, err = sendfile.Send(task, a, r, 1, -1)
		want(t, "an offset in a pipe", err, loop.ErrMisuse)
		return both(task, func(task *loop.Task) error {
			n, err := sendfile.Send(task, a, r, 0, -1, sendfile.WithHeader([]byte("x")))
			if n != int64(len(data))+1 {
				t.Errorf("%d bytes", n)
			}
			return errors.Join(err, a.SendEOF(task))
		}, func(task *loop.Task) error { return receives(task, t, b, append([]byte("x"), data...)) })
	})
}

func TestSendErrors(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer a.Close()
		f := file(t, pattern(64<<20))
		defer f.Close()
		_, err := sendfile.Send(task, a, f, -1, 1)
		want(t, "a negative offset", err, loop.ErrMisuse)
		must(t, b.Abort())
		_, err = sendfile.Send(task, a, f, 0, -1)
		want(t, "a peer that has gone", err, loop.ErrBroken)
		must(t, a.Close())
		_, err = sendfile.Send(task, a, f, 0, -1)
		want(t, "a closed connection", err, loop.ErrClosed)
		closed := file(t, nil)
		must(t, closed.Close())
		if _, err = sendfile.Send(task, a, closed, 0, -1); err == nil {
			t.Error("a closed file was sent")
		}
		return nil
	})
}

// Sending is a checkpoint, also when there is nothing to send.
func TestSendIsACheckpoint(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer a.Close()
		defer b.Close()
		for _, data := range []string{"", "x"} {
			f := file(t, []byte(data))
			defer f.Close()
			must(t, looptest.AssertCheckpoint(task, t, func() error {
				_, err := sendfile.Send(task, a, f, 0, -1)
				return err
			}))
		}
		return nil
	})
}
