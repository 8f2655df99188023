package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
)

// stuck is a net.Resolver that waits for a channel, whatever its context says.
func stuck(release chan struct{}) resolver.System {
	return resolver.System{Resolver: &net.Resolver{PreferGo: true,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			<-release
			return nil, errors.New("no connection")
		}}}
}

// S312, S310: a lookup by the system outlives those who wait for it, who leave
// at once, and then the loop; its result is dropped quietly.
func TestS312OutlivesTheRun(t *testing.T) {
	for _, wrap := range []func(resolver.System) resolver.Backend{
		func(s resolver.System) resolver.Backend { return s },
		func(s resolver.System) resolver.Backend { return &s },
		func(s resolver.System) resolver.Backend { return struct{ resolver.System }{s} },
	} {
		outlive(t, wrap)
	}
}

func outlive(t *testing.T, wrap func(resolver.System) resolver.Backend) {
	release := make(chan struct{})
	r := newBackend(t, resolver.Config{Backend: wrap(stuck(release)), Slots: 1})
	err := loop.Run(func(task *loop.Task) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			err := n.Spawn(func(task *loop.Task) error {
				_, err := r.Getaddrinfo(task, "one.test.", "", v4only)
				return err
			})
			if err != nil {
				return err
			}
			for r.Statistics().Running == 0 {
				if err := loop.Yield(task); err != nil {
					return err
				}
			}
			return n.Cancel("enough")
		})
		for range 100 { // whatever could end the lookup has its turn
			err = errors.Join(err, loop.Yield(task))
		}
		if st := r.Statistics(); st.Running != 1 || st.Abandoned != 1 {
			t.Errorf("everybody has left, and %+v", st)
		}
		return err
	})
	close(release)
	if st := r.Statistics(); err != nil || st.Running != 0 || st.Waiting != 0 {
		t.Errorf("%v, %+v", err, st)
	}
}

// failing is a backend that answers an error.
type failing struct{ err error }

func (f failing) Lookup(t *loop.Task, _ string, _ int) ([]netip.Addr, error) {
	return nil, errors.Join(loop.Checkpoint(t), f.err)
}

// S300: errors of a backend come through, and errors of package net are told
// apart as far as it does.
func TestS300BackendErrors(t *testing.T) {
	broken := errors.New("broken")
	looptest.Run(t, func(task *loop.Task) error {
		r := newBackend(t, resolver.Config{Backend: failing{broken}})
		_, err := r.Getaddrinfo(task, "x.test", "", resolver.Hints{})
		if !errors.Is(err, resolver.Fail) || !errors.Is(err, broken) {
			t.Errorf("the error is %v", err)
		}
		return nil
	})
}

// S303: who dials names the resolver to be used; it sees the name as it goes to
// the DNS, and the service as it was given.
func ExampleStatic() {
	names := resolver.Static{"xn--bcher-kva.example": {netip.MustParseAddr("192.0.2.1")}}
	r, err := resolver.New(resolver.Config{Backend: names})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = loop.Run(func(t *loop.Task) error {
		q := socket.Query{Host: "Bücher.example", Service: "80"}
		err := r.Resolve(t, q, func(a socket.Answer) {
			if a.Err == nil {
				fmt.Println(a.Addrs)
			}
		})
		_, lost := r.Getaddrinfo(t, "lost.example", "", resolver.Hints{})
		fmt.Println(lost, errors.Is(lost, resolver.NoName))
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [192.0.2.1:80]
	// resolver: "lost.example": no such name true
}

// S310, S309: names of addresses go through the throttle too, as they each hold a
// thread of the system.
func TestS310NamesOfAddresses(t *testing.T) {
	release := make(chan struct{})
	system := stuck(release)
	r := newBackend(t, resolver.Config{Backend: &system, Slots: 1})
	const lookups = 3
	looptest.Run(t, func(task *loop.Task) error {
		warm(task, t, r)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for i := range lookups {
				addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), 80)
				err := n.Spawn(func(task *loop.Task) error {
					_, _, err := r.Getnameinfo(task, addr, resolver.NINameReqd)
					if err == nil {
						t.Errorf("%v has a name", addr)
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			for range 100 {
				if err := loop.Yield(task); err != nil {
					return err
				}
			}
			if st := r.Statistics(); st.Running != 1 || st.Waiting != lookups-1 {
				t.Errorf("under way: %+v", st)
			}
			close(release)
			return nil
		})
	})
	if st := r.Statistics(); st.Running != 0 || st.Started != lookups {
		t.Errorf("in the end: %+v", st)
	}
}
