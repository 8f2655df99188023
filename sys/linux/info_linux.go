package linux

import (
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// What the kernel knows about a connection. struct tcp_info grows at its end
// with every few versions (include/uapi/linux/tcp.h); an older kernel writes
// less of it, and the rest stays zero.

// TCPInfo is what the system knows about a TCP connection.
type TCPInfo = seam.TCPInfo

// tcpStates are those of include/net/tcp_states.h, in the words of RFC 9293.
var tcpStates = [...]string{
	1: "ESTABLISHED", "SYN-SENT", "SYN-RECEIVED", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT",
	"CLOSED", "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", "SYN-RECEIVED",
}

// GetTCPInfo asks for TCP_INFO, see tcp(7). Other sockets answer EOPNOTSUPP or
// ENOPROTOOPT.
func GetTCPInfo(fd FD) (TCPInfo, error) {
	var raw unix.TCPInfo
	_, err := Getsockopt(fd, unix.IPPROTO_TCP, unix.TCP_INFO,
		unsafe.Slice((*byte)(unsafe.Pointer(&raw)), unsafe.Sizeof(raw)))
	if err != nil {
		return TCPInfo{}, err
	}
	i := TCPInfo{
		RTT: micros(raw.Rtt), RTTVariation: micros(raw.Rttvar),
		Timeout: micros(raw.Rto), SegmentSize: int(raw.Snd_mss),
		CongestionWindow: uint64(raw.Snd_cwnd) * uint64(raw.Snd_mss),
		PeerWindow:       uint64(raw.Snd_wnd), ReceiveWindow: uint64(raw.Rcv_wnd),
		Unsent: uint64(raw.Notsent_bytes), BytesSent: raw.Bytes_sent, BytesAcked: raw.Bytes_acked,
		BytesReceived: raw.Bytes_received, BytesResent: raw.Bytes_retrans,
		SegmentsResent: uint64(raw.Total_retrans), SegmentsLost: uint64(raw.Lost),
		DeliveryRate: raw.Delivery_rate, PacingRate: raw.Pacing_rate,
	}
	if raw.Min_rtt != math.MaxUint32 { // not measured yet
		i.MinRTT = micros(raw.Min_rtt)
	}
	if raw.Pacing_rate == math.MaxUint64 { // no limit
		i.PacingRate = 0
	}
	if int(raw.State) < len(tcpStates) {
		i.State = tcpStates[raw.State]
	}
	return i, nil
}

func micros(n uint32) time.Duration { return time.Duration(n) * time.Microsecond }

// PeerCredentials are those of the process that made the other end of a unix
// socket, at the time when it connected or listened: SO_PEERCRED in unix(7).
// Sockets that are not connected, and other families, are ENOTCONN.
func PeerCredentials(fd FD) (Credentials, error) {
	c, err := seam.AgainFor(func() (*unix.Ucred, error) {
		return unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil {
		return Credentials{}, err
	}
	if c.Pid == 0 { // what the kernel answers where there is no peer
		return Credentials{}, ENOTCONN
	}
	return Credentials{PID: int(c.Pid), UID: int(c.Uid), GID: int(c.Gid)}, nil
}
