package darwin

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// A new socket needs three more calls on macOS: FD_CLOEXEC, while forks are
// kept away, O_NONBLOCK and SO_NOSIGPIPE. An accepted one too: it takes over
// O_NONBLOCK from its listener today (sonewconn_internal in XNU's
// uipc_socket2.c copies so_state), but nothing documents that, and one blocking
// socket would stop a whole loop, so it is set in any case.
//
// A nonblocking call is not interrupted once it has moved data, so after EINTR
// it is made again; except connect(2), which goes on in the background.

const eintr = syscall.EINTR

// maxRaw is the most bytes one raw call may copy: 64 KiB take about 10 us,
// which is how long the garbage collector may be kept waiting. Such calls are
// marked lion:opt rawsyscall and become ordinary ones if this is -1.
//
//lion:opt rawsyscall
const maxRaw = 64 << 10

// maxBacklog bounds what Listen passes on. The kernel lowers it further to
// the sysctl kern.ipc.somaxconn and counts in 16 bits (so_qlimit).
const maxBacklog = 1<<15 - 1

// prototypeRetries is how often a send is repeated after EPROTOTYPE. Versions
// of XNU answer that when a stream is torn down during the send
// (tcp_usr_send); the next try says EPIPE or ECONNRESET, which is the truth.
// It is bounded because some network filters mean EPROTOTYPE.
const prototypeRetries = 2

// Socket makes a socket, see socket(2), nonblocking, not inherited by children
// and not raising SIGPIPE. Errors are Errno values.
func Socket(family, typ, proto int) (FD, error) {
	syscall.ForkLock.RLock()
	fd, err := seam.AgainFor(func() (int, error) { return unix.Socket(family, typ, proto) })
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return Invalid, err
	}
	if err := setUpSocket(FD(fd)); err != nil {
		_ = Close(FD(fd)) // The first error is the one to report.
		return Invalid, err
	}
	return FD(fd), nil
}

// SocketPair makes two connected sockets, see socketpair(2), nonblocking, not
// inherited by children and not raising SIGPIPE. macOS knows them for AF_UNIX
// only. Errors are Errno values.
func SocketPair(family, typ, proto int) (a, b FD, err error) {
	syscall.ForkLock.RLock()
	fds, err := seam.AgainFor(func() ([2]int, error) {
		return unix.Socketpair(family, typ, proto)
	})
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return Invalid, Invalid, err
	}
	a, b = FD(fds[0]), FD(fds[1])
	for _, fd := range []FD{a, b} {
		if err := setUpSocket(fd); err != nil {
			_ = Close(a) // The first error is the one to report.
			_ = Close(b)
			return Invalid, Invalid, err
		}
	}
	return a, b, nil
}

// setUpSocket makes a new socket nonblocking and silent: fcntl(2),
// SO_NOSIGPIPE in getsockopt(2).
func setUpSocket(fd FD) error {
	if _, err := fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK); err != nil {
		return err
	}
	return SetsockoptInt(fd, SOL_SOCKET, unix.SO_NOSIGPIPE, 1)
}

// Bind gives fd its local name, see bind(2). Binding to a path may wait for
// the file system. Errors are Errno values.
func Bind(fd FD, a *Sockaddr) error {
	return seam.Again(func() error { return answer(bind(fd, &a.raw, a.size)) })
}

// Listen makes fd accept connections, see listen(2). A larger backlog than
// the system allows is lowered silently; a negative one is EINVAL.
func Listen(fd FD, backlog int) error {
	if backlog < 0 {
		return EINVAL
	}
	return seam.Again(func() error { return unix.Listen(int(fd), min(backlog, maxBacklog)) })
}

// Accept takes the next connection of a nonblocking listener, see accept(2);
// the new socket is nonblocking, not inherited by children and does not raise
// SIGPIPE. Unless from is nil it receives the peer's name. Errors of a single
// connection are returned as they come: see AcceptTransient and Exhausted.
func Accept(fd FD, from *Sockaddr) (FD, error) {
	var scratch Sockaddr
	if from == nil {
		from = &scratch
	}
	conn, n, e := acceptCloseOnExec(fd, &from.raw)
	if e != 0 {
		from.Reset()
		return Invalid, answer(e)
	}
	if n == 0 {
		// A connection without an address was reset before it was taken: XNU
		// hands it out where others say ECONNABORTED.
		from.Reset()
		_ = Close(conn) // There is nothing in it to lose.
		return Invalid, ECONNABORTED
	}
	from.came(n)
	// A peer that reset the connection meanwhile makes every setsockopt answer
	// EINVAL (sosetoptlock). What it sent before can still be read, and a write
	// will tell the rest.
	if err := setUpSocket(conn); err != nil && err != EINVAL {
		_ = Close(conn) // The first error is the one to report.
		from.Reset()
		return Invalid, err
	}
	return conn, nil
}

// acceptCloseOnExec is accept(2) and FD_CLOEXEC with no fork in between. It
// answers the length of the peer's name.
func acceptCloseOnExec(fd FD, a *unix.RawSockaddrAny) (conn FD, n uint32, e Errno) {
	for {
		n = storageSize
		syscall.ForkLock.RLock()
		conn, e = accept(fd, a, &n)
		if e == 0 {
			unix.CloseOnExec(int(conn))
		}
		syscall.ForkLock.RUnlock()
		if e != eintr {
			return conn, n, e
		}
	}
}

// Connect begins a connection, see connect(2). WouldBlock says that it is
// under way: wait until fd is writable and call FinishConnect. An interrupted
// connect is under way too; it must not be called again. Other errors are
// Errno values; after one the socket cannot be used again on macOS.
func Connect(fd FD, a *Sockaddr) error {
	switch e := connect(fd, &a.raw, a.size); e {
	case 0:
		return nil
	case EINPROGRESS, EALREADY, eintr:
		return WouldBlock
	default:
		return e
	}
}

// FinishConnect says how a connect that was under way ended: nil if fd is
// connected, WouldBlock if it is not decided yet, else the reason. It consumes
// the pending error of fd (SO_ERROR in getsockopt(2)), so a second call after
// a failure knows less than the first.
func FinishConnect(fd FD) error {
	pending, err := GetsockoptInt(fd, SOL_SOCKET, SO_ERROR)
	if err != nil {
		return err
	}
	if pending != 0 {
		return answer(Errno(pending))
	}
	var peer Sockaddr
	switch err := Getpeername(fd, &peer); err {
	case ENOTCONN:
		return WouldBlock // No error and no peer: the wake-up was spurious.
	case EINVAL:
		// getpeername(2) says so of a connection that was closed in both
		// directions: it was established and is over, as reading will tell.
		return nil
	default:
		return err
	}
}

// Shutdown closes one or both directions of a connection, see shutdown(2);
// how is SHUT_RD, SHUT_WR or SHUT_RDWR. macOS answers ENOTCONN also if the
// peer has closed the connection already. Errors are Errno values.
func Shutdown(fd FD, how int) error {
	return seam.Again(func() error { return unix.Shutdown(int(fd), how) })
}

// Getsockname stores the local name of fd in a, see getsockname(2).
func Getsockname(fd FD, a *Sockaddr) error {
	return a.ask(fd, false)
}

// Getpeername stores the peer's name in a, see getpeername(2); ENOTCONN if
// there is none, EINVAL if the connection is over.
func Getpeername(fd FD, a *Sockaddr) error {
	return a.ask(fd, true)
}

// ask stores what getsockname(2) or getpeername(2) answer.
func (a *Sockaddr) ask(fd FD, peer bool) error {
	var n uint32
	err := seam.Again(func() error {
		n = storageSize
		if peer {
			return answer(getpeername(fd, &a.raw, &n))
		}
		return answer(getsockname(fd, &a.raw, &n))
	})
	if err != nil {
		a.Reset()
		return err
	}
	a.came(n)
	return nil
}

// Recv receives into b, see recv(2), at most 1 GiB. Zero bytes without an
// error are the end of a stream, an empty datagram, or the answer to an empty
// b. The rest of a datagram longer than b is lost; only RecvMsg tells. fd must
// be nonblocking.
func Recv(fd FD, b []byte, flags int) (int, error) {
	b = b[:min(len(b), maxTransfer)]
	for {
		n, e := recvfrom(len(b) <= maxRaw, fd, b, flags|MSG_DONTWAIT)
		if e == 0 {
			return n, nil
		}
		if e != eintr {
			return 0, answer(e)
		}
	}
}

// Send sends b, see send(2); a stream may take fewer bytes than len(b), at
// most 1 GiB. A closed peer is EPIPE or ECONNRESET, never a signal. A full
// interface queue is ENOBUFS. fd must be nonblocking: macOS has no flag for
// one send.
func Send(fd FD, b []byte, flags int) (int, error) {
	b = b[:min(len(b), maxTransfer)]
	for torn := 0; ; {
		n, e := sendto(len(b) <= maxRaw, fd, b, flags)
		if e == 0 {
			return n, nil
		}
		if !sendAgain(e, &torn) {
			return 0, answer(e)
		}
	}
}

// sendAgain says whether a failed send is to be repeated at once; torn counts
// the EPROTOTYPEs of this send.
func sendAgain(e Errno, torn *int) bool {
	if e == syscall.EPROTOTYPE {
		*torn++
		return *torn <= prototypeRetries
	}
	return e == eintr
}
