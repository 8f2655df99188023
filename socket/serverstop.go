package socket

import (
	"errors"

	"github.com/lion-go/lion/loop"
)

// The end of a server, and of idle connections.

// drain takes the connections that wait to be accepted, since closing the
// listener would reset them, closes it, and then closes the connections on
// which nothing has come. The others are served.
func (s *Server) drain(t *loop.Task) error {
	for s.connections() < s.maxConnections {
		a, err := s.ln.nextNowait()
		if err != nil {
			break // nothing more; or descriptors have run out, which ends it too
		}
		s.begin(t, a)
		if err := loop.Checkpoint(t); err != nil {
			return err
		}
	}
	_ = s.ln.Close() // it is closed, whatever it says
	_ = s.sweeping.Cancel("the server stops")
	for c := s.idle.head; c != nil; c = s.idle.head {
		_, _ = s.wake(c) // a server that stops does not end by it
		if err := loop.Checkpoint(t); err != nil {
			return err
		}
	}
	return nil
}

// wake runs the handler of an idle connection if there is something for it,
// and closes it otherwise: something may have come that the loop has not
// harvested, and to close over it would reset the connection. The error is one
// that is to end the server.
func (s *Server) wake(c *served) (dropped bool, err error) {
	s.idle.remove(c)
	c.conn.s.d.CancelNotify()
	pending, err := c.pending()
	switch {
	case err != nil:
		s.active++
		return false, c.ended(err)
	case pending:
		s.start(c)
		return false, nil
	}
	s.drop(c)
	return true, nil
}

// drop closes a connection that has no task and is not in the idle list.
func (s *Server) drop(c *served) {
	c.conn.s.d.CancelNotify()
	_ = c.conn.Close() // whatever it says, the connection is closed
	s.left()
}

// waitForHandlers grants the grace period and then cancels who is left.
func (s *Server) waitForHandlers(t *loop.Task) error {
	err := loop.MoveOnAfter(t, s.grace, func(*loop.Scope) error {
		for s.active > 0 {
			if err := s.drained.Park(t, "connections to end"); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, loop.ErrInterrupt) {
		s.interrupted, err = true, nil
	}
	if s.active > 0 && err == nil {
		err = s.nursery.Cancel("the grace period is over")
	}
	return err
}

// end closes all that has no task. Handlers that still run have been
// cancelled, or soon will be, and close their connections themselves.
func (s *Server) end() {
	s.ended, s.stopping = true, true
	_ = s.ln.Close() // it is closed, whatever it says
	_ = s.sweeping.Cancel("the server stops")
	for c := s.idle.head; c != nil; c = s.idle.head {
		s.idle.remove(c)
		s.drop(c)
	}
}

// sweep closes connections that have been idle for too long. The list is in
// the order of age, so only its head is looked at. After a stall of the loop
// there may be requests on them, of which wake takes care.
func (s *Server) sweep(t *loop.Task) error {
	return loop.Enter(t, s.sweeping, func(*loop.Scope) error {
		for {
			now := t.Now().Sub(s.epoch)
			for c := s.idle.head; c != nil && now-c.since >= s.idleTimeout; c = s.idle.head {
				dropped, err := s.wake(c)
				if err != nil {
					return err
				}
				if dropped {
					s.timedOut++
				}
			}
			next := now + s.idleTimeout
			if c := s.idle.head; c != nil {
				next = c.since + s.idleTimeout
			}
			if err := loop.SleepUntil(t, s.epoch.Add(next)); err != nil {
				return err
			}
		}
	})
}
