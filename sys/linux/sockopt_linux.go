package linux

import (
	"errors"
	"math"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Options are numbers within a level, and most values are C ints of 32 bits;
// others are structures, passed as the kernel lays them out. SO_ERROR is the
// exception among them: reading it resets it. Whether an option exists is
// decided by its name, never by its level, because IPPROTO_IP is 0 as well.

// Address families, see address_families(7).
const (
	AF_UNSPEC = unix.AF_UNSPEC
	AF_INET   = unix.AF_INET
	AF_INET6  = unix.AF_INET6
	AF_UNIX   = unix.AF_UNIX
)

// Socket types, see socket(2).
const (
	SOCK_STREAM    = unix.SOCK_STREAM
	SOCK_DGRAM     = unix.SOCK_DGRAM
	SOCK_SEQPACKET = unix.SOCK_SEQPACKET
	SOCK_RAW       = unix.SOCK_RAW
)

// Protocols and levels of options, see getsockopt(2).
const (
	SOL_SOCKET   = unix.SOL_SOCKET
	IPPROTO_IP   = unix.IPPROTO_IP
	IPPROTO_IPV6 = unix.IPPROTO_IPV6
	IPPROTO_TCP  = unix.IPPROTO_TCP
	IPPROTO_UDP  = unix.IPPROTO_UDP
)

// Options at SOL_SOCKET, see socket(7). A name that a system does not have is 0
// there: on Linux SO_EXCLUSIVEADDRUSE, which only Windows has.
const (
	SO_REUSEADDR        = unix.SO_REUSEADDR
	SO_REUSEPORT        = unix.SO_REUSEPORT
	SO_EXCLUSIVEADDRUSE = 0
	SO_ERROR            = unix.SO_ERROR
	SO_TYPE             = unix.SO_TYPE
	SO_DOMAIN           = unix.SO_DOMAIN
	SO_PROTOCOL         = unix.SO_PROTOCOL
	SO_ACCEPTCONN       = unix.SO_ACCEPTCONN
	SO_SNDBUF           = unix.SO_SNDBUF
	SO_RCVBUF           = unix.SO_RCVBUF
	SO_KEEPALIVE        = unix.SO_KEEPALIVE
	SO_LINGER           = unix.SO_LINGER
	SO_BROADCAST        = unix.SO_BROADCAST
	SO_OOBINLINE        = unix.SO_OOBINLINE
)

// Options at IPPROTO_TCP, see tcp(7).
const (
	TCP_NODELAY       = unix.TCP_NODELAY
	TCP_KEEPIDLE      = unix.TCP_KEEPIDLE
	TCP_KEEPINTVL     = unix.TCP_KEEPINTVL
	TCP_KEEPCNT       = unix.TCP_KEEPCNT
	TCP_DEFER_ACCEPT  = unix.TCP_DEFER_ACCEPT
	TCP_USER_TIMEOUT  = unix.TCP_USER_TIMEOUT
	TCP_NOTSENT_LOWAT = unix.TCP_NOTSENT_LOWAT
	TCP_QUICKACK      = unix.TCP_QUICKACK
	TCP_FASTOPEN      = unix.TCP_FASTOPEN
)

// Options at IPPROTO_IPV6 and IPPROTO_IP, see ipv6(7) and ip(7).
const (
	IPV6_V6ONLY             = unix.IPV6_V6ONLY
	IP_BIND_ADDRESS_NO_PORT = unix.IP_BIND_ADDRESS_NO_PORT
)

// Flags of messages, see send(2) and recv(2).
const (
	MSG_PEEK     = unix.MSG_PEEK
	MSG_OOB      = unix.MSG_OOB
	MSG_TRUNC    = unix.MSG_TRUNC
	MSG_CTRUNC   = unix.MSG_CTRUNC
	MSG_MORE     = unix.MSG_MORE
	MSG_WAITALL  = unix.MSG_WAITALL
	MSG_DONTWAIT = unix.MSG_DONTWAIT
	MSG_ERRQUEUE = unix.MSG_ERRQUEUE
)

// Directions for Shutdown, see shutdown(2).
const (
	SHUT_RD   = unix.SHUT_RD
	SHUT_WR   = unix.SHUT_WR
	SHUT_RDWR = unix.SHUT_RDWR
)

// SOMAXCONN is the largest backlog that a Linux system grants unless it was
// told otherwise: the default of net.core.somaxconn since 5.4, see
// include/linux/socket.h.
const SOMAXCONN = 4096

// SetsockoptInt sets an option whose value is an int, see setsockopt(2). A
// name that this system does not have (0) is errors.ErrUnsupported, a value
// that no C int can hold is EINVAL.
func SetsockoptInt(fd FD, level, name, value int) error {
	if name == 0 {
		return errors.ErrUnsupported
	}
	if int64(value) < math.MinInt32 || int64(value) > math.MaxInt32 {
		return EINVAL
	}
	return seam.Again(func() error { return unix.SetsockoptInt(int(fd), level, name, value) })
}

// GetsockoptInt is the value of an option that is an int, see getsockopt(2).
// A name that this system does not have (0) is errors.ErrUnsupported.
func GetsockoptInt(fd FD, level, name int) (int, error) {
	if name == 0 {
		return 0, errors.ErrUnsupported
	}
	return seam.AgainFor(func() (int, error) { return unix.GetsockoptInt(int(fd), level, name) })
}

// Setsockopt sets an option whose value is given in the kernel's form. A name
// that this system does not have (0) is errors.ErrUnsupported.
func Setsockopt(fd FD, level, name int, value []byte) error {
	if name == 0 {
		return errors.ErrUnsupported
	}
	return seam.Again(func() error {
		_, _, e := syscall.Syscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level),
			uintptr(name), uintptr(unsafe.Pointer(unsafe.SliceData(value))),
			uintptr(len(value)), 0)
		return answer(e)
	})
}

// Getsockopt stores an option in the kernel's form in value and says how many
// bytes of it the kernel wrote. A name that this system does not have (0) is
// errors.ErrUnsupported.
func Getsockopt(fd FD, level, name int, value []byte) (int, error) {
	if name == 0 {
		return 0, errors.ErrUnsupported
	}
	size := uint32(len(value))
	err := seam.Again(func() error {
		_, _, e := syscall.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level),
			uintptr(name), uintptr(unsafe.Pointer(unsafe.SliceData(value))),
			uintptr(unsafe.Pointer(&size)), 0)
		return answer(e)
	})
	if err != nil {
		return 0, err
	}
	return int(size), nil
}

// SetLinger sets SO_LINGER, see socket(7): if on, Close waits up to seconds
// for data to be delivered, and with 0 seconds resets the connection. Seconds
// that are negative or too many for a C int are EINVAL.
func SetLinger(fd FD, on bool, seconds int) error {
	if seconds < 0 || int64(seconds) > math.MaxInt32 {
		return EINVAL
	}
	linger := unix.Linger{Linger: int32(seconds)}
	if on {
		linger.Onoff = 1
	}
	return seam.Again(func() error {
		return unix.SetsockoptLinger(int(fd), unix.SOL_SOCKET, unix.SO_LINGER, &linger)
	})
}
