package socket_test

import (
	"runtime"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// What a server keeps within limits: connections, batches, idleness, and what
// is left of descriptors.

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
		ln := listen(task, t)
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

// TestServeIdleClosedByOthers closes an idle connection from outside of the
// server, as a program does that throws a client out: it does not count any
// more, nor against its client.
func TestServeIdleClosedByOthers(t *testing.T) {
	run(t, func(task *loop.Task) error {
		var last *socket.Conn
		handler := func(t *loop.Task, c stream.Stream) error {
			last = c.(*socket.Conn)
			return echo(t, c)
		}
		return serving(task, t, handler, func(s *socket.Server) error {
			ask := func() *socket.Conn {
				c := dial(task, t, s)
				must(t, c.SendAll(task, []byte("x")))
				receives(task, t, c, "x")
				settle(task, t)
				return c
			}
			first := ask()
			defer first.Close()
			must(t, last.Close())
			if got := s.Statistics(); got.Idle != 0 {
				t.Errorf("after the idle connection was closed: %+v", got)
			}
			second := ask()
			defer second.Close()
			fd, err := last.Socket().Detach()
			must(t, err)
			must(t, sys.Close(fd))
			third := ask()
			defer third.Close()
			if got := s.Statistics(); got.Idle != 1 || got.Refused != 0 {
				t.Errorf("at the end: %+v", got)
			}
			return nil
		}, socket.WithMaxPerIP(1), socket.WithMaxConnections(1))
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

// TestServeIdleTimeoutInParts has many connections expire at the same moment:
// they are closed, and others get their turns meanwhile.
func TestServeIdleTimeoutInParts(t *testing.T) {
	const clients, most = 400, 200 // a task goes on for 64 checkpoints at most, and may come twice
	clock := looptest.NewClock()
	looptest.Config{Limit: limit, Budgeted: true}.Run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			for range clients {
				c := dial(task, t, s)
				defer c.Close()
			}
			turns(task, t, func() bool { return s.Statistics().Idle == clients })
			must(t, clock.Advance(time.Second))
			before := uint64(0)
			turns(task, t, func() bool {
				now := s.Statistics().TimedOut
				if now-before > most {
					t.Errorf("%d connections were closed in a row", now-before)
				}
				before = now
				return now == clients
			})
			return nil
		}, socket.WithIdleTimeout(time.Second))
	}, loop.WithClock(clock))
}

// TestServeIdleTimeoutAfterStall has requests come at the very moment at which
// their connections expire, more of them than one harvest takes: all are
// answered, and who has asked nothing is closed.
func TestServeIdleTimeoutAfterStall(t *testing.T) {
	const clients = 300
	clock := looptest.NewClock()
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			var all []*socket.Conn
			for range clients {
				c := dial(task, t, s)
				defer c.Close()
				all = append(all, c)
			}
			turns(task, t, func() bool { return s.Statistics().Idle == clients })
			settle(task, t)
			for _, c := range all[1:] {
				_, err := c.SendNowait([]byte("x"))
				must(t, err)
			}
			must(t, clock.Advance(10*time.Second))
			receives(task, t, all[0], "")
			for _, c := range all[1:] {
				receives(task, t, c, "x")
			}
			if got := s.Statistics(); got.TimedOut != 1 {
				t.Errorf("after the timeout of one: %+v", got)
			}
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
		ln := listen(task, t)
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
		ln := listen(task, t)
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

// S357: what handlers return is not kept: many that have ended hold no memory.
func TestServeDiscardsResults(t *testing.T) {
	const warm, rounds, most = 2_000, 20_000, 1 << 20
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	runBudgeted(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			c := dial(task, t, s)
			defer c.Close()
			data := make([]byte, 1)
			ask := func(n int) {
				for range n {
					must(t, c.SendAll(task, data))
					_, err := c.Receive(task, data)
					must(t, err)
				}
			}
			ask(warm)
			before := heap()
			ask(rounds)
			if grown := heap() - before; grown > most {
				t.Errorf("%d handlers that have ended hold %d bytes", rounds, grown)
			}
			if got := s.Statistics().Runs; got < rounds {
				t.Errorf("%d runs", got)
			}
			return nil
		})
	})
}
