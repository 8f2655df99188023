package eyeballs

import (
	"net/netip"
	"slices"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// NAT64 (RFC 6146) gives hosts that have only IPv6 a way to IPv4 addresses:
// each has a place in a prefix that the network sets aside. RFC 6052 says how
// the four bytes lie in it: after the prefix, but around the eighth byte, bits
// 64 to 71, which stays zero. RFC 7050 finds the prefix by asking for the IPv6
// addresses of a name that has none: whatever comes was made by the DNS64.

// wellKnown are the two IPv4 addresses of nat64Name (RFC 7050, section 8.2).
var wellKnown = []netip.Addr{
	netip.AddrFrom4([4]byte{192, 0, 0, 170}), netip.AddrFrom4([4]byte{192, 0, 0, 171}),
}

// nat64Name is the name that only a DNS64 has IPv6 addresses for.
const nat64Name = "ipv4only.arpa"

// nat64Lengths are the lengths that a prefix may have (RFC 6052, section 2.2),
// the usual ones first.
var nat64Lengths = []int{96, 64, 56, 48, 40, 32}

// embedding is where the four bytes lie in a prefix of some length.
func embedding(bits int) (at [4]int, ok bool) {
	if !slices.Contains(nat64Lengths, bits) {
		return at, false
	}
	next := bits / 8
	for i := range at {
		if next == 8 {
			next++ // the byte that stays zero
		}
		at[i] = next
		next++
	}
	return at, true
}

// Synthesize returns the IPv6 address that stands for an IPv4 address behind
// the NAT64 prefix. There is none for addresses that mean something on this
// host or link only: 0.0.0.0/8, loopback, link-local and the broadcast address;
// nor in a prefix whose length RFC 6052 does not know.
func Synthesize(prefix netip.Prefix, v4 netip.Addr) (netip.Addr, bool) {
	at, ok := embedding(prefix.Bits())
	v4 = v4.Unmap()
	if !ok || !prefix.Addr().Is6() || !v4.Is4() || isLocal4(v4) {
		return netip.Addr{}, false
	}
	raw, v4bytes := prefix.Masked().Addr().As16(), v4.As4()
	for i, place := range at {
		raw[place] = v4bytes[i]
	}
	return netip.AddrFrom16(raw), true
}

func isLocal4(v4 netip.Addr) bool {
	raw := v4.As4()
	return raw[0] == 0 || v4.IsLoopback() || v4.IsLinkLocalUnicast() ||
		raw == [4]byte{255, 255, 255, 255}
}

// Extract is the inverse of Synthesize: the IPv4 address for which an address
// of the prefix stands. Addresses outside of the prefix stand for themselves
// only, and so do those that have a bit set where RFC 6052 wants none.
func Extract(prefix netip.Prefix, v6 netip.Addr) (netip.Addr, bool) {
	at, ok := embedding(prefix.Bits())
	if !ok || !v6.Is6() || !prefix.Contains(v6) {
		return netip.Addr{}, false
	}
	raw, v4 := v6.As16(), [4]byte{}
	for i, place := range at {
		v4[i] = raw[place]
		raw[place] = 0
	}
	if netip.AddrFrom16(raw) != prefix.Masked().Addr() {
		return netip.Addr{}, false
	}
	addr := netip.AddrFrom4(v4)
	return addr, !isLocal4(addr)
}

// DiscoverNAT64 asks for the NAT64 prefixes of the network in the manner of RFC
// 7050. Without a DNS64 there are none, and no error. The answer is for
// WithNAT64; it is good until the host moves to another network. It is a
// checkpoint.
func DiscoverNAT64(t *loop.Task, resolve socket.Resolve) ([]netip.Prefix, error) {
	var found []netip.Prefix
	query := socket.Query{Host: nat64Name, Family: kernelFamily(ipv6)}
	err := resolve(t, query, func(a socket.Answer) {
		for _, addr := range a.Addrs {
			if prefix, ok := nat64Prefix(addr.Addr()); ok && !slices.Contains(found, prefix) {
				found = append(found, prefix)
			}
		}
	})
	if len(found) == 0 && err != nil && isTemporary(err) {
		return nil, err
	}
	return found, passCancelled(err)
}

// nat64Prefix is the prefix in which an address of nat64Name was made.
func nat64Prefix(addr netip.Addr) (netip.Prefix, bool) {
	for _, bits := range nat64Lengths {
		prefix, err := addr.Prefix(bits)
		if err != nil {
			return netip.Prefix{}, false
		}
		if v4, ok := Extract(prefix, addr); ok && slices.Contains(wellKnown, v4) {
			return prefix, true
		}
	}
	return netip.Prefix{}, false
}
