package socket

import (
	"time"

	"github.com/lion-go/lion/sys"
)

// The options that have a type. Each says what it is for; docs/sockets.md tells
// which systems have it, as Supported does. Those not in this file are reached
// by their numbers, with GetsockoptInt and its like.

// Options of all sockets, by name; see socket(7).
var (
	// BindToDevice restricts the socket to the interface of that name; "" lifts
	// it. Linux.
	BindToDevice = name("SO_BINDTODEVICE", sys.SOL_SOCKET, sys.SO_BINDTODEVICE)
	// Broadcast lets datagrams be sent to broadcast addresses.
	Broadcast = flag("SO_BROADCAST", sys.SOL_SOCKET, sys.SO_BROADCAST)
	// BusyPoll is how long a receive polls the network card, in whole
	// microseconds. Linux.
	BusyPoll = duration("SO_BUSY_POLL", sys.SOL_SOCKET, sys.SO_BUSY_POLL, time.Microsecond)
	// ExclusiveAddr keeps others from taking the address on Windows.
	ExclusiveAddr = flag("SO_EXCLUSIVEADDRUSE", sys.SOL_SOCKET, sys.SO_EXCLUSIVEADDRUSE)
	// IncomingCPU is the number of the CPU on which the system last handled the
	// socket. Linux.
	IncomingCPU = number("SO_INCOMING_CPU", sys.SOL_SOCKET, sys.SO_INCOMING_CPU)
	// KeepAlive has the peer probed when nothing comes for long.
	KeepAlive = flag("SO_KEEPALIVE", sys.SOL_SOCKET, sys.SO_KEEPALIVE)
	// Linger tells what Close does with output that has not been delivered.
	Linger = Option[LingerTime]{name: "SO_LINGER", level: sys.SOL_SOCKET, number: sys.SO_LINGER,
		get: getLinger, set: setLinger}
	// Mark is put on what the socket sends, for routing and filters; it takes a
	// privilege. Linux.
	Mark = number("SO_MARK", sys.SOL_SOCKET, sys.SO_MARK)
	// OutOfBandInline leaves urgent bytes where they are in the stream.
	OutOfBandInline = flag("SO_OOBINLINE", sys.SOL_SOCKET, sys.SO_OOBINLINE)
	// PassCredentials adds Credentials of the sender to what a unix socket
	// receives. Linux.
	PassCredentials = flag("SO_PASSCRED", sys.SOL_SOCKET, sys.SO_PASSCRED)
	// Priority is that of what the socket sends in the queues of the system, 0 to
	// 6. Linux.
	Priority = number("SO_PRIORITY", sys.SOL_SOCKET, sys.SO_PRIORITY)
	// ReceiveBuffer is the size of the receive buffer in bytes; see SendBuffer.
	ReceiveBuffer = number("SO_RCVBUF", sys.SOL_SOCKET, sys.SO_RCVBUF)
	// ReceiveDropped adds how many datagrams were Dropped to those that come.
	// Linux.
	ReceiveDropped = flag("SO_RXQ_OVFL", sys.SOL_SOCKET, sys.SO_RXQ_OVFL)
	// ReceiveLowWater makes a stream readable only when so many bytes have come.
	ReceiveLowWater = number("SO_RCVLOWAT", sys.SOL_SOCKET, sys.SO_RCVLOWAT)
	// ReceiveTimestamp adds a Timestamp to what is received: in nanoseconds on
	// Linux, in microseconds on macOS.
	ReceiveTimestamp = flag("SO_TIMESTAMP", sys.SOL_SOCKET, firstOf(sys.SO_TIMESTAMPNS, sys.SO_TIMESTAMP))
	// ReuseAddr lets a listener take an address on which connections of an
	// earlier one are still dying. On Windows it means something else, and
	// dangerous: see ExclusiveAddr.
	ReuseAddr = flag("SO_REUSEADDR", sys.SOL_SOCKET, sys.SO_REUSEADDR)
	// ReusePort lets several sockets have one address; Linux spreads what
	// comes in over them.
	ReusePort = flag("SO_REUSEPORT", sys.SOL_SOCKET, sys.SO_REUSEPORT)
	// SendBuffer is the size of the send buffer in bytes. Linux doubles what
	// is set, and reports the double.
	SendBuffer = number("SO_SNDBUF", sys.SOL_SOCKET, sys.SO_SNDBUF)
	// Timestamping is a set of flags that asks for times of receiving and sending,
	// by software and hardware: networking/timestamping.rst of the kernel. Times
	// of sending come by the error queue. Linux.
	Timestamping = number("SO_TIMESTAMPING", sys.SOL_SOCKET, sys.SO_TIMESTAMPING)
)

// Options of IP, by name; see ip(7) and ipv6(7). Those that have a name in each
// family are set by the family of the socket; an IPv6 socket that sends to IPv4
// addresses has the other ones as well, to be set by their numbers.
var (
	// BindAddressNoPort leaves the choice of a port to connect, which knows
	// the peer, when only an address is bound.
	BindAddressNoPort = flag("IP_BIND_ADDRESS_NO_PORT", sys.IPPROTO_IP, sys.IP_BIND_ADDRESS_NO_PORT)
	// DontFragment keeps datagrams in one piece on their way: one that is too
	// large is EMSGSIZE.
	DontFragment = perFamily(
		onOff("IP_DONTFRAG", sys.IPPROTO_IP, sys.IP_DONTFRAG, sys.DONTFRAG_ON),
		onOff("IPV6_DONTFRAG", sys.IPPROTO_IPV6, sys.IPV6_DONTFRAG, sys.DONTFRAG_ON))
	// FreeBind lets the socket be bound to an address that the host does not have
	// yet. Linux.
	FreeBind = perFamily(
		flag("IP_FREEBIND", sys.IPPROTO_IP, sys.IP_FREEBIND),
		flag("IPV6_FREEBIND", sys.IPPROTO_IPV6, sys.IPV6_FREEBIND))
	// HopLimit is how far what the socket sends may go, 1 to 255 (TTL).
	HopLimit = perFamily(
		number("IP_TTL", sys.IPPROTO_IP, sys.IP_TTL),
		number("IPV6_UNICAST_HOPS", sys.IPPROTO_IPV6, sys.IPV6_UNICAST_HOPS))
	// MulticastHopLimit is HopLimit for multicasts; 1 by default, this network
	// only.
	MulticastHopLimit = perFamily(
		number("IP_MULTICAST_TTL", sys.IPPROTO_IP, sys.IP_MULTICAST_TTL),
		number("IPV6_MULTICAST_HOPS", sys.IPPROTO_IPV6, sys.IPV6_MULTICAST_HOPS))
	// MulticastLoop brings multicasts that are sent to members on this host as
	// well. On Unix it is the sender's option, on Windows the receiver's.
	MulticastLoop = perFamily(
		flag("IP_MULTICAST_LOOP", sys.IPPROTO_IP, sys.IP_MULTICAST_LOOP),
		flag("IPV6_MULTICAST_LOOP", sys.IPPROTO_IPV6, sys.IPV6_MULTICAST_LOOP))
	// PathMTU is the largest packet that gets to the peer in one piece, as far as
	// is known. It can only be read, on connected sockets.
	PathMTU = perFamily(
		number("IP_MTU", sys.IPPROTO_IP, sys.IP_MTU),
		number("IPV6_MTU", sys.IPPROTO_IPV6, sys.IPV6_MTU))
	// ReceiveErrors has the error queue filled with what ICMP reports: RecvMsg
	// with sys.MSG_ERRQUEUE, ControlMessage.ExtendedError. A socket that is not
	// connected hears of nothing else. Linux.
	ReceiveErrors = perFamily(
		flag("IP_RECVERR", sys.IPPROTO_IP, sys.IP_RECVERR),
		flag("IPV6_RECVERR", sys.IPPROTO_IPV6, sys.IPV6_RECVERR))
	// ReceiveHopLimit adds the HopLimit to datagrams that come.
	ReceiveHopLimit = perFamily(
		flag("IP_RECVTTL", sys.IPPROTO_IP, sys.IP_RECVTTL),
		flag("IPV6_RECVHOPLIMIT", sys.IPPROTO_IPV6, sys.IPV6_RECVHOPLIMIT))
	// ReceivePacketInfo adds a PacketInfo to datagrams that come.
	ReceivePacketInfo = perFamily(
		flag("IP_PKTINFO", sys.IPPROTO_IP, sys.IP_PKTINFO),
		flag("IPV6_RECVPKTINFO", sys.IPPROTO_IPV6, sys.IPV6_RECVPKTINFO))
	// ReceiveTrafficClass adds the TrafficClass, with ECN, to datagrams that come.
	ReceiveTrafficClass = perFamily(
		flag("IP_RECVTOS", sys.IPPROTO_IP, sys.IP_RECVTOS),
		flag("IPV6_RECVTCLASS", sys.IPPROTO_IPV6, sys.IPV6_RECVTCLASS))
	// TrafficClass is that of what the socket sends, 0 to 255 (TOS): DSCP in the
	// upper six bits. On TCP the lower two, ECN, are the system's. Windows ignores
	// it.
	TrafficClass = perFamily(
		number("IP_TOS", sys.IPPROTO_IP, sys.IP_TOS),
		number("IPV6_TCLASS", sys.IPPROTO_IPV6, sys.IPV6_TCLASS))
	// Transparent lets the socket have addresses of others, for proxies; it takes
	// a privilege. Linux.
	Transparent = perFamily(
		flag("IP_TRANSPARENT", sys.IPPROTO_IP, sys.IP_TRANSPARENT),
		flag("IPV6_TRANSPARENT", sys.IPPROTO_IPV6, sys.IPV6_TRANSPARENT))
	// V6Only keeps IPv4 out of an IPv6 socket. Listeners of this package set
	// it one way or the other.
	V6Only = flag("IPV6_V6ONLY", sys.IPPROTO_IPV6, sys.IPV6_V6ONLY)
)

// Options of TCP, by name; see tcp(7).
var (
	// CongestionControl is the name of the algorithm, "cubic" for example. Linux.
	CongestionControl = name("TCP_CONGESTION", sys.IPPROTO_TCP, sys.TCP_CONGESTION)
	// Cork holds back segments that are not full until it is taken off.
	// sys.MSG_MORE does it for one send.
	Cork = flag("TCP_CORK", sys.IPPROTO_TCP, sys.TCP_CORK)
	// DeferAccept wakes a listener only when the first bytes of a connection
	// have come, or that time has passed, in whole seconds. For protocols in
	// which the client speaks first: Serve then answers a short connection
	// without ever registering it. Linux.
	DeferAccept = duration("TCP_DEFER_ACCEPT", sys.IPPROTO_TCP, sys.TCP_DEFER_ACCEPT, time.Second)
	// FastOpen is the number of connections that may bring data before the
	// handshake is done; 0 is none.
	FastOpen = number("TCP_FASTOPEN", sys.IPPROTO_TCP, sys.TCP_FASTOPEN)
	// KeepAliveCount is how many probes go unanswered before the connection
	// is broken.
	KeepAliveCount = number("TCP_KEEPCNT", sys.IPPROTO_TCP, sys.TCP_KEEPCNT)
	// KeepAliveIdle is the time without traffic before the first probe, in
	// whole seconds.
	KeepAliveIdle = duration("TCP_KEEPIDLE", sys.IPPROTO_TCP, sys.TCP_KEEPIDLE, time.Second)
	// KeepAliveInterval is the time between probes, in whole seconds.
	KeepAliveInterval = duration("TCP_KEEPINTVL", sys.IPPROTO_TCP, sys.TCP_KEEPINTVL, time.Second)
	// MaxSegment is the largest segment that TCP sends, in bytes.
	MaxSegment = number("TCP_MAXSEG", sys.IPPROTO_TCP, sys.TCP_MAXSEG)
	// NoDelay sends small segments at once. Connections made by this package
	// have it on.
	NoDelay = flag("TCP_NODELAY", sys.IPPROTO_TCP, sys.TCP_NODELAY)
	// NotSentLowWater makes a socket writable only when fewer bytes than that
	// are waiting to be sent.
	NotSentLowWater = number("TCP_NOTSENT_LOWAT", sys.IPPROTO_TCP, sys.TCP_NOTSENT_LOWAT)
	// QuickAck sends acknowledgements at once, until the system decides
	// otherwise.
	QuickAck = flag("TCP_QUICKACK", sys.IPPROTO_TCP, sys.TCP_QUICKACK)
	// UserTimeout is how long sent data may stay unacknowledged before the
	// connection is broken, in whole milliseconds; 0 is the system's default.
	UserTimeout = duration("TCP_USER_TIMEOUT", sys.IPPROTO_TCP, sys.TCP_USER_TIMEOUT,
		time.Millisecond)
)

// Options of UDP, by name; see udp(7).
var (
	// ReceiveOffload has datagrams of one sender put together when many come:
	// SegmentSize and Segments take them apart. It wants buffers of 64 KiB.
	ReceiveOffload = onOff("UDP_GRO", sys.IPPROTO_UDP, sys.UDP_GRO, sys.UDP_GRO_ON)
	// SegmentSizeAlways has every message of the socket cut into datagrams of so
	// many bytes; 0 is off. Control.AddSegmentSize does it for one message.
	SegmentSizeAlways = number("UDP_SEGMENT", sys.IPPROTO_UDP, sys.UDP_SEGMENT)
)
