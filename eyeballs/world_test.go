package eyeballs

import (
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// A world is what tests put in the place of the network: it answers as a
// scenario says, at times of a virtual clock, and counts what it has handed out.
type world struct {
	scenario *scenario
	starts   []mark // every attempt that reached the world
	asked    []mark // every lookup
	open     int    // connections and sockets that have not been closed
}

// mark is something at a time: an address or the type of a query.
type mark struct {
	what string
	at   time.Duration
}

// fakeConn is a connection of a world.
type fakeConn struct {
	w      *world
	addr   netip.AddrPort
	closed bool
}

func (c *fakeConn) Close() error {
	if !c.closed {
		c.closed = true
		c.w.open--
	}
	return nil
}

func since(t *loop.Task) time.Duration { return t.Now().Sub(looptest.Epoch) }

// connect makes a connection or fails, as the scenario has it.
func (w *world) connect(
	t *loop.Task, to netip.AddrPort, _ []socket.SetupOption,
) (conn, error) {
	w.starts = append(w.starts, mark{to.Addr().String(), since(t)})
	b := w.scenario.behaviour(to)
	c := &fakeConn{w: w, addr: to}
	w.open++
	if err := loop.Sleep(t, b.after); err != nil {
		_ = c.Close()
		return nil, err
	}
	if b.err != nil {
		_ = c.Close()
		return nil, b.err
	}
	return c, nil
}

// shake is the handshake of a world.
func (w *world) shake(t *loop.Task, c conn, _ *Endpoint) error {
	b := w.scenario.behaviour(c.(*fakeConn).addr)
	if b.shakeNever {
		return loop.SleepForever(t)
	}
	if err := loop.Sleep(t, b.shakeAfter); err != nil {
		return err
	}
	return b.shakeErr
}

// resolve answers a lookup at the times that the scenario has.
func (w *world) resolve(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
	began := t.Now()
	var last error
	never := false
	answers := w.scenario.answersFor(asked(q.Family))
	slices.SortStableFunc(answers, func(a, b dnsAnswer) int { return int(a.after - b.after) })
	for _, a := range answers {
		never = never || a.never
		if a.never {
			continue
		}
		if err := loop.SleepUntil(t, began.Add(a.after)); err != nil {
			return err
		}
		last = a.err
		deliver(socket.Answer{Family: kernelFamily(a.family), Addrs: a.addrs, Err: a.err})
	}
	if never {
		return loop.SleepForever(t)
	}
	return last
}

// services answers with the endpoints of the scenario.
func (w *world) services(t *loop.Task, _ socket.Query, deliver func([]Endpoint)) error {
	began := t.Now()
	for _, a := range w.scenario.services {
		if a.never {
			return loop.SleepForever(t)
		}
		if err := loop.SleepUntil(t, began.Add(a.after)); err != nil {
			return err
		}
		if a.err != nil {
			return a.err
		}
		deliver(a.endpoints)
	}
	return loop.Checkpoint(t)
}

func asked(kernel int) families {
	switch kernel {
	case sys.AF_INET:
		return only4
	case sys.AF_INET6:
		return only6
	}
	return both
}

// noteAsked counts lookups, in the order in which they go out.
func (w *world) noteAsked(which families, at time.Duration) {
	for _, f := range []family{ipv6, ipv4} {
		if which.has(f) {
			w.asked = append(w.asked, mark{f.String(), at})
		}
	}
}

// dnsError is how a resolver may put it.
type dnsError struct {
	text      string
	notFound  bool
	temporary bool
}

func (e *dnsError) Error() string   { return e.text }
func (e *dnsError) NotFound() bool  { return e.notFound }
func (e *dnsError) Temporary() bool { return e.temporary }

var (
	errNoData = &dnsError{text: "no data"}
	errNoName = &dnsError{text: "no such name", notFound: true}
	errServer = &dnsError{text: "server failure", temporary: true}
	errBad    = errors.New("bad certificate")
)

// told is an errno in words that are the same on all systems.
type told struct{ error }

func (e told) Unwrap() error { return e.error }

func (e told) Error() string {
	for errno, text := range map[error]string{
		sys.ECONNREFUSED: "connection refused", sys.ETIMEDOUT: "connection timed out",
		sys.EHOSTUNREACH: "no route to host", sys.EMFILE: "too many open files",
	} {
		if errno == e.error {
			return text
		}
	}
	return e.error.Error()
}

func connectError(errno error) error { return &socket.OpError{Op: "connect", Err: told{errno}} }

func socketError(errno error) error { return &socket.OpError{Op: "socket", Err: told{errno}} }
