package main

import (
	"net/netip"
	"strings"
	"time"
)

// A dialCase is a host with some dead addresses.
type dialCase struct {
	name  string
	addrs []string // in the order in which a resolver sorts them
	ideal time.Duration
}

const stagger = 250 * time.Millisecond

var cases = []dialCase{
	{"no dead address", dead(ipv4, 0, live4), 0},
	{"1 dead, 1 live", dead(ipv4, 1, live4), stagger},
	{"3 dead, 1 live", dead(ipv4, 3, live4), 3 * stagger},
	{"7 dead, 1 live", dead(ipv4, 7, live4), 7 * stagger},
	{"1 dead IPv6, live IPv6", dead(ipv6, 1, live6), stagger},
	{"1 dead IPv6, live IPv4", dead(ipv6, 1, live4), stagger},
	{"3 dead IPv6, live IPv4", dead(ipv6, 3, live4), stagger},
	{"dead and live IPv6, dead IPv4",
		append(dead(ipv6, 1, live6), dead4(0)), 2 * stagger},
	{"2 dead IPv6, dead and live IPv4",
		append(dead(ipv6, 2), dead(ipv4, 1, live4)...), 3 * stagger},
}

type ipFamily func(i int) string

var ipv4, ipv6 ipFamily = dead4, dead6

// dead lists n dead addresses of a family, and then others.
func dead(family ipFamily, n int, others ...string) (all []string) {
	for i := range n {
		all = append(all, family(i))
	}
	return append(all, others...)
}

// host is the name under which /etc/hosts has the addresses.
func (c dialCase) host() string {
	return strings.NewReplacer(" ", "-", ",", "").Replace(strings.ToLower(c.name)) + ".test"
}

// endpoints are the addresses with a port.
func (c dialCase) endpoints(port uint16) (all []netip.AddrPort) {
	for _, addr := range c.addrs {
		all = append(all, netip.AddrPortFrom(netip.MustParseAddr(addr), port))
	}
	return all
}
