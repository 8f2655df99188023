package socket_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// slow answers a request after a second, and goes idle.
func slow(t *loop.Task, c stream.Stream) error {
	b := t.Buffer()
	n, err := c.Receive(t, b)
	if err != nil || n == 0 {
		return err
	}
	if err := loop.Sleep(t, time.Second); err != nil {
		return err
	}
	if err := c.SendAll(t, b[:n]); err != nil {
		return err
	}
	return socket.GoIdle
}

// turns lets the loop harvest and act, on a clock that stands still.
func turns(t *loop.Task, tb testing.TB, ok func() bool) {
	tb.Helper()
	for !ok() {
		must(tb, loop.Checkpoint(t))
	}
}

// byHand runs main with a clock that stands still until main moves it.
func byHand(t *testing.T, main func(*loop.Task, *looptest.Clock) error) {
	t.Helper()
	clock := looptest.NewClock()
	run(t, func(task *loop.Task) error { return main(task, clock) }, loop.WithClock(clock))
}

// stopping has a server with an idle connection and one at work, stops it, and
// gives the clients to body.
func stopping(
	t *loop.Task, tb testing.TB, body func(s *socket.Server, idle, busy *socket.Conn) error,
	opts ...socket.ServeOption,
) error {
	tb.Helper()
	return serving(t, tb, slow, func(s *socket.Server) error {
		idle, busy := dial(t, tb, s), dial(t, tb, s)
		defer closeAll(idle, busy)
		must(tb, busy.SendAll(t, []byte("x")))
		turns(t, tb, func() bool {
			got := s.Statistics()
			return got.Active == 1 && got.Idle == 1
		})
		s.Stop()
		s.Stop()
		return body(s, idle, busy)
	}, opts...)
}

// TestStopWithGrace closes a new connection after a moment in which nothing has
// come, and lets a request under way be answered.
func TestStopWithGrace(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		return stopping(task, t, func(s *socket.Server, idle, busy *socket.Conn) error {
			settle(task, t)
			if got := s.Statistics(); got.Idle != 1 || s.Listener().Addr().IsValid() {
				t.Errorf("it still listens, or waits for nobody: %+v", got)
			}
			must(t, clock.Advance(500*time.Millisecond))
			receives(task, t, idle, "")
			settle(task, t)
			must(t, clock.Advance(500*time.Millisecond))
			receives(task, t, busy, "x")
			receives(task, t, busy, "")
			return nil
		})
	})
}

// TestStopServesTheFresh has a client that has connected, and whose request is
// still on its way when the server stops; and one that was served before, and is
// closed at once.
func TestStopServesTheFresh(t *testing.T) {
	byHand(t, func(task *loop.Task, _ *looptest.Clock) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			fresh, served := dial(task, t, s), dial(task, t, s)
			defer closeAll(fresh, served)
			must(t, served.SendAll(task, []byte("x")))
			receives(task, t, served, "x")
			turns(task, t, func() bool { return s.Statistics().Idle == 2 })
			s.Stop()
			receives(task, t, served, "")
			must(t, fresh.SendAll(task, []byte("late")))
			receives(task, t, fresh, "late")
			receives(task, t, fresh, "")
			return nil
		})
	})
}

// TestStopClosesWhoGoesIdle has two handlers at work: the connection of the one
// that is done first does not wait for the other.
func TestStopClosesWhoGoesIdle(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		return serving(task, t, slow, func(s *socket.Server) error {
			var all [2]*socket.Conn
			for i := range all {
				all[i] = dial(task, t, s)
				defer all[i].Close()
				must(t, all[i].SendAll(task, []byte("x")))
				turns(task, t, func() bool { return s.Statistics().Active == i+1 })
				settle(task, t)
				must(t, clock.Advance(500*time.Millisecond))
			}
			s.Stop()
			receives(task, t, all[0], "x")
			receives(task, t, all[0], "")
			if got := s.Statistics(); got.Active != 1 || got.Idle != 0 {
				t.Errorf("while the other is at work: %+v", got)
			}
			must(t, clock.Advance(500*time.Millisecond))
			receives(task, t, all[1], "x")
			receives(task, t, all[1], "")
			return nil
		})
	})
}

// TestStopAfterGrace cancels a handler that takes longer than the grace
// period.
func TestStopAfterGrace(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		return stopping(task, t, func(s *socket.Server, idle, busy *socket.Conn) error {
			settle(task, t)
			must(t, clock.Advance(499*time.Millisecond))
			settle(task, t)
			if got := s.Statistics().Active; got != 1 {
				t.Errorf("%d handlers within the grace period", got)
			}
			must(t, clock.Advance(time.Millisecond))
			receives(task, t, busy, "")
			if got := s.Statistics().Errors[socket.ErrorCancelled]; got != 1 {
				t.Errorf("%d handlers were cancelled", got)
			}
			return nil
		}, socket.WithGrace(500*time.Millisecond))
	})
}

// TestStopServesWhatHasCome has requests that came before the stop, on
// connections that wait in the queue and on idle ones: they are served.
func TestStopServesWhatHasCome(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			known := dial(task, t, s)
			defer known.Close()
			until(task, t, func() bool { return s.Statistics().Idle == 1 })
			// Nothing suspends from here to the stop.
			_, err := known.SendNowait([]byte("known"))
			must(t, err)
			queued, err := socket.New(task.Loop(), known.Socket().Family(), known.Socket().Type(), 0)
			must(t, err)
			defer queued.Close()
			must(t, queued.Connect(task, s.Listener().Addr()))
			_, err = queued.SendNowait([]byte("queued"), 0)
			must(t, err)
			s.Stop()
			receives(task, t, known, "known")
			receives(task, t, known, "")
			recvs(task, t, queued, "queued")
			recvs(task, t, queued, "")
			return nil
		})
	})
}

// TestStopServesTheQueue has connections in the queue, with and without a
// request, when the server stops: those with one are served, and none is reset.
func TestStopServesTheQueue(t *testing.T) {
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		var all []*socket.Conn
		for range 2 {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			defer c.Close()
			all = append(all, c)
		}
		must(t, all[0].SendAll(task, []byte("queued")))
		s, err := socket.NewServer(ln, echo)
		must(t, err)
		s.Stop()
		must(t, s.Serve(task))
		receives(task, t, all[0], "queued")
		for _, c := range all {
			receives(task, t, c, "")
		}
		return nil
	})
}

// TestStopFull stops servers that have as many connections as they may, with a
// request in the queue: one that an idle connection makes room for, and one that
// has to wait for a handler.
func TestStopFull(t *testing.T) {
	for _, busy := range []bool{false, true} {
		byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
			return serving(task, t, slow, func(s *socket.Server) error {
				first, queued := dial(task, t, s), dial(task, t, s)
				defer closeAll(first, queued)
				if busy {
					must(t, first.SendAll(task, []byte("first")))
				}
				must(t, queued.SendAll(task, []byte("queued")))
				settle(task, t)
				s.Stop()
				settle(task, t)
				if busy {
					must(t, clock.Advance(time.Second))
					receives(task, t, first, "first")
				}
				receives(task, t, first, "")
				settle(task, t)
				must(t, clock.Advance(time.Second))
				receives(task, t, queued, "queued")
				receives(task, t, queued, "")
				return nil
			}, socket.WithMaxConnections(1))
		})
	}
}

// TestStopFullAfterGrace closes the listener, too, when the grace period is
// over and there has been no room.
func TestStopFullAfterGrace(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		return serving(task, t, slow, func(s *socket.Server) error {
			busy, queued := dial(task, t, s), dial(task, t, s)
			defer closeAll(busy, queued)
			must(t, busy.SendAll(task, []byte("x")))
			settle(task, t)
			s.Stop()
			settle(task, t)
			must(t, clock.Advance(500*time.Millisecond))
			receives(task, t, busy, "")
			settle(task, t)
			if got := s.Statistics(); got.Accepted != 1 || s.Listener().Addr().IsValid() {
				t.Errorf("after the grace period it listens: %+v", got)
			}
			return nil
		}, socket.WithMaxConnections(1), socket.WithGrace(500*time.Millisecond))
	})
}

// TestStopBeforeServe serves nobody who comes later.
func TestStopBeforeServe(t *testing.T) {
	run(t, func(task *loop.Task) error {
		s, err := socket.NewServer(listen(task, t), echo)
		must(t, err)
		s.Stop()
		must(t, s.Serve(task))
		want(t, "running it again", s.Serve(task), loop.ErrMisuse)
		return nil
	})
}

// TestServeInterrupted stops with grace at the first interrupt, and says so.
func TestServeInterrupted(t *testing.T) {
	clock := looptest.NewClock()
	err := looptest.RunErr(t, func(task *loop.Task) error {
		ln := listen(task, t)
		s, err := socket.NewServer(ln, slow)
		must(t, err)
		var result error
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			must(t, n.Spawn(func(task *loop.Task) error {
				defer c.Close()
				must(t, c.SendAll(task, []byte("x")))
				turns(task, t, func() bool { return s.Statistics().Active == 1 })
				must(t, task.Loop().Interrupt())
				settle(task, t)
				must(t, clock.Advance(time.Second))
				receives(task, t, c, "x")
				receives(task, t, c, "")
				return nil
			}))
			result = s.Serve(task)
			return nil // the client goes on
		}))
		return result
	}, loop.WithClock(clock))
	if err != loop.ErrInterrupt {
		t.Errorf("the run ended with %v", err)
	}
}

// TestServeInterruptedWhileFailing has an interrupt come while the server ends
// by the error of a handler, and another handler takes its time to end: Serve
// tells of both.
func TestServeInterruptedWhileFailing(t *testing.T) {
	var held loop.ParkingLot
	handler := func(task *loop.Task, c stream.Stream) error {
		b := task.Buffer()
		n, err := c.Receive(task, b)
		if err != nil || string(b[:n]) == "fail" {
			return errors.Join(err, errHandler)
		}
		return loop.Shield(task, func(*loop.Scope) error { return held.Park(task, "the test") })
	}
	var result error
	err := looptest.RunErr(t, func(task *loop.Task) error {
		ln := listen(task, t)
		s, err := socket.NewServer(ln, handler)
		must(t, err)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			holds, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			fails, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			must(t, n.Spawn(func(task *loop.Task) error {
				defer closeAll(holds, fails)
				must(t, holds.SendAll(task, []byte("hold")))
				until(task, t, func() bool { return s.Statistics().Active == 1 })
				settle(task, t)
				must(t, fails.SendAll(task, []byte("fail")))
				until(task, t, func() bool { return s.Statistics().Errors[socket.ErrorOther] == 1 })
				must(t, task.Loop().Interrupt())
				settle(task, t)
				held.UnparkOne()
				return nil
			}))
			result = s.Serve(task)
			return nil
		})
	})
	must(t, err)
	want(t, "a server that failed", result, errHandler)
	want(t, "a server that was interrupted", result, loop.ErrInterrupt)
}

// TestServeInterruptedTwice ends the grace period.
func TestServeInterruptedTwice(t *testing.T) {
	clock := looptest.NewClock()
	err := looptest.RunErr(t, func(task *loop.Task) error {
		ln := listen(task, t)
		s, err := socket.NewServer(ln, slow)
		must(t, err)
		var result error
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			must(t, n.Spawn(func(task *loop.Task) error {
				defer c.Close()
				must(t, c.SendAll(task, []byte("x")))
				turns(task, t, func() bool { return s.Statistics().Active == 1 })
				must(t, task.Loop().Interrupt())
				settle(task, t)
				must(t, task.Loop().Interrupt())
				receives(task, t, c, "")
				return nil
			}))
			result = s.Serve(task)
			return nil // the client goes on
		}))
		return result
	}, loop.WithClock(clock))
	if err != loop.ErrInterrupt {
		t.Errorf("the run ended with %v", err)
	}
}

// TestServeCancelled stops everything at once, in every phase: in particular a
// connection that has just been accepted is closed, and not lost.
func TestServeCancelled(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		for steps := range 12 {
			run(t, func(task *loop.Task) error {
				ln := listen(task, t)
				var all []closer
				for i := range 3 {
					c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
					must(t, err)
					all = append(all, c)
					if i > 0 {
						must(t, c.SendAll(task, []byte("x")))
					}
				}
				err := loop.Nurse(task, func(n *loop.Nursery) error {
					must(t, n.Spawn(func(task *loop.Task) error {
						err := socket.Serve(task, ln, slow)
						want(t, "a cancelled server", err, loop.Cancelled)
						return err
					}))
					for range steps {
						must(t, loop.Checkpoint(task))
					}
					return n.Cancel("enough")
				})
				must(t, err)
				if ln.Addr().IsValid() {
					t.Error("the listener is open")
				}
				closeAll(all...)
				return nil
			})
		}
	})
}

// TestServeListenerFails closes the listener behind the server's back.
func TestServeListenerFails(t *testing.T) {
	run(t, func(task *loop.Task) error {
		err := serving(task, t, echo, func(s *socket.Server) error {
			c := dial(task, t, s)
			defer c.Close()
			settle(task, t)
			must(t, s.Listener().Close())
			receives(task, t, c, "")
			return nil
		})
		want(t, "a server without its listener", err, loop.ErrClosed)
		if errors.Is(err, loop.Cancelled) {
			t.Errorf("it was not cancelled: %v", err)
		}
		return nil
	})
}
