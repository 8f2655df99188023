package linux

import (
	"errors"
	"syscall"

	"github.com/lion-go/lion/sys/internal/seam"
)

// The kernel answers small positive numbers; EAGAIN and EWOULDBLOCK are the
// same one, and the wrappers turn it into WouldBlock, whose identity says more
// than its text. All others are returned bare: whoever knows the operation
// wraps them, once. What to do about an error depends on the call, so the two
// classifications here are for Accept alone, or for all that make descriptors.

// Errno is an error number of the kernel, see errno(3).
type Errno = syscall.Errno

// WouldBlock is what every wrapper answers where the system call would have
// had to wait. Compare with ==.
var WouldBlock = seam.WouldBlock

// The error numbers that lion tells apart, see errno(3).
const (
	EACCES          = syscall.EACCES
	EADDRINUSE      = syscall.EADDRINUSE
	EADDRNOTAVAIL   = syscall.EADDRNOTAVAIL
	EAFNOSUPPORT    = syscall.EAFNOSUPPORT
	EALREADY        = syscall.EALREADY
	EBADF           = syscall.EBADF
	ECONNABORTED    = syscall.ECONNABORTED
	ECONNREFUSED    = syscall.ECONNREFUSED
	ECONNRESET      = syscall.ECONNRESET
	EEXIST          = syscall.EEXIST
	EFAULT          = syscall.EFAULT
	EHOSTDOWN       = syscall.EHOSTDOWN
	EHOSTUNREACH    = syscall.EHOSTUNREACH
	EINPROGRESS     = syscall.EINPROGRESS
	EINVAL          = syscall.EINVAL
	EIO             = syscall.EIO
	EISCONN         = syscall.EISCONN
	EMFILE          = syscall.EMFILE
	EMSGSIZE        = syscall.EMSGSIZE
	ENETDOWN        = syscall.ENETDOWN
	ENETUNREACH     = syscall.ENETUNREACH
	ENFILE          = syscall.ENFILE
	ENOBUFS         = syscall.ENOBUFS
	ENOENT          = syscall.ENOENT
	ENOMEM          = syscall.ENOMEM
	ENOPROTOOPT     = syscall.ENOPROTOOPT
	ENOTCONN        = syscall.ENOTCONN
	ENOTSOCK        = syscall.ENOTSOCK
	EOPNOTSUPP      = syscall.EOPNOTSUPP
	EPERM           = syscall.EPERM
	EPIPE           = syscall.EPIPE
	EPROTO          = syscall.EPROTO
	EPROTONOSUPPORT = syscall.EPROTONOSUPPORT
	ESHUTDOWN       = syscall.ESHUTDOWN
	ESOCKTNOSUPPORT = syscall.ESOCKTNOSUPPORT
	ETIMEDOUT       = syscall.ETIMEDOUT
)

// AcceptTransient reports whether err, an answer of Accept, concerns only one
// connection that was given up before it was accepted, so that a listener
// should simply accept the next. Linux passes pending network errors of the
// new socket through accept(2), which lists them under "Error handling".
func AcceptTransient(err error) bool {
	var e Errno
	if !errors.As(err, &e) {
		return false
	}
	switch e {
	case ECONNABORTED, ECONNRESET, ETIMEDOUT, // the peer gave up
		EPERM, EPROTO, // a firewall rule, a protocol error
		ENETDOWN, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH, syscall.ENONET,
		ENOPROTOOPT, EOPNOTSUPP, EPROTONOSUPPORT, ESOCKTNOSUPPORT, syscall.ENOSR:
		return true
	}
	return false
}

// Exhausted reports whether err says that descriptors or memory have run out,
// in the process or in the whole system: trying again at once is pointless.
func Exhausted(err error) bool {
	var e Errno
	if !errors.As(err, &e) {
		return false
	}
	switch e {
	case EMFILE, ENFILE, ENOBUFS, ENOMEM:
		return true
	}
	return false
}
