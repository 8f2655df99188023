package socket

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/lion-go/lion/loop"
)

// A Server serves the connections of its listeners: what Serve makes, for those
// who want to stop it or to look at it. It belongs to the loop of the listeners;
// from elsewhere use Loop.CallSoon.
type Server struct {
	lns     []*Listener
	handler Handler
	onError func(*Conn, error)

	grace          time.Duration
	idleTimeout    time.Duration
	maxConnections int
	batch          int
	startAtAccept  bool

	proxies          []netip.Prefix // whose PROXY headers are believed
	perIP            *perIP
	refused          uint64
	tls              *tls.Config
	tlsOptions       []TLSOption
	handshakeTimeout time.Duration
	maxHandshakes    int
	handshakeRoom    loop.ParkingLot
	handshaking      int
	handshakes       uint64

	nursery   *loop.Nursery
	spawning  []loop.SpawnOption
	accepting *loop.Scope // cancelled by Stop
	sweeping  *loop.Scope // of the task that closes idle connections
	room      loop.ParkingLot
	drained   loop.ParkingLot
	epoch     time.Time // ages of connections count from here
	idle      idleList
	active    int

	stopping    bool
	interrupted bool
	hurried     bool // a second interrupt has ended the grace period
	ended       bool // nothing new is started any more
	started     bool

	accepted uint64
	runs     uint64
	timedOut uint64
	errors   [errorKinds]uint64
}

// NewServer makes a server for a listener; Serve runs it.
func NewServer(ln *Listener, handler Handler, opts ...ServeOption) (*Server, error) {
	return NewServerEach([]*Listener{ln}, handler, opts...)
}

// NewServerEach makes one server for several listeners of one loop; see
// ServeEach.
func NewServerEach(
	lns []*Listener, handler Handler, opts ...ServeOption,
) (*Server, error) {
	if err := checkListeners(lns); err != nil {
		return nil, err
	}
	if handler == nil {
		return nil, misuse("a nil handler")
	}
	s := &Server{
		lns: slices.Clone(lns), handler: handler,
		grace: DefaultGrace, batch: DefaultAcceptBatch, maxConnections: DefaultMaxConnections,
		handshakeTimeout: DefaultHandshakeTimeout, maxHandshakes: DefaultMaxHandshakes,
	}
	for _, opt := range opts {
		if err := opt(s); err != nil {
			return nil, err
		}
	}
	var err error
	if s.accepting, err = loop.NewScope(s.loop()); err != nil {
		return nil, err
	}
	if s.sweeping, err = loop.NewScope(s.loop()); err != nil {
		return nil, err
	}
	return s, nil
}

// Listener returns the listener of the server, the first one of several.
func (s *Server) Listener() *Listener { return s.lns[0] }

// Listeners returns all listeners of the server.
func (s *Server) Listeners() []*Listener { return slices.Clone(s.lns) }

func (s *Server) loop() *loop.Loop { return s.lns[0].Loop() }

// Stop tells the server to stop with grace, and returns at once. It is
// idempotent and sync-coloured, and may come before Serve.
func (s *Server) Stop() {
	s.stopping = true
	_ = s.accepting.Cancel("the server stops") // it fails outside the loop only
}

// interrupt is called by the loop when the program is asked to stop.
func (s *Server) interrupt() {
	s.interrupted = true
	s.Stop()
}

// Serve runs the server once; see the function Serve. It is a checkpoint.
func (s *Server) Serve(t *loop.Task) error {
	switch {
	case s.started:
		return misuse("a server runs once")
	case t.Loop() != s.loop():
		return opError("serve", Addr{}, loop.ErrWrongTask)
	}
	s.started = true
	if s.onError != nil {
		for _, ln := range s.lns {
			ln.OnExhausted(func(err error) { s.onError(nil, err) })
		}
	}
	for _, ln := range s.lns {
		ln.noteDeferred()
	}
	s.epoch = t.Now()
	remove := t.Loop().HandleInterrupt(s.interrupt)
	defer remove()
	err := loop.Nurse(t, func(n *loop.Nursery) error {
		// Also on a panic: nothing that has no task may be left behind.
		defer s.end()
		return s.run(t, n)
	}, loop.WithName("server"))
	return s.withInterrupt(err)
}

// withInterrupt adds to how the server ended that it was interrupted, whatever
// else has gone wrong meanwhile: nobody else hears of the interrupt.
func (s *Server) withInterrupt(err error) error {
	switch {
	case !s.interrupted, errors.Is(err, loop.ErrInterrupt):
		return err
	case err == nil:
		return loop.ErrInterrupt
	}
	return errors.Join(loop.ErrInterrupt, err)
}

// run is the life of a server: it accepts, and then stops with grace.
func (s *Server) run(t *loop.Task, n *loop.Nursery) error {
	s.nursery, s.spawning = n, []loop.SpawnOption{loop.WithLocals(t.Locals())}
	if s.idleTimeout > 0 {
		if err := n.Spawn(s.sweep, loop.WithTaskName("socket.sweep")); err != nil {
			return err
		}
	}
	err := loop.Enter(t, s.accepting, func(*loop.Scope) error { return s.acceptEach(t) })
	if err != nil || !s.stopping {
		return err
	}
	return s.stop(t)
}

func (s *Server) connections() int { return s.active + s.idle.length }

// begin makes a connection of an accepted descriptor.
func (s *Server) begin(t *loop.Task, ln *Listener, a acceptance) {
	c := &served{server: s}
	c.run = c.serve
	s.accepted++
	ln.hand(&c.conn, a)
	if !s.perIP.enter(&c.conn) {
		s.refused++
		_ = c.conn.Abort() // it is closed, whatever it says
		return
	}
	//lion:opt deferred-start saves the registration and an event: what has come is looked for
	if s.startAtAccept || ln.deferred && c.hasCome() {
		s.start(c)
		return
	}
	//lion:opt accept-drained saves a receive that would answer WouldBlock
	c.conn.s.d.MarkDrained(readable)
	if err := c.conn.s.d.NotifyReadable(c); err != nil {
		s.start(c)
		return
	}
	s.idle.push(c, t.Now().Sub(s.epoch))
}

// start runs the handler on a task of its own.
func (s *Server) start(c *served) {
	s.active++
	err := loop.ErrClosed
	if !s.ended {
		err = s.nursery.Spawn(c.run, s.spawning...)
	}
	if err != nil { // the server has ended
		s.finished(c)
	}
}

// finished closes a connection whose handler has ended.
func (s *Server) finished(c *served) {
	c.close(false)
	s.perIP.leave(&c.conn)
	s.active--
	s.left()
}

// left wakes who waits for the end of a connection.
func (s *Server) left() {
	s.room.UnparkAll() // one for each listener, and not all of them take some
	if s.active == 0 {
		s.drained.UnparkAll()
	}
}
