package darwin

import (
	"syscall"

	"github.com/lion-go/lion/sys/internal/seam"
)

// libSystem answers -1 and leaves the reason in errno, which the runtime hands
// over as a number. EAGAIN and EWOULDBLOCK are the same one, and the wrappers
// turn it into WouldBlock. All others are returned bare: the caller knows the
// operation and the address and wraps them once.

// Errno is an error number of the operating system. It implements error and
// matches os.ErrNotExist and its kin under errors.Is.
type Errno = syscall.Errno

// WouldBlock is what every wrapper answers where the system call would have
// had to wait. Compare with ==.
var WouldBlock = seam.WouldBlock

// Error numbers, errno(2) of macOS.
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

// AcceptTransient reports whether err, from Accept, concerns only the one
// connection that was about to be accepted, so that accepting can go on at
// once. The list is that of Linux's accept(2), which is the longest; macOS
// itself documents ECONNABORTED only.
func AcceptTransient(err error) bool {
	switch err {
	case ECONNABORTED, EPROTO, EPERM, ENETDOWN, EHOSTDOWN, EHOSTUNREACH,
		EOPNOTSUPP, ENETUNREACH, syscall.ENOSR, ESOCKTNOSUPPORT,
		EPROTONOSUPPORT, ETIMEDOUT, ECONNRESET, ENOPROTOOPT:
		return true
	}
	return false
}

// Exhausted reports whether err says that descriptors or memory ran out:
// EMFILE, ENFILE, ENOBUFS or ENOMEM. Trying again at once is pointless,
// trying again later is not.
func Exhausted(err error) bool {
	switch err {
	case EMFILE, ENFILE, ENOBUFS, ENOMEM:
		return true
	}
	return false
}

// answer turns an error number into this package's errors: nil for 0,
// WouldBlock for "not now", else the number. Numbers this small are converted
// to an interface without allocating. EAGAIN and EWOULDBLOCK are one number
// on macOS.
func answer(e Errno) error {
	switch e {
	case 0:
		return nil
	case syscall.EAGAIN:
		return WouldBlock
	}
	return e
}

// answerError is answer for an error of x/sys, which is always an Errno.
func answerError(err error) error {
	if err == syscall.EAGAIN {
		return WouldBlock
	}
	return err
}
