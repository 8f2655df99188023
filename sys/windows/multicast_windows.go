package windows

import (
	"encoding/binary"
	"net/netip"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Multicast by the interface that serves both families, RFC 3678, section 5:
// one structure for joining, one more for sources, and interfaces by number.

// Changes of a membership; those with a source are for source-specific groups.
const (
	MCAST_JOIN_GROUP         = 41
	MCAST_LEAVE_GROUP        = 42
	MCAST_JOIN_SOURCE_GROUP  = 45
	MCAST_LEAVE_SOURCE_GROUP = 46
	MCAST_BLOCK_SOURCE       = 43
	MCAST_UNBLOCK_SOURCE     = 44
)

// SetMembership changes the membership of a socket in a multicast group at an
// interface (0: the system's choice), see ws2ipdef.h. source is invalid
// unless the change is about one. Addresses that are not of one family are
// EAFNOSUPPORT.
func SetMembership(fd FD, change int, group, source netip.Addr, index int) error {
	family, level := AF_INET6, IPPROTO_IPV6
	if group.Is4() {
		family, level = AF_INET, IPPROTO_IP
	}
	if source.IsValid() && source.Is4() != group.Is4() {
		return EAFNOSUPPORT
	}
	var g, s Sockaddr
	if err := g.SetAddrPort(family, netip.AddrPortFrom(group, 0)); err != nil {
		return err
	}
	var from []byte
	if source.IsValid() {
		if err := s.SetAddrPort(family, netip.AddrPortFrom(source, 0)); err != nil {
			return err
		}
		from = s.raw[:s.length]
	}
	var raw [264]byte // struct group_source_req with 64-bit alignment
	n := seam.PutGroupRequest(raw[:], int(handleSize), uint32(index), g.raw[:g.length], from)
	err := Setsockopt(fd, level, change, raw[:n])
	const add, drop = 12, 13 // IP_ADD_MEMBERSHIP and IP_DROP_MEMBERSHIP
	switch {
	case err != ENOPROTOOPT || level != IPPROTO_IP:
	case change == MCAST_JOIN_GROUP:
		return joinBefore(fd, add, group, index)
	case change == MCAST_LEAVE_GROUP:
		return joinBefore(fd, drop, group, index)
	}
	return err
}

// joinBefore joins or leaves a group in the form that came before RFC 3678, for
// systems that know no other (Wine): struct ip_mreq, with the interface as the
// address 0.0.0.number.
func joinBefore(fd FD, name int, group netip.Addr, index int) error {
	var raw [8]byte
	copy(raw[:], group.AsSlice())
	binary.BigEndian.PutUint32(raw[4:], uint32(index))
	return Setsockopt(fd, IPPROTO_IP, name, raw[:])
}

// SetMulticastInterface sets the interface by which a socket of the family
// sends multicasts, by its number; 0 is the system's choice. IP_MULTICAST_IF
// takes the number in network byte order, IPV6_MULTICAST_IF in the machine's.
func SetMulticastInterface(fd FD, family, index int) error {
	const multicastIF = 9 // IP_MULTICAST_IF and IPV6_MULTICAST_IF, ws2ipdef.h
	if family == AF_INET6 {
		return SetsockoptInt(fd, IPPROTO_IPV6, multicastIF, index)
	}
	var number [4]byte
	binary.BigEndian.PutUint32(number[:], uint32(index))
	return Setsockopt(fd, IPPROTO_IP, multicastIF, number[:])
}
