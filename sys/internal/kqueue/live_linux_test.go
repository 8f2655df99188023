package kqueue_test

import (
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqemu"
	"github.com/lion-go/lion/sys/internal/kqueue"
	"github.com/lion-go/lion/sys/internal/seam"
)

// These tests run the poller over the emulation of kqueue.

func newLive(t *testing.T) *kqueue.Poller {
	t.Helper()
	kernel, err := kqemu.New()
	check(t, err)
	p, err := kqueue.NewPoller(kernel)
	check(t, err)
	t.Cleanup(func() { check(t, p.Close()) })
	return p
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair makes two connected nonblocking sockets, which the caller closes.
func pair(t *testing.T) (a, b seam.FD) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	check(t, err)
	return seam.FD(fds[0]), seam.FD(fds[1])
}

func closeAll(t *testing.T, fds ...seam.FD) {
	t.Helper()
	for _, fd := range fds {
		check(t, unix.Close(int(fd)))
	}
}

func send(t *testing.T, fd seam.FD, s string) {
	t.Helper()
	if n, err := unix.Write(int(fd), []byte(s)); n != len(s) || err != nil {
		t.Fatal("write:", n, err)
	}
}

// drain reads until the kernel has nothing more.
func drain(t *testing.T, fd seam.FD) {
	t.Helper()
	var buf [4096]byte
	for {
		if n, err := unix.Read(int(fd), buf[:]); n == 0 || err == unix.EAGAIN {
			return
		} else if err != nil {
			t.Fatal("read:", err)
		}
	}
}

// fill writes until the kernel takes no more.
func fill(t *testing.T, fd seam.FD) {
	t.Helper()
	var buf [4096]byte
	for {
		if _, err := unix.Write(int(fd), buf[:]); err == unix.EAGAIN {
			return
		} else if err != nil {
			t.Fatal("write:", err)
		}
	}
}

const patience = 10 * time.Second

func TestLiveReadAndWrite(t *testing.T) {
	p := newLive(t)
	a, b := pair(t)
	defer closeAll(t, a, b)
	defer p.Forget(a, 1)
	arm(t, p, a, 1, seam.Readable)
	wantEvents(t, wait(t, p, 0), ready{})
	for range 3 {
		send(t, b, "x")
		wantEvents(t, wait(t, p, patience), ready{1: seam.Readable})
		drain(t, a)
		arm(t, p, a, 1, seam.Readable)
	}
	for range 3 {
		fill(t, a)
		arm(t, p, a, 1, seam.Writable)
		wantEvents(t, wait(t, p, 0), ready{})
		drain(t, b)
		wantEvents(t, wait(t, p, patience), ready{1: seam.Writable})
	}
	// Nobody waits for space now, so its coming and going is no event.
	fill(t, a)
	drain(t, b)
	wantEvents(t, wait(t, p, 0), ready{})
}

func TestLiveReadinessBeforeArm(t *testing.T) {
	p := newLive(t)
	a, b := pair(t)
	defer closeAll(t, a, b)
	send(t, b, "x")
	arm(t, p, a, 1, seam.Readable|seam.Writable)
	wantEvents(t, wait(t, p, patience), ready{1: seam.Readable | seam.Writable})
	p.Forget(a, 1)
}

func TestLiveHangUpIsReadableAndWritable(t *testing.T) {
	p := newLive(t)
	a, b := pair(t)
	defer closeAll(t, a)
	fill(t, a)
	arm(t, p, a, 1, seam.Writable)
	arm(t, p, a, 1, seam.Readable)
	wantEvents(t, wait(t, p, 0), ready{})
	closeAll(t, b)
	got := wait(t, p, patience)[1]
	if need := seam.Readable | seam.Writable | seam.Unusual; got&need != need {
		t.Errorf("hang-up was reported as %b", got)
	}
	p.Forget(a, 1)
}

func TestLiveTwoOnceWaits(t *testing.T) {
	p := newLive(t)
	a, b := pair(t)
	defer closeAll(t, a, b)
	fill(t, a)
	arm(t, p, a, 1, seam.Readable|seam.Once)
	arm(t, p, a, 1, seam.Writable|seam.Once)
	wantEvents(t, wait(t, p, 0), ready{})
	send(t, b, "x")
	wantEvents(t, wait(t, p, patience), ready{1: seam.Readable})
	wantEvents(t, wait(t, p, 0), ready{}) // It fired once, though x is there.
	drain(t, b)
	wantEvents(t, wait(t, p, patience), ready{1: seam.Writable})
	arm(t, p, a, 1, seam.Readable|seam.Once) // It is level-triggered.
	wantEvents(t, wait(t, p, patience), ready{1: seam.Readable})
	p.Forget(a, 1)
}

func TestLiveForeignDescriptorIsMadeAnew(t *testing.T) {
	p := newLive(t)
	a, b := pair(t)
	c, d := pair(t)
	defer closeAll(t, a, b, c, d)
	arm(t, p, a, 1, seam.Readable|seam.Once)
	wantEvents(t, wait(t, p, 0), ready{})
	check(t, unix.Dup3(int(c), int(a), unix.O_CLOEXEC)) // behind the poller's back
	arm(t, p, a, 1, seam.Readable|seam.Once)
	send(t, d, "x")
	wantEvents(t, wait(t, p, patience), ready{1: seam.Readable})
	p.Forget(a, 1)
}

func TestLiveOnceThenOwn(t *testing.T) {
	p := newLive(t)
	a, b := pair(t)
	defer closeAll(t, a, b)
	arm(t, p, a, 1, seam.Readable|seam.Once)
	wantEvents(t, wait(t, p, 0), ready{})
	p.Forget(a, 1) // and not closed: the one-shot knote is still there
	arm(t, p, a, 2, seam.Readable)
	for range 3 {
		send(t, b, "x")
		wantEvents(t, wait(t, p, patience), ready{2: seam.Readable})
		drain(t, a)
	}
	p.Forget(a, 2)
}

func TestLiveForgetWithoutClose(t *testing.T) {
	p := newLive(t)
	a, b := pair(t)
	defer closeAll(t, a, b)
	arm(t, p, a, 1, seam.Readable)
	wantEvents(t, wait(t, p, 0), ready{})
	p.Forget(a, 1)
	send(t, b, "x")
	wantEvents(t, wait(t, p, 0), ready{})
	wantEvents(t, wait(t, p, 0), ready{}) // submits the deletion
	controls := p.Statistics().Controls
	if controls != 2 {
		t.Errorf("%d changes, want one addition and one deletion", controls)
	}
	arm(t, p, a, 2, seam.Readable)
	wantEvents(t, wait(t, p, patience), ready{2: seam.Readable})
	p.Forget(a, 2)
}

func TestLiveReuseOfNumbers(t *testing.T) {
	p := newLive(t)
	for key := uint64(1); key < 200; key++ {
		a, b := pair(t)
		arm(t, p, a, key, seam.Readable|seam.Writable)
		if key%3 > 0 {
			send(t, b, "x")
		}
		if key%3 > 1 {
			wantEvents(t, wait(t, p, patience), ready{key: seam.Readable | seam.Writable})
		}
		if key%2 == 0 {
			p.Forget(a, key) // Else the poller only learns by the next key.
		}
		closeAll(t, a, b)
	}
	if s := p.Statistics(); s.Registered > 1 {
		t.Errorf("%d registered, all but the last are gone", s.Registered)
	}
}

func TestLiveRefusals(t *testing.T) {
	p := newLive(t)
	a, b := pair(t)
	closeAll(t, a, b)
	arm(t, p, a, 1, seam.Readable)
	wantEvents(t, wait(t, p, patience), ready{1: everything})
	p.Forget(a, 1)

	// The emulation refuses regular files as epoll does.
	f, err := os.Open("live_linux_test.go")
	check(t, err)
	defer f.Close()
	fd := seam.FD(f.Fd())
	arm(t, p, fd, 2, seam.Readable)
	wantEvents(t, wait(t, p, patience), ready{2: everything})
	if err := p.Arm(fd, 2, seam.Readable); !errors.Is(err, unix.EPERM) {
		t.Errorf("second Arm: %v, want EPERM", err)
	}
	p.Forget(fd, 2)
}

func TestLiveTimeoutIsNeverEarly(t *testing.T) {
	p := newLive(t)
	for _, d := range []time.Duration{1, time.Microsecond, 1500 * time.Microsecond, 5 * time.Millisecond} {
		start, waits := time.Now(), p.Statistics().Waits
		wantEvents(t, wait(t, p, d), ready{})
		if took := time.Since(start); took < d {
			t.Errorf("timeout %v after %v", d, took)
		}
		// A signal of the Go runtime may split a sleep, but not into many.
		if n := p.Statistics().Waits - waits; n > 10 {
			t.Errorf("%d calls for a timeout of %v", n, d)
		}
	}
}

// TestLiveWakeIsNeverLost lets threads post work and wake the poller, which
// sleeps without a limit whenever there is no work. A lost wake-up hangs it.
func TestLiveWakeIsNeverLost(t *testing.T) {
	const wakers, rounds = 4, 2000
	p := newLive(t)
	var posted atomic.Int64
	var wakerGroup sync.WaitGroup
	for range wakers {
		wakerGroup.Go(func() {
			for i := range rounds {
				posted.Add(1)
				p.Wake()
				if i%8 == 0 {
					runtime.Gosched() // Let the poller fall asleep now and then.
				}
			}
		})
	}
	var ev [1]seam.Event
	for seen := int64(0); seen < wakers*rounds; {
		if now := posted.Load(); now != seen {
			seen = now
			continue
		}
		n, err := p.Wait(ev[:], -1)
		if n != 0 || err != nil {
			t.Fatal(n, err)
		}
	}
	wakerGroup.Wait()
	if s := p.Statistics(); s.Wakes != wakers*rounds {
		t.Errorf("%d wakes, want %d", s.Wakes, wakers*rounds)
	}
}

// TestLivePingPong wakes a sleeping poller for each round, and waits for its
// answer before the next.
func TestLivePingPong(t *testing.T) {
	const rounds = 2000
	p := newLive(t)
	var ping atomic.Int64
	pong := make(chan int64)
	go func() {
		for i := range int64(rounds) {
			ping.Store(i + 1)
			p.Wake()
			if got := <-pong; got != i+1 {
				t.Errorf("round %d was answered with %d", i+1, got)
			}
		}
		close(pong)
	}()
	var ev [1]seam.Event
	for done := int64(0); done < rounds; {
		_, err := p.Wait(ev[:], -1)
		check(t, err)
		if now := ping.Load(); now != done {
			done = now
			pong <- done
		}
	}
	<-pong
}

func TestLiveWakeAgainstClose(t *testing.T) {
	for range 200 {
		kernel, err := kqemu.New()
		check(t, err)
		p, err := kqueue.NewPoller(kernel)
		check(t, err)
		var wakers sync.WaitGroup
		for range 2 {
			wakers.Go(func() {
				for range 20 {
					p.Wake()
				}
			})
		}
		var ev [1]seam.Event
		_, err = p.Wait(ev[:], -1)
		check(t, err)
		check(t, p.Close())
		wakers.Wait()
	}
}
