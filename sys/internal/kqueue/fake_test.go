package kqueue_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/lion-go/lion/sys/internal/kqueue"
	"github.com/lion-go/lion/sys/internal/seam"
)

// answer is what a fake kernel gives for one call.
type answer struct {
	events []kqueue.Kevent
	err    error
	during func() // runs while the call waits
}

// call is what a fake kernel was asked.
type call struct {
	changes []kqueue.Kevent
	room    int
	timeout time.Duration
}

// fake is a kernel that follows a script; without one it has no events.
type fake struct {
	script   []answer
	calls    []call
	triggers int
	closed   int
}

func (f *fake) Kevent(changes, events []kqueue.Kevent, timeout time.Duration) (int, error) {
	if len(events) == 0 {
		f.triggers++
		return 0, nil
	}
	f.calls = append(f.calls, call{append([]kqueue.Kevent(nil), changes...), len(events), timeout})
	if len(f.script) == 0 {
		return 0, nil
	}
	a := f.script[0]
	f.script = f.script[1:]
	if a.during != nil {
		a.during()
	}
	return copy(events, a.events), a.err
}

func (f *fake) Close() error {
	f.closed++
	return nil
}

// last answers the changes of the last call.
func (f *fake) last() []kqueue.Kevent { return f.calls[len(f.calls)-1].changes }

// newFake makes a poller over a fake kernel whose script begins after
// NewPoller.
func newFake(t *testing.T, script ...answer) (*kqueue.Poller, *fake) {
	t.Helper()
	f := &fake{}
	p, err := kqueue.NewPoller(f)
	if err != nil {
		t.Fatal(err)
	}
	f.calls, f.script = nil, script
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, f
}

func arm(t *testing.T, p *kqueue.Poller, fd seam.FD, key uint64, want seam.Interest) {
	t.Helper()
	if err := p.Arm(fd, key, want); err != nil {
		t.Fatalf("Arm(%d, %d, %b): %v", fd, key, want, err)
	}
}

// wait looks once and answers the events by key.
func wait(t *testing.T, p *kqueue.Poller, d time.Duration) map[uint64]seam.Interest {
	t.Helper()
	var ev [64]seam.Event
	n, err := p.Wait(ev[:], d)
	if err != nil {
		t.Fatal("Wait:", err)
	}
	got := map[uint64]seam.Interest{}
	for _, e := range ev[:n] {
		if _, twice := got[e.Key]; twice {
			t.Errorf("two events for key %d in one harvest", e.Key)
		}
		got[e.Key] = e.Ready
	}
	return got
}

func wantEvents(t *testing.T, got, want map[uint64]seam.Interest) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("events %v, want %v", got, want)
	}
	for key, ready := range want {
		if got[key] != ready {
			t.Fatalf("events %v, want %v", got, want)
		}
	}
}

func wantChanges(t *testing.T, got, want []kqueue.Kevent) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("changes %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("change %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

const (
	addClear = kqueue.FlagAdd | kqueue.FlagEnable | kqueue.FlagClear
	addOnce  = kqueue.FlagAdd | kqueue.FlagEnable | kqueue.FlagOneshot

	everything = seam.Readable | seam.Writable | seam.Priority | seam.ErrorQueue | seam.Unusual
)

// read and write are the first registration's knotes for fd; serial counts
// registrations from 1.
func read(fd, serial uint64) kqueue.Kevent {
	return kqueue.Kevent{Ident: fd, Filter: kqueue.FilterRead, Flags: addClear,
		Fflags: kqueue.NoteOOB, Udata: serial}
}

func write(fd, serial uint64) kqueue.Kevent {
	return kqueue.Kevent{Ident: fd, Filter: kqueue.FilterWrite, Flags: addOnce, Udata: serial}
}

// event is what the kernel reports for a knote.
func event(of kqueue.Kevent, data int64) kqueue.Kevent {
	of.Flags &= kqueue.FlagClear | kqueue.FlagOneshot
	of.Fflags, of.Data = 0, data
	return of
}

// badFile is EBADF as a kernel with a kqueue numbers it. Those that package
// syscall invents for Windows have more bits than such a kernel uses.
const badFile syscall.Errno = 9

// refusal is the entry for a change that failed.
func refusal(of kqueue.Kevent, e syscall.Errno) kqueue.Kevent {
	of.Flags |= kqueue.FlagError
	of.Data = int64(e)
	return of
}
