package socket

import (
	"fmt"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// A listener lives long, and single connections must not end it. Accepting can
// fail in three ways:
//
//   - because of the one connection that was to be accepted: its client reset
//     it, or Linux hands a pending network error through. It is counted and
//     the next one is taken;
//   - because descriptors or memory have run out. Nothing is wrong with the
//     listener, and those who wait in its queue are still served when there is
//     room again. So it waits a while and tries again: counted, and reported
//     to who has asked for it;
//   - because the listener itself is wrong. That is returned.

const (
	// exhaustedPause is how long a listener waits when descriptors or memory
	// have run out: short enough for clients, long enough not to burn a core.
	exhaustedPause = 100 * time.Millisecond

	// transientMax bounds how many failed connections one call skips before it
	// waits as well: should the error be the listener's in truth, nothing spins.
	transientMax = 64
)

// A Listener accepts connections as streams. It belongs to one loop.
type Listener struct {
	s         *Socket
	noDelay   inheritance
	deferred  bool // connections come with their first bytes: DeferAccept
	report    func(error)
	accepted  uint64
	transient uint64
	exhausted uint64

	team *Team       // hands connections to other loops, if not nil
	feed *feed       // is handed connections by another loop, if not nil
	path *socketPath // removed by Close, if not nil
}

// inheritance tells whether accepted sockets take TCP_NODELAY over from their
// listener. Linux and the BSDs do it, without a promise; so the first one is
// asked, and if it did not, it and all others are told.
type inheritance uint8

const (
	inheritanceUnknown inheritance = iota
	inherited
	notInherited
	notApplicable
)

// NewListener makes a Listener of a listening stream socket, which it takes
// over. Anything else is refused with ErrMisuse, as far as the system tells
// whether a socket listens. TCP_NODELAY of accepted connections is left as it
// is.
func NewListener(s *Socket) (*Listener, error) {
	if s.closed {
		return nil, opError("wrap", Addr{}, loop.ErrClosed)
	}
	listening, err := s.GetsockoptInt(sys.SOL_SOCKET, sys.SO_ACCEPTCONN)
	if s.typ != sys.SOCK_STREAM || err == nil && listening == 0 || s.connected {
		return nil, misuse("%v is not a listening stream socket", s)
	}
	return &Listener{s: s, noDelay: notApplicable}, nil
}

// newListener makes a Listener of a socket that was set up here.
func newListener(s *Socket) *Listener {
	ln := &Listener{s: s}
	if on, err := NoDelay.Get(s); err != nil || !on || s.family == sys.AF_UNIX {
		ln.noDelay = notApplicable
	}
	return ln
}

// Accept takes the next connection, waiting until there is one. Connections
// that failed before they were accepted are skipped; when descriptors or
// memory have run out it tries again every 100 ms. Both are counted in
// Statistics. It is a checkpoint; after Cancelled no connection has been taken.
func (ln *Listener) Accept(t *loop.Task) (*Conn, error) {
	a, err := ln.next(t)
	if err != nil {
		return nil, err
	}
	c := &Conn{}
	ln.hand(c, a)
	return c, nil
}

// AcceptNowait takes the next connection; it never suspends: ErrWouldBlock if
// none waits. It may be called while a task waits in Accept. If descriptors or
// memory have run out, it returns that error.
func (ln *Listener) AcceptNowait() (*Conn, error) {
	a, err := ln.nextNowait()
	if err != nil {
		return nil, err
	}
	c := &Conn{}
	ln.hand(c, a)
	return c, nil
}

// AcceptBatchNowait takes connections that wait, as many as dst has room for,
// and returns their number; it never suspends: ErrWouldBlock if none waits. The
// length of dst is the bound, which keeps a burst of new clients from those who
// are served already; 16 gains all that there is to gain. An error beside
// connections says why there are no more of them, as AcceptNowait would.
func (ln *Listener) AcceptBatchNowait(dst []*Conn) (int, error) {
	if len(dst) == 0 {
		return 0, misuse("accepting a batch of no connections")
	}
	for i := range dst {
		c, err := ln.AcceptNowait()
		if i > 0 && err == loop.ErrWouldBlock {
			return i, nil
		}
		if err != nil {
			return i, err
		}
		dst[i] = c
	}
	return len(dst), nil
}

// next accepts a descriptor.
func (ln *Listener) next(t *loop.Task) (acceptance, error) {
	if t.Loop() != ln.s.d.Loop() {
		return acceptance{}, opError("accept", Addr{}, loop.ErrWrongTask)
	}
	if ln.feed != nil {
		return ln.feed.next(t, ln)
	}
	for {
		a, err := retry(t, ln.s, sys.Readable, ln.tryAccept)
		switch {
		case err == nil && ln.team.give(a):
			continue
		case err == nil:
			return a, nil
		case sys.Exhausted(err):
			ln.noteExhausted(err)
			err = loop.Sleep(t, exhaustedPause)
		case sys.AcceptTransient(err): // so often that it may be the listener after all
			err = loop.Sleep(t, exhaustedPause)
		default:
			err = ln.failed(err)
		}
		if err != nil {
			return a, err
		}
	}
}

func (ln *Listener) nextNowait() (acceptance, error) {
	if ln.feed != nil {
		return ln.feed.nextNowait(ln)
	}
	a, err := once(ln.s, sys.Readable, ln.tryAccept)
	for err == nil && ln.team.give(a) { // as often as there are other loops, at most
		a, err = once(ln.s, sys.Readable, ln.tryAccept)
	}
	if err != nil && err != loop.ErrWouldBlock {
		if sys.Exhausted(err) {
			ln.noteExhausted(err)
		}
		return a, ln.failed(err)
	}
	return a, err
}

// tryAccept accepts one connection, or says why not; it skips those that have
// failed, up to a bound.
func (ln *Listener) tryAccept() (a acceptance, err error) {
	for range transientMax {
		a.fd, err = sys.Accept(ln.s.d.FD(), &a.from)
		if err == nil || err == sys.WouldBlock || !sys.AcceptTransient(err) {
			break
		}
		ln.transient++
	}
	return a, err
}

func (ln *Listener) noteExhausted(err error) {
	ln.exhausted++
	if ln.report != nil {
		ln.report(ln.failed(err))
	}
}

func (ln *Listener) failed(err error) error {
	own, _ := ln.s.Name() // only for the text
	return opError("accept", own, err)
}

// hand makes c the connection of an accepted descriptor.
func (ln *Listener) hand(c *Conn, a acceptance) {
	ln.accepted++
	ln.s.initAccepted(&c.s, a.fd)
	c.peer = AddrFrom(&a.from).Unmap()
	switch ln.noDelay {
	case inheritanceUnknown:
		ln.noDelay = notInherited
		if on, err := NoDelay.Get(&c.s); err == nil && on {
			ln.noDelay = inherited
			return
		}
		fallthrough
	case notInherited:
		// It fails on a connection that is gone; its first use will tell.
		_ = NoDelay.Set(&c.s, true)
	}
}

// noteDeferred looks whether the listener waits for the first bytes of its
// connections. Where the system cannot say it does not.
func (ln *Listener) noteDeferred() {
	d, err := DeferAccept.Get(ln.s)
	ln.deferred = err == nil && d > 0
}

// OnExhausted has fn called, on the loop, whenever accepting fails because
// descriptors or memory have run out. It must not block. Serve sets it to its
// own report. Sync-coloured.
func (ln *Listener) OnExhausted(fn func(error)) { ln.report = fn }

// Addr returns the address that is listened on, or an invalid one after Close.
func (ln *Listener) Addr() Addr {
	if ln.feed != nil && !ln.s.closed {
		return ln.feed.addr
	}
	own, err := ln.s.Name()
	if err != nil {
		return Addr{}
	}
	return own
}

// Close stops listening. Connections that nobody has accepted are reset by the
// system; Server.Stop takes them first. It is idempotent and sync-coloured; a
// task that waits in Accept gets ErrClosed.
func (ln *Listener) Close() error {
	if ln.feed != nil {
		ln.feed.close()
	}
	if ln.path != nil && !ln.s.closed {
		ln.path.remove()
	}
	return ln.s.Close()
}

// Loop returns the loop of the listener.
func (ln *Listener) Loop() *loop.Loop { return ln.s.Loop() }

// Socket returns the socket of the listener, for its options and the like. That
// of a listener to which another loop hands its connections does not listen.
func (ln *Listener) Socket() *Socket { return ln.s }

// ListenerStatistics describes a listener.
type ListenerStatistics struct {
	Accepted  uint64 // connections
	Transient uint64 // connections that had failed before they were accepted
	Exhausted uint64 // tries for which descriptors or memory did not suffice
}

// Statistics returns the present numbers.
func (ln *Listener) Statistics() ListenerStatistics {
	return ListenerStatistics{
		Accepted: ln.accepted, Transient: ln.transient, Exhausted: ln.exhausted,
	}
}

// String names the listener by its address.
func (ln *Listener) String() string {
	if ln.s.closed {
		return "listener(closed)"
	}
	return fmt.Sprintf("listener(%v)", ln.Addr())
}
