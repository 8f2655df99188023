package linux

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Control messages of Linux: cmsg(3), ip(7), ipv6(7), udp(7), unix(7). The
// length is a size_t and all else follows from the width of a word; times have
// the width of a word as well, in the form that SO_TIMESTAMP and its like have
// had from the beginning (the _OLD ones of asm-generic/socket.h).

// The vocabulary of control messages.
type (
	// ControlMessage is one message of control data.
	ControlMessage = seam.ControlMessage
	// ControlFormat reads and writes control data in the system's form.
	ControlFormat = seam.Dialect
	// PacketInfo says where a datagram came to, or is to be sent from.
	PacketInfo = seam.PacketInfo
	// Credentials are those of the process at the other end of a unix socket.
	Credentials = seam.Credentials
	// ExtendedError is one entry of the error queue.
	ExtendedError = seam.ExtendedError
)

// Controls is the form of this system. It must not be changed.
var Controls = &ControlFormat{
	Header: cmsgHeader, Align: word, Length: word,
	Seconds: word, Fraction: word, Space: 2 * word, SegmentIn2: true,
	PacketInfo4:  seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_PKTINFO},
	PacketInfo6:  seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_PKTINFO},
	HopLimit4:    seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_TTL},
	SetHopLimit4: seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_TTL},
	HopLimit6:    seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_HOPLIMIT},
	SetHopLimit6: seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_HOPLIMIT},
	Class4:       seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_TOS},
	SetClass4:    seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_TOS},
	Class6:       seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_TCLASS},
	SetClass6:    seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_TCLASS},
	TimeMicro:    seam.Number{Level: unix.SOL_SOCKET, Type: unix.SO_TIMESTAMP},
	TimeNano:     seam.Number{Level: unix.SOL_SOCKET, Type: unix.SO_TIMESTAMPNS},
	Times:        seam.Number{Level: unix.SOL_SOCKET, Type: unix.SO_TIMESTAMPING},
	Rights:       seam.Number{Level: unix.SOL_SOCKET, Type: unix.SCM_RIGHTS},
	Credentials:  seam.Number{Level: unix.SOL_SOCKET, Type: unix.SCM_CREDENTIALS},
	Segment:      seam.Number{Level: unix.IPPROTO_UDP, Type: unix.UDP_GRO},
	SetSegment:   seam.Number{Level: unix.IPPROTO_UDP, Type: unix.UDP_SEGMENT},
	Dropped:      seam.Number{Level: unix.SOL_SOCKET, Type: unix.SO_RXQ_OVFL},
	Error4:       seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_RECVERR},
	Error6:       seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_RECVERR},
}

// Timestamps are read by their offsets, which are those of x/sys.
const (
	_ = uint(unsafe.Sizeof(unix.Timespec{}) - 2*word)
	_ = uint(2*word - unsafe.Sizeof(unix.Timespec{}))
)
