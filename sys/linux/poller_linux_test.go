//go:build !kqemu

package linux

import (
	"math"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The conformance suite of pollers is in package sys and runs on both modes of
// this one. Here is what only the inside shows.

func mustPoller(t *testing.T, watchable bool) *Poller {
	t.Helper()
	p, err := newPoller(watchable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil && !p.closed {
			t.Error(err)
		}
	})
	return p
}

func eachMode(t *testing.T, test func(t *testing.T, p *Poller)) {
	t.Helper()
	for _, watchable := range []bool{true, false} {
		p := mustPoller(t, watchable)
		t.Run(p.Mode(), func(t *testing.T) { test(t, p) })
	}
}

func TestInterestsOf(t *testing.T) {
	for events, want := range map[uint32]Interest{
		0:                             0,
		unix.EPOLLIN:                  Readable,
		unix.EPOLLOUT:                 Writable,
		unix.EPOLLPRI:                 Priority | Unusual,
		unix.EPOLLRDHUP:               Readable | Unusual,
		unix.EPOLLIN | unix.EPOLLOUT:  Readable | Writable,
		unix.EPOLLHUP:                 Readable | Writable | Unusual,
		unix.EPOLLERR:                 Readable | Writable | ErrorQueue | Unusual,
		unix.EPOLLIN | unix.EPOLLHUP:  Readable | Writable | Unusual,
		unix.EPOLLOUT | unix.EPOLLERR: Readable | Writable | ErrorQueue | Unusual,
	} {
		if got := interestsOf(events); got != want {
			t.Errorf("%#x: %08b, want %08b", events, got, want)
		}
	}
}

func TestOnceEvents(t *testing.T) {
	const always = unix.EPOLLONESHOT
	for waiting, want := range map[Interest]uint32{
		Readable:                       always | unix.EPOLLIN | unix.EPOLLRDHUP,
		Writable:                       always | unix.EPOLLOUT,
		Priority:                       always | unix.EPOLLPRI,
		ErrorQueue:                     always, // EPOLLERR needs no asking
		Readable | Writable | Priority: always | unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLOUT | unix.EPOLLPRI,
	} {
		if got := onceEvents(waiting); got != want {
			t.Errorf("%08b: %#x, want %#x", waiting, got, want)
		}
	}
}

// An interest that can only be reported, or none, is refused.
func TestArmRefusals(t *testing.T) {
	eachMode(t, func(t *testing.T, p *Poller) {
		a, _ := mustPair(t, SOCK_STREAM)
		for _, want := range []Interest{0, Once, Unusual, Readable | Unusual, 1 << 7} {
			if err := p.Arm(a, 1, want); err != EINVAL {
				t.Errorf("%08b: %v, want EINVAL", want, err)
			}
		}
		for _, fd := range []FD{-1, math.MinInt32, math.MaxInt32} {
			if err := p.Arm(fd, 1, Readable); err != EBADF {
				t.Errorf("descriptor %d: %v, want EBADF", fd, err)
			}
		}
		// A number that cut to 32 bits is a descriptor is not one.
		if beyond := int64(a) + 1<<32; int64(FD(beyond)) == beyond {
			if err := p.Arm(FD(beyond), 1, Readable); err != EBADF {
				t.Errorf("descriptor %#x: %v, want EBADF", beyond, err)
			}
		}
		if len(p.entries) > 1<<10 {
			t.Errorf("a refusal left %d entries", len(p.entries))
		}
	})
}

// An event that was found for an earlier life of a number, or for none, is
// dropped.
func TestReportDropsOldEvents(t *testing.T) {
	eachMode(t, func(t *testing.T, p *Poller) {
		a, _ := mustPair(t, SOCK_STREAM)
		for key := range uint64(3) {
			if err := p.Arm(a, key, Readable); err != nil {
				t.Fatal(err)
			}
			if key < 2 {
				p.Forget(a, key)
			}
		}
		now := p.entries[a].generation
		for i, generation := range []uint32{now - 1, now, now + 1} {
			p.harvest[i] = unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(a), Pad: int32(generation)}
		}
		p.found = 3
		ev := make([]Event, 3)
		if n := p.report(ev); n != 1 || ev[0] != (Event{Key: 2, Ready: Readable}) {
			t.Errorf("reported %v", ev[:n])
		}
		p.Forget(a, 2)
		p.found = 3
		if n := p.report(ev); n != 0 {
			t.Errorf("reported after Forget: %v", ev[:n])
		}
	})
}

// The count of a number never takes the value that stands for the eventfd.
func TestGenerationWraps(t *testing.T) {
	eachMode(t, func(t *testing.T, p *Poller) {
		a, b := mustPair(t, SOCK_STREAM)
		if err := p.Arm(a, 1, Readable); err != nil {
			t.Fatal(err)
		}
		p.entries[a].generation = math.MaxUint32
		if err := p.Arm(a, 2, Readable); err != nil {
			t.Fatal(err)
		}
		if g := p.entries[a].generation; g != 1 {
			t.Errorf("after the largest count comes %d", g)
		}
		if _, err := Send(b, []byte("x"), 0); err != nil {
			t.Fatal(err)
		}
		var ev [1]Event
		if n, err := p.Wait(ev[:], -1); n != 1 || err != nil || ev[0].Key != 2 {
			t.Errorf("reported %v, %v", ev[:n], err)
		}
	})
}

// The rest of a one-shot registration that cannot be registered again counts
// as ready.
func TestRearmFails(t *testing.T) {
	eachMode(t, func(t *testing.T, p *Poller) {
		a, _, err := SocketPair(AF_UNIX, SOCK_STREAM, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Arm(a, 1, Readable|Writable|Once); err != nil {
			t.Fatal(err)
		}
		if err := Close(a); err != nil { // by its owner, without our knowledge
			t.Fatal(err)
		}
		e := &p.entries[a]
		if rest := p.rearm(a, e, Writable); rest != Readable || e.waiting != 0 {
			t.Errorf("%08b is ready, %08b is waited for", rest, e.waiting)
		}
	})
}

// A deadline is set only where the installed one would end the read too late,
// or may not be there.
func TestSetDeadline(t *testing.T) {
	p := mustPoller(t, true)
	const none, early, late = -1, time.Hour, 2 * time.Hour
	for i, step := range []struct {
		needed, want   time.Duration
		unknown, known bool // that the installed one is out of date; when the read ends
	}{
		{needed: none, want: none},
		{needed: late, want: late, known: true},
		{needed: late, want: late},
		{needed: early, want: early, known: true},
		{needed: late, want: early},
		{needed: early, want: early},
		{needed: early - time.Millisecond, want: early - time.Millisecond, known: true},
		{needed: none, want: early},
		{needed: none, want: none, unknown: true},
		{needed: early, want: early, known: true},
		{needed: late, want: late, unknown: true, known: true},
	} {
		p.unknown = step.unknown
		deadline, err := p.setDeadline(step.needed)
		if err != nil {
			t.Fatal(err)
		}
		off := time.Until(p.installed) - step.want
		if p.installed.IsZero() != (step.want == none) || step.want != none && off.Abs() > time.Minute {
			t.Errorf("step %d: installed %v, want %v", i, p.installed, step.want)
		}
		if p.unknown || deadline.IsZero() == step.known {
			t.Errorf("step %d: answered %v", i, deadline)
		}
	}
	// The same moment again, which is nearer by now.
	installed := p.installed
	for p.patience = late; time.Until(installed) >= late-time.Microsecond; {
	}
	if deadline, err := p.setDeadline(late - time.Microsecond); err != nil || deadline.IsZero() {
		t.Errorf("answered %v, %v", deadline, err)
	}
	if !p.installed.Equal(installed) {
		t.Errorf("a deadline was set though an earlier one was there")
	}
}

// A past deadline whose wake-up was taken already, because its thread was held
// up, ends one read and not the wait.
func TestLateWake(t *testing.T) {
	p := mustPoller(t, true)
	var ev [1]Event
	for range 10 {
		p.woken.Store(true) // the first half of Wake
		if n, err := p.Wait(ev[:], -1); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if err := p.file.SetReadDeadline(past); err != nil { // the second half
			t.Fatal(err)
		}
		const d = 2 * time.Millisecond
		start := time.Now()
		if n, err := p.Wait(ev[:], d); n != 0 || err != nil || time.Since(start) < d {
			t.Errorf("waited %v: %d, %v", time.Since(start), n, err)
		}
		if err := p.file.SetReadDeadline(past); err != nil { // one more, while nobody waits
			t.Fatal(err)
		}
		p.installed, p.patience, p.unknown = start.Add(time.Hour), time.Hour, false
		start = time.Now()
		if n, err := p.Wait(ev[:], d); n != 0 || err != nil || time.Since(start) < d {
			t.Errorf("waited %v: %d, %v", time.Since(start), n, err)
		}
	}
}

// Interrupted system calls are no errors, and the time is kept.
func TestWaitInterrupted(t *testing.T) {
	eachMode(t, func(t *testing.T, p *Poller) {
		if p.harvested(^uintptr(0), eintr) || p.found != 0 || p.failed != 0 {
			t.Errorf("an interruption: found %d, failed with %v", p.found, p.failed)
		}
		if !p.harvested(^uintptr(0), EBADF) || p.found != 0 || p.failed != EBADF {
			t.Errorf("an error: found %d, failed with %v", p.found, p.failed)
		}
		var stop atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !stop.Load() {
				_ = syscall.Kill(os.Getpid(), syscall.SIGURG) // Go ignores it
			}
		}()
		var ev [1]Event
		for range 20 {
			deadline := time.Now().Add(2 * time.Millisecond)
			for left := time.Until(deadline); left > 0; left = time.Until(deadline) {
				if n, err := p.Wait(ev[:], left); n != 0 || err != nil {
					t.Errorf("interrupted: %d, %v", n, err)
				}
			}
		}
		stop.Store(true)
		<-done
	})
}

// The poller leaves nothing open, in either mode, and its own descriptors are
// not inherited.
func TestPollerDescriptors(t *testing.T) {
	before := openCount(t)
	for _, watchable := range []bool{true, false} {
		p, err := newPoller(watchable)
		if err != nil {
			t.Fatal(err)
		}
		for _, fd := range []FD{p.epoll, p.eventfd} {
			if fd == Invalid {
				continue
			}
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if err != nil || flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("%s: descriptor %d would be inherited", p.Mode(), fd)
			}
		}
		if p.blocking == watchable {
			t.Errorf("mode %q for watchable %v", p.Mode(), watchable)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Close(); err != os.ErrClosed {
			t.Errorf("closing again: %v", err)
		}
		if err := p.Arm(0, 1, Readable); err == nil {
			t.Error("armed after Close")
		}
	}
	if now := openCount(t); now != before {
		t.Errorf("%d descriptors were left open", now-before)
	}
}

// Without descriptors there is no poller, and nothing half-made.
func TestPollerExhausted(t *testing.T) {
	fds, err := OpenFDs()
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []int{0, 1} { // the second lacks one for the eventfd
		probe, err := Dup(fds[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := Close(probe); err != nil {
			t.Fatal(err)
		}
		old, err := SetMaxFiles(uint64(int(probe) + room))
		if err != nil {
			t.Fatal(err)
		}
		p, err := newPoller(false)
		if _, back := SetMaxFiles(old); back != nil {
			t.Fatal(back)
		}
		if !Exhausted(err) || p != nil {
			t.Errorf("room for %d descriptors: %v", room, err)
		}
	}
	if now := openCount(t); now != len(fds) {
		t.Errorf("%d descriptors were left open", now-len(fds))
	}
}
