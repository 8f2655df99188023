package darwin

// The bridge to libSystem: an import, a trampoline's address and a typed
// wrapper for each function. doc.go explains the scheme. The wrappers here
// are the only callers of the linked functions; they turn pointers into
// integers inside the call expression, which is what keeps the memory alive
// and in place (a body-less function's uintptr arguments are held by the
// compiler, rule 4 of package unsafe). None of them allocates and none of
// their arguments escapes.

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqueue"
)

// The layouts that the kernel sees, checked where x/sys has them. The numbers
// are those of <sys/event.h>, <sys/socket.h> and <sys/un.h> on 64-bit macOS.
const (
	_ = uint(unix.SizeofSockaddrUnix - 106)
	_ = uint(106 - unix.SizeofSockaddrUnix)
	_ = uint(unix.SizeofSockaddrInet6 - 28)
	_ = uint(28 - unix.SizeofSockaddrInet6)
	_ = uint(unsafe.Sizeof(unix.Msghdr{}) - 48)
	_ = uint(48 - unsafe.Sizeof(unix.Msghdr{}))
	_ = uint(unsafe.Sizeof(unix.Kevent_t{}) - unsafe.Sizeof(kqueue.Kevent{}))
	_ = uint(unsafe.Sizeof(kqueue.Kevent{}) - unsafe.Sizeof(unix.Kevent_t{}))
	_ = uint(unix.SizeofCmsghdr - cmsgHeader)
	_ = uint(cmsgHeader - unix.SizeofCmsghdr)
)

//go:linkname syscall6 syscall.syscall6
func syscall6(fn, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, e Errno)

//go:linkname rawSyscall6 syscall.rawSyscall6
func rawSyscall6(fn, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, e Errno)

//go:cgo_import_dynamic libc_accept accept "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_bind bind "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_connect connect "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_getpeername getpeername "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_getsockname getsockname "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_getsockopt getsockopt "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_kevent kevent "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_recvfrom recvfrom "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_recvmsg recvmsg "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_sendmsg sendmsg "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_sendto sendto "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_setsockopt setsockopt "/usr/lib/libSystem.B.dylib"

// The addresses of the trampolines, set by libsystem_darwin.s.
var (
	libc_accept_trampoline_addr      uintptr
	libc_bind_trampoline_addr        uintptr
	libc_connect_trampoline_addr     uintptr
	libc_getpeername_trampoline_addr uintptr
	libc_getsockname_trampoline_addr uintptr
	libc_getsockopt_trampoline_addr  uintptr
	libc_kevent_trampoline_addr      uintptr
	libc_recvfrom_trampoline_addr    uintptr
	libc_recvmsg_trampoline_addr     uintptr
	libc_sendmsg_trampoline_addr     uintptr
	libc_sendto_trampoline_addr      uintptr
	libc_setsockopt_trampoline_addr  uintptr
)

// nothing is what an empty buffer points at: a valid address, never touched.
var nothing [1]byte

// base answers the address of b's first byte, or of nothing.
func base(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		return unsafe.Pointer(&nothing)
	}
	return unsafe.Pointer(unsafe.SliceData(b))
}

// accept is accept(2). It never waits on a nonblocking listener.
func accept(fd FD, a *unix.RawSockaddrAny, n *uint32) (FD, Errno) {
	r, _, e := rawSyscall6(libc_accept_trampoline_addr, uintptr(fd),
		uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(n)), 0, 0, 0)
	return FD(int32(r)), e
}

// bind is bind(2). A Unix address makes it create a file, so the scheduler is
// told.
func bind(fd FD, a *unix.RawSockaddrAny, n uint32) Errno {
	_, _, e := syscall6(libc_bind_trampoline_addr, uintptr(fd),
		uintptr(unsafe.Pointer(a)), uintptr(n), 0, 0, 0)
	return e
}

// connect is connect(2). A Unix address makes it look up a file, so the
// scheduler is told.
func connect(fd FD, a *unix.RawSockaddrAny, n uint32) Errno {
	_, _, e := syscall6(libc_connect_trampoline_addr, uintptr(fd),
		uintptr(unsafe.Pointer(a)), uintptr(n), 0, 0, 0)
	return e
}

// getsockname is getsockname(2).
func getsockname(fd FD, a *unix.RawSockaddrAny, n *uint32) Errno {
	_, _, e := rawSyscall6(libc_getsockname_trampoline_addr, uintptr(fd),
		uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(n)), 0, 0, 0)
	return e
}

// getpeername is getpeername(2).
func getpeername(fd FD, a *unix.RawSockaddrAny, n *uint32) Errno {
	_, _, e := rawSyscall6(libc_getpeername_trampoline_addr, uintptr(fd),
		uintptr(unsafe.Pointer(a)), uintptr(unsafe.Pointer(n)), 0, 0, 0)
	return e
}

// getsockopt is getsockopt(2).
func getsockopt(fd FD, level, name int, value unsafe.Pointer, n *uint32) Errno {
	_, _, e := rawSyscall6(libc_getsockopt_trampoline_addr, uintptr(fd), uintptr(level),
		uintptr(name), uintptr(value), uintptr(unsafe.Pointer(n)), 0)
	return e
}

// setsockopt is setsockopt(2).
func setsockopt(fd FD, level, name int, value unsafe.Pointer, n uint32) Errno {
	_, _, e := rawSyscall6(libc_setsockopt_trampoline_addr, uintptr(fd), uintptr(level),
		uintptr(name), uintptr(value), uintptr(n), 0)
	return e
}

// recvfrom is recvfrom(2) without an address; raw says that b is short.
func recvfrom(raw bool, fd FD, b []byte, flags int) (int, Errno) {
	if raw {
		//lion:opt rawsyscall
		r, _, e := rawSyscall6(libc_recvfrom_trampoline_addr, uintptr(fd),
			uintptr(base(b)), uintptr(len(b)), uintptr(flags), 0, 0)
		return int(r), e
	}
	r, _, e := syscall6(libc_recvfrom_trampoline_addr, uintptr(fd),
		uintptr(base(b)), uintptr(len(b)), uintptr(flags), 0, 0)
	return int(r), e
}

// sendto is sendto(2) without an address; raw says that b is short.
func sendto(raw bool, fd FD, b []byte, flags int) (int, Errno) {
	if raw {
		//lion:opt rawsyscall
		r, _, e := rawSyscall6(libc_sendto_trampoline_addr, uintptr(fd),
			uintptr(base(b)), uintptr(len(b)), uintptr(flags), 0, 0)
		return int(r), e
	}
	r, _, e := syscall6(libc_sendto_trampoline_addr, uintptr(fd),
		uintptr(base(b)), uintptr(len(b)), uintptr(flags), 0, 0)
	return int(r), e
}

// recvmsg is recvmsg(2); raw says that the message is short.
func recvmsg(raw bool, fd FD, h *unix.Msghdr, flags int) (int, Errno) {
	if raw {
		//lion:opt rawsyscall
		r, _, e := rawSyscall6(libc_recvmsg_trampoline_addr, uintptr(fd),
			uintptr(unsafe.Pointer(h)), uintptr(flags), 0, 0, 0)
		return int(r), e
	}
	r, _, e := syscall6(libc_recvmsg_trampoline_addr, uintptr(fd),
		uintptr(unsafe.Pointer(h)), uintptr(flags), 0, 0, 0)
	return int(r), e
}

// sendmsg is sendmsg(2); raw says that the message is short.
func sendmsg(raw bool, fd FD, h *unix.Msghdr, flags int) (int, Errno) {
	if raw {
		//lion:opt rawsyscall
		r, _, e := rawSyscall6(libc_sendmsg_trampoline_addr, uintptr(fd),
			uintptr(unsafe.Pointer(h)), uintptr(flags), 0, 0, 0)
		return int(r), e
	}
	r, _, e := syscall6(libc_sendmsg_trampoline_addr, uintptr(fd),
		uintptr(unsafe.Pointer(h)), uintptr(flags), 0, 0, 0)
	return int(r), e
}

// kevent is kevent(2); raw says that it will not wait and has little to do.
func kevent(raw bool, fd FD, changes, events []kqueue.Kevent, d *unix.Timespec) (int, Errno) {
	in, out := unsafe.Pointer(unsafe.SliceData(changes)), unsafe.Pointer(unsafe.SliceData(events))
	if raw {
		//lion:opt rawsyscall
		r, _, e := rawSyscall6(libc_kevent_trampoline_addr, uintptr(fd), uintptr(in),
			uintptr(len(changes)), uintptr(out), uintptr(len(events)), uintptr(unsafe.Pointer(d)))
		return int(r), e
	}
	r, _, e := syscall6(libc_kevent_trampoline_addr, uintptr(fd), uintptr(in),
		uintptr(len(changes)), uintptr(out), uintptr(len(events)), uintptr(unsafe.Pointer(d)))
	return int(r), e
}
