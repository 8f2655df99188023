package socket_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// echo sends back what comes, and goes idle after each piece.
func echo(t *loop.Task, c stream.Stream) error {
	b := t.Buffer()
	n, err := c.Receive(t, b)
	if err != nil || n == 0 {
		return err
	}
	if err := c.SendAll(t, b[:n]); err != nil {
		return err
	}
	return socket.GoIdle
}

// serving runs a server as a task beside body, and returns what it returned.
// If body does not stop it, it is stopped afterwards.
func serving(
	t *loop.Task, tb testing.TB, handler socket.Handler,
	body func(s *socket.Server) error, opts ...socket.ServeOption,
) (result error) {
	tb.Helper()
	s, err := socket.NewServer(listen(t, tb), handler, opts...)
	must(tb, err)
	must(tb, loop.Nurse(t, func(n *loop.Nursery) error {
		must(tb, n.Spawn(func(t *loop.Task) error {
			result = s.Serve(t)
			if errors.Is(result, loop.Cancelled) {
				return result
			}
			return nil
		}))
		defer s.Stop()
		return body(s)
	}))
	if got := s.Statistics(); got.Active != 0 || got.Idle != 0 {
		tb.Errorf("after the end: %+v", got)
	}
	return result
}

func dial(t *loop.Task, tb testing.TB, s *socket.Server) *socket.Conn {
	tb.Helper()
	c, err := socket.ConnectTCP(t, s.Listener().Addr().AddrPort())
	must(tb, err)
	return c
}

// until checkpoints until ok, for states that another end brings about.
func until(t *loop.Task, tb testing.TB, ok func() bool) {
	tb.Helper()
	for !ok() {
		must(tb, loop.Sleep(t, time.Millisecond))
	}
}

func TestServe(t *testing.T) {
	looptest.Seeds(t, 5, func(t *testing.T) {
		run(t, func(task *loop.Task) error {
			const clients, rounds = 20, 5
			return serving(task, t, echo, func(s *socket.Server) error {
				err := loop.Nurse(task, func(n *loop.Nursery) error {
					for i := range clients {
						must(t, n.Spawn(func(task *loop.Task) error {
							c := dial(task, t, s)
							defer c.Close()
							for k := range rounds {
								text := fmt.Sprint("client ", i, " round ", k)
								must(t, c.SendAll(task, []byte(text)))
								receives(task, t, c, text)
							}
							return nil
						}))
					}
					return nil
				})
				got := s.Statistics()
				if got.Accepted != clients || got.Runs < clients*rounds {
					t.Errorf("%+v", got)
				}
				return err
			})
		})
	})
}

// TestServeIdleHoldsNoTask counts the tasks of a server with many connections.
func TestServeIdleHoldsNoTask(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			const clients = 50
			settle(task, t)
			before := task.Statistics().TasksLiving
			var all []closer
			for range clients {
				c := dial(task, t, s)
				all = append(all, c)
				must(t, c.SendAll(task, []byte("x")))
				receives(task, t, c, "x")
			}
			until(task, t, func() bool { return s.Statistics().Idle == clients })
			if after := task.Statistics().TasksLiving; after != before {
				t.Errorf("%d tasks for %d idle connections", after-before, clients)
			}
			closeAll(all...)
			until(task, t, func() bool { return s.Statistics().Idle == 0 })
			return nil
		})
	})
}

// TestServePipelined has bytes arrive in every phase of going idle: each is
// answered, whatever buffer the handler uses.
func TestServePipelined(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		rng := rand.New(rand.NewPCG(looptest.Seed(t), 2))
		room := 1 + rng.IntN(4)
		handler := func(t *loop.Task, c stream.Stream) error {
			b := t.Buffer()[:room]
			n, err := c.Receive(t, b)
			if err != nil || n == 0 {
				return err
			}
			if err := c.SendAll(t, b[:n]); err != nil {
				return err
			}
			return socket.GoIdle
		}
		run(t, func(task *loop.Task) error {
			return serving(task, t, handler, func(s *socket.Server) error {
				c := dial(task, t, s)
				defer c.Close()
				for round := range 100 {
					text := fmt.Sprintf("request %d ", round)
					for rest := []byte(text); len(rest) > 0; {
						n := min(len(rest), 1+rng.IntN(5))
						must(t, c.SendAll(task, rest[:n]))
						rest = rest[n:]
						for range rng.IntN(4) {
							must(t, loop.Checkpoint(task))
						}
					}
					b := make([]byte, len(text))
					if _, err := stream.ReceiveExactly(task, c, b); err != nil || string(b) != text {
						t.Fatalf("received %q, %v; want %q", b, err, text)
					}
				}
				return nil
			})
		})
	})
}

// TestServeEarlyBytes has the first bytes, and the end, there before the
// connection is accepted.
func TestServeEarlyBytes(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		must(t, err)
		defer c.Close()
		must(t, c.SendAll(task, []byte("early")))
		must(t, c.SendEOF(task))
		s, err := socket.NewServer(ln, echo)
		must(t, err)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(s.Serve))
			got, err := receiveAll(task, c, 100)
			if string(got) != "early" {
				t.Errorf("received %q", got)
			}
			s.Stop()
			return err
		})
	})
}

// TestServeHalfClose replies late to a client that has ended its direction.
func TestServeHalfClose(t *testing.T) {
	handler := func(t *loop.Task, c stream.Stream) error {
		got, err := receiveAll(t, c, 100)
		if err != nil {
			return err
		}
		if err := loop.Sleep(t, 50*time.Millisecond); err != nil {
			return err
		}
		return c.SendAll(t, []byte(strings.ToUpper(string(got))))
	}
	run(t, func(task *loop.Task) error {
		return serving(task, t, handler, func(s *socket.Server) error {
			c := dial(task, t, s)
			defer c.Close()
			must(t, c.SendAll(task, []byte("half")))
			must(t, c.SendEOF(task))
			got, err := receiveAll(task, c, 100)
			if string(got) != "HALF" {
				t.Errorf("received %q", got)
			}
			return err
		})
	})
}

// TestServeSpeaksFirst greets before the client has sent anything.
func TestServeSpeaksFirst(t *testing.T) {
	handler := func(t *loop.Task, c stream.Stream) error {
		return errors.Join(c.SendAll(t, []byte("220 ready")), c.SendEOF(t))
	}
	run(t, func(task *loop.Task) error {
		return serving(task, t, handler, func(s *socket.Server) error {
			c := dial(task, t, s)
			defer c.Close()
			receives(task, t, c, "220 ready")
			receives(task, t, c, "")
			return nil
		}, socket.StartAtAccept())
	})
}

// TestServeRefusesIdlingOverData has a handler that goes idle and leaves what
// there is: it is told so instead of being called for ever.
func TestServeRefusesIdlingOverData(t *testing.T) {
	handler := func(*loop.Task, stream.Stream) error { return socket.GoIdle }
	run(t, func(task *loop.Task) error {
		var got error
		return serving(task, t, handler, func(s *socket.Server) error {
			c := dial(task, t, s)
			defer c.Close()
			must(t, c.SendAll(task, []byte("unread")))
			until(task, t, func() bool { return got != nil })
			want(t, "the handler's error", got, loop.ErrMisuse)
			return nil
		}, socket.OnError(func(_ *socket.Conn, err error) { got = err }))
	})
}

var errHandler = errors.New("the handler failed")

// failing runs a server whose handler fails with whatever fail returns, and a
// second one that is at work meanwhile.
func failing(t *testing.T, fail func() error, opts ...socket.ServeOption) (
	cancelled bool, end socket.ServerStatistics, result error,
) {
	handler := func(t *loop.Task, c stream.Stream) error {
		b := t.Buffer()
		n, err := c.Receive(t, b)
		if err != nil {
			return err
		}
		if string(b[:n]) == "fail" {
			return fail()
		}
		err = loop.SleepForever(t)
		cancelled = errors.Is(err, loop.Cancelled)
		return err
	}
	run(t, func(task *loop.Task) error {
		result = serving(task, t, handler, func(s *socket.Server) error {
			working := dial(task, t, s)
			must(t, working.SendAll(task, []byte("work")))
			until(task, t, func() bool { return s.Statistics().Active == 1 })
			c := dial(task, t, s)
			must(t, c.SendAll(task, []byte("fail")))
			got, err := receiveAll(task, c, 10)
			if len(got) != 0 || err != nil && !errors.Is(err, loop.ErrBroken) {
				t.Errorf("the client of a handler that failed: %q, %v", got, err)
			}
			settle(task, t)
			end = s.Statistics()
			closeAll(c, working)
			return nil
		}, append(opts, socket.WithGrace(0))...)
		return nil
	})
	return cancelled, end, result
}

func TestServeHandlerFails(t *testing.T) {
	cancelled, end, err := failing(t, func() error { return errHandler })
	want(t, "a server whose handler failed", err, errHandler)
	var op *socket.OpError
	if !errors.As(err, &op) || op.Op != "handler" || !op.Addr.IsValid() {
		t.Errorf("the error does not say whose: %v", err)
	}
	if !cancelled || end.Active != 0 {
		t.Errorf("other handlers went on: %v, %+v", cancelled, end)
	}
}

func TestServeHandlerPanics(t *testing.T) {
	_, end, err := failing(t, func() error { panic("a bug") })
	var p *loop.PanicError
	if !errors.As(err, &p) || p.Value != "a bug" || !strings.Contains(string(p.Stack), "serve_test") {
		t.Errorf("a server whose handler panicked: %v", err)
	}
	if end.Errors[socket.ErrorPanic] != 1 {
		t.Errorf("%+v", end)
	}
}

// TestServeForeignErrors has a handler return errors that look like those of a
// connection, and are not those of the one it serves: they end the server.
func TestServeForeignErrors(t *testing.T) {
	for _, fail := range []error{
		io.EOF, loop.ErrClosed,
		&socket.OpError{Op: "recv", Err: loop.ErrClosed},
	} {
		_, _, err := failing(t, func() error { return fail })
		want(t, "a server whose handler failed", err, fail)
	}
}

// TestKindOf has two connections fail: each knows its own errors only.
func TestKindOf(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		must(t, a.Close())
		must(t, b.Close())
		closed := func(c *socket.Conn) error { return c.SendAll(task, []byte("x")) }
		for i, c := range []struct {
			err  error
			want socket.ErrorKind
		}{
			{closed(a), socket.ErrorClosed},
			{fmt.Errorf("wrapped: %w", closed(a)), socket.ErrorClosed},
			{&stream.SendError{Sent: 1, Err: closed(a)}, socket.ErrorClosed},
			{closed(b), socket.ErrorOther},
			{errors.Join(closed(a), closed(b)), socket.ErrorOther},
			{errors.Join(closed(a), loop.Cancelled), socket.ErrorClosed},
			{loop.Cancelled, socket.ErrorCancelled},
			{a.Failure("recv", loop.ErrTimeout), socket.ErrorTimeout},
			{loop.ErrTimeout, socket.ErrorTimeout},
			{b.Failure("recv", loop.ErrTimeout), socket.ErrorOther},
			{a.Failure("recv", b.Failure("recv", loop.ErrTimeout)), socket.ErrorOther},
			{a.Failure("recv", io.ErrUnexpectedEOF), socket.ErrorBroken},
			{a.Failure("recv", errHandler), socket.ErrorOther},
			{io.ErrUnexpectedEOF, socket.ErrorOther},
			{errors.Join(closed(a), &loop.PanicError{}), socket.ErrorPanic},
		} {
			if got := socket.KindOf(a, c.err); got != c.want {
				t.Errorf("case %d, %v: kind %v, want %v", i, c.err, got, c.want)
			}
		}
		return nil
	})
}

// TestServeGoesOn has somebody who hears of errors: then nothing that a
// handler does ends the server.
func TestServeGoesOn(t *testing.T) {
	kinds := map[string]func() error{
		"error": func() error { return errHandler },
		"panic": func() error { panic(errHandler) },
	}
	for name, fail := range kinds {
		t.Run(name, func(t *testing.T) {
			var heard error
			_, end, err := failing(t, fail, socket.OnError(func(c *socket.Conn, err error) {
				if errors.Is(err, loop.Cancelled) {
					return // the other one, at the end
				}
				if c == nil || !c.Closed() || heard != nil {
					t.Errorf("heard of %v at %v", err, c)
				}
				heard = err
			}))
			if err != nil || end.Active != 1 || end.Stopping {
				t.Errorf("the server ended: %v, %+v", err, end)
			}
			want(t, "what was heard", heard, errHandler)
		})
	}
}

// TestServeBrokenConnection has an error of the connection: it is counted, and
// nothing else.
func TestServeBrokenConnection(t *testing.T) {
	run(t, func(task *loop.Task) error {
		if !tellsResets(task, t) {
			t.Skip("this system reads a reset connection as one that has ended")
		}
		return serving(task, t, echo, func(s *socket.Server) error {
			c := dial(task, t, s)
			must(t, c.SendAll(task, []byte("x")))
			receives(task, t, c, "x")
			until(task, t, func() bool { return s.Statistics().Idle == 1 })
			must(t, c.Abort())
			until(task, t, func() bool { return s.Statistics().Errors[socket.ErrorBroken] == 1 })
			return nil
		})
	})
}
