package sys_test

import (
	"maps"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/sys"
)

// patience bounds every wait of these tests for something that does happen.
const patience = 20 * time.Second

// resets tells whether closing with a linger time of 0 resets the connection
// here. It does wherever a real system answers.
var resets = true

var loopback4 = netip.MustParseAddr("127.0.0.1")

// must fails the test if err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noLeaks fails the test if it leaves descriptors open. It comes first, so
// that all other clean-ups have run before its own.
func noLeaks(t *testing.T) {
	t.Helper()
	before, err := sys.OpenFDs()
	if err != nil {
		return // this system cannot list them
	}
	t.Cleanup(func() {
		after, err := sys.OpenFDs()
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range after {
			if !slices.Contains(before, fd) {
				t.Errorf("descriptor %d was left open", fd)
			}
		}
	})
}

// owned closes fd at the end of the test.
func owned(t testing.TB, fd sys.FD, err error) sys.FD {
	t.Helper()
	must(t, err)
	t.Cleanup(func() {
		if err := sys.Close(fd); err != nil {
			t.Errorf("closing %d: %v", fd, err)
		}
	})
	return fd
}

func socket(t testing.TB, family, typ int) sys.FD {
	t.Helper()
	fd, err := sys.Socket(family, typ, 0)
	return owned(t, fd, err)
}

// pair makes two connected stream sockets.
func pair(t testing.TB) (a, b sys.FD) {
	t.Helper()
	a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	return owned(t, a, err), owned(t, b, err)
}

func address(t testing.TB, family int, ap netip.AddrPort) *sys.Sockaddr {
	t.Helper()
	var a sys.Sockaddr
	must(t, a.SetAddrPort(family, ap))
	return &a
}

// bound makes a socket with a name of the kernel's choice on the loopback.
func bound(t testing.TB, typ int) (sys.FD, *sys.Sockaddr) {
	t.Helper()
	fd := socket(t, sys.AF_INET, typ)
	must(t, sys.Bind(fd, address(t, sys.AF_INET, netip.AddrPortFrom(loopback4, 0))))
	var name sys.Sockaddr
	must(t, sys.Getsockname(fd, &name))
	return fd, &name
}

func listener(t testing.TB) (sys.FD, *sys.Sockaddr) {
	t.Helper()
	fd, name := bound(t, sys.SOCK_STREAM)
	must(t, sys.Listen(fd, 16))
	return fd, name
}

// tcpPair makes the two ends of a TCP connection; the caller closes them.
func tcpPair(t testing.TB) (client, server sys.FD) {
	t.Helper()
	l, name := listener(t)
	client, err := sys.Socket(sys.AF_INET, sys.SOCK_STREAM, 0)
	must(t, err)
	connect(t, client, name)
	must(t, retry(t, l, sys.Readable, func() error {
		server, err = sys.Accept(l, nil)
		return err
	}))
	return client, server
}

func ownedTCPPair(t testing.TB) (client, server sys.FD) {
	t.Helper()
	client, server = tcpPair(t)
	return owned(t, client, nil), owned(t, server, nil)
}

func connect(t testing.TB, fd sys.FD, name *sys.Sockaddr) {
	t.Helper()
	err := sys.Connect(fd, name)
	if err == sys.WouldBlock {
		err = retry(t, fd, sys.Writable, func() error { return sys.FinishConnect(fd) })
	}
	must(t, err)
}

// retry is the loop that all of lion turns in: try; if that would block, wait
// and try again. It has a poller of its own.
func retry(t testing.TB, fd sys.FD, want sys.Interest, try func() error) error {
	t.Helper()
	p, err := sys.NewPoller()
	must(t, err)
	defer func() { must(t, p.Close()) }()
	defer p.Forget(fd, 1)
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err != sys.WouldBlock {
			return err
		}
		must(t, p.Arm(fd, 1, want))
		var ev [4]sys.Event
		if _, err := p.Wait(ev[:], patience); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			t.Fatal("no readiness came")
		}
	}
}

func recv(t testing.TB, fd sys.FD, b []byte, flags int) int {
	t.Helper()
	var n int
	must(t, retry(t, fd, sys.Readable, func() (err error) {
		n, err = sys.Recv(fd, b, flags)
		return err
	}))
	return n
}

// send sends all of b, which must fit into the buffers of the socket.
func send(t testing.TB, fd sys.FD, b []byte, flags int) {
	t.Helper()
	n, err := sys.Send(fd, b, flags)
	must(t, err)
	if n != len(b) {
		t.Fatalf("sent %d bytes of %d", n, len(b))
	}
}

// recvFull receives exactly len(b) bytes of a stream.
func recvFull(t testing.TB, fd sys.FD, b []byte) {
	t.Helper()
	for len(b) > 0 {
		n := recv(t, fd, b, 0)
		if n == 0 {
			t.Fatalf("the stream ended %d bytes early", len(b))
		}
		b = b[n:]
	}
}

// fill sends until fd would block, and returns how much that was.
func fill(t testing.TB, fd sys.FD) int {
	t.Helper()
	block := make([]byte, 32<<10)
	for total := 0; ; {
		n, err := sys.Send(fd, block, 0)
		if err == sys.WouldBlock {
			return total
		}
		must(t, err)
		if total += n; total > 1<<30 {
			t.Fatal("a gigabyte was sent to nobody")
		}
	}
}

// drain receives until fd would block, and returns how much that was.
func drain(t testing.TB, fd sys.FD) int {
	t.Helper()
	block := make([]byte, 64<<10)
	for total := 0; ; {
		n, err := sys.Recv(fd, block, 0)
		if err == sys.WouldBlock || n == 0 && err == nil {
			return total
		}
		must(t, err)
		total += n
	}
}

// shortPath is a path for a unix socket, short enough for every system.
func shortPath(t testing.TB) string {
	t.Helper()
	directory, err := os.MkdirTemp("", "lion")
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(directory)) })
	return directory + "/s"
}

func sortedKeys[V any](m map[uint64]V) []uint64 { return slices.Sorted(maps.Keys(m)) }
