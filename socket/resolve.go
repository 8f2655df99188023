package socket

import (
	"net/netip"

	"github.com/lion-go/lion/loop"
)

// Query is what a Resolve is asked for: the addresses of a service on a host.
type Query struct {
	// Host is a name or a literal, "fe80::1%eth0" with its zone for one. An empty
	// host is this machine: loopback, or the wildcard if Passive.
	Host string

	// Service is a decimal port number or the name of a service, "https". An
	// empty service is port 0.
	Service string

	// Family confines the answer: sys.AF_INET or sys.AF_INET6; sys.AF_UNSPEC
	// asks for both.
	Family int

	// Type is what the address is for, sys.SOCK_STREAM or sys.SOCK_DGRAM: services
	// are named apart for each. Zero stands for SOCK_STREAM.
	Type int

	// Passive asks for addresses to bind and listen on (AI_PASSIVE).
	Passive bool
}

// Answer is a part of what is known of a host: the addresses of one family.
type Answer struct {
	// Family is sys.AF_INET or sys.AF_INET6.
	Family int

	// Addrs are the addresses, the one to be preferred first (RFC 6724), with
	// the port of the service. They belong to the receiver.
	Addrs []netip.AddrPort

	// Err says why there are none, in the resolver's words; nil if there are
	// some.
	Err error
}

// Resolve finds the addresses of a host: the seam between those who dial or
// listen by name and those who know names. Package resolver has the real one;
// nothing below it ever looks up a name.
//
// It calls deliver, in task t, once for each family that was asked for, as
// soon as that family's answer is known, so that a race can start before the
// slower answer came; deliver must neither block nor suspend. Then it returns
// nil if any family has an address, else an error that says why none has. A
// cancelled Resolve returns loop.Cancelled at once and delivers no more. It is
// a checkpoint, also for literals.
type Resolve func(t *loop.Task, q Query, deliver func(Answer)) error
