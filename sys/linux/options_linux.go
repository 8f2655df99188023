package linux

import "golang.org/x/sys/unix"

// The rest of the options: what a program that speaks more than plain TCP asks
// of its sockets. socket(7), ip(7), ipv6(7), udp(7) and tcp(7) describe them.

// More options at SOL_SOCKET, see socket(7).
const (
	SO_BINDTODEVICE = unix.SO_BINDTODEVICE
	SO_BUSY_POLL    = unix.SO_BUSY_POLL
	SO_INCOMING_CPU = unix.SO_INCOMING_CPU
	SO_MARK         = unix.SO_MARK
	SO_PASSCRED     = unix.SO_PASSCRED
	SO_PRIORITY     = unix.SO_PRIORITY
	SO_RCVLOWAT     = unix.SO_RCVLOWAT
	SO_RXQ_OVFL     = unix.SO_RXQ_OVFL
	SO_TIMESTAMP    = unix.SO_TIMESTAMP
	SO_TIMESTAMPING = unix.SO_TIMESTAMPING
	SO_TIMESTAMPNS  = unix.SO_TIMESTAMPNS
)

// More options at IPPROTO_IP and IPPROTO_IPV6, see ip(7) and ipv6(7). The DONTFRAG
// names are the MTU_DISCOVER options here, with DONTFRAG_ON for on and 0 for off.
const (
	IP_DONTFRAG         = unix.IP_MTU_DISCOVER
	IP_FREEBIND         = unix.IP_FREEBIND
	IP_MTU              = unix.IP_MTU
	IP_MULTICAST_LOOP   = unix.IP_MULTICAST_LOOP
	IP_MULTICAST_TTL    = unix.IP_MULTICAST_TTL
	IP_PKTINFO          = unix.IP_PKTINFO
	IP_RECVERR          = unix.IP_RECVERR
	IP_RECVTOS          = unix.IP_RECVTOS
	IP_RECVTTL          = unix.IP_RECVTTL
	IP_TOS              = unix.IP_TOS
	IP_TRANSPARENT      = unix.IP_TRANSPARENT
	IP_TTL              = unix.IP_TTL
	IPV6_DONTFRAG       = unix.IPV6_MTU_DISCOVER
	IPV6_FREEBIND       = unix.IPV6_FREEBIND
	IPV6_MTU            = unix.IPV6_MTU
	IPV6_MULTICAST_HOPS = unix.IPV6_MULTICAST_HOPS
	IPV6_MULTICAST_LOOP = unix.IPV6_MULTICAST_LOOP
	IPV6_RECVERR        = unix.IPV6_RECVERR
	IPV6_RECVHOPLIMIT   = unix.IPV6_RECVHOPLIMIT
	IPV6_RECVPKTINFO    = unix.IPV6_RECVPKTINFO
	IPV6_RECVTCLASS     = unix.IPV6_RECVTCLASS
	IPV6_TCLASS         = unix.IPV6_TCLASS
	IPV6_TRANSPARENT    = unix.IPV6_TRANSPARENT
	IPV6_UNICAST_HOPS   = unix.IPV6_UNICAST_HOPS
)

// More options at IPPROTO_TCP and IPPROTO_UDP, see tcp(7) and udp(7).
const (
	TCP_CONGESTION = unix.TCP_CONGESTION
	TCP_CORK       = unix.TCP_CORK
	TCP_MAXSEG     = unix.TCP_MAXSEG
	UDP_GRO        = unix.UDP_GRO
	UDP_SEGMENT    = unix.UDP_SEGMENT
)

// The values that switch an option on where that is not 1 everywhere.
const (
	DONTFRAG_ON = 2 // IP_PMTUDISC_DO in ip(7)
	UDP_GRO_ON  = 1 // a flag
)
