package windows

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/windows"
)

func TestWakeIsSticky(t *testing.T) {
	p := newPoller(t)
	ev := make([]Event, 1)
	for range 3 {
		p.Wake()
	}
	if n := must(p.Wait(ev, -1))(t); n != 0 {
		t.Fatal(ev)
	}
	if n := p.Statistics().Wakes; n != 3 {
		t.Error(n, "wakes")
	}
	waits := p.Statistics().Waits
	none(t, p) // three calls were one wake-up
	if p.Statistics().Waits < waits+3 {
		t.Error("a wake-up was left over")
	}
}

// Every round sets a flag and wakes; the waiter must see each of them.
func TestWakeIsNeverLost(t *testing.T) {
	p := newPoller(t)
	const rounds, wakers = 300, 3
	var asked atomic.Int64
	var group sync.WaitGroup
	for range wakers {
		group.Go(func() {
			for range rounds {
				asked.Add(1)
				p.Wake()
				runtime.Gosched()
			}
		})
	}
	ev := make([]Event, 1)
	for asked.Load() < rounds*wakers {
		must(p.Wait(ev, -1))(t)
	}
	group.Wait()
}

func TestCloseAndWake(t *testing.T) {
	p := must(NewPoller())(t)
	_, b := pair(t)
	ok(t, p.Arm(b, 1, Readable))
	none(t, p)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 100 {
				p.Wake()
			}
		})
	}
	ok(t, p.Close())
	group.Wait()
	if _, found := alive.Load(p); found || p.underway != 0 {
		t.Error("a closed poller is kept,", p.underway, "polls under way")
	}
	p.Forget(b, 1)

	// The number of a closed port may belong to another one by now.
	other := newPoller(t)
	p.port = other.port
	p.wake.posted.Store(false)
	p.Wake()
	if n := must(dequeuePackets(other.port, other.packets[:], 0))(t); n != 0 {
		t.Error("a wake-up after Close reached another port")
	}
}

// handles counts the open handles of this process.
func handles(t *testing.T) (n uint32) {
	t.Helper()
	proc := kernel32.NewProc("GetProcessHandleCount")
	if r, _, err := proc.Call(uintptr(windows.CurrentProcess()), uintptr(ptr(&n))); r == 0 {
		t.Fatal(err)
	}
	return n
}

func TestNoHandleLeaks(t *testing.T) {
	life := func() {
		p := must(NewPoller())(t)
		for range 3 {
			a, b, err := SocketPair(AF_INET, SOCK_STREAM, 0)
			ok(t, err)
			ok(t, p.Arm(a, uint64(a), Readable))
			ok(t, p.Arm(b, uint64(b), Writable))
			next(t, p, uint64(b), Writable)
			c := must(Dup(a))(t)
			ok(t, Close(c))
			ok(t, Close(a))
			ok(t, Close(b))
		}
		ok(t, p.Close())
	}
	life()
	before := handles(t)
	const lives = 20
	for range lives {
		life()
	}
	// The Go runtime makes threads, with handles, when it likes.
	if after := handles(t); after > before+lives/2 {
		t.Error(before, "handles became", after)
	}
}
