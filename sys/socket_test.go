package sys_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/lion-go/lion/sys"
)

// Data arrive as they were sent, over each kind of connection, and the end of
// a stream is zero bytes without an error.
func TestStreamEcho(t *testing.T) {
	for name, connected := range map[string]func(testing.TB) (sys.FD, sys.FD){
		"tcp": ownedTCPPair, "pair": pair,
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			a, b := connected(t)
			if _, err := sys.Recv(a, make([]byte, 1), 0); err != sys.WouldBlock {
				t.Errorf("receiving nothing: %v, want WouldBlock", err)
			}
			send(t, a, []byte("there"), 0)
			got := make([]byte, 5)
			recvFull(t, b, got)
			send(t, b, append(got, " and back"...), 0)
			got = make([]byte, 14)
			recvFull(t, a, got)
			if string(got) != "there and back" {
				t.Errorf("got %q", got)
			}
			must(t, sys.Shutdown(a, sys.SHUT_WR))
			if n := recv(t, b, got, 0); n != 0 {
				t.Errorf("after the end: %d bytes", n)
			}
		})
	}
}

// More than the short path takes arrives whole, in order.
func TestBulk(t *testing.T) {
	noLeaks(t)
	a, b := ownedTCPPair(t)
	const total = 3 << 20
	data := make([]byte, total)
	for i := range data {
		data[i] = byte(i * 7 >> 3)
	}
	got := make([]byte, 0, total)
	room := make([]byte, 256<<10)
	rest := data
	for len(got) < total {
		n, err := sys.Send(a, rest[:min(len(rest), 300<<10)], 0)
		if err != nil && err != sys.WouldBlock {
			t.Fatal(err)
		}
		rest = rest[n:]
		n = recv(t, b, room, 0)
		got = append(got, room[:n]...)
	}
	if !bytes.Equal(got, data) {
		t.Error("the data arrived changed")
	}
}

// A send without room answers WouldBlock, having taken nothing, and goes on
// when there is room.
func TestSendWouldBlock(t *testing.T) {
	noLeaks(t)
	a, b := pair(t)
	sent := fill(t, a)
	received := drain(t, b)
	if received < sent {
		received += drain(t, b)
	}
	must(t, retry(t, a, sys.Writable, func() error {
		n, err := sys.Send(a, []byte{1}, 0)
		sent += n
		return err
	}))
	for received < sent {
		received += recv(t, b, make([]byte, 64<<10), 0)
	}
	if received != sent {
		t.Errorf("sent %d, received %d", sent, received)
	}
}

func TestPeek(t *testing.T) {
	noLeaks(t)
	a, b := ownedTCPPair(t)
	send(t, a, []byte("x"), 0)
	var got [4]byte
	for _, flags := range []int{sys.MSG_PEEK, 0} {
		if n := recv(t, b, got[:], flags); n != 1 || got[0] != 'x' {
			t.Errorf("flags %#x: %q", flags, got[:n])
		}
	}
}

// Sending to a peer that is gone is an error, not a signal, and soon.
func TestSendToClosedPeer(t *testing.T) {
	noLeaks(t)
	a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	must(t, err)
	owned(t, a, nil)
	must(t, sys.Close(b))
	err = retry(t, a, sys.Writable, func() error {
		if _, err := sys.Send(a, []byte("x"), 0); err != nil {
			return err
		}
		return sys.WouldBlock // TCP: the first one is answered by a reset
	})
	if err != sys.EPIPE && err != sys.ECONNRESET && err != sys.ECONNABORTED {
		t.Errorf("sending to a closed peer: %v", err)
	}
}

func TestAccept(t *testing.T) {
	noLeaks(t)
	l, name := listener(t)
	var from sys.Sockaddr
	if fd, err := sys.Accept(l, &from); err != sys.WouldBlock || fd != sys.Invalid {
		t.Fatalf("accepting nothing: %d, %v", fd, err)
	}
	if from.Family() != sys.AF_UNSPEC {
		t.Errorf("nobody has the name %v", from.AddrPort())
	}
	client := socket(t, sys.AF_INET, sys.SOCK_STREAM)
	connect(t, client, name)
	var server sys.FD
	must(t, retry(t, l, sys.Readable, func() (err error) {
		server, err = sys.Accept(l, &from)
		return err
	}))
	owned(t, server, nil)
	var own sys.Sockaddr
	must(t, sys.Getsockname(client, &own))
	if from.AddrPort() != own.AddrPort() || !from.AddrPort().IsValid() {
		t.Errorf("accepted from %v, connected from %v", from.AddrPort(), own.AddrPort())
	}
	must(t, sys.Getpeername(client, &from))
	if from.AddrPort() != name.AddrPort() {
		t.Errorf("the peer is %v, not %v", from.AddrPort(), name.AddrPort())
	}
	// The accepted socket is nonblocking, whatever the system inherits.
	if _, err := sys.Recv(server, make([]byte, 1), 0); err != sys.WouldBlock {
		t.Errorf("receiving nothing: %v, want WouldBlock", err)
	}
}

func TestConnectRefused(t *testing.T) {
	noLeaks(t)
	_, name := bound(t, sys.SOCK_STREAM) // bound, but nobody listens
	fd := socket(t, sys.AF_INET, sys.SOCK_STREAM)
	err := sys.Connect(fd, name)
	if err == sys.WouldBlock {
		err = retry(t, fd, sys.Writable, func() error { return sys.FinishConnect(fd) })
	}
	if err != sys.ECONNREFUSED {
		t.Errorf("connecting to nobody: %v, want ECONNREFUSED", err)
	}
	if err := sys.Getpeername(fd, name); err != sys.ENOTCONN {
		t.Errorf("the peer of nobody: %v, want ENOTCONN", err)
	}
}

func TestBindInUse(t *testing.T) {
	noLeaks(t)
	_, name := listener(t)
	fd := socket(t, sys.AF_INET, sys.SOCK_STREAM)
	err := sys.Bind(fd, name)
	if err == nil {
		err = sys.Listen(fd, 1)
	}
	if err != sys.EADDRINUSE {
		t.Errorf("the same address twice: %v, want EADDRINUSE", err)
	}
}

func TestListenBacklog(t *testing.T) {
	noLeaks(t)
	fd, _ := bound(t, sys.SOCK_STREAM)
	must(t, sys.Listen(fd, 1<<30))
	must(t, sys.Listen(fd, sys.SOMAXCONN))
}

// Both families over one socket, and names that come back mapped.
func TestDualStack(t *testing.T) {
	noLeaks(t)
	l, err := sys.Socket(sys.AF_INET6, sys.SOCK_STREAM, 0)
	if err == sys.EAFNOSUPPORT {
		t.Skip("this host has no IPv6")
	}
	owned(t, l, err)
	must(t, sys.SetsockoptInt(l, sys.IPPROTO_IPV6, sys.IPV6_V6ONLY, 0))
	must(t, sys.Bind(l, address(t, sys.AF_INET6, netip.MustParseAddrPort("[::]:0"))))
	must(t, sys.Listen(l, 1))
	var name sys.Sockaddr
	must(t, sys.Getsockname(l, &name))
	client := socket(t, sys.AF_INET, sys.SOCK_STREAM)
	connect(t, client, address(t, sys.AF_INET, netip.AddrPortFrom(loopback4, name.AddrPort().Port())))
	must(t, retry(t, l, sys.Readable, func() error {
		fd, err := sys.Accept(l, &name)
		if err == nil {
			owned(t, fd, nil)
		}
		return err
	}))
	if got := name.AddrPort().Addr(); !got.Is4In6() || got.Unmap() != loopback4 {
		t.Errorf("an IPv4 peer is named %v", got)
	}
}

// Errors of one connection and of exhausted resources are told apart, also
// when they are wrapped.
func TestErrorClasses(t *testing.T) {
	for _, c := range []struct {
		err                  error
		transient, exhausted bool
	}{
		{sys.ECONNABORTED, true, false},
		{fmt.Errorf("accept: %w", sys.EPROTO), true, false},
		{sys.EMFILE, false, true},
		{fmt.Errorf("accept: %w", sys.ENFILE), false, true},
		{sys.ENOBUFS, false, true},
		{sys.ENOMEM, false, true},
		{sys.EBADF, false, false},
		{sys.EINVAL, false, false},
		{sys.WouldBlock, false, false},
		{errors.New("other"), false, false},
		{nil, false, false},
	} {
		if got := sys.AcceptTransient(c.err); got != c.transient {
			t.Errorf("AcceptTransient(%v) = %v", c.err, got)
		}
		if got := sys.Exhausted(c.err); got != c.exhausted {
			t.Errorf("Exhausted(%v) = %v", c.err, got)
		}
	}
}

// What is no descriptor is an error everywhere, and nothing else happens.
func TestInvalidFD(t *testing.T) {
	noLeaks(t)
	var name sys.Sockaddr
	must(t, name.SetAddrPort(sys.AF_INET, netip.AddrPortFrom(loopback4, 1)))
	b := make([]byte, 1)
	for what, err := range map[string]error{
		"Close":         sys.Close(sys.Invalid),
		"SetNonblock":   sys.SetNonblock(sys.Invalid, true),
		"Nonblocking":   second(sys.Nonblocking(sys.Invalid)),
		"Bind":          sys.Bind(sys.Invalid, &name),
		"Listen":        sys.Listen(sys.Invalid, 1),
		"Connect":       sys.Connect(sys.Invalid, &name),
		"FinishConnect": sys.FinishConnect(sys.Invalid),
		"Shutdown":      sys.Shutdown(sys.Invalid, sys.SHUT_WR),
		"Getsockname":   sys.Getsockname(sys.Invalid, &name),
		"Getpeername":   sys.Getpeername(sys.Invalid, &name),
		"Recv":          second(sys.Recv(sys.Invalid, b, 0)),
		"Send":          second(sys.Send(sys.Invalid, b, 0)),
		"RecvMsg":       second(sys.RecvMsg(sys.Invalid, &sys.Msg{}, 0)),
		"SendMsg":       second(sys.SendMsg(sys.Invalid, &sys.Msg{}, 0)),
		"Accept":        second(sys.Accept(sys.Invalid, nil)),
		"Dup":           second(sys.Dup(sys.Invalid)),
		"Read":          second(sys.Read(sys.Invalid, b)),
		"Write":         second(sys.Write(sys.Invalid, b)),
		"SetLinger":     sys.SetLinger(sys.Invalid, true, 0),
	} {
		if err == nil || err == sys.WouldBlock {
			t.Errorf("%s of an invalid descriptor: %v", what, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// A duplicate leads to the same file and outlives the original.
func TestDup(t *testing.T) {
	noLeaks(t)
	a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	must(t, err)
	owned(t, b, nil)
	copied, err := sys.Dup(a)
	owned(t, copied, err)
	must(t, sys.Close(a))
	send(t, b, []byte("x"), 0)
	recvFull(t, copied, make([]byte, 1))
	if _, err := sys.Recv(copied, make([]byte, 1), 0); err != sys.WouldBlock {
		t.Errorf("receiving nothing: %v, want WouldBlock", err)
	}
}

func TestPipe(t *testing.T) {
	noLeaks(t)
	r, w, err := sys.Pipe()
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system has no pipes among its sockets")
	}
	must(t, err)
	owned(t, r, nil)
	b := make([]byte, 8)
	if n, err := sys.Read(r, b); err != sys.WouldBlock || n != 0 {
		t.Errorf("reading nothing: %d, %v", n, err)
	}
	if n, err := sys.Write(w, []byte("abc")); err != nil || n != 3 {
		t.Errorf("writing: %d, %v", n, err)
	}
	if n, err := sys.Read(r, b); err != nil || string(b[:n]) != "abc" {
		t.Errorf("reading: %q, %v", b[:n], err)
	}
	block := make([]byte, 64<<10)
	for total := 0; err == nil; total++ {
		if _, err = sys.Write(w, block); total > 1<<10 {
			t.Fatal("a pipe without an end")
		}
	}
	if err != sys.WouldBlock {
		t.Errorf("writing to a full pipe: %v", err)
	}
	must(t, sys.Close(w))
	for n := 1; n > 0; {
		n, err = sys.Read(r, block)
		must(t, err)
	}
	if n, err := sys.Read(r, b); n != 0 || err != nil {
		t.Errorf("at the end: %d, %v", n, err)
	}
}
