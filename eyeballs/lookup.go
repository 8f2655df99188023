package eyeballs

import (
	"errors"
	"net/netip"
	"time"
)

// How the answers to a name come into the race. AAAA and A are asked for at the
// same time. A preferred answer starts the race at once; the other one waits
// for the Resolution Delay, in which the preferred one may still come. An
// answer that comes when the race is on is merged into the list of what has not
// been started, and the whole is sorted again; no timer moves for it.

// family is an address family; as the index of a lookup it stands for the type
// of a query, A or AAAA.
type family uint8

const (
	ipv4 family = iota
	ipv6
)

// String returns the type of the query for addresses of the family.
func (f family) String() string { return [...]string{"A", "AAAA"}[f] }

func (f family) other() family { return 1 - f }

func familyOf(a netip.AddrPort) family {
	if a.Addr().Is4() {
		return ipv4
	}
	return ipv6
}

// families is a set of them.
type families uint8

const (
	only4 families = 1 << ipv4
	only6 families = 1 << ipv6
	both           = only4 | only6
)

func (s families) has(f family) bool { return s&(1<<f) != 0 }

type lookupState uint8

const (
	lookupUnasked lookupState = iota
	lookupPending
	lookupPositive
	lookupNegative
)

// lookup is what is known of one family of a name.
type lookup struct {
	state    lookupState
	asked    time.Duration
	answered time.Duration
	addrs    []netip.AddrPort
	err      error
}

// answer takes the answer of one family, also a second one: what a cache had
// kept too long, and then the news.
func (e *engine) answer(ev event) {
	l := &e.lookups[ev.family]
	l.addrs, l.err, l.answered = ev.addrs, ev.err, e.now
	l.state = lookupPositive
	if len(ev.addrs) == 0 {
		l.state = lookupNegative
	}
	e.learned()
}

// learned makes use of an answer. It starts or ends the Resolution Delay, which
// runs once, from the first answer with addresses, if the preferred family has
// not answered by then, or the services have not.
func (e *engine) learned() {
	if len(e.list) == 0 {
		e.next = max(e.next, e.now) // nothing was due until now, so nothing is late
	}
	e.sort()
	waiting := e.lookups[e.c.prefer].state == lookupPending || e.services.state == lookupPending
	switch {
	case len(e.attempts) > 0:
	case !waiting:
		e.hold = 0
	case len(e.list) > 0 && e.hold == 0:
		e.hold = e.now + e.c.resolutionDelay
	}
}

// endLookup takes the end of a lookup: what has not been answered will not be.
func (e *engine) endLookup(ev event) {
	for f := range e.lookups {
		if ev.asked.has(family(f)) && e.lookups[f].state == lookupPending {
			err := ev.err
			if err == nil {
				err = ErrNoAnswer
			}
			e.answer(event{family: family(f), err: err})
		}
	}
}

// pending reports whether an answer may still come.
func (e *engine) pending() bool {
	return e.lookups[ipv4].state == lookupPending || e.lookups[ipv6].state == lookupPending ||
		e.services.state == lookupPending
}

// graceTime returns when to stop waiting for the other answer after a name was
// denied: servers that deny a name for AAAA are known to have an A record
// nevertheless (RFC 4074), but who denies it for A denies it.
func (e *engine) graceTime() (time.Duration, bool) {
	a := &e.lookups[ipv4]
	denied := a.state == lookupNegative && isNotFound(a.err)
	return a.answered + e.c.resolutionDelay,
		denied && e.pending() && len(e.attempts) == 0
}

func (e *engine) graceOver() bool {
	at, ok := e.graceTime()
	return ok && e.now >= at
}

// nameDenied reports whether an answer says that there is no such name.
func (e *engine) nameDenied() bool {
	return isNotFound(e.lookups[ipv4].err) || isNotFound(e.lookups[ipv6].err)
}

// unasked returns the families that nobody has asked for, since this host has
// no route for them, or was not thought to need them.
func (e *engine) unasked() (rest families) {
	if !e.named {
		return 0
	}
	for f := range e.lookups {
		if e.lookups[f].state == lookupUnasked && e.c.families.has(family(f)) {
			rest |= 1 << f
		}
	}
	return rest
}

// lastResortTime returns when a host with IPv6 only, behind a NAT64, asks for
// IPv4 addresses after all, in the manner of RFC 8305.
func (e *engine) lastResortTime() (time.Duration, bool) {
	if e.c.lastResort == 0 || len(e.c.nat64) == 0 || len(e.attempts) == 0 ||
		!e.unasked().has(ipv4) {
		return 0, false
	}
	return e.attempts[len(e.attempts)-1].Start + e.c.lastResort, true
}

// lookupError is the one error that stands for all lookups: one that may pass
// is told rather than one that is final, and that a name exists without
// addresses rather than that it does not.
func (e *engine) lookupError() (err error) {
	weight := func(err error) int {
		switch {
		case err == nil:
			return 0
		case isNotFound(err):
			return 1
		case !isTemporary(err):
			return 2
		}
		return 3
	}
	for _, f := range []family{ipv6, ipv4} {
		if l := &e.lookups[f]; weight(l.err) > weight(err) {
			err = l.err
		}
	}
	return err
}

// isNotFound reports whether err says that a name does not exist at all, in
// the manner of package net and of package resolver: by what it answers, since
// this package knows neither.
func isNotFound(err error) bool {
	var named interface{ NotFound() bool }
	return errors.As(err, &named) && named.NotFound()
}

// isTemporary reports whether err says that the same question may be answered
// another time.
func isTemporary(err error) bool {
	var passing interface{ Temporary() bool }
	return errors.As(err, &passing) && passing.Temporary()
}
