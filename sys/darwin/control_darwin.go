package darwin

import (
	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Control messages of macOS: CMSG_DATA in <sys/socket.h>, ip(4), ip6(4) and
// unix(4). Lengths and alignment have 32 bits whatever the machine; a time is a
// struct timeval of 16 bytes. IPv4's types are those of the options that ask
// for them, not those that set the field. There are no credentials in messages
// (getpeereid asks for those of the peer), no segmentation and no error queue.

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
	Header: cmsgHeader, Align: cmsgAlign, Length: 4,
	Seconds: 8, Fraction: 4, Space: 16,
	PacketInfo4:  seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_PKTINFO},
	PacketInfo6:  seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_PKTINFO},
	HopLimit4:    seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_RECVTTL},
	HopLimit6:    seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_HOPLIMIT},
	SetHopLimit6: seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_HOPLIMIT},
	Class4:       seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_RECVTOS},
	SetClass4:    seam.Number{Level: unix.IPPROTO_IP, Type: unix.IP_TOS},
	Class6:       seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_TCLASS},
	SetClass6:    seam.Number{Level: unix.IPPROTO_IPV6, Type: unix.IPV6_TCLASS},
	TimeMicro:    seam.Number{Level: unix.SOL_SOCKET, Type: unix.SCM_TIMESTAMP},
	Rights:       seam.Number{Level: unix.SOL_SOCKET, Type: unix.SCM_RIGHTS},
}
