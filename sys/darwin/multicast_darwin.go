package darwin

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Multicast by the interface that serves both families, RFC 3678, section 5:
// one structure for joining, one more for sources, and interfaces by number.

// Changes of a membership; those with a source are for source-specific groups.
const (
	MCAST_JOIN_GROUP         = unix.MCAST_JOIN_GROUP
	MCAST_LEAVE_GROUP        = unix.MCAST_LEAVE_GROUP
	MCAST_JOIN_SOURCE_GROUP  = unix.MCAST_JOIN_SOURCE_GROUP
	MCAST_LEAVE_SOURCE_GROUP = unix.MCAST_LEAVE_SOURCE_GROUP
	MCAST_BLOCK_SOURCE       = unix.MCAST_BLOCK_SOURCE
	MCAST_UNBLOCK_SOURCE     = unix.MCAST_UNBLOCK_SOURCE
)

// SetMembership changes the membership of a socket in a multicast group at an
// interface (0: the system's choice), see ip(4) and ip6(4). source is invalid
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
		from = s.bytes()[:s.size]
	}
	var raw [260]byte // struct group_source_req, packed to 4 bytes (<netinet/in.h>)
	n := seam.PutGroupRequest(raw[:], 4, uint32(index), g.bytes()[:g.size], from)
	return Setsockopt(fd, level, change, raw[:n])
}

// SetMulticastInterface sets the interface by which a socket of the family
// sends multicasts, by its number; 0 is the system's choice. IP_MULTICAST_IF
// in ip(4), IPV6_MULTICAST_IF in ip6(4).
func SetMulticastInterface(fd FD, family, index int) error {
	if family == AF_INET6 {
		return SetsockoptInt(fd, IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index)
	}
	var request [12]byte // struct ip_mreqn: two addresses, then the interface
	binary.NativeEndian.PutUint32(request[8:], uint32(index))
	return Setsockopt(fd, IPPROTO_IP, unix.IP_MULTICAST_IF, request[:])
}
