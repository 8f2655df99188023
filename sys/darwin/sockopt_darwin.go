package darwin

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Options are numbers within a level, and most values are C ints of 32 bits;
// numbers and levels differ from Linux's. XNU answers EINVAL to every option of
// a socket that is closed in both directions (sosetoptlock), so an error there
// may only mean that the connection is over. Buffer sizes beyond the sysctl
// kern.ipc.maxsockbuf are refused with ENOBUFS where Linux lowers them.

// Address families, socket types, protocols and levels.
const (
	AF_INET   = unix.AF_INET
	AF_INET6  = unix.AF_INET6
	AF_UNIX   = unix.AF_UNIX
	AF_UNSPEC = unix.AF_UNSPEC

	SOCK_DGRAM     = unix.SOCK_DGRAM
	SOCK_RAW       = unix.SOCK_RAW
	SOCK_SEQPACKET = unix.SOCK_SEQPACKET // known, but no family of macOS offers it
	SOCK_STREAM    = unix.SOCK_STREAM

	IPPROTO_IP   = unix.IPPROTO_IP
	IPPROTO_IPV6 = unix.IPPROTO_IPV6
	IPPROTO_TCP  = unix.IPPROTO_TCP
	IPPROTO_UDP  = unix.IPPROTO_UDP
	SOL_SOCKET   = unix.SOL_SOCKET
)

// Options of SOL_SOCKET, getsockopt(2). A name that is 0 is absent on macOS.
const (
	SO_ACCEPTCONN       = unix.SO_ACCEPTCONN
	SO_BROADCAST        = unix.SO_BROADCAST
	SO_DOMAIN           = 0
	SO_ERROR            = unix.SO_ERROR
	SO_EXCLUSIVEADDRUSE = 0
	SO_KEEPALIVE        = unix.SO_KEEPALIVE
	SO_LINGER           = unix.SO_LINGER_SEC // seconds; see the package comment
	SO_OOBINLINE        = unix.SO_OOBINLINE
	SO_PROTOCOL         = 0
	SO_RCVBUF           = unix.SO_RCVBUF
	SO_REUSEADDR        = unix.SO_REUSEADDR
	SO_REUSEPORT        = unix.SO_REUSEPORT
	SO_SNDBUF           = unix.SO_SNDBUF
	SO_TYPE             = unix.SO_TYPE
)

// Options of IPPROTO_TCP, IPPROTO_IP and IPPROTO_IPV6: tcp(4), ip(4), ip6(4).
// A name that is 0 is absent on macOS.
const (
	TCP_DEFER_ACCEPT  = 0
	TCP_FASTOPEN      = unix.TCP_FASTOPEN
	TCP_KEEPCNT       = unix.TCP_KEEPCNT
	TCP_KEEPIDLE      = unix.TCP_KEEPALIVE // the same thing under its BSD name, in seconds
	TCP_KEEPINTVL     = unix.TCP_KEEPINTVL
	TCP_NODELAY       = unix.TCP_NODELAY
	TCP_NOTSENT_LOWAT = unix.TCP_NOTSENT_LOWAT
	TCP_QUICKACK      = 0
	TCP_USER_TIMEOUT  = 0

	IP_BIND_ADDRESS_NO_PORT = 0

	IPV6_V6ONLY = unix.IPV6_V6ONLY
)

// Flags of Recv, Send, RecvMsg and SendMsg, directions of Shutdown, and the
// longest backlog of Listen. A flag that is 0 is absent on macOS.
const (
	MSG_CTRUNC   = unix.MSG_CTRUNC
	MSG_DONTWAIT = unix.MSG_DONTWAIT
	MSG_ERRQUEUE = 0
	MSG_MORE     = 0
	MSG_OOB      = unix.MSG_OOB
	MSG_PEEK     = unix.MSG_PEEK
	MSG_TRUNC    = unix.MSG_TRUNC // reported only; as a request it is not known
	MSG_WAITALL  = unix.MSG_WAITALL

	SHUT_RD   = unix.SHUT_RD
	SHUT_RDWR = unix.SHUT_RDWR
	SHUT_WR   = unix.SHUT_WR

	SOMAXCONN = unix.SOMAXCONN
)

// lingerMax is the longest linger time in seconds. The kernel keeps
// hundredths of a second in a 16-bit signed integer and does not check the
// product (sosetoptlock in XNU's uipc_socket.c).
const lingerMax = 32767 / 100

// SetsockoptInt is setsockopt(2) with a C int. The name 0, which stands for an
// option that macOS lacks, answers errors.ErrUnsupported; other errors are
// Errno values. A socket whose connection was reset answers EINVAL to every
// option.
func SetsockoptInt(fd FD, level, name, value int) error {
	if name == 0 {
		return errors.ErrUnsupported
	}
	v := int32(value)
	if int(v) != value {
		return EINVAL
	}
	return seam.Again(func() error {
		return answer(setsockopt(fd, level, name, unsafe.Pointer(&v), 4))
	})
}

// GetsockoptInt is getsockopt(2) with a C int. Errors are as for
// SetsockoptInt.
func GetsockoptInt(fd FD, level, name int) (int, error) {
	if name == 0 {
		return 0, errors.ErrUnsupported
	}
	v, n := int32(0), uint32(4)
	err := seam.Again(func() error {
		return answer(getsockopt(fd, level, name, unsafe.Pointer(&v), &n))
	})
	if err != nil {
		return 0, err
	}
	return int(v), nil
}

// Setsockopt is setsockopt(2) with any value. Errors are as for SetsockoptInt.
func Setsockopt(fd FD, level, name int, value []byte) error {
	if name == 0 {
		return errors.ErrUnsupported
	}
	return seam.Again(func() error {
		return answer(setsockopt(fd, level, name, base(value), uint32(len(value))))
	})
}

// Getsockopt is getsockopt(2) into value. It answers how many bytes the kernel
// wrote. Errors are as for SetsockoptInt.
func Getsockopt(fd FD, level, name int, value []byte) (int, error) {
	if name == 0 {
		return 0, errors.ErrUnsupported
	}
	n := uint32(len(value))
	err := seam.Again(func() error {
		return answer(getsockopt(fd, level, name, base(value), &n))
	})
	if err != nil {
		return 0, err
	}
	return int(n), nil
}

// SetLinger sets what Close does with data not sent yet: on waits up to the
// given seconds (0 resets the connection), off leaves it to the kernel. More
// than 327 seconds become 327, the kernel's limit; negative ones are EINVAL.
func SetLinger(fd FD, on bool, seconds int) error {
	if seconds < 0 {
		return EINVAL
	}
	l := unix.Linger{Linger: int32(min(seconds, lingerMax))}
	if on {
		l.Onoff = 1
	}
	return seam.Again(func() error {
		return answer(setsockopt(fd, SOL_SOCKET, SO_LINGER, unsafe.Pointer(&l), unix.SizeofLinger))
	})
}
