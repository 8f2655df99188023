package resolver_test

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/worker"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// slow is a backend that takes its time, and notes who is asked for.
type slow struct {
	takes   time.Duration
	started []string
	running int
	peak    int
}

func (s *slow) Lookup(t *loop.Task, name string, _ int) ([]netip.Addr, error) {
	s.started = append(s.started, name)
	s.running++
	s.peak = max(s.peak, s.running)
	defer func() { s.running-- }()
	if err := loop.Sleep(t, s.takes); err != nil {
		return nil, err
	}
	return []netip.Addr{loopback}, nil
}

func newBackend(tb testing.TB, config resolver.Config) *resolver.Resolver {
	tb.Helper()
	config.Files.Dir = noFiles
	config.Recheck = never
	r, err := resolver.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// v4only asks for one family, so that a lookup is one call of a backend.
var v4only = resolver.Hints{Family: sys.AF_INET, SockType: 1}

func virtually(tb testing.TB, fn func(*loop.Task, *loop.Nursery) error) {
	tb.Helper()
	looptest.Run(tb, func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error { return fn(t, n) })
	}, loop.WithClock(jumping(tb)))
}

// S310, R132: three slots, ten lookups of two seconds: three at a time, in
// order; numbers pass by; who leaves the queue changes nothing for others.
func TestS310Throttle(t *testing.T) {
	back := &slow{takes: 2 * time.Second}
	r := newBackend(t, resolver.Config{Backend: back, Slots: 3})
	virtually(t, func(task *loop.Task, n *loop.Nursery) error {
		warm(task, t, r)
		start := task.Now()
		leaver, err := loop.NewScope(task.Loop())
		if err != nil {
			return err
		}
		for i := range 10 {
			err := n.Spawn(func(task *loop.Task) error {
				ask := func(*loop.Scope) error {
					_, err := r.Getaddrinfo(task, fmt.Sprintf("h%d.test", i), "", v4only)
					return err
				}
				if i == 5 {
					return loop.Enter(task, leaver, ask)
				}
				return ask(nil)
			}, loop.WithTaskName(fmt.Sprint(i)))
			if err != nil {
				return err
			}
		}
		if err := loop.Sleep(task, time.Second); err != nil {
			return err
		}
		if st := r.Statistics(); st.Running != 3 || st.Waiting != 7 {
			t.Errorf("statistics: %+v", st)
		}
		if _, err := r.Getaddrinfo(task, "192.0.2.1", "80", v4only); err != nil || task.Now().Sub(start) != time.Second {
			t.Errorf("a number waits: %v", err)
		}
		if err := leaver.Cancel("enough"); err != nil {
			return err
		}
		if err := loop.Sleep(task, 20*time.Second); err != nil {
			return err
		}
		if want := "h0.test h1.test h2.test h3.test h4.test h6.test h7.test h8.test h9.test"; len(back.started) == 9 {
			if got := strings.Join(back.started, " "); !sameOrder(got, want) {
				t.Errorf("order %s", got)
			}
		} else {
			t.Errorf("%d lookups", len(back.started))
		}
		if st := r.Statistics(); back.peak != 3 || st.Peak != 3 || st.Running != 0 || st.Waiting != 0 || st.Started != 9 {
			t.Errorf("peak %d, statistics: %+v", back.peak, st)
		}
		return nil
	})
}

// sameOrder accepts the orders that seeds make of tasks that begin together:
// all names are there, once.
func sameOrder(got, want string) bool {
	seen := map[string]bool{}
	for name := range strings.FieldsSeq(got) {
		seen[name] = true
	}
	return len(seen) == len(strings.Fields(want))
}

// Waiters of one caller are served first in, first out.
func TestThrottleInOrder(t *testing.T) {
	back := &slow{takes: time.Second}
	r := newBackend(t, resolver.Config{Backend: back, Slots: 1})
	virtually(t, func(task *loop.Task, n *loop.Nursery) error {
		warm(task, t, r)
		var want []string
		for i := range 20 {
			name := fmt.Sprintf("h%d.test", i)
			want = append(want, name)
			err := n.Spawn(func(task *loop.Task) error {
				if err := loop.Sleep(task, time.Duration(i)*time.Millisecond); err != nil {
					return err
				}
				_, err := r.Getaddrinfo(task, name, "", v4only)
				return err
			})
			if err != nil {
				return err
			}
		}
		if err := loop.Sleep(task, time.Minute); err != nil {
			return err
		}
		if got := strings.Join(back.started, " "); got != strings.Join(want, " ") {
			t.Errorf("order %s", got)
		}
		return nil
	})
}

// A caller with a hundred lookups does not hold up one with a single lookup.
func TestThrottleIsFair(t *testing.T) {
	back := &slow{takes: time.Second}
	r := newBackend(t, resolver.Config{Backend: back, Slots: 1})
	virtually(t, func(task *loop.Task, n *loop.Nursery) error {
		warm(task, t, r)
		for i := range 100 {
			err := n.Spawn(func(task *loop.Task) error {
				_, err := r.Getaddrinfo(task, fmt.Sprintf("h%d.test", i), "", v4only)
				return err
			})
			if err != nil {
				return err
			}
		}
		start := task.Now()
		err := loop.Nurse(task, func(other *loop.Nursery) error {
			return other.Spawn(func(task *loop.Task) error {
				if err := loop.Sleep(task, 100*time.Millisecond); err != nil {
					return err
				}
				_, err := r.Getaddrinfo(task, "single.test", "", v4only)
				return err
			})
		})
		if took := task.Now().Sub(start); took > 3*time.Second {
			t.Errorf("the single lookup took %v", took)
		}
		return err
	})
}

// Beyond the waiting room there is a clear error at once.
func TestThrottleRefuses(t *testing.T) {
	back := &slow{takes: time.Second}
	r := newBackend(t, resolver.Config{Backend: back, Slots: 1, Waiting: 1})
	virtually(t, func(task *loop.Task, n *loop.Nursery) error {
		warm(task, t, r)
		refused := 0
		for i := range 3 {
			err := n.Spawn(func(task *loop.Task) error {
				_, err := r.Getaddrinfo(task, fmt.Sprintf("h%d.test", i), "", v4only)
				if errors.Is(err, resolver.ErrTooMany) && errors.Is(err, loop.ErrFull) && errors.Is(err, resolver.Again) {
					refused++
					return nil
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		if err := loop.Sleep(task, 5*time.Second); err != nil {
			return err
		}
		if st := r.Statistics(); refused != 1 || st.Refused != 1 {
			t.Errorf("%d refused, %+v", refused, st)
		}
		return nil
	})
}

// S311, R131: a thousand lookups of one name are one; when all but one leave
// it goes on; when the last leaves it ends.
func TestS311SingleFlight(t *testing.T) {
	back := &slow{takes: 2 * time.Second}
	r := newBackend(t, resolver.Config{Backend: back})
	virtually(t, func(task *loop.Task, n *loop.Nursery) error {
		warm(task, t, r)
		answered := 0
		var scopes []*loop.Scope
		for range 1000 {
			err := n.Spawn(func(task *loop.Task) error {
				return loop.Scoped(task, func(s *loop.Scope) error {
					scopes = append(scopes, s)
					_, err := r.Getaddrinfo(task, "one.test", "", v4only)
					if err == nil {
						answered++
					}
					return err
				})
			})
			if err != nil {
				return err
			}
		}
		if err := loop.Sleep(task, time.Second); err != nil {
			return err
		}
		for _, s := range scopes[1:] {
			_ = s.Cancel("999 leave")
		}
		if err := loop.Sleep(task, 5*time.Second); err != nil {
			return err
		}
		st := r.Statistics()
		if answered != 1 || len(back.started) != 1 || st.Joined != 999 || st.Abandoned != 0 {
			t.Errorf("%d answered, asked for %v, %+v", answered, back.started, st)
		}
		gone := loop.MoveOnAfter(task, time.Second, func(*loop.Scope) error {
			_, err := r.Getaddrinfo(task, "gone.test", "", v4only)
			return err
		})
		if err := loop.Sleep(task, time.Millisecond); gone != nil || err != nil {
			return errors.Join(gone, err)
		}
		if st := r.Statistics(); st.Abandoned != 1 || st.Running != 0 || back.running != 0 {
			t.Errorf("after the last has left: %+v", st)
		}
		return nil
	})
}

// R131: the last waiter that leaves closes the socket in the same turn.
func TestR131LastCloses(t *testing.T) {
	if _, err := sys.OpenFDs(); err != nil {
		t.Skipf("descriptors cannot be listed here: %v", err)
	}
	silent := behaviour{"never", "never"}
	withServers(t, []func(*asking) []event{silent.server}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{}, servers...)
		warm(task, t, r)
		before, errBefore := sys.OpenFDs()
		err := loop.MoveOnAfter(task, 100*time.Millisecond, func(*loop.Scope) error {
			_, err := r.Getaddrinfo(task, "x.test", "", resolver.Hints{})
			return err
		})
		after, errAfter := sys.OpenFDs()
		if len(after) != len(before) {
			t.Errorf("%d descriptors, %d before", len(after), len(before))
		}
		if st := r.Statistics(); st.Abandoned != 1 {
			t.Errorf("statistics: %+v", st)
		}
		return errors.Join(err, errBefore, errAfter)
	})
}

// R130: ten thousand lookups at a time under a limit of 1,024 descriptors:
// none fails, and no more than the slots allow are open.
func TestR130TenThousand(t *testing.T) {
	const lookups, limit = 10_000, 1024
	old, err := sys.SetMaxFiles(limit)
	if err != nil {
		t.Skipf("there is no limit of descriptors to set: %v", err)
	}
	defer func() {
		if _, err := sys.SetMaxFiles(old); err != nil {
			t.Error(err)
		}
	}()
	ok := behaviour{"ok", "ok"}
	done := 0
	looptest.Config{Limit: time.Minute}.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			f := newFake(task, t, n, true, ok.server)
			r := newResolver(t, resolver.Config{}, f)
			err := loop.Nurse(task, func(asking *loop.Nursery) error {
				for i := range lookups {
					err := asking.Spawn(func(task *loop.Task) error {
						_, err := r.Getaddrinfo(task, fmt.Sprintf("h%d.test", i), "80", resolver.Hints{SockType: 1})
						if err == nil {
							done++
						}
						return err
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
			st := r.Statistics()
			if done != lookups || st.Peak > resolver.DefaultSlots || st.Started != lookups || st.Running != 0 {
				t.Errorf("%d answered, %+v", done, st)
			}
			f.close()
			_ = n.Cancel("the test is over")
			return err
		})
	})
}

// R134: out of descriptors is said to be that.
func TestR134OutOfDescriptors(t *testing.T) {
	if _, _, err := sys.MaxFiles(); err != nil {
		t.Skipf("there is no limit of descriptors to set: %v", err)
	}
	ok := behaviour{"ok", "ok"}
	withServers(t, []func(*asking) []event{ok.server}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{}, servers...)
		warm(task, t, r)
		var hogs []*socket.Socket
		defer func() {
			for _, s := range hogs {
				_ = s.Close()
			}
		}()
		old, err := sys.SetMaxFiles(64)
		if err != nil {
			return err
		}
		for {
			s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
			if err != nil {
				break
			}
			hogs = append(hogs, s)
		}
		_, err = r.Getaddrinfo(task, "x.test", "80", resolver.Hints{})
		if _, err := sys.SetMaxFiles(old); err != nil {
			t.Error(err)
		}
		if !errors.Is(err, resolver.SystemError) || !errors.Is(err, sys.EMFILE) || errors.Is(err, resolver.NoName) {
			t.Errorf("the error is %v", err)
		}
		for _, s := range hogs {
			_ = s.Close()
		}
		if got, err := lookup(task, r, "x.test"); err != nil || got != "46" {
			t.Errorf("with descriptors again: %s, %v", got, err)
		}
		return nil
	})
}

// R136: one resolver for eight loops: nothing races, and nothing is kept for
// loops that have ended.
func TestR136EightLoops(t *testing.T) {
	names := resolver.Static{}
	for i := range 50 {
		names[fmt.Sprintf("h%d.test", i)] = []netip.Addr{loopback}
	}
	r := newBackend(t, resolver.Config{Backend: names, Slots: 4})
	err := looptest.Config{}.RunEach(t, 8, func(task *loop.Task, _ int) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for name := range names {
				err := n.Spawn(func(task *loop.Task) error {
					_, err := r.Getaddrinfo(task, name, "", v4only)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if st := r.Statistics(); err != nil || st.Running != 0 || st.Waiting != 0 || st.Peak > 4 || resolver.Loops(r) != 0 {
		t.Errorf("%v, %d loops, %+v", err, resolver.Loops(r), st)
	}
}

// Many that begin together read the files once, and the addresses of the
// machine.
func TestFilesAreReadOnce(t *testing.T) {
	r := newBackend(t, resolver.Config{Backend: resolver.Static{"x.test": {loopback, netip.IPv6Loopback()}}})
	virtually(t, func(task *loop.Task, n *loop.Nursery) error {
		for range 100 {
			err := n.Spawn(func(task *loop.Task) error {
				_, err := r.Getaddrinfo(task, "x.test", "", resolver.Hints{Flags: resolver.AddrConfig})
				return err
			})
			if err != nil {
				return err
			}
		}
		for len(n.Children()) > 0 {
			if err := loop.Yield(task); err != nil {
				return err
			}
		}
		if st := worker.Of(task.Loop()).Statistics(); st.Started != 2 {
			t.Errorf("%d workers ran, want 2", st.Started)
		}
		return nil
	})
}

// A lookup may be cancelled at any moment: nothing is left behind.
func TestCancelEverywhere(t *testing.T) {
	r := newBackend(t, resolver.Config{Backend: &slow{takes: time.Second}, Slots: 1})
	looptest.CancelEverywhere(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for i := range 3 {
				err := n.Spawn(func(task *loop.Task) error {
					_, err := r.Getaddrinfo(task, fmt.Sprintf("h%d.test", i), "", resolver.Hints{})
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if st := r.Statistics(); st.Running != 0 || st.Waiting != 0 || resolver.Loops(r) != 0 {
		t.Errorf("%d loops, %+v", resolver.Loops(r), st)
	}
}

// A file that could not be read for want of a descriptor is read as soon as
// there is one, though it has not changed.
func TestFilesAreReadAfterAll(t *testing.T) {
	if _, _, err := sys.MaxFiles(); err != nil {
		t.Skipf("there is no limit of descriptors to set: %v", err)
	}
	dir := tempDir(t)
	writeFile(t, filepath.Join(dir, "hosts"), "10.0.0.1 one.test\n")
	writeFile(t, filepath.Join(dir, "nsswitch.conf"), "hosts: files\n")
	looptest.Run(t, func(task *loop.Task) error {
		r, err := resolver.New(resolver.Config{Files: resolver.Files{Dir: dir}, Recheck: -1})
		if err != nil {
			return err
		}
		old, err := sys.SetMaxFiles(64)
		if err != nil {
			return err
		}
		var hogs []*socket.Socket
		for {
			s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
			if err != nil {
				break
			}
			hogs = append(hogs, s)
		}
		_, failed := r.Getaddrinfo(task, "one.test", "80", resolver.Hints{})
		for _, s := range hogs {
			_ = s.Close()
		}
		if _, err := sys.SetMaxFiles(old); err != nil {
			t.Error(err)
		}
		if failed == nil {
			t.Error("files are read without a descriptor")
		}
		got, err := lookup(task, r, "one.test")
		if err != nil || got != "4" {
			t.Errorf("%s, %v", got, err)
		}
		return nil
	})
}
