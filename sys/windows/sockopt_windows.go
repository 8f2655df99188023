package windows

import (
	"errors"
	"math"
	"syscall"
	"unsafe"
)

// Families, types, levels, options and flags, from ws2def.h, winsock2.h,
// ws2ipdef.h and mstcpip.h. A name that is 0 here, other than AF_UNSPEC,
// IPPROTO_IP and SHUT_RD, does not exist on Windows: as an option it answers
// errors.ErrUnsupported, as a flag it changes nothing.
//
// SO_REUSEADDR exists and means something else than on Unix: it lets any
// program take over a port in use. A server does not need it here, for a port
// in TIME_WAIT can be bound anyway, and protects itself with
// SO_EXCLUSIVEADDRUSE.
const (
	AF_UNSPEC = 0
	AF_UNIX   = 1
	AF_INET   = 2
	AF_INET6  = 23

	SOCK_STREAM    = 1
	SOCK_DGRAM     = 2
	SOCK_RAW       = 3
	SOCK_SEQPACKET = 5

	IPPROTO_IP   = 0
	IPPROTO_TCP  = 6
	IPPROTO_UDP  = 17
	IPPROTO_IPV6 = 41
	SOL_SOCKET   = 0xffff

	SO_ACCEPTCONN       = 0x2
	SO_BROADCAST        = 0x20
	SO_DOMAIN           = 0
	SO_ERROR            = 0x1007
	SO_EXCLUSIVEADDRUSE = ^SO_REUSEADDR
	SO_KEEPALIVE        = 0x8
	SO_LINGER           = 0x80
	SO_OOBINLINE        = 0x100
	SO_PROTOCOL         = 0
	SO_RCVBUF           = 0x1002
	SO_REUSEADDR        = 0x4
	SO_REUSEPORT        = 0
	SO_SNDBUF           = 0x1001
	SO_TYPE             = 0x1008

	TCP_DEFER_ACCEPT  = 0
	TCP_FASTOPEN      = 15
	TCP_KEEPCNT       = 16
	TCP_KEEPIDLE      = 3
	TCP_KEEPINTVL     = 17
	TCP_NODELAY       = 1
	TCP_NOTSENT_LOWAT = 0
	TCP_QUICKACK      = 0
	TCP_USER_TIMEOUT  = 0

	IPV6_V6ONLY             = 27
	IP_BIND_ADDRESS_NO_PORT = 0

	MSG_OOB      = 0x1
	MSG_PEEK     = 0x2
	MSG_WAITALL  = 0x8
	MSG_TRUNC    = 0x100
	MSG_CTRUNC   = 0x200
	MSG_DONTWAIT = 0
	MSG_ERRQUEUE = 0
	MSG_MORE     = 0

	SHUT_RD   = 0 // SD_RECEIVE
	SHUT_WR   = 1 // SD_SEND
	SHUT_RDWR = 2 // SD_BOTH

	SOMAXCONN = math.MaxInt32
)

// SetsockoptInt sets an option whose value is an int or a BOOL. An option that
// is 0 here answers errors.ErrUnsupported; a value beyond 32 bits EINVAL.
func SetsockoptInt(fd FD, level, name, value int) error {
	v := int32(value)
	if int(v) != value {
		return EINVAL
	}
	return Setsockopt(fd, level, name, (*[4]byte)(unsafe.Pointer(&v))[:])
}

// GetsockoptInt reads an option whose value is an int or a BOOL. Some BOOLs
// come as a single byte, so the rest is cleared beforehand.
func GetsockoptInt(fd FD, level, name int) (int, error) {
	var v int32
	_, err := Getsockopt(fd, level, name, (*[4]byte)(unsafe.Pointer(&v))[:])
	return int(v), err
}

// Setsockopt sets an option to the bytes of value (setsockopt).
func Setsockopt(fd FD, level, name int, value []byte) error {
	if name == 0 {
		return errors.ErrUnsupported
	}
	r, _, e := syscall.SyscallN(procSetsockopt.Addr(), uintptr(fd), uintptr(level),
		uintptr(name), uintptr(unsafe.Pointer(first(value))), uintptr(len(value)))
	if failed(r) {
		return failure(e)
	}
	return nil
}

// Getsockopt reads an option into value and returns how many bytes it has
// (getsockopt). A buffer that is too small is an EFAULT error.
func Getsockopt(fd FD, level, name int, value []byte) (int, error) {
	if name == 0 {
		return 0, errors.ErrUnsupported
	}
	n := int32(min(len(value), math.MaxInt32))
	r, _, e := syscall.SyscallN(procGetsockopt.Addr(), uintptr(fd), uintptr(level),
		uintptr(name), uintptr(unsafe.Pointer(first(value))), uintptr(unsafe.Pointer(&n)))
	if failed(r) {
		return 0, failure(e)
	}
	return int(n), nil
}

// SetLinger sets what [Close] does with data not yet sent: with on, it waits
// up to the given number of seconds (0: it drops the data and resets the
// connection); without, it returns and the system goes on sending. The limit
// is 65535 seconds.
func SetLinger(fd FD, on bool, seconds int) error {
	if seconds < 0 || seconds > math.MaxUint16 {
		return EINVAL
	}
	linger := [2]uint16{0, uint16(seconds)} // struct linger: two u_shorts
	if on {
		linger[0] = 1
	}
	return Setsockopt(fd, SOL_SOCKET, SO_LINGER, (*[4]byte)(unsafe.Pointer(&linger))[:])
}
