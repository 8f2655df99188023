package windows

import (
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

// More sockets than several helpers hold, all armed, all made ready at once.
func TestManySockets(t *testing.T) {
	const sockets = 1200
	p := newPoller(t)
	sender, _ := bound(t, SOCK_DGRAM)
	fds := make([]FD, sockets)
	addresses := make([]*Sockaddr, sockets)
	for i := range fds {
		fds[i], addresses[i] = bound(t, SOCK_DGRAM)
		ok(t, p.Arm(fds[i], uint64(i), Readable))
	}
	none(t, p)
	if n, most := len(p.helpers), (sockets+groupSize-1)/groupSize; n != most {
		t.Error(n, "helpers for", sockets, "sockets, want", most)
	}
	seen := make([]int, sockets)
	for round := 1; round <= 2; round++ {
		for i := range fds {
			must(SendMsg(sender, &Msg{Name: *addresses[i], Buffers: [][]byte{{1}}}, 0))(t)
		}
		collect(t, p, sockets, func(e Event) {
			i := e.Key
			if seen[i]++; seen[i] != round {
				t.Fatal("socket", i, "was reported", seen[i], "times in round", round)
			}
			must(Recv(fds[i], make([]byte, 4), 0))(t)
			ok(t, p.Arm(fds[i], i, Readable))
		})
	}
	for i, fd := range fds {
		if i%2 == 0 {
			p.Forget(fd, uint64(i))
		}
	}
	if n := p.Statistics().Registered; n != sockets/2 {
		t.Error(n, "registered")
	}
	none(t, p)
	for i, fd := range fds {
		ok(t, p.Arm(fd, uint64(i), Writable))
	}
	collect(t, p, sockets, func(e Event) {})
	if len(p.helpers) > 1+sockets/groupSize {
		t.Error("places in helpers were lost:", len(p.helpers))
	}
}

// collect waits for n events.
func collect(t *testing.T, p *Poller, n int, each func(Event)) {
	t.Helper()
	ev := make([]Event, 100)
	for begin := time.Now(); n > 0; {
		if time.Since(begin) > patience {
			t.Fatal(n, "events are missing")
		}
		got := must(p.Wait(ev, patience))(t)
		for _, e := range ev[:got] {
			each(e)
		}
		n -= got
	}
}

// A stormEnd is one end of a pair, with what a waiter knows about it.
type stormEnd struct {
	fd    FD
	peer  int
	key   uint64   // 0: not registered
	armed Interest // not reported yet
	data  int      // bytes to be received
}

// A storm arms, forgets, sends, receives and closes at random, and checks each
// event against a model; at its end, everything armed and ready must come.
type storm struct {
	*testing.T
	p    *Poller
	r    *rand.Rand
	ends []*stormEnd
	keys uint64
}

func TestStorm(t *testing.T) {
	for seed := range uint64(4) {
		s := &storm{T: t, p: newPoller(t), r: rand.New(rand.NewPCG(seed, 1))}
		for range 10 {
			s.open(-1, -1)
		}
		for step := range 2000 {
			s.step()
			if step%500 == 0 {
				runtime.GC() // what the driver writes to must survive it
			}
		}
		s.settle()
		for _, e := range s.ends {
			s.p.Forget(e.fd, e.key)
			Close(e.fd)
		}
		ok(t, s.p.Close())
		if s.p.underway != 0 || len(s.p.free) != len(s.p.slots) {
			t.Fatal(s.p.underway, "under way,", len(s.p.free), "of", len(s.p.slots), "free")
		}
	}
}

// open makes a pair, at the end or in the place of two others.
func (s *storm) open(i, j int) {
	a, b, err := SocketPair(AF_INET, SOCK_STREAM, 0)
	ok(s.T, err)
	if i < 0 {
		i, j = len(s.ends), len(s.ends)+1
		s.ends = append(s.ends, nil, nil)
	}
	s.ends[i], s.ends[j] = &stormEnd{fd: a, peer: j}, &stormEnd{fd: b, peer: i}
}

func (s *storm) step() {
	i := s.r.IntN(len(s.ends))
	e := s.ends[i]
	switch s.r.IntN(12) {
	case 0, 1, 2:
		s.arm(e, Readable)
	case 3:
		s.arm(e, Writable)
	case 4:
		s.arm(e, Readable|Writable)
	case 5, 6:
		s.p.Forget(e.fd, e.key)
		e.key, e.armed = 0, 0
	case 7:
		if s.ends[e.peer].data < 1000 {
			must(Send(e.fd, []byte{1, 2, 3}, 0))(s.T)
			s.ends[e.peer].data += 3
		}
	case 8:
		n, err := Recv(e.fd, make([]byte, 100), 0)
		if err != WouldBlock {
			ok(s.T, err)
		}
		e.data -= n
	case 9:
		s.wait(0)
	case 10:
		s.wait(time.Millisecond)
	case 11:
		if s.r.IntN(10) == 0 {
			for _, x := range []*stormEnd{e, s.ends[e.peer]} {
				s.p.Forget(x.fd, x.key)
				ok(s.T, Close(x.fd))
			}
			s.open(i, e.peer)
		}
	}
}

func (s *storm) arm(e *stormEnd, want Interest) {
	if e.key == 0 || s.r.IntN(5) == 0 {
		s.keys++
		e.key, e.armed = s.keys, 0
	}
	ok(s.T, s.p.Arm(e.fd, e.key, want))
	e.armed |= want
}

func (s *storm) wait(d time.Duration) int {
	var ev [3]Event
	n := must(s.p.Wait(ev[:], d))(s.T)
	for _, got := range ev[:n] {
		s.check(got)
	}
	return n
}

// check finds whom an event belongs to. An event for nobody came after Forget.
func (s *storm) check(got Event) {
	for _, e := range s.ends {
		if e.key != got.Key {
			continue
		}
		if got.Ready&e.armed == 0 || got.Ready&Unusual != 0 {
			s.Fatalf("reported %#x of %#x", got.Ready, e.armed)
		}
		e.armed &^= got.Ready
		return
	}
	s.Fatal("an event for a key that was forgotten")
}

// settle waits until all that is armed and ready has been reported.
func (s *storm) settle() {
	for begin := time.Now(); ; s.wait(10 * time.Millisecond) {
		open := 0
		for _, e := range s.ends {
			if e.armed&Writable != 0 || e.armed&Readable != 0 && e.data > 0 {
				open++
			}
		}
		if open == 0 {
			break
		}
		if time.Since(begin) > patience {
			s.Fatal(open, "sockets are ready and not reported")
		}
	}
	none(s.T, s.p)
}

// While the system is short of something, polls are put off, waits go on and
// nobody is told; and nothing spins.
func TestScarcity(t *testing.T) {
	p := newPoller(t)
	const pairs = 3 * maxScarce
	calls, refuse := 0, true
	p.start = func(afd windows.Handle, r *registration) windows.NTStatus {
		if calls++; refuse {
			return windows.STATUS_INSUFFICIENT_RESOURCES
		}
		return startPoll(afd, r)
	}
	fds := make([]FD, pairs)
	for i := range fds {
		fds[i], _ = pair(t)
		ok(t, p.Arm(fds[i], uint64(i), Writable))
	}
	begin := time.Now()
	none(t, p)
	if rounds := int(time.Since(begin)/time.Millisecond) + 6; calls > rounds*maxScarce {
		t.Error(calls, "attempts")
	}
	if n := p.Statistics().Registered; n != pairs {
		t.Error(n, "registered")
	}
	p.Forget(fds[0], 0)
	p.Wake()
	must(p.Wait(make([]Event, 1), -1))(t) // a wake-up gets through
	refuse = false
	collect(t, p, pairs-1, func(e Event) {
		if e.Key == 0 {
			t.Error("a forgotten socket was reported")
		}
	})
}

// A wait without end must try again by itself.
func TestScarcityPasses(t *testing.T) {
	p := newPoller(t)
	a, _ := pair(t)
	calls := 0
	p.start = func(afd windows.Handle, r *registration) windows.NTStatus {
		if calls++; calls < 4 {
			return windows.STATUS_DEVICE_NOT_READY
		}
		return startPoll(afd, r)
	}
	ok(t, p.Arm(a, 1, Writable))
	if n := must(p.Wait(make([]Event, 1), -1))(t); n != 1 || calls != 4 {
		t.Error(n, "events after", calls, "attempts")
	}
}

// A poll that cannot be cancelled for want of something is widened later.
func TestScarceCancelling(t *testing.T) {
	p := newPoller(t)
	_, b := pair(t)
	ok(t, p.Arm(b, 1, Readable))
	none(t, p)
	calls := 0
	p.cancel = func(afd windows.Handle, r *registration) windows.NTStatus {
		if calls++; calls < 4 {
			return windows.STATUS_INSUFFICIENT_RESOURCES
		}
		return cancelPoll(afd, r)
	}
	ok(t, p.Arm(b, 1, Writable))
	next(t, p, 1, Writable)
	if calls != 4 {
		t.Error(calls, "attempts")
	}
	p.cancel = cancelPoll
}

// A poll that is refused for good tells the waiter to look, and then why.
func TestRefusal(t *testing.T) {
	p := newPoller(t)
	_, b := pair(t)
	p.start = func(windows.Handle, *registration) windows.NTStatus {
		return windows.STATUS_INVALID_PARAMETER
	}
	ok(t, p.Arm(b, 1, Readable))
	next(t, p, 1, Readable|Writable|Unusual)
	none(t, p)
	if err := p.Arm(b, 1, Readable); err != EINVAL {
		t.Error("the reason is", err)
	}
	p.start = startPoll
	ok(t, p.Arm(b, 1, Writable))
	if ready := next(t, p, 1, Writable); ready != Writable {
		t.Errorf("reported %#x", ready)
	}
}
