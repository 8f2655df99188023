package faults

import "golang.org/x/sys/windows"

// The numbers of the errors in errnos.txt: those of Winsock, whose names differ from
// the POSIX ones by WSA, and some of Windows itself.

const system = "windows"

var names = map[string]error{
	"EACCES":               windows.WSAEACCES,
	"EADDRINUSE":           windows.WSAEADDRINUSE,
	"EADDRNOTAVAIL":        windows.WSAEADDRNOTAVAIL,
	"EAFNOSUPPORT":         windows.WSAEAFNOSUPPORT,
	"ECONNABORTED":         windows.WSAECONNABORTED,
	"ECONNREFUSED":         windows.WSAECONNREFUSED,
	"ECONNRESET":           windows.WSAECONNRESET,
	"EHOSTUNREACH":         windows.WSAEHOSTUNREACH,
	"EINVAL":               windows.WSAEINVAL,
	"EIO":                  windows.ERROR_IO_DEVICE,
	"EMFILE":               windows.WSAEMFILE,
	"EMSGSIZE":             windows.WSAEMSGSIZE,
	"ENETDOWN":             windows.WSAENETDOWN,
	"ENETRESET":            windows.WSAENETRESET,
	"ENETUNREACH":          windows.WSAENETUNREACH,
	"ENOBUFS":              windows.WSAENOBUFS,
	"ENOENT":               windows.ERROR_FILE_NOT_FOUND,
	"ENOPROTOOPT":          windows.WSAENOPROTOOPT,
	"ENOTCONN":             windows.WSAENOTCONN,
	"EOPNOTSUPP":           windows.WSAEOPNOTSUPP,
	"EPROTONOSUPPORT":      windows.WSAEPROTONOSUPPORT,
	"ERROR_INVALID_HANDLE": windows.ERROR_INVALID_HANDLE,
	"ESHUTDOWN":            windows.WSAESHUTDOWN,
	"ESOCKTNOSUPPORT":      windows.WSAESOCKTNOSUPPORT,
	"ETIMEDOUT":            windows.WSAETIMEDOUT,
}
