package windows

import (
	"net/netip"
	"os"
	"testing"
	"time"
)

// patience is how long tests wait for what must come. It is never waited out
// in a test that passes.
const patience = 20 * time.Second

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		ok(t, err)
		return v
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newPoller(t *testing.T) *Poller {
	t.Helper()
	p := must(NewPoller())(t)
	t.Cleanup(func() {
		if err := p.Close(); err != nil && err != os.ErrClosed { // some tests close it
			t.Error("closing the poller:", err)
		}
	})
	return p
}

func pair(t *testing.T) (a, b FD) {
	t.Helper()
	a, b, err := SocketPair(AF_UNIX, SOCK_STREAM, 0)
	ok(t, err)
	t.Cleanup(func() { Close(a); Close(b) })
	return a, b
}

var loopback = netip.MustParseAddr("127.0.0.1")

// bound makes a socket on a free port of loopback and returns its address.
func bound(t *testing.T, typ int) (FD, *Sockaddr) {
	t.Helper()
	fd := must(Socket(AF_INET, typ, 0))(t)
	t.Cleanup(func() { Close(fd) })
	var a Sockaddr
	ok(t, a.SetAddrPort(AF_INET, netip.AddrPortFrom(loopback, 0)))
	ok(t, Bind(fd, &a))
	ok(t, Getsockname(fd, &a))
	return fd, &a
}

// next waits for one event for key that has all of want, and returns it.
// Other events are spurious, which the contract allows.
func next(t *testing.T, p *Poller, key uint64, want Interest) Interest {
	t.Helper()
	var ev [8]Event
	for begin := time.Now(); time.Since(begin) < patience; {
		n := must(p.Wait(ev[:], patience))(t)
		for _, e := range ev[:n] {
			if e.Key == key && e.Ready&want == want {
				return e.Ready
			}
		}
	}
	t.Fatalf("no event %#x for key %d", want, key)
	return 0
}

// none looks, several times, and wants no event.
func none(t *testing.T, p *Poller) {
	t.Helper()
	var ev [8]Event
	for range 3 {
		if n := must(p.Wait(ev[:], 5*time.Millisecond))(t); n != 0 {
			t.Fatalf("unexpected events %v", ev[:n])
		}
	}
}

// until repeats call, waiting for want on fd, as long as it would block.
func until[T any](t *testing.T, p *Poller, fd FD, want Interest, call func() (T, error)) T {
	t.Helper()
	for {
		v, err := call()
		if err != WouldBlock {
			ok(t, err)
			return v
		}
		const key = 1 << 40
		ok(t, p.Arm(fd, key, want))
		next(t, p, key, want)
		p.Forget(fd, key)
	}
}

// reset closes a socket in a way that its peer notices as a reset.
func reset(t *testing.T, fd FD) {
	t.Helper()
	ok(t, SetLinger(fd, true, 0))
	ok(t, Close(fd))
}

// wine says whether the tests run under Wine, which differs from Windows in
// ways that .ci/wine/skip lists.
func wine() bool {
	return ntdll.NewProc("wine_get_version").Find() == nil
}
