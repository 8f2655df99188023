package socket

import (
	"net/netip"

	"github.com/lion-go/lion/sys"
)

// Membership in multicast groups, RFC 3678. A membership is of one socket at one
// interface, and ends with the socket. Interfaces go by their numbers, as
// net.Interface.Index has them; 0 leaves the choice to the system.
//
// A socket bound to a port gets what comes for any group that any socket of the
// host has joined, at least on Linux (IP_MULTICAST_ALL); who wants one group
// binds to its address, or looks at PacketInfo.

// JoinGroup receives what is sent to a group. Sync-coloured.
func (s *Socket) JoinGroup(group netip.Addr, index int) error {
	return s.membership(sys.MCAST_JOIN_GROUP, group, netip.Addr{}, index)
}

// LeaveGroup ends JoinGroup. Sync-coloured.
func (s *Socket) LeaveGroup(group netip.Addr, index int) error {
	return s.membership(sys.MCAST_LEAVE_GROUP, group, netip.Addr{}, index)
}

// JoinSource receives what one source sends to a group. Sync-coloured.
func (s *Socket) JoinSource(group, source netip.Addr, index int) error {
	return s.membership(sys.MCAST_JOIN_SOURCE_GROUP, group, source, index)
}

// LeaveSource ends JoinSource. Sync-coloured.
func (s *Socket) LeaveSource(group, source netip.Addr, index int) error {
	return s.membership(sys.MCAST_LEAVE_SOURCE_GROUP, group, source, index)
}

// BlockSource drops what one source sends to a group that was joined whole.
// Sync-coloured.
func (s *Socket) BlockSource(group, source netip.Addr, index int) error {
	return s.membership(sys.MCAST_BLOCK_SOURCE, group, source, index)
}

// UnblockSource ends BlockSource. Sync-coloured.
func (s *Socket) UnblockSource(group, source netip.Addr, index int) error {
	return s.membership(sys.MCAST_UNBLOCK_SOURCE, group, source, index)
}

func (s *Socket) membership(change int, group, source netip.Addr, index int) error {
	err := s.open()
	switch withSource := change != sys.MCAST_JOIN_GROUP && change != sys.MCAST_LEAVE_GROUP; {
	case err != nil:
	case !group.IsMulticast():
		err = misuse("%v is no multicast group", group)
	case group.Is4() != (s.family == sys.AF_INET):
		err = sys.EAFNOSUPPORT
	case withSource && (!source.IsValid() || source.IsMulticast()):
		err = misuse("%v is no source", source)
	case index < 0:
		err = misuse("an interface number of %d", index)
	default:
		err = sys.SetMembership(s.d.FD(), change, group, source, index)
	}
	return opError("setsockopt MCAST", InetAddr(netip.AddrPortFrom(group, 0)), err)
}

// SetMulticastInterface sets the interface by which the socket sends
// multicasts. Sync-coloured.
func (s *Socket) SetMulticastInterface(index int) error {
	err := s.open()
	if err == nil && index < 0 {
		err = misuse("an interface number of %d", index)
	}
	if err == nil {
		err = sys.SetMulticastInterface(s.d.FD(), int(s.family), index)
	}
	return opError("setsockopt MULTICAST_IF", Addr{}, err)
}
