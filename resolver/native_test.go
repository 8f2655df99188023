package resolver_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/sys"
)

var errNative = errors.New("a number of Winsock")

// S312: what the system's resolver answers, in the terms of getaddrinfo(3).
func TestNativeAnswers(t *testing.T) {
	addr := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		found   resolver.Found
		failure sys.NameFailure
		want    error
	}{
		{resolver.Found{Addrs: []netip.Addr{addr}}, sys.NameUnclear, nil},
		{resolver.Found{}, sys.NameUnclear, resolver.NoData},
		{resolver.Found{Err: errNative}, sys.NameNotFound, resolver.NoName},
		{resolver.Found{Err: errNative}, sys.NameWithoutData, resolver.NoData},
		{resolver.Found{Err: errNative}, sys.NameTryAgain, resolver.Again},
		{resolver.Found{Err: errNative}, sys.NameRefused, resolver.Fail},
		{resolver.Found{Err: errNative}, sys.NameUnclear, resolver.SystemError},
		{resolver.Found{Err: errNative}, sys.NameCancelled, resolver.Again},
	} {
		native := &resolver.Native{Failure: c.failure,
			Begin: func(name string, family int) (resolver.NativeLookup, error) {
				if name != "one.test" || family != sys.AF_INET {
					t.Errorf("asked for %q, family %d", name, family)
				}
				return c.found, nil
			}}
		r := newBackend(t, resolver.Config{Backend: resolver.NewSystem(native, nil)})
		looptest.Run(t, func(task *loop.Task) error {
			got, err := r.Getaddrinfo(task, "one.test", "", v4only)
			if !errors.Is(err, c.want) || err == nil != (c.want == nil) {
				t.Errorf("%v, %v: %v, want %v", c.found, c.failure, err, c.want)
			}
			if err == nil && (len(got) != 1 || got[0].Addr.Addr() != addr) {
				t.Errorf("found %v", got)
			}
			return nil
		})
	}
}

// waiting is a lookup that ends after it was cancelled, and after a permission.
type waiting struct {
	begun                chan struct{} // once it has
	cancelled, permitted chan struct{}
	once                 sync.Once
}

func (w *waiting) Wait() ([]netip.Addr, error) {
	<-w.cancelled
	<-w.permitted
	return nil, errNative
}

func (w *waiting) Cancel() error {
	w.once.Do(func() { close(w.cancelled) })
	return nil
}

// until yields until c is ready.
func until(task *loop.Task, c <-chan struct{}) error {
	for {
		select {
		case <-c:
			return nil
		default:
			if err := loop.Yield(task); err != nil {
				return err
			}
		}
	}
}

// S310, S312: who is cancelled leaves at once and the lookup of the system is
// cancelled; its slot is free when the system has let go of it, and not before.
func TestNativeCancelled(t *testing.T) {
	w := &waiting{begun: make(chan struct{}, 1),
		cancelled: make(chan struct{}), permitted: make(chan struct{})}
	native := &resolver.Native{Failure: sys.NameCancelled,
		Begin: func(name string, _ int) (resolver.NativeLookup, error) {
			if name == "two.test" {
				return resolver.Found{Addrs: []netip.Addr{netip.MustParseAddr("192.0.2.2")}}, nil
			}
			w.begun <- struct{}{}
			return w, nil
		}}
	r := newBackend(t, resolver.Config{Backend: resolver.NewSystem(native, nil), Slots: 1})
	looptest.Run(t, func(task *loop.Task) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			err := n.Spawn(func(task *loop.Task) error {
				_, err := r.Getaddrinfo(task, "one.test", "", v4only)
				return err
			})
			if err != nil {
				return err
			}
			if err := until(task, w.begun); err != nil {
				return err
			}
			return n.Cancel("enough")
		})
		if err != nil {
			return err
		}
		if st := r.Statistics(); st.Running != 1 || st.Abandoned != 1 {
			t.Errorf("the lookup has not ended, and %+v", st)
		}
		if err := until(task, w.cancelled); err != nil {
			return err
		}
		if st := r.Statistics(); st.Running != 1 {
			t.Errorf("the lookup was cancelled and has not ended, and %+v", st)
		}
		close(w.permitted)
		_, err = r.Getaddrinfo(task, "two.test", "", v4only) // needs the slot
		return err
	})
	if st := r.Statistics(); st.Running != 0 || st.Waiting != 0 {
		t.Errorf("%+v", st)
	}
}

// S312: where lookups cannot be cancelled after all, package net is asked.
func TestNativeUnsupported(t *testing.T) {
	native := &resolver.Native{Begin: func(string, int) (resolver.NativeLookup, error) {
		return nil, errors.ErrUnsupported
	}}
	asked := false
	std := &net.Resolver{PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			asked = true
			return nil, errors.New("no connection")
		}}
	r := newBackend(t, resolver.Config{Backend: resolver.NewSystem(native, std)})
	looptest.Run(t, func(task *loop.Task) error {
		if _, err := r.Getaddrinfo(task, "one.test", "", v4only); err == nil {
			t.Error("a name was found without a connection")
		}
		return nil
	})
	if !asked {
		t.Error("package net was not asked")
	}
}

// S312: the system itself, in both ways where it has two: Wine shows with the first
// lookup that it cannot cancel, and is asked through package net from then on.
func TestSystemItself(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		for range 2 {
			addrs, err := resolver.System{}.Lookup(task, "localhost", sys.AF_INET)
			if err != nil {
				return err
			}
			if len(addrs) == 0 || !addrs[0].Is4() || !addrs[0].IsLoopback() {
				t.Errorf("localhost is %v", addrs)
			}
		}
		return nil
	})
}
