package resolver

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// Destinations are sorted by RFC 6724, section 6. Whether one can be reached,
// and from which address, the kernel says: connecting a datagram socket looks
// up the route and sends nothing. Rules 3, 4 and 7 need what only netlink
// tells (deprecated and home addresses, tunnels), and rule 9 is for IPv6 only:
// on IPv4 it would undo the rotation of servers.

// maxAddrs bounds the addresses of one name, from one source.
const maxAddrs = 4096

// maxProbed bounds the addresses of one answer whose route is looked up. The
// rest stays behind in the order in which it came.
const maxProbed = 1024

// destination is an address with what the rules look at.
type destination struct {
	addr, source netip.Addr // source is invalid if there is no way
	scope        int
	precedence   int
	label        int
	sourceScope  int
	sourceLabel  int
}

// sorter sorts with a table, and a way to learn source addresses.
type sorter struct {
	table  policy
	source func(t *loop.Task, dst netip.Addr) (netip.Addr, error)
}

// sort sorts addrs in place. One address needs no order. It suspends only where
// the source of an address has to be asked for.
func (s *sorter) sort(t *loop.Task, addrs []netip.Addr) error {
	if len(addrs) < 2 {
		return nil
	}
	head := addrs[:min(len(addrs), maxProbed)]
	list := make([]destination, len(head))
	for i, addr := range head {
		source, err := s.source(t, addr)
		if err != nil {
			return err
		}
		list[i] = s.destination(addr, source)
	}
	slices.SortStableFunc(list, compare)
	for i := range list {
		head[i] = list[i].addr
	}
	return nil
}

func (s *sorter) destination(addr, source netip.Addr) destination {
	d := destination{
		addr: addr, source: source, scope: scopeOf(addr),
		precedence: find(s.table.precedence, addr, otherPrecedence),
		label:      find(s.table.label, addr, otherLabel),
	}
	if source.IsValid() {
		d.sourceScope = scopeOf(source)
		d.sourceLabel = find(s.table.label, source, otherLabel)
	}
	return d
}

// compare tells which of two destinations comes first.
func compare(a, b destination) int {
	order := preferred(a.source.IsValid(), b.source.IsValid()) // 1: avoid what cannot be reached
	if order != 0 {
		return order
	}
	if a.source.IsValid() {
		order = cmp.Or(
			preferred(a.scope == a.sourceScope, b.scope == b.sourceScope), // 2: matching scope
			preferred(a.label == a.sourceLabel, b.label == b.sourceLabel), // 5: matching label
		)
	}
	order = cmp.Or(order,
		cmp.Compare(b.precedence, a.precedence), // 6: higher precedence
		cmp.Compare(a.scope, b.scope),           // 8: smaller scope
	)
	if order == 0 && a.source.IsValid() && a.addr.Is6() && b.addr.Is6() {
		order = cmp.Compare(b.shared(), a.shared()) // 9: longest matching prefix
	}
	return order // 10: as they came
}

func preferred(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// shared is how many bits of its prefix the destination has in common with its
// source.
func (d *destination) shared() int {
	const prefix = 8 // bytes: beyond it lies the interface identifier
	dst, src := d.addr.As16(), d.source.As16()
	return commonBits(dst[:prefix], src[:prefix])
}

// commonBits counts the leading bits that two slices of one length share.
func commonBits(a, b []byte) int {
	for i := range a {
		if x := a[i] ^ b[i]; x != 0 {
			return 8*i + bits.LeadingZeros8(x)
		}
	}
	return 8 * len(a)
}

// Scopes as in RFC 4291 for multicast, and RFC 6724 for the rest.
const (
	scopeLink   = 0x2
	scopeSite   = 0x5
	scopeGlobal = 0xe
)

func scopeOf(addr netip.Addr) int {
	addr = addr.Unmap()
	switch {
	case addr.IsLoopback(), addr.IsLinkLocalUnicast():
		return scopeLink
	case addr.Is6() && addr.IsMulticast():
		raw := addr.As16()
		return int(raw[1] & 0xf)
	case siteLocal.Contains(addr):
		return scopeSite
	}
	return scopeGlobal
}

var siteLocal = netip.MustParsePrefix("fec0::/10")

// kernelSource asks the kernel from which address it would send to dst. No
// address and no error means that there is no way. It is a checkpoint.
func kernelSource(t *loop.Task, dst netip.Addr) (netip.Addr, error) {
	to := socket.InetAddr(netip.AddrPortFrom(dst, dnsPort))
	probe, err := socket.New(t.Loop(), to.Family(), sockDgram, 0)
	if err != nil {
		return netip.Addr{}, loop.Checkpoint(t) // no family, no way; no descriptor, no order
	}
	defer probe.Close()
	if err := probe.Connect(t, to); err != nil {
		return netip.Addr{}, ofLoop(err)
	}
	own, err := probe.Name()
	if err != nil {
		return netip.Addr{}, nil
	}
	return own.AddrPort().Addr(), nil
}
