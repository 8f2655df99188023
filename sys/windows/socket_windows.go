package windows

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The calls for sockets. All of them end at once: the sockets are nonblocking,
// and being overlapped too does not matter to a call that passes no OVERLAPPED.
// Winsock differs from Unix in what it calls an error (a datagram that was cut,
// a receive after a shutdown of one's own), in how much a send takes, and in
// what a new socket inherits; each difference is undone where it arises.

const (
	// sendMax is how many bytes one call sends at most. A nonblocking socket
	// on Windows that is writable takes any amount at once and buffers it in
	// the kernel, so a sender would never feel a slow receiver. 128 KiB is
	// two default send buffers, and more than any datagram: a capped datagram
	// is still refused as too long and never cut.
	sendMax = 128 << 10

	// recvMax is how many bytes one call asks for at most: Winsock's lengths
	// are signed 32-bit numbers.
	recvMax = 1 << 30
)

// Socket makes a socket, nonblocking and not inheritable. Datagram sockets do
// not report unreachable peers of earlier datagrams, where the system lets us
// switch that off (SIO_UDP_CONNRESET, SIO_UDP_NETRESET).
func Socket(family, typ, proto int) (FD, error) {
	if err := startWinsock(); err != nil {
		return Invalid, err
	}
	s, err := windows.WSASocket(int32(family), int32(typ), int32(proto), nil, 0, socketFlags)
	if err != nil {
		return Invalid, err
	}
	fd := FD(s)
	if err := SetNonblock(fd, true); err != nil {
		Close(fd)
		return Invalid, err
	}
	if typ == SOCK_DGRAM {
		wsaIoctlOff(fd, sioUDPConnReset)
		wsaIoctlOff(fd, sioUDPNetReset)
	}
	return fd, nil
}

// SocketPair makes two stream sockets that are connected to each other.
// Windows has no such call: they are TCP sockets over loopback, whatever of
// AF_UNIX, AF_INET or AF_UNSPEC was asked for, and each end is checked to be
// the other's peer. Other families and types are errors.ErrUnsupported.
func SocketPair(family, typ, proto int) (a, b FD, err error) {
	return loopbackPair(family, typ, proto)
}

// Bind gives a socket its local address.
func Bind(fd FD, a *Sockaddr) error {
	p, n := a.pointer()
	if p == nil {
		return EINVAL
	}
	r, _, e := syscall.SyscallN(procBind.Addr(), uintptr(fd), uintptr(unsafe.Pointer(p)), n)
	if failed(r) {
		return failure(e)
	}
	return nil
}

// Listen makes a bound socket a listener. Backlogs below 1 count as 1, and
// those beyond what the system bears as its maximum.
func Listen(fd FD, backlog int) error {
	backlog = min(max(backlog, 1), SOMAXCONN)
	r, _, e := syscall.SyscallN(procListen.Addr(), uintptr(fd), uintptr(backlog))
	if failed(r) {
		return failure(e)
	}
	return nil
}

// Accept takes a connection from a listener's queue; the new socket is
// nonblocking and not inheritable. from, if not nil, receives the peer's
// address. See [AcceptTransient] and [Exhausted] for its errors.
func Accept(fd FD, from *Sockaddr) (FD, error) {
	var unwanted Sockaddr
	if from == nil {
		from = &unwanted
	}
	from.length = int32(len(from.raw))
	r, _, e := syscall.SyscallN(procAccept.Addr(), uintptr(fd),
		uintptr(unsafe.Pointer(&from.raw[0])), uintptr(unsafe.Pointer(&from.length)))
	if r == ^uintptr(0) { // INVALID_SOCKET
		from.Reset()
		return Invalid, failure(e)
	}
	from.clip()
	conn := FD(r)
	if err := adopt(conn); err != nil {
		Close(conn)
		return Invalid, err
	}
	return conn, nil
}

// adopt makes an accepted socket nonblocking and not inheritable. It takes
// after its listener in the first and may not in the second; neither is left
// to chance.
func adopt(fd FD) error {
	if err := SetNonblock(fd, true); err != nil {
		return err
	}
	return windows.SetHandleInformation(windows.Handle(fd), windows.HANDLE_FLAG_INHERIT, 0)
}

// Connect connects a socket to a peer. WouldBlock means that it has begun:
// wait until the socket is writable and call [FinishConnect]. Note that
// Windows tries a port that refuses several times, for about two seconds.
func Connect(fd FD, a *Sockaddr) error {
	p, n := a.pointer()
	if p == nil {
		return EINVAL
	}
	r, _, e := syscall.SyscallN(procConnect.Addr(), uintptr(fd), uintptr(unsafe.Pointer(p)), n)
	if failed(r) {
		return failure(e)
	}
	return nil
}

// FinishConnect tells how a connect that has begun went: nil if there is a
// connection, WouldBlock if it is still under way, else the error.
func FinishConnect(fd FD) error {
	code, err := GetsockoptInt(fd, SOL_SOCKET, SO_ERROR)
	if err != nil {
		return err
	}
	if code != 0 {
		return failure(Errno(code))
	}
	var peer Sockaddr
	if err := Getpeername(fd, &peer); err != ENOTCONN {
		return err
	}
	// A connection that was reset at once has no peer any more, and its error may
	// have been taken by the poll that announced it.
	if age, err := GetsockoptInt(fd, SOL_SOCKET, soConnectTime); err == nil && int32(age) != -1 {
		return ECONNRESET
	}
	return WouldBlock
}

// soConnectTime is SO_CONNECT_TIME (mswsock.h): for how many seconds there has
// been a connection, -1 if there has been none.
const soConnectTime = 0x700c

// Shutdown ends one direction of a connection, or both.
func Shutdown(fd FD, how int) error {
	r, _, e := syscall.SyscallN(procShutdown.Addr(), uintptr(fd), uintptr(how))
	if failed(r) {
		return failure(e)
	}
	return nil
}

// Getsockname sets a to the socket's own address. A socket that has none yet
// is an EINVAL error.
func Getsockname(fd FD, a *Sockaddr) error {
	a.length = int32(len(a.raw))
	r, _, e := syscall.SyscallN(procGetsockname.Addr(), uintptr(fd),
		uintptr(unsafe.Pointer(&a.raw[0])), uintptr(unsafe.Pointer(&a.length)))
	return a.filled(r, e)
}

// Getpeername sets a to the address of the peer. A socket without one is an
// ENOTCONN error.
func Getpeername(fd FD, a *Sockaddr) error {
	a.length = int32(len(a.raw))
	r, _, e := syscall.SyscallN(procGetpeername.Addr(), uintptr(fd),
		uintptr(unsafe.Pointer(&a.raw[0])), uintptr(unsafe.Pointer(&a.length)))
	return a.filled(r, e)
}

// filled ends a call that was to fill in a.
func (a *Sockaddr) filled(r uintptr, e Errno) error {
	if failed(r) {
		a.Reset()
		return failure(e)
	}
	a.clip()
	return nil
}

// clip bounds the length that the kernel reported by what it had room for.
func (a *Sockaddr) clip() {
	a.length = max(0, min(a.length, int32(len(a.raw))))
}

// Recv receives into b and allocates nothing. On a stream, 0 means that the
// peer, or a [Shutdown] of ours, has ended it; an empty b waits for data and
// consumes nothing. A datagram that is longer than b is cut. MSG_WAITALL means
// nothing on nonblocking sockets and is left out, for Winsock refuses it.
func Recv(fd FD, b []byte, flags int) (int, error) {
	r, _, e := syscall.SyscallN(procRecv.Addr(), uintptr(fd), uintptr(unsafe.Pointer(first(b))),
		uintptr(min(len(b), recvMax)), uintptr(flags&^MSG_WAITALL))
	if !failed(r) {
		return int(uint32(r)), nil
	}
	switch e {
	case windows.WSAEMSGSIZE:
		return min(len(b), recvMax), nil
	case windows.WSAESHUTDOWN:
		return 0, nil // Unix: the end of the stream, not an error
	}
	return 0, failure(e)
}

// Send sends from b and allocates nothing. It may send less than all of b, and
// at most 128 KiB; it never raises a signal. Datagrams go whole or not at all.
func Send(fd FD, b []byte, flags int) (int, error) {
	r, _, e := syscall.SyscallN(procSend.Addr(), uintptr(fd), uintptr(unsafe.Pointer(first(b))),
		uintptr(min(len(b), sendMax)), uintptr(flags))
	if failed(r) {
		return 0, failure(e)
	}
	return int(uint32(r)), nil
}
