package socket

import "github.com/lion-go/lion/loop"

// ServeEach is Serve for several listeners of one loop, as Listen and
// ListenTCPEach make them: one server, whose limits, grace period and statistics
// are for all connections together. If accepting fails at one listener all of it
// ends. All listeners are closed at the end, in any case. It is a checkpoint.
func ServeEach(
	t *loop.Task, lns []*Listener, handler Handler, opts ...ServeOption,
) error {
	s, err := NewServerEach(lns, handler, opts...)
	if err != nil {
		return err
	}
	return s.Serve(t)
}

func checkListeners(lns []*Listener) error {
	if len(lns) == 0 {
		return misuse("a server without listeners")
	}
	for _, ln := range lns {
		if ln == nil {
			return misuse("a nil listener")
		}
		if ln.Loop() != lns[0].Loop() {
			return misuse("a server with listeners of several loops")
		}
	}
	return nil
}

// acceptEach takes connections until it is cancelled, or a listener fails.
func (s *Server) acceptEach(t *loop.Task) error {
	if len(s.lns) == 1 {
		return s.accept(t, s.lns[0])
	}
	return loop.Nurse(t, func(n *loop.Nursery) error {
		for _, ln := range s.lns {
			err := n.Spawn(func(t *loop.Task) error { return s.accept(t, ln) },
				loop.WithTaskName("socket.accept"))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// accept takes the connections of one listener.
func (s *Server) accept(t *loop.Task, ln *Listener) error {
	for {
		if err := s.waitForRoom(t); err != nil {
			return err
		}
		a, err := ln.next(t)
		if err != nil {
			return err
		}
		// Another listener may have taken the room. A server that stops takes
		// what it has accepted, though it is one more.
		err = s.waitForRoom(t)
		s.begin(t, ln, a)
		if err != nil {
			return err
		}
		if err := s.acceptMore(t, ln); err != nil {
			return err
		}
	}
}

func (s *Server) waitForRoom(t *loop.Task) error {
	for s.full() {
		if err := s.room.Park(t, "room for connections"); err != nil {
			return err
		}
	}
	return nil
}

// acceptMore takes what else waits, up to the batch; then others get a turn.
func (s *Server) acceptMore(t *loop.Task, ln *Listener) error {
	for range s.batch - 1 {
		if s.full() {
			return nil
		}
		a, err := ln.nextNowait()
		if err != nil {
			return nil // nothing more, or an error that next will meet again
		}
		s.begin(t, ln, a)
	}
	return loop.Yield(t)
}

func (s *Server) full() bool { return s.connections() >= s.maxConnections }

func (s *Server) closeListeners() {
	for _, ln := range s.lns {
		_ = ln.Close() // it is closed, whatever it says
	}
}

func (s *Server) listenerStatistics() (all ListenerStatistics) {
	for _, ln := range s.lns {
		one := ln.Statistics()
		all.Accepted += one.Accepted
		all.Transient += one.Transient
		all.Exhausted += one.Exhausted
	}
	return all
}
