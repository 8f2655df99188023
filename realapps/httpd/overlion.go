package main

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/valyala/fasthttp"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// serveLion serves on loops of lion that share nothing but the address: the
// system spreads the connections over them, or the first one hands them out.
func serveLion(c *config, s *site, ready func(addr string)) error {
	if err := alone(c); err != nil {
		return err
	}
	team, err := socket.NewTeam(c.loops, c.addr)
	if err != nil {
		return err
	}
	o := &overLion{site: s, team: team, ready: ready}
	o.unready.Store(int32(c.loops))
	err = o.run()
	if err != nil && err != loop.ErrInterrupt {
		return err
	}
	if cut := o.cut.Load(); cut > 0 {
		return cutError(int(cut), c.grace)
	}
	return nil
}

// run runs the loops. That of one loop says what went wrong in one line.
func (o *overLion) run() error {
	if n := o.site.config.loops; n > 1 {
		return once(loop.RunEach(n, o.main, loop.CatchInterrupt()))
	}
	return loop.Run(func(t *loop.Task) error { return o.main(t, 0) }, loop.CatchInterrupt())
}

// once has several loops that say the same say it once.
func once(err error) error {
	var all *loop.Group
	if !errors.As(err, &all) {
		return err
	}
	first := all.Unwrap()[0]
	for _, other := range all.Unwrap() {
		if other.Error() != first.Error() {
			return err
		}
	}
	return first
}

// alone makes sure that nobody listens on the address. Several loops share it by
// SO_REUSEPORT, and would share it with another instance of the same user as
// well, which then gets some of the clients without a word.
func alone(c *config) error {
	if c.loops == 1 {
		return nil // there the listener itself will find out
	}
	return loop.Run(func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), c.addr)
		if err != nil {
			return err
		}
		return ln.Close()
	})
}

// overLion is what the loops have in common.
type overLion struct {
	site    *site
	team    *socket.Team
	ready   func(addr string)
	unready atomic.Int32 // loops that do not accept yet
	cut     atomic.Int32 // connections cancelled at the end of the grace period
}

// main is the main task of one loop.
func (o *overLion) main(t *loop.Task, index int) error {
	c := o.site.config
	ln, err := o.listen(t, index)
	if err != nil {
		return err
	}
	defer t.Loop().HandleInterrupt(o.site.stop)()
	if o.unready.Add(-1) == 0 {
		o.ready(fmt.Sprint(ln.Addr()))
	}
	return socket.Serve(t, ln, newDesk(o).serve,
		socket.WithGrace(c.grace),
		socket.WithIdleTimeout(c.idleTimeout),
		socket.WithMaxConnections(share(c.maxConns, c.loops, index)))
}

// listen makes the listener of one loop. One that is alone has the address to
// itself: nobody else may listen on it.
func (o *overLion) listen(t *loop.Task, index int) (*socket.Listener, error) {
	if c := o.site.config; c.loops == 1 {
		return socket.ListenTCP(t.Loop(), c.addr)
	}
	return o.team.Listen(t, index)
}

// share is the part of n that falls to one of several.
func share(n, several, index int) int {
	if index < n%several {
		return n/several + 1
	}
	return n / several
}

// A desk serves the connections of one loop. It has a fasthttp server of its
// own, so that no lock and no counter is shared between loops.
type desk struct {
	over   *overLion
	server *fasthttp.Server
	free   []*visit
}

// freeMax bounds the visits kept for reuse: more are not under way at once
// unless clients are slow.
const freeMax = 1024

func newDesk(o *overLion) *desk {
	d := &desk{over: o, server: o.site.server()}
	d.server.ConnState = visitState
	return d
}

// serve is the handler of a connection: it is called when there is something to
// read, and serves requests until nothing more is there.
func (d *desk) serve(t *loop.Task, s stream.Stream) error {
	v := d.take()
	v.begin(t, s)
	// What ServeConn returns is about this client only, and has been answered.
	_ = d.server.ServeConn(v)
	err := v.end()
	d.give(v)
	if errors.Is(err, loop.Cancelled) {
		d.over.cut.Add(1)
	}
	return err
}

func (d *desk) take() *visit {
	if n := len(d.free) - 1; n >= 0 {
		v := d.free[n]
		d.free = d.free[:n]
		return v
	}
	return newVisit()
}

func (d *desk) give(v *visit) {
	if len(d.free) < freeMax {
		d.free = append(d.free, v)
	}
}
