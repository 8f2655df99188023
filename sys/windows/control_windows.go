package windows

import "github.com/lion-go/lion/sys/internal/seam"

// Control messages of Windows: WSACMSGHDR in ws2def.h, with the types of
// ws2ipdef.h. The length is a SIZE_T; what asks for a message and what it is
// called need not be one number (IP_RECVTTL brings IP_TTL). An IPv4 packet info
// has the address first and only one of them. There are neither rights nor
// credentials nor times in the form of other systems. Hop limits and classes
// are received only: that WSASendMsg takes them is not documented, Wine ignores
// them without a word, and the options for the whole socket do as well.

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
	Header: int(handleSize) + 8, Align: int(handleSize), Length: int(handleSize),
	AddrFirst:   true,
	PacketInfo4: seam.Number{Level: IPPROTO_IP, Type: IP_PKTINFO},
	PacketInfo6: seam.Number{Level: IPPROTO_IPV6, Type: IPV6_RECVPKTINFO},
	HopLimit4:   seam.Number{Level: IPPROTO_IP, Type: IP_TTL},
	HopLimit6:   seam.Number{Level: IPPROTO_IPV6, Type: hopLimit6},
	Class4:      seam.Number{Level: IPPROTO_IP, Type: IP_TOS},
	Class6:      seam.Number{Level: IPPROTO_IPV6, Type: IPV6_TCLASS},
	Segment:     seam.Number{Level: IPPROTO_UDP, Type: UDP_GRO}, // UDP_COALESCED_INFO
	SetSegment:  seam.Number{Level: IPPROTO_UDP, Type: UDP_SEGMENT},
}

// hopLimit6 is IPV6_HOPLIMIT in ws2ipdef.h.
const hopLimit6 = 21
