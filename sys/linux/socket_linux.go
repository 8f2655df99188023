package linux

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Facts about sockets on Linux, hence this code: a nonblocking call is never
// interrupted by a signal once it has moved data, so EINTR means that nothing
// happened and the call is made again; except connect(2), which goes on in the
// background. accept4(2) neither inherits flags of the listener nor leaves a
// moment in which a child could inherit the descriptor. MSG_NOSIGNAL saves the
// process from SIGPIPE, and MSG_DONTWAIT makes a transfer nonblocking whatever
// the descriptor's own flags say, which others may change under us.

const (
	eagain = syscall.EAGAIN // also EWOULDBLOCK on every Linux
	eintr  = syscall.EINTR
)

// Socket makes a socket, see socket(2), nonblocking and not inherited by
// children from birth.
func Socket(family, typ, proto int) (FD, error) {
	fd, err := seam.AgainFor(func() (int, error) {
		return unix.Socket(family, typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
	})
	if err != nil {
		return Invalid, err
	}
	return FD(fd), nil
}

// SocketPair makes two connected sockets, see socketpair(2), nonblocking and
// not inherited by children. Linux knows them for AF_UNIX only.
func SocketPair(family, typ, proto int) (a, b FD, err error) {
	fds, err := seam.AgainFor(func() ([2]int, error) {
		return unix.Socketpair(family, typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, proto)
	})
	if err != nil {
		return Invalid, Invalid, err
	}
	return FD(fds[0]), FD(fds[1]), nil
}

// Bind gives fd its local name, see bind(2). Binding to a path may wait for
// the file system.
func Bind(fd FD, a *Sockaddr) error {
	return seam.Again(func() error {
		_, _, e := syscall.Syscall(unix.SYS_BIND, uintptr(fd),
			uintptr(unsafe.Pointer(&a.raw)), uintptr(a.size))
		return answer(e)
	})
}

// maxBacklog bounds what Listen passes on. The kernel lowers it further to
// the sysctl net.core.somaxconn; some of its counters have 16 bits.
const maxBacklog = 1<<16 - 1

// Listen makes fd accept connections, see listen(2). A larger backlog than
// the system allows is lowered silently; a negative one is EINVAL.
func Listen(fd FD, backlog int) error {
	if backlog < 0 {
		return EINVAL
	}
	return seam.Again(func() error { return unix.Listen(int(fd), min(backlog, maxBacklog)) })
}

// Accept takes the next connection of a nonblocking listener, see accept4(2);
// the new socket is nonblocking and not inherited by children. Unless from is
// nil it receives the peer's name. Errors of a single connection are returned
// as they come: see AcceptTransient and Exhausted.
func Accept(fd FD, from *Sockaddr) (FD, error) {
	var scratch Sockaddr
	if from == nil {
		from = &scratch
	}
	for {
		from.size = sizeofAny
		//lion:opt rawsyscall
		r, _, e := syscall.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd),
			uintptr(unsafe.Pointer(&from.raw)), uintptr(unsafe.Pointer(&from.size)),
			unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
		if e == eintr {
			continue
		}
		if e != 0 {
			from.Reset()
			return Invalid, answer(e)
		}
		from.clip()
		return FD(r), nil
	}
}

// Connect begins a connection, see connect(2). WouldBlock says that it is
// under way: wait until fd is writable and call FinishConnect. An interrupted
// connect is under way too; it must not be called again. The EAGAIN of a full
// AF_UNIX listener is returned as that Errno, because there nothing is under
// way and no readiness would follow.
func Connect(fd FD, a *Sockaddr) error {
	_, _, e := syscall.Syscall(unix.SYS_CONNECT, uintptr(fd),
		uintptr(unsafe.Pointer(&a.raw)), uintptr(a.size))
	switch e {
	case 0:
		return nil
	case EINPROGRESS, EALREADY, eintr:
		return WouldBlock
	}
	return e
}

// FinishConnect says how a connect that was under way ended: nil if fd is
// connected, WouldBlock if it is not decided yet, else the reason. It consumes
// the pending error of fd (SO_ERROR in socket(7)), so a second call after a
// failure knows less than the first.
func FinishConnect(fd FD) error {
	pending, err := GetsockoptInt(fd, SOL_SOCKET, SO_ERROR)
	if err != nil {
		return err
	}
	if pending != 0 {
		return answer(Errno(pending))
	}
	// No error and no peer: the wake-up was spurious.
	var peer Sockaddr
	if err := Getpeername(fd, &peer); err != ENOTCONN {
		return err
	}
	return WouldBlock
}

// Shutdown closes one or both directions of a connection, see shutdown(2);
// how is SHUT_RD, SHUT_WR or SHUT_RDWR.
func Shutdown(fd FD, how int) error {
	return seam.Again(func() error { return unix.Shutdown(int(fd), how) })
}

// Getsockname stores the local name of fd in a, see getsockname(2).
func Getsockname(fd FD, a *Sockaddr) error {
	return a.ask(unix.SYS_GETSOCKNAME, fd)
}

// Getpeername stores the peer's name in a, see getpeername(2); ENOTCONN if
// there is none.
func Getpeername(fd FD, a *Sockaddr) error {
	return a.ask(unix.SYS_GETPEERNAME, fd)
}

// ask stores what getsockname(2) or getpeername(2) answer.
func (a *Sockaddr) ask(trap uintptr, fd FD) error {
	err := seam.Again(func() error {
		a.size = sizeofAny
		_, _, e := syscall.RawSyscall(trap, uintptr(fd),
			uintptr(unsafe.Pointer(&a.raw)), uintptr(unsafe.Pointer(&a.size)))
		return answer(e)
	})
	if err != nil {
		a.Reset()
		return err
	}
	a.clip()
	return nil
}

// Recv receives into b, see recv(2). Zero bytes without an error are the end
// of a stream, an empty datagram, or the answer to an empty b. With MSG_TRUNC
// in flags the answer can exceed len(b). Recv never waits, whatever the flags
// of fd.
func Recv(fd FD, b []byte, flags int) (int, error) {
	if len(b) > maxRaw {
		return recvLong(fd, b, flags)
	}
	for {
		//lion:opt rawsyscall
		r, _, e := syscall.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			uintptr(flags)|unix.MSG_DONTWAIT, 0, 0)
		if e == 0 {
			return int(r), nil
		}
		if e != eintr {
			return 0, answer(e)
		}
	}
}

// recvLong is Recv for more bytes than a raw call may copy.
func recvLong(fd FD, b []byte, flags int) (int, error) {
	for {
		r, _, e := syscall.Syscall6(unix.SYS_RECVFROM, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			uintptr(flags)|unix.MSG_DONTWAIT, 0, 0)
		if e == 0 {
			return int(r), nil
		}
		if e != eintr {
			return 0, answer(e)
		}
	}
}

// Send sends b, see send(2); a stream may take fewer bytes than len(b). A
// closed peer is EPIPE or ECONNRESET, never a signal (MSG_NOSIGNAL). Send
// never waits, whatever the flags of fd.
func Send(fd FD, b []byte, flags int) (int, error) {
	if len(b) > maxRaw {
		return sendLong(fd, b, flags)
	}
	for {
		//lion:opt rawsyscall
		r, _, e := syscall.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			uintptr(flags)|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if e == 0 {
			return int(r), nil
		}
		if e != eintr {
			return 0, answer(e)
		}
	}
}

// sendLong is Send for more bytes than a raw call may copy.
func sendLong(fd FD, b []byte, flags int) (int, error) {
	for {
		r, _, e := syscall.Syscall6(unix.SYS_SENDTO, uintptr(fd),
			uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)),
			uintptr(flags)|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		if e == 0 {
			return int(r), nil
		}
		if e != eintr {
			return 0, answer(e)
		}
	}
}
