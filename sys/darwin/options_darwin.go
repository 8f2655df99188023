package darwin

import "golang.org/x/sys/unix"

// The rest of the options: what a program that speaks more than plain TCP asks
// of its sockets. getsockopt(2), ip(4), ip6(4) and tcp(4) describe them.

// More options at SOL_SOCKET, see getsockopt(2). 0: absent on macOS.
const (
	SO_BINDTODEVICE = 0
	SO_BUSY_POLL    = 0
	SO_INCOMING_CPU = 0
	SO_MARK         = 0
	SO_PASSCRED     = 0
	SO_PRIORITY     = 0
	SO_RCVLOWAT     = unix.SO_RCVLOWAT
	SO_RXQ_OVFL     = 0
	SO_TIMESTAMP    = unix.SO_TIMESTAMP
	SO_TIMESTAMPING = 0
	SO_TIMESTAMPNS  = 0
)

// More options at IPPROTO_IP and IPPROTO_IPV6, see ip(4) and ip6(4).
const (
	IP_DONTFRAG         = unix.IP_DONTFRAG
	IP_FREEBIND         = 0
	IP_MTU              = 0
	IP_MULTICAST_LOOP   = unix.IP_MULTICAST_LOOP
	IP_MULTICAST_TTL    = unix.IP_MULTICAST_TTL
	IP_PKTINFO          = unix.IP_PKTINFO
	IP_RECVERR          = 0
	IP_RECVTOS          = unix.IP_RECVTOS
	IP_RECVTTL          = unix.IP_RECVTTL
	IP_TOS              = unix.IP_TOS
	IP_TRANSPARENT      = 0
	IP_TTL              = unix.IP_TTL
	IPV6_DONTFRAG       = unix.IPV6_DONTFRAG
	IPV6_FREEBIND       = 0
	IPV6_MTU            = 0
	IPV6_MULTICAST_HOPS = unix.IPV6_MULTICAST_HOPS
	IPV6_MULTICAST_LOOP = unix.IPV6_MULTICAST_LOOP
	IPV6_RECVERR        = 0
	IPV6_RECVHOPLIMIT   = unix.IPV6_RECVHOPLIMIT
	IPV6_RECVPKTINFO    = unix.IPV6_RECVPKTINFO
	IPV6_RECVTCLASS     = unix.IPV6_RECVTCLASS
	IPV6_TCLASS         = unix.IPV6_TCLASS
	IPV6_TRANSPARENT    = 0
	IPV6_UNICAST_HOPS   = unix.IPV6_UNICAST_HOPS
)

// More options at IPPROTO_TCP and IPPROTO_UDP; TCP_CORK is called TCP_NOPUSH here.
const (
	TCP_CONGESTION = 0
	TCP_CORK       = unix.TCP_NOPUSH
	TCP_MAXSEG     = unix.TCP_MAXSEG
	UDP_GRO        = 0
	UDP_SEGMENT    = 0
)

// The values that switch an option on where that is not 1 everywhere.
const (
	DONTFRAG_ON = 1 // a flag
	UDP_GRO_ON  = 1 // absent
)
