package eyeballs

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// What the driver asks of the world: routes, names, and one connection.

// kernelFamily is the family in the words of the system.
func kernelFamily(f family) int {
	any := [...]netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}[f]
	return socket.InetAddr(netip.AddrPortFrom(any, 0)).Family()
}

// askRoutes returns the families that this host has connectivity in, where that
// matters: for names, and to find out whether a NAT64 is needed.
func (c *config) askRoutes(t *loop.Task, named bool) (families, error) {
	if c.routes == nil || !named && len(c.nat64) == 0 {
		return both, nil
	}
	v4, v6, err := c.routes(t)
	if err != nil {
		return 0, err
	}
	var has families
	if v4 {
		has |= only4
	}
	if v6 {
		has |= only6
	}
	return has, nil
}

// ask spawns a lookup of some families.
func (r *race) ask(asked families) error {
	q := r.query
	for _, f := range []family{ipv4, ipv6} {
		if asked == 1<<f {
			q.Family = kernelFamily(f)
		}
	}
	look := func(t *loop.Task) error {
		err := r.resolve(t, q, r.deliver)
		r.post(event{kind: lookupEnded, asked: asked, err: err})
		return nil
	}
	if r.c.linger == nil {
		return r.n.Spawn(look, loop.WithTaskName("lookup"))
	}
	return r.lingering(look)
}

// deliver takes an answer of the resolver. The addresses are ours.
func (r *race) deliver(a socket.Answer) {
	ev := event{kind: answerCame, family: ipv4, addrs: a.Addrs, err: a.Err}
	if a.Family == kernelFamily(ipv6) {
		ev.family = ipv6
	}
	if len(a.Addrs) == 0 && a.Err == nil {
		ev.err = ErrNoAnswer
	}
	r.post(ev)
}

// lingering spawns a lookup that outlives the race, in the nursery that the
// caller gave for it, but not for long, and not if the race is not won.
func (r *race) lingering(look func(t *loop.Task) error) error {
	scope, err := loop.NewScope(r.n.Owner().Loop())
	if err != nil {
		return err
	}
	r.lookups = append(r.lookups, scope)
	return r.c.linger.Spawn(func(t *loop.Task) error {
		return loop.Enter(t, scope, func(*loop.Scope) error { return look(t) })
	}, loop.WithTaskName("lookup"))
}

// endLookups lets what lingers end.
func (r *race) endLookups() error {
	var errs []error
	for _, scope := range r.lookups {
		if r.e.winner >= 0 {
			errs = append(errs, scope.SetTimeout(LookupLinger))
		} else {
			errs = append(errs, scope.Cancel("the race was lost"))
		}
	}
	return errors.Join(errs...)
}

// open makes one connection.
func (c *config) open(t *loop.Task, to netip.AddrPort) (conn, Stage, error) {
	setup := c.setup
	if c.bound {
		own := c.local[familyOf(to)]
		if !own.IsValid() {
			return nil, StageBind, errors.Join(ErrNoLocalAddress, loop.CheckpointIfCancelled(t))
		}
		setup = append(slices.Clip(setup), socket.WithLocalAddr(netip.AddrPortFrom(own, 0)))
	}
	// A zone that this host does not have shows before there is a socket.
	addr := socket.InetAddr(to)
	if _, err := addr.Sockaddr(addr.Family()); err != nil {
		return nil, StageSocket, &socket.OpError{Op: "socket", Addr: addr, Err: err}
	}
	made, err := c.connect(t, to, setup)
	return made, stageOf(err), err
}

// stageOf tells the stage of an attempt by the system call that failed.
func stageOf(err error) Stage {
	var op *socket.OpError
	switch {
	case !errors.As(err, &op) || op.Op == "connect":
		return StageConnect
	case op.Op == "bind":
		return StageBind
	}
	return StageSocket
}

func connectTCP(t *loop.Task, to netip.AddrPort, opts []socket.SetupOption) (conn, error) {
	c, err := socket.ConnectTCP(t, to, opts...)
	if err != nil {
		return nil, err // not a conn that holds nil
	}
	return c, nil
}

// passCancelled drops every error but a cancellation.
func passCancelled(err error) error {
	if errors.Is(err, loop.Cancelled) {
		return err
	}
	return nil
}
