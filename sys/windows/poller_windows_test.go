package windows

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/windows"
)

func TestArmReportsOncePerArm(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	ok(t, p.Arm(b, 1, Readable))
	none(t, p)
	must(Send(a, []byte("x"), 0))(t)
	if ready := next(t, p, 1, Readable); ready != Readable {
		t.Errorf("data was reported as %#x", ready)
	}
	none(t, p) // the byte is still there, and nobody has asked again
	ok(t, p.Arm(b, 1, Readable))
	next(t, p, 1, Readable) // it was there before
	ok(t, Shutdown(a, SHUT_WR))
	must(Recv(b, make([]byte, 4), 0))(t)
	ok(t, p.Arm(b, 1, Readable))
	if ready := next(t, p, 1, Readable); ready&Unusual == 0 {
		t.Errorf("the end was reported as %#x", ready)
	}
	none(t, p)
	ok(t, p.Arm(b, 1, Writable)) // a half-closed connection can still be written to
	if ready := next(t, p, 1, Writable); ready != Writable {
		t.Errorf("writability was reported as %#x", ready)
	}
}

// Both directions of a socket are kept armed until each was reported, in
// whatever order and whenever they were armed.
func TestBothDirections(t *testing.T) {
	for _, once := range []Interest{0, Once} {
		for _, look := range []bool{false, true} {
			p := newPoller(t)
			a, b := pair(t)
			ok(t, p.Arm(b, 1, Readable|once))
			if look {
				none(t, p) // now the poll for reading is under way and has to be widened
			}
			ok(t, p.Arm(b, 1, Writable|once))
			next(t, p, 1, Writable)
			none(t, p)
			must(Send(a, []byte("x"), 0))(t)
			next(t, p, 1, Readable)
			none(t, p)
		}
	}
}

func TestArmBatchesCalls(t *testing.T) {
	p := newPoller(t)
	_, b := pair(t)
	before := p.Statistics().Controls
	for range 10 {
		ok(t, p.Arm(b, 1, Readable))
		ok(t, p.Arm(b, 1, Writable))
	}
	next(t, p, 1, Writable)
	if n := p.Statistics().Controls - before; n != 1 {
		t.Error("arming twenty times took", n, "calls")
	}
	for range 1000 {
		p.Forget(b, 1)
		ok(t, p.Arm(b, 1, Readable))
	}
	if len(p.queue) != 1 || len(p.slots) > 2 {
		t.Error("the list has", len(p.queue), "registrations,", len(p.slots), "exist")
	}
}

func TestAnotherKeyReplaces(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	ok(t, p.Arm(b, 1, Readable))
	none(t, p)
	ok(t, p.Arm(b, 2, Readable))
	must(Send(a, []byte("x"), 0))(t)
	var ev [4]Event
	n := must(p.Wait(ev[:], patience))(t)
	if n != 1 || ev[0].Key != 2 {
		t.Fatal(ev[:n])
	}
	none(t, p)
}

func TestForgetSwallowsEverything(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	p.Forget(b, 1) // unknown: no effect
	for _, look := range []bool{false, true} {
		ok(t, p.Arm(b, 1, Readable))
		if look {
			none(t, p)
		}
		must(Send(a, []byte("x"), 0))(t)
		p.Forget(b, 1)
		none(t, p)
		if n := p.Statistics().Registered; n != 0 {
			t.Error(n, "registered")
		}
		must(Recv(b, make([]byte, 1), 0))(t)
	}
	ok(t, p.Arm(b, 2, Readable))
	none(t, p)
	must(Send(a, []byte("x"), 0))(t)
	next(t, p, 2, Readable)
}

// A poll that ends before it can be cancelled, and whose packet is in the
// queue when its socket is forgotten and another takes its place.
func TestForgetAgainstLatePackets(t *testing.T) {
	p := newPoller(t)
	p.cancel = func(windows.Handle, *registration) windows.NTStatus {
		return windows.STATUS_NOT_FOUND
	}
	a, b := pair(t)
	ok(t, p.Arm(b, 1, Readable))
	none(t, p)
	p.Forget(b, 1)
	must(Send(a, []byte("x"), 0))(t)
	ok(t, p.Arm(b, 2, Readable))
	next(t, p, 2, Readable)
	none(t, p)
	if p.underway != 0 || len(p.free) != 1 || len(p.slots) != 2 {
		t.Error(p.underway, "under way,", len(p.free), "of", len(p.slots), "free")
	}
	p.cancel = cancelPoll
}

func TestSocketClosedUnderneath(t *testing.T) {
	p := newPoller(t)
	a, b, err := SocketPair(AF_INET, SOCK_STREAM, 0)
	ok(t, err)
	defer Close(a)
	ok(t, p.Arm(b, 1, Readable))
	none(t, p)
	ok(t, Close(b))
	if ready := next(t, p, 1, Readable|Writable); ready&Unusual == 0 {
		t.Errorf("reported as %#x", ready)
	}
	// Who arms again learns the reason, now or with the next event.
	err = p.Arm(b, 1, Readable)
	if err == nil {
		next(t, p, 1, Readable|Writable|Unusual)
		err = p.Arm(b, 1, Readable)
	}
	if err != ENOTSOCK {
		t.Error("arming a closed socket:", err)
	}
	p.Forget(b, 1)
	if err := p.Arm(b, 1, Readable); err != ENOTSOCK {
		t.Error("arming a closed socket:", err)
	}
	none(t, p)
}

func TestOnlySocketsCanBeArmed(t *testing.T) {
	p := newPoller(t)
	event := must(windows.CreateEvent(nil, 0, 0, nil))(t)
	defer windows.CloseHandle(event)
	if err := p.Arm(FD(event), 1, Readable|Once); !errors.Is(err, errors.ErrUnsupported) {
		t.Error("arming an event object:", err)
	}
	if err := p.Arm(FD(event), 1, Readable); err != ENOTSOCK {
		t.Error("arming an event object:", err)
	}
	if err := p.Arm(Invalid, 1, Readable|Once); err != ENOTSOCK {
		t.Error("arming nothing:", err)
	}
	_, b := pair(t)
	if err := p.Arm(b, 1, Once|Unusual); err != EINVAL {
		t.Error("arming for nothing:", err)
	}
	if n := p.Statistics().Registered; n != 0 {
		t.Error(n, "registered")
	}
}

func TestUrgentData(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	must(Send(a, []byte("!"), MSG_OOB))(t)
	ok(t, p.Arm(b, 1, Priority))
	if ready := next(t, p, 1, Priority); ready != Priority|Unusual {
		t.Errorf("urgent data were reported as %#x", ready)
	}
	ok(t, p.Arm(b, 1, Readable))
	none(t, p) // and did not spin
	buf := make([]byte, 4)
	if n := must(Recv(b, buf, MSG_OOB))(t); n != 1 || buf[0] != '!' {
		t.Fatalf("received %q", buf[:n])
	}
	must(Send(a, []byte("x"), 0))(t)
	next(t, p, 1, Readable)
}

func TestErrorQueueMeansAnyError(t *testing.T) {
	p := newPoller(t)
	a, b, err := SocketPair(AF_INET, SOCK_STREAM, 0)
	ok(t, err)
	defer Close(b)
	ok(t, p.Arm(b, 1, ErrorQueue))
	must(Send(a, []byte("x"), 0))(t)
	none(t, p)
	reset(t, a)
	next(t, p, 1, Readable|Writable|ErrorQueue|Unusual)
	none(t, p)
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		want   Interest
		events uint32
		ready  Interest
	}{
		{Readable, afdReceive, Readable},
		{Readable, afdAccept, Readable},
		{Readable, afdDisconnect, Readable | Unusual},
		{Readable, afdReceive | afdDisconnect, Readable | Unusual},
		{Writable, afdSend, Writable},
		{Writable, afdConnect, Writable},
		{Priority, afdReceiveExpedited, Priority | Unusual},
		{Writable, afdConnectFail, Readable | Writable | Unusual},
		{Readable, afdAbort, Readable | Writable | Unusual},
		{Priority, afdLocalClose, Readable | Writable | Priority | Unusual},
		{ErrorQueue, afdAbort, Readable | Writable | ErrorQueue | Unusual},
	} {
		if afdEvents(c.want)&c.events != c.events && c.events != afdConnect {
			t.Errorf("%#x does not ask for %#x", c.want, c.events)
		}
		if ready := readiness(c.events, c.want); ready != c.ready {
			t.Errorf("events %#x mean %#x, want %#x", c.events, ready, c.ready)
		}
	}
}

func TestTimes(t *testing.T) {
	p := newPoller(t)
	ev := make([]Event, 1)
	for _, d := range []time.Duration{1, time.Millisecond, 3e6 / 2, 40 * time.Millisecond} {
		waits, begin := p.Statistics().Waits, time.Now()
		if n := must(p.Wait(ev, d))(t); n != 0 {
			t.Fatal(ev)
		}
		if elapsed := time.Since(begin); elapsed < d {
			t.Error("waited", elapsed, "instead of", d)
		}
		// The clock of Windows may tick every 16 ms only, so a wait that is over
		// by the port's count can be short by time.Now's.
		if n := p.Statistics().Waits - waits; n > 40 {
			t.Error("a wait for", d, "asked the port", n, "times")
		}
	}
	for d, want := range map[time.Duration]uint32{
		-1: windows.INFINITE, 0: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2,
		1 << 62: 1<<31 - 1,
	} {
		if ms := milliseconds(d); ms != want {
			t.Errorf("%v are %d ms, want %d", d, ms, want)
		}
	}
	if _, err := p.Wait(nil, 0); err != EINVAL {
		t.Error("wait without room:", err)
	}
}
