package windows

import (
	"errors"
	"net/netip"
	"syscall"
	"time"
	"unsafe"
)

// A pair of connected sockets where the system has no socketpair.
//
// A listener on loopback with a port of the system's choice is connected to,
// and the connection accepted. Other programs of this machine can see the
// port and connect too, so who was accepted is verified: the two ends are ours
// if the name of each is the peer name of the other. The same four numbers
// cannot belong to two connections, so this cannot be forged. Strangers are
// closed, and the queue is looked at again. Nobody can take over either port,
// as both sockets claim theirs exclusively.

const (
	// pairTimeout bounds the whole affair. Over loopback it takes well under
	// a millisecond; nothing but a fault or an attack makes it longer.
	pairTimeout = 5 * time.Second

	// pairBacklog leaves room for strangers before ours.
	pairBacklog = 16
)

var errPairTimeout = errors.New("loopback connection was not established in time")

func loopbackPair(family, typ, proto int) (a, b FD, err error) {
	known := family == AF_UNIX || family == AF_INET || family == AF_UNSPEC
	if !known || typ != SOCK_STREAM || proto != 0 && proto != IPPROTO_TCP {
		return Invalid, Invalid, errors.ErrUnsupported
	}
	listener, err := loopbackSocket()
	if err != nil {
		return Invalid, Invalid, err
	}
	defer Close(listener)
	if err := Listen(listener, pairBacklog); err != nil {
		return Invalid, Invalid, err
	}
	a, err = loopbackSocket()
	if err != nil {
		return Invalid, Invalid, err
	}
	if b, err = connectPair(listener, a, time.Now().Add(pairTimeout)); err != nil {
		Close(a)
		return Invalid, Invalid, err
	}
	return a, b, nil
}

// loopbackSocket makes a TCP socket with an exclusive port on 127.0.0.1.
func loopbackSocket() (FD, error) {
	fd, err := Socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)
	if err != nil {
		return Invalid, err
	}
	var local Sockaddr
	local.setInet4(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 0)
	err = SetsockoptInt(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)
	if err == nil {
		err = Bind(fd, &local)
	}
	if err == nil {
		err = SetsockoptInt(fd, IPPROTO_TCP, TCP_NODELAY, 1) // a local socket does not hold back
	}
	if err != nil {
		Close(fd)
		return Invalid, err
	}
	return fd, nil
}

// connectPair connects a to the listener and returns the other end.
func connectPair(listener, a FD, deadline time.Time) (FD, error) {
	var to Sockaddr
	if err := Getsockname(listener, &to); err != nil {
		return Invalid, err
	}
	if err := Connect(a, &to); err != nil && err != WouldBlock {
		return Invalid, err
	}
	for {
		if err := waitPair(listener, pollRdNorm, deadline); err != nil {
			return Invalid, err
		}
		b, err := Accept(listener, nil)
		if err == WouldBlock || AcceptTransient(err) {
			continue
		}
		if err != nil {
			return Invalid, err
		}
		if mirrored(a, b) {
			return b, finishPair(a, b, deadline)
		}
		Close(b) // a stranger's
	}
}

// finishPair waits until a knows that it is connected.
func finishPair(a, b FD, deadline time.Time) error {
	err := waitPair(a, pollWrNorm, deadline)
	if err == nil {
		err = FinishConnect(a)
	}
	if err == nil && !mirrored(b, a) {
		err = ECONNABORTED
	}
	if err == nil {
		err = SetsockoptInt(b, IPPROTO_TCP, TCP_NODELAY, 1)
	}
	if err != nil {
		Close(b)
	}
	return err
}

// mirrored says whether b's peer has the name of a.
func mirrored(a, b FD) bool {
	var own, peer Sockaddr
	if Getsockname(a, &own) != nil || Getpeername(b, &peer) != nil {
		return false
	}
	return own.AddrPort().IsValid() && own.AddrPort() == peer.AddrPort()
}

// The events of WSAPoll, winsock2.h.
const (
	pollRdNorm = 0x100
	pollWrNorm = 0x010
)

// waitPair waits until fd is ready or the deadline has passed. It asks anew at
// least every 100 ms, since old systems' WSAPoll overlooks failed connects.
func waitPair(fd FD, events int16, deadline time.Time) error {
	entry := struct {
		fd              uintptr
		events, revents int16
	}{uintptr(fd), events, 0}
	for time.Now().Before(deadline) {
		r, _, e := syscall.SyscallN(procWSAPoll.Addr(), uintptr(unsafe.Pointer(&entry)), 1, 100)
		if failed(r) {
			return failure(e)
		}
		if r != 0 {
			return nil
		}
	}
	return errPairTimeout
}
