package socket_test

import (
	"errors"
	"net/netip"
	"sync/atomic"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// listenSeveral listens on several addresses of the loopback network.
func listenSeveral(t *loop.Task, tb testing.TB, n int) (lns []*socket.Listener) {
	tb.Helper()
	for range n {
		lns = append(lns, listen(t, tb))
	}
	return lns
}

// servingEach is serving for several listeners.
func servingEach(
	t *loop.Task, tb testing.TB, lns []*socket.Listener, handler socket.Handler,
	body func(s *socket.Server) error, opts ...socket.ServeOption,
) (result error) {
	tb.Helper()
	s, err := socket.NewServerEach(lns, handler, opts...)
	must(tb, err)
	must(tb, loop.Nurse(t, func(n *loop.Nursery) error {
		must(tb, n.Spawn(func(t *loop.Task) error {
			result = s.Serve(t)
			return nil
		}))
		defer s.Stop()
		return body(s)
	}))
	return result
}

// S349: two listeners and three clients each, one server; at the end both are
// closed, and the connections.
func TestServeEach(t *testing.T) {
	run(t, func(task *loop.Task) error {
		lns := listenSeveral(task, t, 2)
		var all []*socket.Conn
		err := servingEach(task, t, lns, echo, func(s *socket.Server) error {
			for _, ln := range s.Listeners() {
				for range 3 {
					c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
					must(t, err)
					must(t, c.SendAll(task, []byte("x")))
					receives(task, t, c, "x")
					all = append(all, c)
				}
			}
			until(task, t, func() bool { return s.Statistics().Idle == 6 })
			if got := s.Statistics(); got.Accepted != 6 || got.Listener.Accepted != 6 {
				t.Errorf("%+v", got)
			}
			return nil
		})
		must(t, err)
		for _, ln := range lns {
			if !ln.Socket().Closed() {
				t.Errorf("%v is open", ln)
			}
		}
		for _, c := range all {
			receives(task, t, c, "")
			must(t, c.Close())
		}
		return nil
	})
}

// The limit of connections is one for all listeners, and who waits at any of
// them gets the room that another one leaves.
func TestServeEachMaxConnections(t *testing.T) {
	run(t, func(task *loop.Task) error {
		lns := listenSeveral(task, t, 3)
		return servingEach(task, t, lns, echo, func(s *socket.Server) error {
			var all []*socket.Conn
			for i := range 9 {
				c, err := socket.ConnectTCP(task, lns[i%3].Addr().AddrPort())
				must(t, err)
				all = append(all, c)
			}
			settle(task, t)
			if got := s.Statistics(); got.Active+got.Idle != 2 {
				t.Errorf("with room for two: %+v", got)
			}
			left := len(all)
			must(t, loop.Nurse(task, func(n *loop.Nursery) error {
				for _, c := range all {
					must(t, n.Spawn(func(task *loop.Task) error {
						must(t, c.SendAll(task, []byte("x")))
						receives(task, t, c, "x")
						if got := s.Statistics(); got.Active+got.Idle > 2 {
							t.Errorf("with room for two: %+v", got)
						}
						left--
						return c.Close()
					}))
				}
				return nil
			}))
			if left != 0 {
				t.Errorf("%d clients were not served", left)
			}
			return nil
		}, socket.WithMaxConnections(2))
	})
}

// S350: if accepting fails at one of them, the server ends with that error.
func TestServeEachFails(t *testing.T) {
	run(t, func(task *loop.Task) error {
		lns := listenSeveral(task, t, 2)
		err := servingEach(task, t, lns, echo, func(*socket.Server) error {
			settle(task, t)
			return lns[1].Close()
		})
		want(t, "serve", err, loop.ErrClosed)
		if !lns[0].Socket().Closed() {
			t.Error("the other one is open")
		}
		return nil
	})
}

func TestServeEachMisuse(t *testing.T) {
	run(t, func(task *loop.Task) error {
		for name, lns := range map[string][]*socket.Listener{"none": nil, "nil": {nil}} {
			_, err := socket.NewServerEach(lns, echo)
			want(t, name, err, loop.ErrMisuse)
		}
		_, err := socket.NewTeam(0, ":0")
		want(t, "a team of none", err, loop.ErrMisuse)
		team, err := socket.NewTeam(1, "127.0.0.1:0")
		must(t, err)
		_, err = team.Listen(task, 1)
		want(t, "loop 1 of 1", err, loop.ErrMisuse)
		ln, err := team.Listen(task, 0)
		must(t, err)
		_, err = team.Listen(task, 0)
		want(t, "twice", err, loop.ErrMisuse)
		return ln.Close()
	})
}

// A team of loops serves one address, in both ways: all clients are served, and
// what is handed out is spread evenly. When the loops stop, what waits in any of
// their queues is served.
func TestTeam(t *testing.T) {
	for _, handOut := range []bool{false, true} {
		name := "spread by the system"
		if handOut || !sys.ReusePortBalances {
			name = "handed out"
		}
		t.Run(name, func(t *testing.T) { testTeam(t, handOut) })
	}
}

func testTeam(t *testing.T, handOut bool) {
	const loops, clients = 3, 300
	team, err := socket.NewTeam(loops, "127.0.0.1:0")
	must(t, err)
	if handOut {
		team.HandOut()
	}
	address := make(chan netip.AddrPort, 1)
	done := make(chan error, 1)
	var servers [loops]*socket.Server
	var accepted [loops]atomic.Uint64
	var listening atomic.Int32
	go func() {
		done <- loop.RunEach(loops, func(task *loop.Task, i int) error {
			ln, err := team.Listen(task, i)
			if err != nil {
				return err
			}
			s, err := socket.NewServer(ln, echo)
			if err != nil {
				return err
			}
			servers[i] = s
			if listening.Add(1) == loops {
				address <- ln.Addr().AddrPort()
			}
			err = s.Serve(task)
			accepted[i].Store(s.Statistics().Accepted)
			return err
		})
	}()
	to := <-address
	run(t, func(task *loop.Task) error {
		var all []*socket.Conn
		for range clients {
			c, err := socket.ConnectTCP(task, to)
			must(t, err)
			must(t, c.SendAll(task, []byte("x")))
			all = append(all, c)
		}
		// Handed out in turn: what waits for a loop that is told to stop before it
		// has had a processor goes to the others.
		for _, c := range all[:loops] {
			receives(task, t, c, "x")
		}
		for _, s := range servers { // requests may wait in any queue
			must(t, s.Listener().Loop().CallSoon(s.Stop))
		}
		for i, c := range all {
			if i >= loops {
				receives(task, t, c, "x")
			}
			must(t, c.Close())
		}
		return nil
	})
	must(t, <-done)
	total := uint64(0)
	for i := range accepted {
		n := accepted[i].Load()
		if total += n; n == 0 {
			t.Errorf("loop %d accepted nothing", i)
		}
	}
	if total != clients {
		t.Errorf("%d of %d connections were accepted", total, clients)
	}
}

// If the first loop cannot listen, all learn why; and who is cancelled while it
// waits for the first one leaves.
func TestTeamFails(t *testing.T) {
	team, err := socket.NewTeam(2, "192.0.2.1:1") // no address of this host
	must(t, err)
	err = loop.RunEach(2, func(task *loop.Task, i int) error {
		_, err := team.Listen(task, i)
		want(t, "listen", err, sys.EADDRNOTAVAIL)
		return nil
	})
	must(t, err)
	team, err = socket.NewTeam(2, "127.0.0.1:0")
	must(t, err)
	broken := errors.New("test")
	err = loop.RunEach(2, func(task *loop.Task, i int) error {
		if i == 0 {
			return broken
		}
		_, err := team.Listen(task, i)
		want(t, "listen", err, loop.Cancelled)
		return err
	})
	want(t, "run", err, broken)
}
