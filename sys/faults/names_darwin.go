package faults

import "syscall"

// The numbers of the errors in errnos.txt, see errno(3).

const system = "darwin"

var names = map[string]error{
	"EACCES":          syscall.EACCES,
	"EADDRINUSE":      syscall.EADDRINUSE,
	"EADDRNOTAVAIL":   syscall.EADDRNOTAVAIL,
	"EAFNOSUPPORT":    syscall.EAFNOSUPPORT,
	"EAGAIN":          syscall.EAGAIN,
	"ECONNABORTED":    syscall.ECONNABORTED,
	"ECONNREFUSED":    syscall.ECONNREFUSED,
	"ECONNRESET":      syscall.ECONNRESET,
	"EDESTADDRREQ":    syscall.EDESTADDRREQ,
	"EDQUOT":          syscall.EDQUOT,
	"EFBIG":           syscall.EFBIG,
	"EHOSTUNREACH":    syscall.EHOSTUNREACH,
	"EINVAL":          syscall.EINVAL,
	"EIO":             syscall.EIO,
	"ELOOP":           syscall.ELOOP,
	"EMFILE":          syscall.EMFILE,
	"EMSGSIZE":        syscall.EMSGSIZE,
	"ENAMETOOLONG":    syscall.ENAMETOOLONG,
	"ENETDOWN":        syscall.ENETDOWN,
	"ENETUNREACH":     syscall.ENETUNREACH,
	"ENFILE":          syscall.ENFILE,
	"ENOBUFS":         syscall.ENOBUFS,
	"ENOENT":          syscall.ENOENT,
	"ENOMEM":          syscall.ENOMEM,
	"ENOPROTOOPT":     syscall.ENOPROTOOPT,
	"ENOSPC":          syscall.ENOSPC,
	"ENOTCONN":        syscall.ENOTCONN,
	"ENOTDIR":         syscall.ENOTDIR,
	"EOPNOTSUPP":      syscall.EOPNOTSUPP,
	"EPERM":           syscall.EPERM,
	"EPIPE":           syscall.EPIPE,
	"EPROTONOSUPPORT": syscall.EPROTONOSUPPORT,
	"EPROTOTYPE":      syscall.EPROTOTYPE,
	"EROFS":           syscall.EROFS,
	"ESRCH":           syscall.ESRCH,
	"ETIMEDOUT":       syscall.ETIMEDOUT,
}
