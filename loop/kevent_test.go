package loop_test

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// The numbers of <sys/event.h>.
const (
	filterRead  = -1
	filterUser  = -10
	evClear     = 0x20
	noteTrigger = 0x01000000
)

// hasKqueue skips a test, after having seen the honest answer, where there is no
// kqueue.
func hasKqueue(task *loop.Task, t *testing.T) {
	t.Helper()
	probe := sys.Kevent{Ident: 1000, Filter: filterUser}
	m, err := loop.MonitorKevent(task.Loop(), probe)
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Fatal(err)
		}
		_, err := loop.WaitKevent(task, probe)
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
		t.Skip("no kqueue here; go test -tags kqemu emulates one")
	}
	m.Close()
}

// One waiter for a pair of identity and filter, who gets the event; a second one
// is ErrBusy, and so is what the loop itself waits for. A cancelled wait leaves
// the pair free. S273.
func TestWaitKevent(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		hasKqueue(task, t)
		a, b := pair(t)
		defer closeAll(t, a, b)
		want := sys.Kevent{Ident: uint64(a), Filter: filterRead}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range 2 {
				scope, err := loop.NewScope(task.Loop())
				if err != nil {
					return err
				}
				n.Spawn(func(task *loop.Task) error {
					return loop.Enter(task, scope, func(*loop.Scope) error {
						ev, err := loop.WaitKevent(task, want)
						if err == nil {
							t.Errorf("the event came before there was one: %+v", ev)
						}
						return err
					})
				})
				settle(task)
				if _, err := loop.WaitKevent(task, want); !errors.Is(err, loop.ErrBusy) {
					t.Errorf("a second waiter: %v", err)
				}
				scope.Cancel("test")
				settle(task)
			}
			n.Spawn(func(task *loop.Task) error {
				ev, err := loop.WaitKevent(task, want)
				if err != nil || ev.Ident != want.Ident || ev.Filter != filterRead || ev.Data != 3 {
					t.Errorf("%+v, %v", ev, err)
				}
				return nil
			})
			settle(task)
			_, err := sys.Send(b, []byte("abc"), 0)
			return err
		})
	})
}

// A monitor collects events in order, and wakes who waits for them; closing it
// wakes with ErrClosed. S273.
func TestMonitorKevent(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		hasKqueue(task, t)
		user := sys.Kevent{Ident: 7, Filter: filterUser, Flags: evClear}
		m, err := loop.MonitorKevent(task.Loop(), user)
		if err != nil {
			return err
		}
		if _, err := loop.MonitorKevent(task.Loop(), user); !errors.Is(err, loop.ErrBusy) {
			t.Errorf("a second monitor: %v", err)
		}
		trigger := sys.Kevent{Ident: 7, Filter: filterUser, Fflags: noteTrigger}
		for range 3 {
			if err := loop.ChangeKevent(task.Loop(), trigger); err != nil {
				return err
			}
			events, err := m.Wait(task)
			if err != nil || len(events) != 1 || events[0].Ident != 7 {
				t.Errorf("%+v, %v", events, err)
			}
		}
		none := sys.Kevent{Ident: 8, Filter: filterUser, Fflags: noteTrigger}
		if err := loop.ChangeKevent(task.Loop(), none); !errors.Is(err, sys.ENOENT) {
			t.Errorf("an event that is not there: %v", err)
		}
		wake := sys.Kevent{Ident: 0, Filter: filterUser}
		if _, err := loop.MonitorKevent(task.Loop(), wake); !errors.Is(err, loop.ErrBusy) {
			t.Errorf("the loop's own event: %v", err)
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				if _, err := m.Wait(task); !errors.Is(err, loop.ErrClosed) {
					t.Errorf("after closing: %v", err)
				}
				return nil
			})
			settle(task)
			m.Close()
			m.Close()
			return nil
		})
	})
}

// A task that never stops running does not keep events that are no descriptor's
// from those who wait for them.
func TestKeventBesideABusyTask(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		hasKqueue(task, t)
		a, b := pair(t)
		defer closeAll(t, a, b)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			came := false
			n.Spawn(func(task *loop.Task) error {
				_, err := loop.WaitKevent(task, sys.Kevent{Ident: uint64(a), Filter: filterRead})
				came = true
				return err
			})
			settle(task)
			if _, err := sys.Send(b, []byte("x"), 0); err != nil {
				return err
			}
			for !came {
				if err := loop.Yield(task); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
