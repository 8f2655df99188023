package sys_test

import (
	"os"
	"testing"
	"time"

	"github.com/lion-go/lion/sys"
)

// The conformance suite of pollers. It knows only the contract in the
// documentation of the package, so it assumes neither changes nor states,
// permits spurious and merged events, and tries before it waits.

// pollers are the kinds there are on this system; files of a system add more.
var pollers = map[string]func() (*sys.Poller, error){"default": sys.NewPoller}

// eachPoller runs a test with each kind.
func eachPoller(t *testing.T, test func(t *testing.T, p *sys.Poller)) {
	t.Helper()
	for kind, make := range pollers {
		t.Run(kind, func(t *testing.T) {
			noLeaks(t)
			p, err := make()
			must(t, err)
			t.Cleanup(func() { must(t, p.Close()) })
			test(t, p)
		})
	}
}

// arm registers fd and forgets it before it is closed.
func arm(t *testing.T, p *sys.Poller, fd sys.FD, key uint64, want sys.Interest) {
	t.Helper()
	must(t, p.Arm(fd, key, want))
	t.Cleanup(func() { p.Forget(fd, key) })
}

// expect waits until all of want has been reported for key, in one event or
// several, and returns everything reported for it.
func expect(t *testing.T, p *sys.Poller, key uint64, want sys.Interest) sys.Interest {
	t.Helper()
	return expectWhile(t, p, key, want, patience, func() {})
}

// expectDrained is expect while the peer takes what comes: TCP may have more
// under way than fits at the peer, and a socket counts as writable only once
// much of its buffer is free.
func expectDrained(
	t *testing.T, p *sys.Poller, key uint64, want sys.Interest, peer sys.FD,
) sys.Interest {
	t.Helper()
	return expectWhile(t, p, key, want, time.Millisecond, func() { drain(t, peer) })
}

// expectWhile is expect, and calls again before each wait, for at most pause.
func expectWhile(
	t *testing.T, p *sys.Poller, key uint64, want sys.Interest, pause time.Duration, again func(),
) (ready sys.Interest) {
	t.Helper()
	for deadline := time.Now().Add(patience); ready&want != want; {
		again()
		var ev [8]sys.Event
		n, err := p.Wait(ev[:], pause)
		must(t, err)
		for _, e := range ev[:n] {
			if e.Key == key {
				ready |= e.Ready
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("key %#x: %08b was reported, %08b is wanted", key, ready, want)
		}
	}
	return ready
}

// unexpected makes sure that key is not reported. A sentinel tells when all
// events before it must have come.
func unexpected(t *testing.T, p *sys.Poller, key uint64) {
	t.Helper()
	const sentinel = 1<<63 | 1
	a, b := pair(t)
	wouldBlock(t, a)
	must(t, p.Arm(a, sentinel, sys.Readable))
	defer p.Forget(a, sentinel)
	send(t, b, []byte("x"), 0)
	var seen sys.Interest
	for deadline := time.Now().Add(patience); seen&sys.Readable == 0; {
		var ev [8]sys.Event
		n, err := p.Wait(ev[:], patience)
		must(t, err)
		for _, e := range ev[:n] {
			switch e.Key {
			case key:
				t.Errorf("key %#x was reported: %08b", key, e.Ready)
			case sentinel:
				seen |= e.Ready
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the sentinel was not reported")
		}
	}
}

func wouldBlock(t *testing.T, fd sys.FD) {
	t.Helper()
	if _, err := sys.Recv(fd, make([]byte, 1), 0); err != sys.WouldBlock {
		t.Fatalf("receiving nothing: %v, want WouldBlock", err)
	}
}

const testKey = 0xfedcba9876543210 // all 64 bits matter

func TestPollerReadable(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		a, b := pair(t)
		for range 3 { // and again with the same key
			wouldBlock(t, a)
			arm(t, p, a, testKey, sys.Readable)
			send(t, b, []byte("x"), 0)
			expect(t, p, testKey, sys.Readable)
			recvFull(t, a, make([]byte, 1))
		}
	})
}

func TestPollerWritable(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		a, b := pair(t)
		for range 2 {
			fill(t, a)
			arm(t, p, a, testKey, sys.Writable)
			for { // TCP may have data under way
				drain(t, b)
				if _, err := sys.Send(a, []byte("x"), 0); err == nil {
					break
				}
				expectDrained(t, p, testKey, sys.Writable, b)
				must(t, p.Arm(a, testKey, sys.Writable))
			}
		}
	})
}

// Both directions in one Arm, and in two: neither replaces the other.
func TestPollerBoth(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, once := range []sys.Interest{0, sys.Once} {
			a, b := pair(t)
			fill(t, a)
			wouldBlock(t, a)
			arm(t, p, a, testKey, sys.Readable|sys.Writable|once)
			send(t, b, []byte("x"), 0)
			expectDrained(t, p, testKey, sys.Readable|sys.Writable, b)

			for _, second := range []sys.Interest{sys.Writable, sys.Readable} {
				drain(t, a)
				fill(t, a)
				first := sys.Readable | sys.Writable ^ second
				must(t, p.Arm(a, testKey, first|once))
				must(t, p.Arm(a, testKey, second|once))
				send(t, b, []byte("x"), 0)
				ready := expect(t, p, testKey, sys.Readable)
				if ready&sys.Writable == 0 {
					expectDrained(t, p, testKey, sys.Writable, b)
				}
			}
		}
	})
}

// A connection that waits, and one that was made, make the listener readable
// and the client writable.
func TestPollerConnect(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		l, name := listener(t)
		if _, err := sys.Accept(l, nil); err != sys.WouldBlock {
			t.Fatalf("accepting nothing: %v", err)
		}
		arm(t, p, l, 1, sys.Readable)
		client := socket(t, sys.AF_INET, sys.SOCK_STREAM)
		if err := sys.Connect(client, name); err != nil {
			if err != sys.WouldBlock {
				t.Fatal(err)
			}
			arm(t, p, client, 2, sys.Writable)
			var ready sys.Interest
			for err = sys.WouldBlock; err == sys.WouldBlock; err = sys.FinishConnect(client) {
				if ready != 0 {
					must(t, p.Arm(client, 2, sys.Writable))
				}
				ready |= expect(t, p, 2, sys.Writable)
			}
			must(t, err)
		}
		must(t, p.Arm(l, 1, sys.Readable))
		var server sys.FD
		must(t, retry(t, l, sys.Readable, func() (err error) {
			server, err = sys.Accept(l, nil)
			return err
		}))
		owned(t, server, nil)
	})
}

func TestPollerConnectRefused(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		_, name := bound(t, sys.SOCK_STREAM)
		client := socket(t, sys.AF_INET, sys.SOCK_STREAM)
		err := sys.Connect(client, name)
		for err == sys.WouldBlock {
			arm(t, p, client, testKey, sys.Writable)
			expect(t, p, testKey, sys.Writable)
			err = sys.FinishConnect(client)
		}
		if err != sys.ECONNREFUSED {
			t.Errorf("connecting to nobody: %v", err)
		}
	})
}

// The end of the peer is Readable and Unusual.
func TestPollerHangUp(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, connected := range []func(testing.TB) (sys.FD, sys.FD){tcpPair, unownedPair} {
			a, b := connected(t)
			owned(t, a, nil)
			wouldBlock(t, a)
			arm(t, p, a, testKey, sys.Readable)
			must(t, sys.Close(b))
			expect(t, p, testKey, sys.Readable|sys.Unusual)
		}
	})
}

func unownedPair(t testing.TB) (a, b sys.FD) {
	a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	must(t, err)
	return a, b
}

// An error wakes whoever waits, whatever for.
func TestPollerReset(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, want := range []sys.Interest{sys.Readable, sys.Writable, sys.Readable | sys.Once,
			sys.Writable | sys.Once} {
			a, b := tcpPair(t)
			owned(t, a, nil)
			wouldBlock(t, a)
			fill(t, a)
			arm(t, p, a, testKey, want)
			must(t, sys.SetLinger(b, true, 0))
			must(t, sys.Close(b))
			expect(t, p, testKey, want&^sys.Once|sys.Unusual)
			_, err := sys.Recv(a, make([]byte, 1), 0)
			if resets && (err == nil || err == sys.WouldBlock) {
				t.Errorf("%08b: after a reset: %v", want, err)
			}
		}
	})
}

// Data and the end together: the end shows as Unusual, so that a short read is
// not taken for an empty socket.
func TestPollerHalfClose(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		a, b := ownedTCPPair(t)
		wouldBlock(t, a)
		arm(t, p, a, testKey, sys.Readable)
		send(t, b, []byte("last"), 0)
		must(t, sys.Shutdown(b, sys.SHUT_WR))
		ready := expect(t, p, testKey, sys.Readable)
		room := make([]byte, 8)
		if n := recv(t, a, room, 0); n != 4 {
			t.Errorf("received %q", room[:n])
		}
		for {
			n, err := sys.Recv(a, room, 0)
			if n == 0 && err == nil {
				break
			}
			if err != sys.WouldBlock { // it took a while to come
				t.Fatalf("at the end: %d, %v", n, err)
			}
			must(t, p.Arm(a, testKey, sys.Readable))
			ready = expect(t, p, testKey, sys.Readable)
		}
		if ready&sys.Unusual == 0 {
			// The end had not come when the data were reported: it is news.
			must(t, p.Arm(a, testKey, sys.Readable))
			expect(t, p, testKey, sys.Readable|sys.Unusual)
		}
		send(t, a, []byte("still open"), 0)
	})
}

// Out-of-band data are Unusual, because a read stops short at their mark.
func TestPollerOutOfBand(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		a, b := ownedTCPPair(t)
		wouldBlock(t, a)
		arm(t, p, a, testKey, sys.Readable|sys.Priority)
		send(t, b, []byte("!"), sys.MSG_OOB)
		expect(t, p, testKey, sys.Priority|sys.Unusual)
		var mark [1]byte
		if n, err := sys.Recv(a, mark[:], sys.MSG_OOB); n != 1 || err != nil || mark[0] != '!' {
			t.Errorf("out of band came %q, %v", mark[:n], err)
		}
	})
}

func TestPollerForget(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, once := range []sys.Interest{0, sys.Once} {
			a, b := pair(t)
			p.Forget(a, testKey) // never registered
			p.Forget(sys.Invalid, testKey)
			wouldBlock(t, a)
			must(t, p.Arm(a, testKey, sys.Readable|once))
			p.Forget(a, testKey)
			send(t, b, []byte("x"), 0)
			unexpected(t, p, testKey)
			p.Forget(a, testKey) // no longer registered
			// What is ready already, and then forgotten.
			drain(t, a)
			must(t, p.Arm(a, testKey, sys.Readable|once))
			send(t, b, []byte("x"), 0)
			p.Forget(a, testKey)
			unexpected(t, p, testKey)
			if n := p.Statistics().Registered; n != 0 {
				t.Errorf("%d descriptors are registered", n)
			}
		}
	})
}

// A number that is used again has another key, and the old one is not heard of
// any more; the same for a descriptor that changes its key.
func TestPollerReuse(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		const rounds = 20
		var last sys.FD
		reused := 0
		for key := range uint64(rounds) {
			a, b := unownedPair(t)
			if a == last {
				reused++
			}
			last = a
			wouldBlock(t, a)
			must(t, p.Arm(a, key, sys.Readable))
			send(t, b, []byte("x"), 0)
			var ev [4]sys.Event
			for n := 0; n == 0; {
				var err error
				n, err = p.Wait(ev[:], patience)
				must(t, err)
				for _, e := range ev[:n] {
					if e.Key != key {
						t.Fatalf("key %d was reported in round %d", e.Key, key)
					}
				}
			}
			p.Forget(a, key)
			must(t, sys.Close(a))
			must(t, sys.Close(b))
		}
		t.Logf("%d of %d numbers were used again", reused, rounds)

		a, b := pair(t)
		wouldBlock(t, a)
		arm(t, p, a, 1000, sys.Readable)
		must(t, p.Arm(a, 1001, sys.Readable))
		send(t, b, []byte("x"), 0)
		expect(t, p, 1001, sys.Readable)
		unexpected(t, p, 1000)
	})
}

// More events than fit are left for later calls; none is lost.
func TestPollerManyEvents(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		const count = 20
		missing := map[uint64]bool{}
		for key := range uint64(count) {
			a, b := pair(t)
			wouldBlock(t, a)
			arm(t, p, a, key, sys.Readable)
			send(t, b, []byte("x"), 0)
			missing[key] = true
		}
		deadline := time.Now().Add(patience)
		for len(missing) > 0 && time.Now().Before(deadline) {
			var ev [3]sys.Event
			n, err := p.Wait(ev[:], patience)
			must(t, err)
			for _, e := range ev[:n] {
				if e.Ready&sys.Readable != 0 {
					delete(missing, e.Key)
				}
			}
		}
		if len(missing) > 0 {
			t.Errorf("never reported: %v", sortedKeys(missing))
		}
		if s := p.Statistics(); s.Registered != count || s.Events < count {
			t.Errorf("statistics: %+v", s)
		}
	})
}

// A foreign descriptor is armed again for each wait, and reports what was
// there before, which nobody has tried to take.
func TestPollerOnce(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		r, w, err := sys.Pipe()
		if err != nil { // this system's pollers know sockets only
			r, w = unownedPair(t)
		}
		owned(t, r, nil)
		send := func() {
			if n, err := sys.Write(w, []byte("x")); err == nil && n == 1 {
				return
			}
			send(t, w, []byte("x"), 0)
		}
		arm(t, p, r, testKey, sys.Readable|sys.Once)
		send()
		expect(t, p, testKey, sys.Readable)
		unexpected(t, p, testKey) // it was for one report
		for range 3 {
			must(t, p.Arm(r, testKey, sys.Readable|sys.Once))
			expect(t, p, testKey, sys.Readable)
		}
		must(t, sys.Close(w))
		must(t, p.Arm(r, testKey, sys.Readable|sys.Once))
		expect(t, p, testKey, sys.Readable)
	})
}

func TestPollerBadArguments(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		a, _ := pair(t)
		for _, want := range []sys.Interest{
			0, sys.Once, sys.Unusual, sys.Readable | sys.Unusual, sys.Writable | sys.Unusual | sys.Once,
		} {
			if err := p.Arm(a, testKey, want); err != sys.EINVAL {
				t.Errorf("interest %08b: %v, want EINVAL", want, err)
				p.Forget(a, testKey)
			}
		}
		for _, fd := range []sys.FD{sys.Invalid, -12345, 1<<31 - 1} {
			if err := p.Arm(fd, testKey, sys.Readable); err == nil {
				t.Errorf("descriptor %d was registered", fd)
			}
		}
		if _, err := p.Wait(nil, 0); err != sys.EINVAL {
			t.Errorf("a wait without room for events: %v, want EINVAL", err)
		}
		if n := p.Statistics().Registered; n != 0 {
			t.Errorf("%d descriptors are registered", n)
		}
	})
}

// A closed poller says so, and does nothing else: its descriptor may be
// somebody else's by now.
func TestPollerClosed(t *testing.T) {
	for kind, make := range pollers {
		t.Run(kind, func(t *testing.T) {
			noLeaks(t)
			p, err := make()
			must(t, err)
			a, _ := pair(t)
			must(t, p.Arm(a, testKey, sys.Readable))
			must(t, p.Close())
			other, err := make()
			must(t, err)
			defer func() { must(t, other.Close()) }()
			var ev [1]sys.Event
			_, waited := p.Wait(ev[:], 0)
			for call, err := range map[string]error{
				"Wait": waited, "Close": p.Close(),
				"Arm": p.Arm(a, testKey, sys.Readable), "Arm once": p.Arm(a, testKey, sys.Readable|sys.Once),
			} {
				if err != os.ErrClosed {
					t.Errorf("%s: %v, want os.ErrClosed", call, err)
				}
			}
			p.Forget(a, testKey)
			p.Wake()
		})
	}
}
