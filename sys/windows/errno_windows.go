package windows

import (
	"errors"
	"syscall"

	"golang.org/x/sys/windows"
)

// Winsock answers its own numbers from 10000 on, mostly the BSD errors of old
// with a prefix; the system below answers numbers of its own, and Unix errors
// that mean nothing here exist only because package syscall invented values for
// them. So the names below bring the first kind under its Unix names, pick the
// nearest of the second, and take the third where nothing is near: code that
// compares with them builds everywhere and never matches by mistake.

// Errno is a Windows or Winsock error code. It matches errors.ErrUnsupported,
// fs.ErrNotExist and the like as package syscall says.
type Errno = syscall.Errno

// The errors that callers compare with, under their Unix names. Most are the
// Winsock code of the same name; a few are the nearest system code, and the
// rest are values that package syscall invented and no call returns.
const (
	EACCES          Errno = windows.WSAEACCES
	EADDRINUSE      Errno = windows.WSAEADDRINUSE
	EADDRNOTAVAIL   Errno = windows.WSAEADDRNOTAVAIL
	EAFNOSUPPORT    Errno = windows.WSAEAFNOSUPPORT
	EALREADY        Errno = windows.WSAEALREADY
	EBADF           Errno = windows.WSAEBADF
	ECONNABORTED    Errno = windows.WSAECONNABORTED
	ECONNREFUSED    Errno = windows.WSAECONNREFUSED
	ECONNRESET      Errno = windows.WSAECONNRESET
	EEXIST          Errno = windows.ERROR_FILE_EXISTS
	EFAULT          Errno = windows.WSAEFAULT
	EHOSTDOWN       Errno = windows.WSAEHOSTDOWN
	EHOSTUNREACH    Errno = windows.WSAEHOSTUNREACH
	EINPROGRESS     Errno = windows.WSAEINPROGRESS
	EINVAL          Errno = windows.WSAEINVAL
	EIO             Errno = syscall.EIO
	EISCONN         Errno = windows.WSAEISCONN
	EMFILE          Errno = windows.WSAEMFILE
	EMSGSIZE        Errno = windows.WSAEMSGSIZE
	ENETDOWN        Errno = windows.WSAENETDOWN
	ENETUNREACH     Errno = windows.WSAENETUNREACH
	ENFILE          Errno = syscall.ENFILE // invented
	ENOBUFS         Errno = windows.WSAENOBUFS
	ENOENT          Errno = windows.ERROR_FILE_NOT_FOUND
	ENOMEM          Errno = windows.ERROR_NOT_ENOUGH_MEMORY // WSA_NOT_ENOUGH_MEMORY too
	ENOPROTOOPT     Errno = windows.WSAENOPROTOOPT
	ENOTCONN        Errno = windows.WSAENOTCONN
	ENOTSOCK        Errno = windows.WSAENOTSOCK
	EOPNOTSUPP      Errno = windows.WSAEOPNOTSUPP
	EPERM           Errno = syscall.EPERM // invented; see EACCES
	EPIPE           Errno = windows.WSAESHUTDOWN
	EPROTO          Errno = syscall.EPROTO // invented
	EPROTONOSUPPORT Errno = windows.WSAEPROTONOSUPPORT
	ESHUTDOWN       Errno = windows.WSAESHUTDOWN
	ESOCKTNOSUPPORT Errno = windows.WSAESOCKTNOSUPPORT
	ETIMEDOUT       Errno = windows.WSAETIMEDOUT
)

// AcceptTransient says whether err, from [Accept], concerns only the one
// connection that was to be accepted: the listener is fine, try again. Winsock
// reports a connection that was reset in the queue as WSAECONNRESET, and Wine
// as WSAENOTCONN, since it asks the dead connection for its peer.
func AcceptTransient(err error) bool {
	var e Errno
	if !errors.As(err, &e) {
		return false
	}
	switch e {
	case ECONNRESET, ECONNABORTED, ENETDOWN, EHOSTDOWN, EHOSTUNREACH, ENETUNREACH,
		EOPNOTSUPP, ESOCKTNOSUPPORT, EPROTONOSUPPORT, ETIMEDOUT, ENOPROTOOPT,
		EPROTO, EPERM, ENOTCONN:
		return true
	}
	return false
}

// Exhausted says whether err tells of a shortage (descriptors, buffers,
// memory) that may pass: wait before trying again.
func Exhausted(err error) bool {
	var e Errno
	if !errors.As(err, &e) {
		return false
	}
	switch e {
	case EMFILE, ENFILE, ENOBUFS, ENOMEM,
		windows.ERROR_OUTOFMEMORY, windows.ERROR_NO_SYSTEM_RESOURCES,
		windows.ERROR_COMMITMENT_LIMIT, windows.ERROR_TOO_MANY_OPEN_FILES:
		return true
	}
	return false
}
