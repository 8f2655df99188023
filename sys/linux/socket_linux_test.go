package linux

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

func mustSocket(t *testing.T, family, typ int) FD {
	t.Helper()
	fd, err := Socket(family, typ, 0)
	return owned(t, fd, err)
}

func owned(t *testing.T, fd FD, err error) FD {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Close(fd); err != nil {
			t.Errorf("closing %d: %v", fd, err)
		}
	})
	return fd
}

func mustPair(t *testing.T, typ int) (a, b FD) {
	t.Helper()
	a, b, err := SocketPair(AF_UNIX, typ, 0)
	return owned(t, a, err), owned(t, b, err)
}

func loopbackListener(t *testing.T) (FD, *Sockaddr) {
	t.Helper()
	fd := mustSocket(t, AF_INET, SOCK_STREAM)
	var name Sockaddr
	if err := errors.Join(
		name.SetAddrPort(AF_INET, netip.MustParseAddrPort("127.0.0.1:0")),
		Bind(fd, &name), Listen(fd, 4), Getsockname(fd, &name)); err != nil {
		t.Fatal(err)
	}
	return fd, &name
}

// All descriptors are nonblocking and not inherited, however they are made.
func TestDescriptorFlags(t *testing.T) {
	made := map[string]FD{}
	made["Socket"] = mustSocket(t, AF_INET, SOCK_STREAM)
	made["SocketPair 1"], made["SocketPair 2"] = mustPair(t, SOCK_STREAM)
	r, w, err := Pipe()
	made["Pipe 1"], made["Pipe 2"] = owned(t, r, err), owned(t, w, err)
	copied, err := Dup(r)
	made["Dup"] = owned(t, copied, err)
	l, name := loopbackListener(t)
	if err := Connect(made["Socket"], name); err != nil && err != WouldBlock {
		t.Fatal(err)
	}
	server, err := Accept(l, nil)
	made["Accept"] = owned(t, server, err)
	for what, fd := range made {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s would be inherited: %#x, %v", what, flags, err)
		}
		flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("%s would block: %#x, %v", what, flags, err)
		}
	}
}

// A transfer does not wait, and so does not hold up the process, even if
// somebody made the descriptor blocking.
func TestNeverBlocks(t *testing.T) {
	a, _ := mustPair(t, SOCK_STREAM)
	if err := SetNonblock(a, false); err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{1, maxRaw, maxRaw + 1} {
		b := make([]byte, size)
		if _, err := Recv(a, b, 0); err != WouldBlock {
			t.Errorf("Recv of %d bytes: %v", size, err)
		}
		if _, err := RecvMsg(a, &Msg{Buffers: [][]byte{b}}, 0); err != WouldBlock {
			t.Errorf("RecvMsg of %d bytes: %v", size, err)
		}
	}
	block := make([]byte, 2*maxRaw)
	for err := error(nil); err == nil; {
		if _, err = Send(a, block, 0); err != nil && err != WouldBlock {
			t.Errorf("Send: %v", err)
		}
	}
	if _, err := Send(a, block[:1<<10], 0); err != WouldBlock {
		t.Errorf("Send: %v", err)
	}
	if _, err := SendMsg(a, &Msg{Buffers: [][]byte{block}}, 0); err != WouldBlock {
		t.Errorf("SendMsg: %v", err)
	}
}

// Messages of SOCK_SEQPACKET keep their bounds and end like streams.
func TestSeqpacket(t *testing.T) {
	a, err := Socket(AF_UNIX, SOCK_SEQPACKET, 0)
	if err == EPROTONOSUPPORT || err == ESOCKTNOSUPPORT {
		t.Skip("this kernel has no SOCK_SEQPACKET")
	}
	owned(t, a, err)
	a, b, err := SocketPair(AF_UNIX, SOCK_SEQPACKET, 0)
	owned(t, b, err)
	for _, text := range []string{"one", "three"} {
		if n, err := Send(a, []byte(text), 0); n != len(text) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := Close(a); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{3, 5, 0} {
		if n, err := Recv(b, make([]byte, 16), 0); n != want || err != nil {
			t.Errorf("received %d, %v, want %d", n, err, want)
		}
	}
}

// A full listener of a unix socket is an error, since no readiness follows.
func TestConnectUnixFull(t *testing.T) {
	var name Sockaddr
	if err := name.SetUnix(filepath.Join(t.TempDir(), "s")); err != nil {
		t.Fatal(err)
	}
	l := mustSocket(t, AF_UNIX, SOCK_STREAM)
	if err := errors.Join(Bind(l, &name), Listen(l, 0)); err != nil {
		t.Fatal(err)
	}
	var err error
	for range 3 {
		if err = Connect(mustSocket(t, AF_UNIX, SOCK_STREAM), &name); err != nil {
			break
		}
	}
	if err != syscall.EAGAIN {
		t.Errorf("connecting to a full listener: %v, want EAGAIN", err)
	}
	if err := Connect(mustSocket(t, AF_UNIX, SOCK_STREAM), &Sockaddr{}); err != EINVAL {
		t.Errorf("connecting to an unspecified address: %v, want EINVAL", err)
	}
}

// Neither connected nor failed is still under way.
func TestFinishConnectEarly(t *testing.T) {
	if err := FinishConnect(mustSocket(t, AF_INET, SOCK_STREAM)); err != WouldBlock {
		t.Errorf("a socket that was never connected: %v", err)
	}
	a, _ := mustPair(t, SOCK_STREAM)
	if err := FinishConnect(a); err != nil {
		t.Errorf("a connected socket: %v", err)
	}
	r, _, err := Pipe()
	if err := FinishConnect(owned(t, r, err)); err != ENOTSOCK {
		t.Errorf("a pipe: %v", err)
	}
}

func TestListenNegative(t *testing.T) {
	l, _ := loopbackListener(t)
	if err := Listen(l, -1); err != EINVAL {
		t.Errorf("a negative backlog: %v, want EINVAL", err)
	}
}

// Everything that accept(2) lists under "Error handling" is one connection's.
func TestAcceptTransientLinux(t *testing.T) {
	for _, e := range []Errno{
		ENETDOWN, EPROTO, ENOPROTOOPT, EHOSTDOWN, syscall.ENONET, EHOSTUNREACH, EOPNOTSUPP,
		ENETUNREACH, syscall.ENOSR, ESOCKTNOSUPPORT, EPROTONOSUPPORT, ETIMEDOUT, ECONNABORTED,
		EPERM, ECONNRESET,
	} {
		if !AcceptTransient(e) {
			t.Errorf("%v ends a listener", e)
		}
	}
	for _, e := range []Errno{syscall.EAGAIN, EBADF, EFAULT, EINVAL, ENOTSOCK, EMFILE, ENOMEM} {
		if AcceptTransient(e) {
			t.Errorf("%v is taken for one connection's", e)
		}
	}
}

// No descriptors left: the error says so, and a connection stays queued.
func TestAcceptExhausted(t *testing.T) {
	l, name := loopbackListener(t)
	if err := Connect(mustSocket(t, AF_INET, SOCK_STREAM), name); err != nil && err != WouldBlock {
		t.Fatal(err)
	}
	// The lowest free number must be beyond the limit.
	probe, err := Dup(l)
	if err != nil {
		t.Fatal(err)
	}
	if err := Close(probe); err != nil {
		t.Fatal(err)
	}
	old, err := SetMaxFiles(uint64(probe))
	if err != nil {
		t.Fatal(err)
	}
	_, err = Accept(l, nil)
	if _, back := SetMaxFiles(old); back != nil {
		t.Fatal(back)
	}
	if err != EMFILE || !Exhausted(err) {
		t.Errorf("accepting without descriptors: %v, want EMFILE", err)
	}
	server, err := Accept(l, nil)
	owned(t, server, err)
}

// A structure as an option: the kernel's form is ours to interpret.
func TestLingerStructure(t *testing.T) {
	fd := mustSocket(t, AF_INET, SOCK_STREAM)
	if err := SetLinger(fd, true, 7); err != nil {
		t.Fatal(err)
	}
	var value [16]byte
	n, err := Getsockopt(fd, SOL_SOCKET, SO_LINGER, value[:])
	linger := (*unix.Linger)(unsafe.Pointer(&value))
	if err != nil || n != int(unsafe.Sizeof(*linger)) || linger.Onoff != 1 || linger.Linger != 7 {
		t.Errorf("SO_LINGER is % x (%d bytes), %v", value, n, err)
	}
	if err := Setsockopt(fd, SOL_SOCKET, SO_LINGER, nil); err != EINVAL {
		t.Errorf("without a value: %v, want EINVAL", err)
	}
}

// A file that is not what the manual says is an error, not a number.
func TestResidentsMalformed(t *testing.T) {
	for _, text := range []string{"", "17\n", "17 many 3\n", "1 -2\n"} {
		path := filepath.Join(t.TempDir(), "statm")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n, err := residents(path); err == nil {
			t.Errorf("%q has %d bytes", text, n)
		}
	}
	if _, err := residents(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}
