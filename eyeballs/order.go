package eyeballs

import (
	"net/netip"
	"slices"
)

// In which order addresses are tried. What comes in is sorted already, by the
// caller or by the resolver (RFC 6724), family by family. Then: addresses that
// lie in a NAT64 prefix become the IPv4 addresses they stand for; duplicates
// go; families alternate; and addresses that did not answer lately go to the
// end. The order is made again from all that is known whenever an answer comes.

// maxAddresses bounds the addresses of a race, the attempts of one whose
// addresses are replaced again and again, and what sorting them costs. A
// name with two hundred is rare; at 250 ms each, a thousand last for four
// minutes.
const maxAddresses = 1024

// sort makes the list of what is to be tried.
func (e *engine) sort() {
	var seen, order, dead []netip.AddrPort
	for _, group := range e.groups() {
		began := len(seen)
		for _, addr := range group {
			addr = e.native(addr)
			if len(seen) < maxAddresses && e.c.families.has(familyOf(addr)) &&
				!slices.Contains(seen, addr) {
				seen = append(seen, addr)
			}
		}
		sorted := seen[began:len(seen):len(seen)]
		if e.c.sort != nil {
			e.c.sort(sorted)
		}
		classes := e.c.history.split(sorted, e.began.Add(e.now))
		order = append(order, interleave(classes[0], e.c.firstCount)...)
		order = append(order, interleave(classes[1], e.c.firstCount)...)
		dead = append(dead, interleave(classes[2], e.c.firstCount)...)
	}
	e.list = e.unstarted(append(order, dead...))
	e.list = e.list[:min(len(e.list), maxAddresses-len(e.attempts))]
}

func (e *engine) unstarted(order []netip.AddrPort) []netip.AddrPort {
	return slices.DeleteFunc(order, func(addr netip.AddrPort) bool {
		return slices.ContainsFunc(e.attempts, func(a attempt) bool { return a.Addr == addr })
	})
}

// interleave lets the families alternate after the first count addresses of the
// leading one, which is that of the first address.
func interleave(sorted []netip.AddrPort, count int) []netip.AddrPort {
	if len(sorted) < 2 {
		return sorted
	}
	var lead, rest []netip.AddrPort
	for _, addr := range sorted {
		if familyOf(addr) == familyOf(sorted[0]) {
			lead = append(lead, addr)
		} else {
			rest = append(rest, addr)
		}
	}
	count = min(count, len(lead))
	mixed := append(make([]netip.AddrPort, 0, len(sorted)), lead[:count]...)
	for lead = lead[count:]; len(lead)+len(rest) > 0; {
		if len(rest) > 0 {
			mixed, rest = append(mixed, rest[0]), rest[1:]
		}
		if len(lead) > 0 {
			mixed, lead = append(mixed, lead[0]), lead[1:]
		}
	}
	return mixed
}

// native is the address that addr stands for: an IPv4 address that is mapped
// into IPv6, or hidden in a NAT64 prefix, becomes itself.
func (e *engine) native(addr netip.AddrPort) netip.AddrPort {
	ip := addr.Addr().Unmap()
	for _, prefix := range e.c.nat64 {
		if v4, ok := Extract(prefix, ip); ok {
			ip = v4
			break
		}
	}
	return netip.AddrPortFrom(ip, addr.Port())
}

// target is the address to dial for addr: without IPv4, and with a NAT64, the
// one that the NAT64 translates.
func (e *engine) target(addr netip.AddrPort) netip.AddrPort {
	if len(e.c.nat64) == 0 || e.routes.has(ipv4) {
		return addr
	}
	if v6, ok := Synthesize(e.c.nat64[0], addr.Addr()); ok {
		return netip.AddrPortFrom(v6, addr.Port())
	}
	return addr
}
