package darwin

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// What the kernel knows about a connection: struct tcp_connection_info in
// <netinet/tcp.h>, and struct xucred in <sys/ucred.h>.

// TCPInfo is what the system knows about a TCP connection.
type TCPInfo = seam.TCPInfo

// tcpStates are those of <netinet/tcp_fsm.h>, in the words of RFC 9293.
var tcpStates = [...]string{
	"CLOSED", "LISTEN", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "CLOSE-WAIT", "FIN-WAIT-1",
	"CLOSING", "LAST-ACK", "FIN-WAIT-2", "TIME-WAIT",
}

// GetTCPInfo asks for TCP_CONNECTION_INFO. Other sockets answer ENOPROTOOPT or
// EINVAL.
func GetTCPInfo(fd FD) (TCPInfo, error) {
	var raw unix.TCPConnectionInfo
	_, err := Getsockopt(fd, unix.IPPROTO_TCP, unix.TCP_CONNECTION_INFO,
		unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw)))
	if err != nil {
		return TCPInfo{}, err
	}
	i := TCPInfo{ // times are in milliseconds
		RTT: millis(raw.Srtt), RTTVariation: millis(raw.Rttvar), Timeout: millis(raw.Rto),
		SegmentSize: int(raw.Maxseg), CongestionWindow: uint64(raw.Snd_cwnd),
		PeerWindow: uint64(raw.Snd_wnd), ReceiveWindow: uint64(raw.Rcv_wnd),
		BytesSent: raw.Txbytes, BytesReceived: raw.Rxbytes,
		BytesResent: raw.Txretransmitbytes, SegmentsResent: raw.Txretransmitpackets,
	}
	if int(raw.State) < len(tcpStates) {
		i.State = tcpStates[raw.State]
	}
	return i, nil
}

func millis(n uint32) time.Duration { return time.Duration(n) * time.Millisecond }

// PeerCredentials are those of the process that made the other end of a unix
// socket, at the time when it connected or listened: LOCAL_PEERCRED and
// LOCAL_PEERPID in unix(4). Sockets that are not connected are ENOTCONN.
func PeerCredentials(fd FD) (Credentials, error) {
	c, err := seam.AgainFor(func() (*unix.Xucred, error) {
		return unix.GetsockoptXucred(int(fd), unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	})
	if err != nil {
		return Credentials{}, err
	}
	pid, err := GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		return Credentials{}, err
	}
	return Credentials{PID: pid, UID: int(c.Uid), GID: int(c.Groups[0])}, nil
}
