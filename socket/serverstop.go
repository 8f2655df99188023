package socket

import (
	"errors"
	"time"

	"github.com/lion-go/lion/loop"
)

// The end of a server, and of idle connections.

// stop ends the server with grace. Closing the listener resets what waits to be
// accepted, so that is taken before; where there is no room for it, handlers
// get a part of the grace period to make some.
func (s *Server) stop(t *loop.Task) error {
	over := t.Now().Add(s.grace)
	_ = s.sweeping.Cancel("the server stops")
	for left := drainMax; left > 0; {
		n, full, err := s.drain(t, left)
		if err != nil {
			return err
		}
		left -= n
		if !full {
			break
		}
		roomy := func() bool { return !s.full() }
		if err := s.within(t, over, &s.room, "room for connections", roomy); err != nil {
			return err
		}
		if !roomy() {
			break // the grace period is over
		}
	}
	s.closeListeners()
	if err := s.waitForFresh(t, over); err != nil {
		return err
	}
	return s.waitForHandlers(t, over)
}

// freshTime is how long the first request of a new connection may be on its way
// when the server stops: a client that has just connected has its request sent
// before it can hear that nobody wants it, and closing now would lose it. It is a
// round trip on a bad line.
const freshTime = 500 * time.Millisecond

// fresh reports whether the first request of c may be on its way.
func (c *served) fresh(now time.Duration) bool {
	return !c.begun && now-c.since < freshTime && !c.server.hurried
}

// waitForFresh gives new connections a moment, and closes those that say nothing.
func (s *Server) waitForFresh(t *loop.Task, over time.Time) error {
	if soon := t.Now().Add(freshTime); soon.Before(over) {
		over = soon
	}
	none := func() bool { return s.idle.length == 0 }
	if err := s.within(t, over, &s.drained, "first requests", none); err != nil {
		return err
	}
	return s.wakeAll(t, true)
}

// drainMax bounds what is accepted by a server that stops, so that clients that
// keep coming do not keep it from stopping: more than backlogs hold.
const drainMax = 1 << 16

// drain closes the connections on which nothing has come and starts the others,
// then takes up to most of those that wait to be accepted, as far as there is
// room, and does the same with them. It reports how many it took, and whether
// room was what it lacked.
func (s *Server) drain(t *loop.Task, most int) (taken int, full bool, err error) {
	if err := s.wakeAll(t, s.full()); err != nil {
		return 0, false, err
	}
	for _, ln := range s.lns {
		ln.refuse()
		for ; taken < most; taken++ {
			if full = s.full(); full {
				break
			}
			a, err := ln.nextNowait()
			if err != nil {
				break // nothing more; or descriptors have run out, which ends it too
			}
			s.begin(t, ln, a)
			if err := loop.Checkpoint(t); err != nil {
				return taken, false, err
			}
		}
	}
	return taken, full, s.wakeAll(t, full)
}

// wakeAll wakes all idle connections, except fresh ones unless they are meant as
// well. What is wrong with one of them does not end a server that stops anyway.
func (s *Server) wakeAll(t *loop.Task, freshToo bool) error {
	now := t.Now().Sub(s.epoch)
	for range s.idle.length { // those that stay, and those that the loop wakes, are behind
		c := s.idle.head
		if c == nil {
			break
		}
		if !freshToo && c.fresh(now) {
			s.idle.remove(c)
			s.idle.push(c, c.since)
			continue
		}
		_, _ = s.wake(c)
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
	c.close(true)
	s.perIP.leave(&c.conn)
	s.left()
}

// waitForHandlers waits until the grace period is over, and then cancels who is
// left.
func (s *Server) waitForHandlers(t *loop.Task, over time.Time) error {
	none := func() bool { return s.active == 0 }
	err := s.within(t, over, &s.drained, "connections to end", none)
	if s.active > 0 && err == nil {
		err = s.nursery.Cancel("the grace period is over")
	}
	return err
}

// within parks until done says so, or the grace period is over: by the clock,
// or by a second interrupt.
func (s *Server) within(
	t *loop.Task, over time.Time, lot *loop.ParkingLot, what string, done func() bool,
) error {
	if s.hurried {
		return nil
	}
	err := loop.MoveOnAt(t, over, func(*loop.Scope) error {
		for !done() {
			if err := lot.Park(t, what); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, loop.ErrInterrupt) {
		s.interrupted, s.hurried, err = true, true, nil
	}
	return err
}

// end closes all that has no task. Handlers that still run have been
// cancelled, or soon will be, and close their connections themselves.
func (s *Server) end() {
	s.ended, s.stopping = true, true
	s.closeListeners()
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
				// Many may have come, and so expire, at the same time.
				if err := loop.Checkpoint(t); err != nil {
					return err
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
