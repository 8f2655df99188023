package windows

// The rest of the options: what a program that speaks more than plain TCP asks
// of its sockets. Their numbers are in ws2ipdef.h and mstcpip.h; x/sys has few.

// More options at SOL_SOCKET; none exists on Windows in the form that it has
// elsewhere (SO_TIMESTAMP counts ticks of another clock).
const (
	SO_BINDTODEVICE = 0
	SO_BUSY_POLL    = 0
	SO_INCOMING_CPU = 0
	SO_MARK         = 0
	SO_PASSCRED     = 0
	SO_PRIORITY     = 0
	SO_RCVLOWAT     = 0
	SO_RXQ_OVFL     = 0
	SO_TIMESTAMP    = 0
	SO_TIMESTAMPING = 0
	SO_TIMESTAMPNS  = 0
)

// More options at IPPROTO_IP and IPPROTO_IPV6, see ws2ipdef.h. The names that ask
// for control data are those of the control data where Windows has one for both.
const (
	IP_DONTFRAG         = 14
	IP_FREEBIND         = 0
	IP_MTU              = 73
	IP_MULTICAST_LOOP   = 11
	IP_MULTICAST_TTL    = 10
	IP_PKTINFO          = 19
	IP_RECVERR          = 0
	IP_RECVTOS          = 40
	IP_RECVTTL          = 21
	IP_TOS              = 3
	IP_TRANSPARENT      = 0
	IP_TTL              = 4
	IPV6_DONTFRAG       = 14
	IPV6_FREEBIND       = 0
	IPV6_MTU            = 72
	IPV6_MULTICAST_HOPS = 10
	IPV6_MULTICAST_LOOP = 11
	IPV6_RECVERR        = 0
	IPV6_RECVHOPLIMIT   = 21
	IPV6_RECVPKTINFO    = 19
	IPV6_RECVTCLASS     = 40
	IPV6_TCLASS         = 39
	IPV6_TRANSPARENT    = 0
	IPV6_UNICAST_HOPS   = 4
)

// More options at IPPROTO_TCP and IPPROTO_UDP: UDP_GRO is
// UDP_RECV_MAX_COALESCED_SIZE and UDP_SEGMENT is UDP_SEND_MSG_SIZE.
const (
	TCP_CONGESTION = 0
	TCP_CORK       = 0
	TCP_MAXSEG     = 0
	UDP_GRO        = 3
	UDP_SEGMENT    = 2
)

// The values that switch an option on where that is not 1 everywhere.
const (
	DONTFRAG_ON = 1     // a flag
	UDP_GRO_ON  = 65535 // the most bytes that come together
)
