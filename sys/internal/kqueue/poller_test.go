package kqueue_test

import (
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lion-go/lion/sys/internal/kqueue"
	"github.com/lion-go/lion/sys/internal/seam"
)

type ready = map[uint64]seam.Interest

func TestChangesGoWithTheHarvest(t *testing.T) {
	p, f := newFake(t, answer{events: []kqueue.Kevent{event(read(5, 1), 10)}})
	arm(t, p, 5, 50, seam.Readable)
	arm(t, p, 5, 50, seam.Writable)
	arm(t, p, 5, 50, seam.Readable|seam.Writable)
	if len(f.calls) != 0 {
		t.Fatalf("Arm called the kernel: %+v", f.calls)
	}
	wantEvents(t, wait(t, p, 0), ready{50: seam.Readable})
	wantChanges(t, f.last(), []kqueue.Kevent{read(5, 1), write(5, 1)})

	arm(t, p, 5, 50, seam.Readable|seam.Writable)
	wantEvents(t, wait(t, p, 0), ready{})
	wantChanges(t, f.last(), nil)
	if s := p.Statistics(); s.Registered != 1 || s.Controls != 2 || s.Events != 1 || s.Waits != 2 {
		t.Errorf("statistics %+v", s)
	}
}

func TestWriteIsAddedForEachWait(t *testing.T) {
	p, f := newFake(t, answer{events: []kqueue.Kevent{event(write(5, 1), 1000)}})
	arm(t, p, 5, 50, seam.Writable)
	wantEvents(t, wait(t, p, 0), ready{50: seam.Writable})
	arm(t, p, 5, 50, seam.Writable)
	wantEvents(t, wait(t, p, 0), ready{})
	wantChanges(t, f.last(), []kqueue.Kevent{write(5, 1)})
}

func TestBothFiltersMakeOneEvent(t *testing.T) {
	w := event(write(5, 1), 0)
	w.Flags |= kqueue.FlagEOF
	p, _ := newFake(t, answer{events: []kqueue.Kevent{w, event(read(6, 2), 1), event(read(5, 1), 4)}})
	arm(t, p, 5, 50, seam.Readable|seam.Writable)
	arm(t, p, 6, 60, seam.Readable)
	wantEvents(t, wait(t, p, 0), ready{
		50: seam.Readable | seam.Writable | seam.ErrorQueue | seam.Unusual,
		60: seam.Readable,
	})
}

func TestReadiness(t *testing.T) {
	const eof = kqueue.FlagEOF
	for _, c := range []struct {
		name   string
		filter int16
		flags  uint16
		fflags uint32
		data   int64
		want   seam.Interest
	}{
		{"data", kqueue.FilterRead, 0, 0, 1, seam.Readable},
		{"no data", kqueue.FilterRead, 0, 0, 0, seam.Readable | seam.ErrorQueue},
		{"end", kqueue.FilterRead, eof, 0, 4, seam.Readable | seam.Unusual},
		{"reset", kqueue.FilterRead, eof, 54, 0, everything},
		{"mark", kqueue.FilterRead, 0, kqueue.NoteOOB, 4, seam.Readable | seam.Priority | seam.Unusual},
		{"mark and end", kqueue.FilterRead, eof, kqueue.NoteOOB, 4, everything},
		{"space", kqueue.FilterWrite, 0, 0, 1, seam.Writable},
		{"refused", kqueue.FilterWrite, eof, 61, 1, everything},
		{"shut", kqueue.FilterWrite, eof, 0, 1, everything &^ seam.Priority},
	} {
		t.Run(c.name, func(t *testing.T) {
			ev := kqueue.Kevent{Ident: 5, Filter: c.filter, Flags: c.flags,
				Fflags: c.fflags, Data: c.data, Udata: 1}
			p, _ := newFake(t, answer{events: []kqueue.Kevent{ev}})
			arm(t, p, 5, 50, seam.Readable|seam.Writable)
			wantEvents(t, wait(t, p, 0), ready{50: c.want})
		})
	}
}

func TestOnceIsAddedEveryTimeAndAtOnce(t *testing.T) {
	p, f := newFake(t)
	once := read(5, 1)
	once.Flags, once.Fflags = addOnce, 0
	except := read(5, 1)
	except.Filter = kqueue.FilterExcept
	for _, c := range []struct {
		want   seam.Interest
		change kqueue.Kevent
	}{
		{seam.Readable, once}, {seam.Writable, write(5, 1)}, {seam.Readable, once}, {seam.Priority, except},
	} {
		arm(t, p, 5, 50, c.want|seam.Once)
		wantChanges(t, f.last(), []kqueue.Kevent{c.change})
	}
}

func TestOnceIsRefusedAtOnce(t *testing.T) {
	once := read(5, 1)
	once.Flags, once.Fflags = addOnce, 0
	p, f := newFake(t, answer{events: []kqueue.Kevent{refusal(once, badFile)}})
	if err := p.Arm(5, 50, seam.Readable|seam.Once); !errors.Is(err, badFile) {
		t.Errorf("Arm: %v, want error 9", err)
	}
	if s := p.Statistics(); s.Registered != 0 {
		t.Errorf("%d registered after a failure", s.Registered)
	}
	wantEvents(t, wait(t, p, 0), ready{})

	// Somebody else waits already: he is told too.
	arm(t, p, 5, 51, seam.Writable|seam.Once)
	once.Udata = 2
	f.script = []answer{{events: []kqueue.Kevent{refusal(once, badFile)}}}
	if err := p.Arm(5, 51, seam.Readable|seam.Once); !errors.Is(err, badFile) {
		t.Errorf("Arm: %v, want error 9", err)
	}
	wantEvents(t, wait(t, p, 0), ready{51: everything})
}

func TestPlainDataIsNoMark(t *testing.T) {
	except := read(5, 1)
	except.Filter = kqueue.FilterExcept
	p, f := newFake(t)
	arm(t, p, 5, 50, seam.Priority|seam.Once)
	f.script = []answer{{events: []kqueue.Kevent{event(except, 10)}}}
	wantEvents(t, wait(t, p, 0), ready{})
}

func TestOneShotKnoteGivesWayToALastingOne(t *testing.T) {
	p, f := newFake(t)
	arm(t, p, 5, 50, seam.Readable|seam.Once)
	wait(t, p, 0)
	p.Forget(5, 50)
	f.script = []answer{{events: []kqueue.Kevent{
		refusal(kqueue.Kevent{Ident: 5, Filter: kqueue.FilterRead}, syscall.ENOENT)}}}
	arm(t, p, 5, 51, seam.Readable)
	calls := len(f.calls)
	wantEvents(t, wait(t, p, 0), ready{})
	wantChanges(t, f.calls[calls].changes, []kqueue.Kevent{
		{Ident: 5, Filter: kqueue.FilterRead, Flags: kqueue.FlagDelete}, read(5, 2)})
	if len(f.calls) != calls+2 {
		t.Errorf("%d calls, want 2: an entry for a change hides events", len(f.calls)-calls)
	}
}

func TestFullListIsFlushed(t *testing.T) {
	p, f := newFake(t, answer{events: []kqueue.Kevent{event(read(7, 8), 3)}})
	const many = 600 // more than two lists
	for fd := range seam.FD(many) {
		arm(t, p, fd, uint64(fd), seam.Readable)
	}
	if len(f.calls) != 2 || f.calls[0].timeout != 0 || f.calls[0].room < len(f.calls[0].changes) {
		t.Fatalf("%d flushes, the first %+v", len(f.calls), f.calls)
	}
	wantEvents(t, wait(t, p, -1), ready{7: seam.Readable})
	f.script = []answer{{events: []kqueue.Kevent{event(read(9, 10), 3)}}}
	wantEvents(t, wait(t, p, -1), ready{9: seam.Readable})
	total := 0
	for _, c := range f.calls {
		total += len(c.changes)
	}
	if total != many {
		t.Errorf("%d changes were submitted, want %d", total, many)
	}
}

func TestMoreEventsThanRoom(t *testing.T) {
	var script answer
	const many = 100
	p, f := newFake(t)
	for fd := range uint64(many) {
		arm(t, p, seam.FD(fd), fd, seam.Readable)
		script.events = append(script.events, event(read(fd, fd+1), 1))
	}
	f.script = []answer{script}
	var ev [7]seam.Event
	for next := uint64(0); next < many; {
		n, err := p.Wait(ev[:], 0)
		if err != nil || n == 0 {
			t.Fatalf("after %d events: %d, %v", next, n, err)
		}
		for _, e := range ev[:n] {
			if e.Key != next {
				t.Fatalf("event for %d, want %d: order must be kept", e.Key, next)
			}
			next++
		}
	}
	if len(f.calls) != 1 {
		t.Errorf("%d calls for one harvest", len(f.calls))
	}
}

func TestForget(t *testing.T) {
	p, f := newFake(t)
	arm(t, p, 5, 50, seam.Readable)
	arm(t, p, 6, 60, seam.Readable)
	p.Forget(5, 51) // another's
	p.Forget(6, 0)
	p.Forget(5, 50)
	p.Forget(5, 50)
	p.Forget(1000, 50)
	p.Forget(-1, 50)
	wait(t, p, 0)
	wantChanges(t, f.last(), []kqueue.Kevent{read(6, 2)})

	// A report that is not yet handed out.
	arm(t, p, 7, 70, seam.Readable)
	f.script = []answer{{events: []kqueue.Kevent{
		event(read(6, 2), 1), event(read(7, 3), 1), event(read(6, 2), 1)}}}
	var ev [1]seam.Event
	if n, err := p.Wait(ev[:], 0); n != 1 || err != nil || ev[0].Key != 60 {
		t.Fatal(n, err, ev)
	}
	p.Forget(7, 70)
	wantEvents(t, wait(t, p, 0), ready{})
	if s := p.Statistics(); s.Registered != 1 {
		t.Errorf("%d registered, want 1", s.Registered)
	}
}

func TestEventsOfEarlierRegistrationsAreDropped(t *testing.T) {
	p, f := newFake(t)
	arm(t, p, 5, 50, seam.Readable)
	wait(t, p, 0)

	// Forgotten but not closed: the knote fires once more and is deleted.
	p.Forget(5, 50)
	f.script = []answer{{events: []kqueue.Kevent{event(read(5, 1), 1)}}}
	wantEvents(t, wait(t, p, 0), ready{})
	wait(t, p, 0)
	wantChanges(t, f.last(), []kqueue.Kevent{{Ident: 5, Filter: kqueue.FilterRead, Flags: kqueue.FlagDelete}})

	// Another key for the same number: the old serial means nobody.
	arm(t, p, 5, 51, seam.Readable)
	arm(t, p, 5, 52, seam.Readable)
	f.script = []answer{{events: []kqueue.Kevent{event(read(5, 2), 1)}},
		{events: []kqueue.Kevent{event(read(5, 3), 1)}}}
	wantEvents(t, wait(t, p, 0), ready{})
	wantEvents(t, wait(t, p, 0), ready{52: seam.Readable})
}

func TestDeletionIsNotSubmittedForAReusedNumber(t *testing.T) {
	p, f := newFake(t)
	arm(t, p, 5, 50, seam.Readable)
	wait(t, p, 0)
	p.Forget(5, 50)
	f.script = []answer{{events: []kqueue.Kevent{event(read(5, 1), 1)}}}
	wait(t, p, 0)
	arm(t, p, 5, 51, seam.Readable)
	wait(t, p, 0)
	wantChanges(t, f.last(), []kqueue.Kevent{read(5, 2)})
}

func TestRefusedRegistration(t *testing.T) {
	for _, e := range []syscall.Errno{badFile, 12, 22} {
		t.Run(e.Error(), func(t *testing.T) {
			p, f := newFake(t, answer{events: []kqueue.Kevent{refusal(read(5, 1), e)}})
			arm(t, p, 5, 50, seam.Readable)
			arm(t, p, 6, 60, seam.Readable)
			wantEvents(t, wait(t, p, -1), ready{50: everything})
			if err := p.Arm(5, 50, seam.Writable); err != nil {
				t.Errorf("Arm for what was not refused: %v", err)
			}
			if err := p.Arm(5, 50, seam.Readable); !errors.Is(err, e) {
				t.Errorf("next Arm: %v, want %v", err, e)
			}
			arm(t, p, 5, 50, seam.Readable)
			wait(t, p, 0)
			wantChanges(t, f.last(), []kqueue.Kevent{write(5, 1), read(5, 1)})
		})
	}
}

func TestRefusalOfSomethingForgotten(t *testing.T) {
	p, f := newFake(t)
	arm(t, p, 5, 50, seam.Readable)
	wait(t, p, 0)
	p.Forget(5, 50)
	f.script = []answer{{events: []kqueue.Kevent{refusal(read(5, 1), syscall.EINVAL)}}}
	wantEvents(t, wait(t, p, 0), ready{})
	arm(t, p, 5, 51, seam.Readable)
}

func TestInterruptedCall(t *testing.T) {
	p, f := newFake(t, answer{err: syscall.EINTR},
		answer{events: []kqueue.Kevent{event(read(5, 1), 1)}})
	arm(t, p, 5, 50, seam.Readable)
	wantEvents(t, wait(t, p, time.Hour), ready{50: seam.Readable})
	wantChanges(t, f.last(), nil) // They were applied.
	if d := f.calls[1].timeout; d <= 0 || d > time.Hour {
		t.Errorf("second timeout %v", d)
	}
}

func TestFailedCallKeepsTheChanges(t *testing.T) {
	p, f := newFake(t, answer{err: syscall.ENOMEM})
	arm(t, p, 5, 50, seam.Readable)
	var ev [1]seam.Event
	if _, err := p.Wait(ev[:], -1); !errors.Is(err, syscall.ENOMEM) {
		t.Fatalf("Wait: %v, want ENOMEM", err)
	}
	wait(t, p, 0)
	wantChanges(t, f.last(), []kqueue.Kevent{read(5, 1)})
}

func TestFailureOfAFlushIsArms(t *testing.T) {
	p, f := newFake(t, answer{err: syscall.ENOMEM})
	var err error
	for fd := seam.FD(0); err == nil && fd < 1000; fd++ {
		err = p.Arm(fd, uint64(fd), seam.Readable)
	}
	if !errors.Is(err, syscall.ENOMEM) {
		t.Fatalf("Arm with a full list: %v, want ENOMEM", err)
	}
	arm(t, p, 999, 999, seam.Readable)
	if n := len(f.last()); n != f.calls[0].room {
		t.Errorf("%d changes in the second flush, want the %d of the first", n, f.calls[0].room)
	}
}

func TestBadArguments(t *testing.T) {
	p, _ := newFake(t)
	for _, fd := range []seam.FD{-1, seam.Invalid, 1 << 30} {
		if err := p.Arm(fd, 1, seam.Readable); !errors.Is(err, syscall.EBADF) {
			t.Errorf("Arm(%d): %v, want EBADF", fd, err)
		}
	}
	for _, want := range []seam.Interest{0, seam.Once, seam.Readable | seam.Unusual} {
		if err := p.Arm(5, 1, want); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Arm for %b: %v, want EINVAL", want, err)
		}
	}
	if _, err := p.Wait(nil, 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Wait without room: %v, want EINVAL", err)
	}
}

func TestClosedPoller(t *testing.T) {
	f := &fake{}
	p, err := kqueue.NewPoller(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	calls := len(f.calls)
	p.Wake()
	p.Forget(5, 50)
	var ev [1]seam.Event
	_, err = p.Wait(ev[:], -1)
	for name, err := range map[string]error{
		"Close": p.Close(), "Arm": p.Arm(5, 1, seam.Readable), "Wait": err,
	} {
		if !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s: %v, want os.ErrClosed", name, err)
		}
	}
	if f.closed != 1 || f.triggers != 0 || len(f.calls) != calls {
		t.Errorf("the kernel was used after Close: %+v", f)
	}
}

func TestNewPollerFails(t *testing.T) {
	for _, a := range []answer{
		{err: syscall.ENOMEM},
		{events: []kqueue.Kevent{{Filter: kqueue.FilterUser, Flags: kqueue.FlagError, Data: int64(syscall.ENOMEM)}}},
	} {
		f := &fake{script: []answer{a}}
		if _, err := kqueue.NewPoller(f); !errors.Is(err, syscall.ENOMEM) {
			t.Errorf("NewPoller: %v, want ENOMEM", err)
		}
		if f.closed != 1 {
			t.Error("the kernel was not closed")
		}
	}
}

func TestEarlyWakeBeforeWait(t *testing.T) {
	p, f := newFake(t)
	p.Wake()
	p.Wake()
	wantEvents(t, wait(t, p, -1), ready{})
	if len(f.calls) != 1 || f.calls[0].timeout != 0 || f.triggers != 0 {
		t.Errorf("calls %+v, %d triggers: want one look and no trigger", f.calls, f.triggers)
	}
	if s := p.Statistics(); s.Wakes != 2 || s.Parks != 0 {
		t.Errorf("statistics %+v", s)
	}
}

func TestWakeDuringWait(t *testing.T) {
	p, f := newFake(t, answer{events: []kqueue.Kevent{{Filter: kqueue.FilterUser}}})
	f.script[0].during = func() {
		p.Wake()
		p.Wake()
	}
	wantEvents(t, wait(t, p, -1), ready{})
	if len(f.calls) != 1 || f.triggers != 1 {
		t.Errorf("%d calls and %d triggers, want one each", len(f.calls), f.triggers)
	}
	f.script = []answer{{events: []kqueue.Kevent{event(read(5, 1), 1)}}}
	arm(t, p, 5, 50, seam.Readable)
	wantEvents(t, wait(t, p, -1), ready{50: seam.Readable}) // The wake-ups are used up.
}

func TestStaleEventsAsManyAsAHarvest(t *testing.T) {
	p, f := newFake(t)
	var stale answer
	for fd := range uint64(256) {
		stale.events = append(stale.events, event(read(fd, fd+1), 1))
		arm(t, p, seam.FD(fd), fd, seam.Readable)
	}
	wait(t, p, 0)
	for fd := range seam.FD(256) {
		p.Forget(fd, uint64(fd))
	}
	f.script = []answer{stale}
	wantEvents(t, wait(t, p, 0), ready{})
	arm(t, p, 500, 500, seam.Readable) // finds the list full
	if c := f.calls[len(f.calls)-1]; len(c.changes) != 256 || c.room < 256 {
		t.Errorf("%d changes, room for %d", len(c.changes), c.room)
	}
	wait(t, p, 0)
	wantChanges(t, f.last(), []kqueue.Kevent{read(500, 257)})
}

func TestStaleTriggerDoesNotEndAWait(t *testing.T) {
	p, f := newFake(t, answer{events: []kqueue.Kevent{{Filter: kqueue.FilterUser}}},
		answer{events: []kqueue.Kevent{event(read(5, 1), 1)}})
	arm(t, p, 5, 50, seam.Readable)
	wantEvents(t, wait(t, p, -1), ready{50: seam.Readable})
	if len(f.calls) != 2 || f.calls[1].timeout >= 0 {
		t.Errorf("calls %+v", f.calls)
	}
}

func TestLongTimeoutsAreCut(t *testing.T) {
	p, f := newFake(t, answer{}, answer{events: []kqueue.Kevent{event(read(5, 1), 1)}})
	arm(t, p, 5, 50, seam.Readable)
	wantEvents(t, wait(t, p, 1<<63-1), ready{50: seam.Readable})
	if d := f.calls[0].timeout; d <= 0 || d > 24*time.Hour {
		t.Errorf("timeout %v", d)
	}
}

func TestNoAllocations(t *testing.T) {
	p, f := newFake(t)
	var ev [64]seam.Event
	script := []answer{{events: []kqueue.Kevent{event(read(5, 1), 1), event(write(5, 1), 1)}}}
	f.calls = make([]call, 0, 10000)
	arm(t, p, 5, 50, seam.Readable|seam.Writable)
	if n := testing.AllocsPerRun(100, func() {
		f.calls = f.calls[:0]
		f.script = script
		if err := p.Arm(5, 50, seam.Readable); err != nil {
			t.Fatal(err)
		}
		if n, err := p.Wait(ev[:], 0); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}); n != 0 {
		t.Errorf("%v allocations for an arm and a wait", n)
	}
}
