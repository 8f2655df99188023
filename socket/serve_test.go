package socket_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
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
	s, err := socket.NewServer(listen(tb, t), handler, opts...)
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
		ln := listen(t, task)
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
	result error, cancelled bool, end socket.ServerStatistics,
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
	return result, cancelled, end
}

func TestServeHandlerFails(t *testing.T) {
	err, cancelled, end := failing(t, func() error { return errHandler })
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
	err, _, end := failing(t, func() error { panic("a bug") })
	var p *loop.PanicError
	if !errors.As(err, &p) || p.Value != "a bug" || !strings.Contains(string(p.Stack), "serve_test") {
		t.Errorf("a server whose handler panicked: %v", err)
	}
	if end.Errors[socket.ErrorPanic] != 1 {
		t.Errorf("%+v", end)
	}
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
			err, _, end := failing(t, fail, socket.OnError(func(c *socket.Conn, err error) {
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

func TestServeMaxConnections(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			var all []*socket.Conn
			for range 4 {
				all = append(all, dial(task, t, s))
			}
			settle(task, t)
			if got := s.Statistics(); got.Idle != 2 || got.Accepted != 2 {
				t.Errorf("with room for two: %+v", got)
			}
			for i, c := range all {
				must(t, c.SendAll(task, []byte("x")))
				receives(task, t, c, "x")
				must(t, c.Close())
				want := uint64(min(3+i, 4))
				until(task, t, func() bool { return s.Statistics().Accepted == want })
			}
			return nil
		}, socket.WithMaxConnections(2))
	})
}

// TestServeAcceptBatch has a queue full of clients, and counts how many are
// accepted before another task gets its turn.
func TestServeAcceptBatch(t *testing.T) {
	const clients, batch = 40, 3
	runBudgeted(t, func(task *loop.Task) error {
		ln := listen(t, task)
		var all []closer
		for range clients {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			all = append(all, c)
		}
		s, err := socket.NewServer(ln, echo, socket.WithAcceptBatch(batch))
		must(t, err)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(s.Serve))
			var lot loop.ParkingLot
			for before := uint64(0); before < clients; {
				// A turn of this task, however large its budget is.
				must(t, task.Loop().CallSoon(func() { lot.UnparkOne() }))
				must(t, lot.Park(task, "the next turn"))
				now := s.Statistics().Accepted
				if now-before > 2*batch {
					t.Errorf("%d connections were accepted in a row", now-before)
				}
				before = now
			}
			closeAll(all...)
			s.Stop()
			return nil
		})
	})
}

// TestServeIdleTimeout closes what has been idle for too long, and not what is
// at work or has been idle for less.
func TestServeIdleTimeout(t *testing.T) {
	clock := looptest.NewClock()
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			older, newer := dial(task, t, s), dial(task, t, s)
			defer closeAll(older, newer)
			until := func(ok func() bool) { // without the clock
				for !ok() {
					must(t, loop.Checkpoint(task))
				}
			}
			until(func() bool { return s.Statistics().Idle == 2 })
			must(t, clock.Advance(9*time.Second))
			must(t, newer.SendAll(task, []byte("x")))
			receives(task, t, newer, "x")
			until(func() bool { return s.Statistics().Idle == 2 })
			must(t, clock.Advance(time.Second))
			receives(task, t, older, "")
			if got := s.Statistics(); got.Idle != 1 || got.TimedOut != 1 {
				t.Errorf("after the timeout of one: %+v", got)
			}
			must(t, clock.Advance(8*time.Second))
			settle(task, t)
			if got := s.Statistics(); got.Idle != 1 {
				t.Errorf("too early for the other: %+v", got)
			}
			must(t, clock.Advance(time.Second))
			receives(task, t, newer, "")
			return nil
		}, socket.WithIdleTimeout(10*time.Second))
	}, loop.WithClock(clock))
}

// TestServeExhausted runs a server out of descriptors: it says so, loses
// nobody, and goes on.
func TestServeExhausted(t *testing.T) {
	wantsLimit(t)
	run(t, func(task *loop.Task) error {
		const clients, served = 5, 2
		ln := listen(t, task)
		var all []*socket.Conn
		for range clients {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			all = append(all, c)
		}
		heard := 0
		s, err := socket.NewServer(ln, echo, socket.OnError(func(c *socket.Conn, err error) {
			heard++
			want(t, "what was heard", err, sys.EMFILE)
		}))
		must(t, err)
		undo := scarce(t, served)
		defer func() { undo() }()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(s.Serve))
			until(task, t, func() bool { return heard == 3 })
			if got := s.Statistics(); got.Accepted != served || got.Listener.Exhausted < 3 {
				t.Errorf("without descriptors: %+v", got)
			}
			undo()
			undo = func() {}
			for _, c := range all {
				must(t, c.SendAll(task, []byte("x")))
				receives(task, t, c, "x")
				must(t, c.Close())
			}
			s.Stop()
			return nil
		})
	})
}

func TestServeOptions(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(t, task)
		defer ln.Close()
		for _, opt := range []socket.ServeOption{
			socket.WithGrace(-1), socket.WithIdleTimeout(0), socket.WithMaxConnections(0),
			socket.WithAcceptBatch(0), socket.OnError(nil),
		} {
			_, err := socket.NewServer(ln, echo, opt)
			want(t, "an option that means nothing", err, loop.ErrMisuse)
		}
		want(t, "no handler", socket.Serve(task, ln, nil), loop.ErrMisuse)
		return nil
	})
}
