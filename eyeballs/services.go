package eyeballs

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// SVCB and HTTPS records (RFC 9460) name endpoints of a service, in order, with
// what they speak and with keys that hide the name in a TLS handshake (ECH).
// This package asks for none itself: a hook brings them. Their addresses come
// before those of A and AAAA records that belong to none of them, group by
// group; within a group the usual rules hold. They start a race, and are waited
// for, as addresses are.

// Endpoint is one endpoint of a service.
type Endpoint struct {
	Priority uint16           // the lowest first; equal ones as they are listed
	ALPN     []string         // what it speaks; empty if that is not known
	ECH      []byte           // an ECHConfigList; nil if there is none
	Addrs    []netip.AddrPort // hints, or what its name has; sorted, with its port
}

// Services finds the endpoints of the host in q. It calls deliver, in task t,
// with all that is known so far, whenever it knows more: with hints, and then
// with the addresses in whose place the hints stood. Endpoints of one priority
// should be in random order, so that each gets its share. It returns when no
// more will come; with an error, or without endpoints, the race goes on by the
// addresses of the host alone. A cancelled Services returns at once. It is a
// checkpoint.
type Services func(t *loop.Task, q socket.Query, deliver func([]Endpoint)) error

// WithServices lets Dial and DialTLS ask for endpoints of the service too, at
// the same time as for addresses. speak are the protocols that the caller
// speaks, as ALPN has them: endpoints that speak none of them are left out.
// Without speak all of them count.
func WithServices(lookup Services, speak ...string) Option {
	return func(c *config) error {
		if lookup == nil {
			return misuse("no lookup of services")
		}
		c.services, c.speak = lookup, speak
		return nil
	}
}

// HoldHandshakes lets attempts connect before endpoints are known, but not
// shake hands: for those who rely on ECH, and would show the name without it.
func HoldHandshakes() Option {
	return func(c *config) error { c.holdHandshakes = true; return nil }
}

// serviceLookup is what is known of the endpoints.
type serviceLookup struct {
	state     lookupState
	answered  time.Duration
	endpoints []Endpoint
	err       error
}

// serviceAnswer takes what is known of the endpoints now.
func (e *engine) serviceAnswer(ev event) {
	s := &e.services
	s.endpoints = slices.DeleteFunc(slices.Clone(ev.endpoints), func(p Endpoint) bool {
		return !e.c.speaks(p)
	})
	slices.SortStableFunc(s.endpoints, func(a, b Endpoint) int {
		return int(a.Priority) - int(b.Priority)
	})
	e.servicesAnswered(lookupPositive, ev.err)
}

// servicesEnd takes the end of the lookup.
func (e *engine) servicesEnd(ev event) {
	if e.services.state == lookupPending {
		e.servicesAnswered(lookupNegative, ev.err)
	}
}

func (e *engine) servicesAnswered(state lookupState, err error) {
	e.services.state, e.services.answered, e.services.err = state, e.now, err
	e.learned()
	e.offerHandshakes()
}

// speaks reports whether an endpoint is of use.
func (c *config) speaks(p Endpoint) bool {
	return len(c.speak) == 0 || len(p.ALPN) == 0 ||
		slices.ContainsFunc(p.ALPN, func(alpn string) bool { return slices.Contains(c.speak, alpn) })
}

// groups are the known addresses: those of the endpoints, a group for each
// priority, and then all others.
func (e *engine) groups() [][]netip.AddrPort {
	if !e.named {
		return [][]netip.AddrPort{e.given}
	}
	var groups [][]netip.AddrPort
	for i, p := range e.services.endpoints {
		if i == 0 || p.Priority != e.services.endpoints[i-1].Priority {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], p.Addrs...)
	}
	return append(groups, slices.Concat(
		e.lookups[e.c.prefer].addrs, e.lookups[e.c.prefer.other()].addrs))
}

// endpoint is the endpoint to which an address belongs, or nil.
func (e *engine) endpoint(addr netip.AddrPort) *Endpoint {
	for i := range e.services.endpoints {
		p := &e.services.endpoints[i]
		if slices.ContainsFunc(p.Addrs, func(a netip.AddrPort) bool { return e.native(a) == addr }) {
			return p
		}
	}
	return nil
}

// offerHandshakes lets attempts that are connected shake hands: all of them, or
// the first if only one may; none while that has to wait for the endpoints.
func (e *engine) offerHandshakes() {
	if e.c.holdHandshakes && e.services.state == lookupPending {
		return
	}
	for rank := range e.attempts {
		a := &e.attempts[rank]
		if !a.running() || !a.opened || a.shaking {
			continue
		}
		if e.c.singleHandshake && e.shaking() {
			return
		}
		if a.Endpoint == nil {
			a.Endpoint = e.endpoint(a.Addr)
		}
		a.shaking = true
		e.out = append(e.out, action{kind: shake, rank: rank})
	}
}

func (e *engine) shaking() bool {
	return slices.ContainsFunc(e.attempts, func(a attempt) bool { return a.running() && a.shaking })
}

// askServices spawns the lookup of the endpoints.
func (r *race) askServices() error {
	return r.n.Spawn(func(t *loop.Task) error {
		err := r.c.services(t, r.query, func(all []Endpoint) {
			r.post(event{kind: servicesCame, endpoints: all})
		})
		r.post(event{kind: servicesEnded, err: err})
		return nil
	}, loop.WithTaskName("service lookup"))
}
