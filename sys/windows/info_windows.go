package windows

import (
	"encoding/binary"
	"errors"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/lion-go/lion/sys/internal/seam"
)

// What the system knows about a connection: SIO_TCP_INFO in mstcpip.h, which
// came with Windows 10 1703, and its first version, TCP_INFO_v0. x/sys has
// neither. The structure is read by its offsets.

// TCPInfo is what the system knows about a TCP connection.
type TCPInfo = seam.TCPInfo

// tcpStates are those of TCPSTATE in mstcpip.h, in the words of RFC 9293.
var tcpStates = [...]string{
	"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
	"CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

const (
	sioTCPInfo  = 0xd8000027 // SIO_TCP_INFO, mstcpip.h
	tcpInfoSize = 88         // sizeof(TCP_INFO_v0)
)

// GetTCPInfo asks for SIO_TCP_INFO; errors.ErrUnsupported where the system does
// not know it.
func GetTCPInfo(fd FD) (TCPInfo, error) {
	var version, got uint32
	raw := make([]byte, tcpInfoSize)
	err := windows.WSAIoctl(windows.Handle(fd), sioTCPInfo, (*byte)(unsafe.Pointer(&version)), 4,
		&raw[0], tcpInfoSize, &got, nil, 0)
	if err == windows.WSAEOPNOTSUPP || err == windows.WSAEINVAL {
		return TCPInfo{}, errors.ErrUnsupported
	}
	if err != nil {
		return TCPInfo{}, err
	}
	word := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(raw[at:])) }
	long := func(at int) uint64 { return binary.LittleEndian.Uint64(raw[at:]) }
	i := TCPInfo{
		SegmentSize: int(word(4)),
		RTT:         time.Duration(word(20)) * time.Microsecond,
		MinRTT:      time.Duration(word(24)) * time.Microsecond,

		CongestionWindow: word(32), PeerWindow: word(36), ReceiveWindow: word(40),
		BytesSent: long(48), BytesReceived: long(56), BytesResent: word(68),
	}
	if state := word(0); state < uint64(len(tcpStates)) {
		i.State = tcpStates[state]
	}
	return i, nil
}

// PeerCredentials is errors.ErrUnsupported: Windows tells no users of sockets.
func PeerCredentials(fd FD) (Credentials, error) { return Credentials{}, errors.ErrUnsupported }
