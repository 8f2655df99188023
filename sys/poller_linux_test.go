//go:build !kqemu

package sys_test

import (
	"bytes"
	"os"
	"testing"
	_ "unsafe" // for linkname

	"github.com/lion-go/lion/sys"
	"github.com/lion-go/lion/sys/faults"
)

// newPoller is the constructor of sys/linux. Without watchable the runtime
// refuses the epoll descriptor, as some system might do.
//
//go:linkname newPoller github.com/lion-go/lion/sys/linux.newPoller
func newPoller(watchable bool) (*sys.Poller, error)

func init() {
	if faults.Enabled {
		return // the poller of that build is another type, around this one
	}
	pollers["blocking"] = func() (*sys.Poller, error) { return newPoller(false) }
}

// The suite runs in the two modes that it is meant to run in.
func TestPollerModes(t *testing.T) {
	if faults.Enabled {
		t.Skip("with the tag faults there is one mode, see above")
	}
	modes := map[string]string{}
	for kind, make := range pollers {
		p, err := make()
		must(t, err)
		modes[kind] = p.Mode()
		must(t, p.Close())
	}
	if len(modes) != 2 || modes["default"] == modes["blocking"] {
		t.Errorf("modes: %v", modes)
	}
}

// epoll refuses regular files, which are always ready.
func TestPollerRegularFile(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		f, err := os.Open("/proc/self/exe")
		must(t, err)
		defer f.Close()
		fd := sys.FD(f.Fd())
		for _, want := range []sys.Interest{sys.Readable, sys.Readable | sys.Once} {
			if err := p.Arm(fd, 1, want); err != sys.EPERM {
				t.Errorf("a regular file: %v, want EPERM", err)
			}
		}
	})
}

// A descriptor that was closed without Forget: its number is registered in our
// books, not in the kernel's. A duplicate keeps it in the kernel's alone.
func TestPollerHealsRegistrations(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		a, b := unownedPair(t)
		must(t, p.Arm(a, 1, sys.Readable))
		must(t, sys.Close(a))
		must(t, sys.Close(b))
		a, b = pair(t)
		wouldBlock(t, a)
		arm(t, p, a, 2, sys.Readable)
		send(t, b, []byte("x"), 0)
		expect(t, p, 2, sys.Readable)
		unexpected(t, p, 1)

		c, d := unownedPair(t)
		must(t, p.Arm(c, 3, sys.Readable))
		copied, err := sys.Dup(c)
		owned(t, copied, err)
		owned(t, d, nil)
		must(t, sys.Close(c))
		p.Forget(c, 3) // too late: EPOLL_CTL_DEL answers EBADF
		send(t, d, []byte("x"), 0)
		unexpected(t, p, 3)
	})
}

// The error queue counts as readable and writable, and shows as what it is.
func TestPollerErrorQueue(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		const soTimestamping, txSoftware, software = 37, 1 << 1, 1 << 4
		a, _ := bound(t, sys.SOCK_DGRAM)
		_, name := bound(t, sys.SOCK_DGRAM)
		must(t, sys.Connect(a, name))
		must(t, sys.SetsockoptInt(a, sys.SOL_SOCKET, soTimestamping, txSoftware|software))
		for _, once := range []sys.Interest{0, sys.Once} {
			arm(t, p, a, testKey, sys.ErrorQueue|once)
			send(t, a, []byte("stamped"), 0)
			expect(t, p, testKey, sys.ErrorQueue|sys.Readable|sys.Writable|sys.Unusual)
			m := sys.Msg{Buffers: [][]byte{make([]byte, 256)}, Control: make([]byte, 256)}
			n, err := sys.RecvMsg(a, &m, sys.MSG_ERRQUEUE)
			must(t, err)
			if m.Flags&sys.MSG_ERRQUEUE == 0 || len(m.Control) == 0 ||
				!bytes.Contains(m.Buffers[0][:n], []byte("stamped")) {
				t.Errorf("the error queue had %q, flags %#x", m.Buffers[0][:n], m.Flags)
			}
		}
	})
}

// No call of the fast paths asks the kernel to change a registration.
func TestPollerControls(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		a, b := pair(t)
		for i := range 100 {
			arm(t, p, a, testKey, []sys.Interest{sys.Readable, sys.Writable}[i%2])
			send(t, b, []byte("x"), 0)
			expect(t, p, testKey, sys.Readable)
			drain(t, a)
		}
		if n := p.Statistics().Controls; n != 1 {
			t.Errorf("%d changes of registrations for one descriptor", n)
		}
	})
}
