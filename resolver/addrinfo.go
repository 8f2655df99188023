package resolver

import (
	"net/netip"
	"slices"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// Flags of Hints, in the words of getaddrinfo(3).
type Flags uint16

// The flags. Their numbers are lion's own.
const (
	Passive     Flags = 1 << iota // AI_PASSIVE: the null node is the wildcard address
	CanonName                     // AI_CANONNAME: tell the canonical name
	NumericHost                   // AI_NUMERICHOST: the node is a literal
	NumericServ                   // AI_NUMERICSERV: the service is a number
	V4Mapped                      // AI_V4MAPPED: IPv4 addresses in IPv6 form if there are no others
	All                           // AI_ALL: with V4Mapped, both
	AddrConfig                    // AI_ADDRCONFIG: only families that this machine has addresses of
	IDN                           // AI_IDN: the node may be in any script
	CanonIDN                      // AI_CANONIDN: tell the canonical name in its script

	allFlags = CanonIDN<<1 - 1
)

// Null stands for a null pointer as the node: this machine. An empty node is
// an error, as in C, so that a variable that was never set connects to nothing.
const Null = "\x00"

// Hints say what addresses are wanted. The zero value wants all.
type Hints struct {
	Flags    Flags // what to do besides
	Family   int   // sys.AF_INET, sys.AF_INET6, or zero for both
	SockType int   // sys.SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, or zero for all
	Protocol int   // IPPROTO_TCP, IPPROTO_UDP, or zero for what goes with the type
}

// AddrInfo is an address and what it can be used for.
type AddrInfo struct {
	Family    int            // sys.AF_INET or sys.AF_INET6
	SockType  int            // sys.SOCK_STREAM, SOCK_DGRAM or SOCK_RAW
	Protocol  int            // IPPROTO_TCP, IPPROTO_UDP, or what the hints said
	Addr      netip.AddrPort // the address, and the port of the service
	CanonName string         // in the first only, and only with the flag CanonName
}

// The address families, in the numbers of the system.
var (
	inet4 = socket.InetAddr(netip.AddrPortFrom(netip.IPv4Unspecified(), 0)).Family()
	inet6 = socket.InetAddr(netip.AddrPortFrom(netip.IPv6Unspecified(), 0)).Family()
)

// request is a lookup by Getaddrinfo on its way.
type request struct {
	r          *Resolver
	s          *settings
	node, name string
	hints      Hints
	kinds      []kind
}

// Getaddrinfo finds the addresses of a service on a node as getaddrinfo(3) of
// glibc does, with the deviations that docs/resolver.md lists, and sorts them
// by RFC 6724. The node is a name, a literal in any form of inet_aton(3) or
// inet_pton(3), or Null; an empty service is port 0. Errors are of type *Error.
// It is a checkpoint; a cancelled lookup returns at once.
func (r *Resolver) Getaddrinfo(t *loop.Task, node, service string, hints Hints) ([]AddrInfo, error) {
	s, err := r.settingsUnless(t, node == Null || isNumeric(node), service)
	if err != nil {
		return nil, err
	}
	q := &request{r: r, s: s, node: node, name: node, hints: hints}
	if code := q.check(service); code != 0 {
		return nil, first(loop.Checkpoint(t), failure(code, node, nil))
	}
	addrs, canon, err := q.addresses(t)
	if err != nil {
		return nil, err
	}
	return q.infos(addrs, canon), nil
}

// first is a for a failed checkpoint, else b.
func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// check refuses what contradicts itself, and finds the service.
func (q *request) check(service string) (code Code) {
	h := q.hints
	switch {
	case q.node == Null && service == "":
		return NoName
	case h.Flags&^allFlags != 0, h.Flags&CanonName != 0 && q.node == Null:
		return BadFlags
	case h.Family != 0 && h.Family != inet4 && h.Family != inet6:
		return Family
	}
	q.kinds, code = q.s.services.kinds(service, h.Flags&NumericServ != 0, h.SockType, h.Protocol)
	return code
}

// addresses finds the addresses, sorted, and the canonical name.
func (q *request) addresses(t *loop.Task) ([]netip.Addr, string, error) {
	if q.node == Null {
		addrs := thisMachine(q.hints.Flags&Passive != 0)
		return q.ofFamily(addrs), "", loop.Checkpoint(t)
	}
	if q.hints.Flags&IDN != 0 {
		name, err := toASCII(q.node)
		if err != nil {
			return nil, "", first(loop.Checkpoint(t), err)
		}
		q.name = name
	}
	addr, form := literal(q.name, false)
	switch {
	case form == formLiteral:
		addr, code := q.literal(addr)
		if code != 0 {
			return nil, "", first(loop.Checkpoint(t), failure(code, q.node, nil))
		}
		return []netip.Addr{addr}, q.name, loop.Checkpoint(t)
	case q.name == ".":
		return nil, "", first(loop.Checkpoint(t), failure(NoData, q.node, nil))
	case form == formBroken, q.hints.Flags&NumericHost != 0, !isHostName(q.name):
		return nil, "", first(loop.Checkpoint(t), failure(NoName, q.node, nil))
	}
	return q.lookup(t)
}

// thisMachine is what a null node stands for, in glibc's order.
func thisMachine(passive bool) []netip.Addr {
	if passive {
		return []netip.Addr{netip.IPv4Unspecified(), netip.IPv6Unspecified()}
	}
	return []netip.Addr{netip.IPv6Loopback(), loopback4}
}

var loopback4 = netip.AddrFrom4([4]byte{127, 0, 0, 1})

func (q *request) ofFamily(addrs []netip.Addr) []netip.Addr {
	return slices.DeleteFunc(addrs, func(a netip.Addr) bool {
		return q.hints.Family == inet4 && !a.Is4() || q.hints.Family == inet6 && a.Is4()
	})
}

// literal fits an address to the family that is wanted.
func (q *request) literal(addr netip.Addr) (netip.Addr, Code) {
	switch {
	case q.hints.Family == inet4 && addr.Is4In6():
		return addr.Unmap(), 0
	case q.hints.Family == inet4 && !addr.Is4():
		return addr, AddrFamily
	case q.hints.Family == inet6 && addr.Is4():
		if q.hints.Flags&V4Mapped == 0 {
			return addr, AddrFamily
		}
		return as6(addr), 0
	}
	return addr, 0
}

// lookup asks the sources and sorts what they answer.
func (q *request) lookup(t *loop.Task) ([]netip.Addr, string, error) {
	want, code := q.families(t)
	if code != 0 {
		return nil, "", first(loop.Checkpoint(t), failure(code, q.node, nil))
	}
	var found [families]answer
	err := q.r.chain(t, q.s, q.name, want, func(f family, a answer) { found[f] = a })
	if err != nil {
		return nil, "", err
	}
	addrs := q.merge(&found)
	if len(addrs) == 0 {
		return nil, "", failure(NoData, q.node, nil)
	}
	if err := q.s.sorter.sort(t, addrs); err != nil {
		return nil, "", err
	}
	canon := found[v4].canon
	if found[v6].canon != "" && (canon == "" || addrs[0].Is6()) {
		canon = found[v6].canon
	}
	return addrs, canon, nil
}

// families are those that the sources are asked for.
func (q *request) families(t *loop.Task) (wanted, Code) {
	var want wanted
	mapped := q.hints.Family == inet6 && q.hints.Flags&V4Mapped != 0
	want[v4] = q.hints.Family != inet6 || mapped
	want[v6] = q.hints.Family != inet4
	if q.hints.Flags&AddrConfig == 0 || specialName(q.name) == loopback {
		return want, 0
	}
	have := q.r.configured(t)
	if have == (wanted{}) {
		return want, 0 // nothing is configured: there is nothing to be told apart
	}
	if q.hints.Family != 0 && !have[v4] && q.hints.Family == inet4 ||
		q.hints.Family == inet6 && !have[v6] {
		return want, NoName
	}
	want[v4], want[v6] = want[v4] && (have[v4] || mapped), want[v6] && have[v6]
	return want, 0
}

// merge puts the families together as the flags want it.
func (q *request) merge(found *[families]answer) []netip.Addr {
	addrs := slices.Clone(found[v6].addrs)
	if q.hints.Family == inet6 {
		if q.hints.Flags&V4Mapped == 0 || len(addrs) > 0 && q.hints.Flags&All == 0 {
			return addrs
		}
		for _, addr := range found[v4].addrs {
			addrs = append(addrs, as6(addr))
		}
		return addrs
	}
	return append(addrs, found[v4].addrs...)
}

// infos multiplies the addresses by the kinds of sockets.
func (q *request) infos(addrs []netip.Addr, canon string) []AddrInfo {
	list := make([]AddrInfo, 0, len(addrs)*len(q.kinds))
	for _, addr := range addrs {
		family := inet6
		if addr.Is4() {
			family = inet4
		}
		for _, k := range q.kinds {
			list = append(list, AddrInfo{
				Family: family, SockType: k.sockType, Protocol: k.proto,
				Addr: netip.AddrPortFrom(addr, k.port),
			})
		}
	}
	if q.hints.Flags&CanonName != 0 && len(list) > 0 {
		if canon == "" {
			canon = q.name
		}
		if q.hints.Flags&CanonIDN != 0 {
			canon = toUnicode(canon)
		}
		list[0].CanonName = canon
	}
	return list
}
