package resolver_test

import (
	"errors"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
)

// broken is a backend with a bug, which shows after a second.
type broken struct{ bug func() }

func (b broken) Lookup(t *loop.Task, _ string, _ int) ([]netip.Addr, error) {
	if err := loop.Sleep(t, time.Second); err != nil {
		return nil, err
	}
	b.bug()
	return nil, nil
}

// A backend that panics, or ends its goroutine, fails the lookups that wait for
// it, and no others: everyone is told, the slot is free again, the loop goes on.
func TestBrokenBackend(t *testing.T) {
	for name, bug := range map[string]func(){
		"panic": func() { panic("ouch") }, "exit": runtime.Goexit, "nil": func() { panic(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newBackend(t, resolver.Config{Backend: broken{bug}, Slots: 1})
			virtually(t, func(task *loop.Task, n *loop.Nursery) error {
				warm(task, t, r)
				told := 0
				for _, host := range []string{"a.test", "a.test", "b.test"} {
					err := n.Spawn(func(task *loop.Task) error {
						_, err := r.Getaddrinfo(task, host, "", resolver.Hints{})
						var e *resolver.Error
						var p *loop.PanicError
						if errors.As(err, &e) && e.Code == resolver.Fail && e.Name == host && errors.As(err, &p) {
							told++
							return nil
						}
						t.Errorf("%s: the error is %v", host, err)
						return nil
					})
					if err != nil {
						return err
					}
				}
				if err := loop.Sleep(task, 10*time.Second); err != nil {
					return err
				}
				st := r.Statistics()
				if told != 3 || st.Running != 0 || st.Waiting != 0 || st.Broken != 2 {
					t.Errorf("%d were told, %+v", told, st)
				}
				return nil
			})
		})
	}
}

// A Trace that panics fails the lookup that it is told of; the next one goes on.
func TestBrokenTrace(t *testing.T) {
	ok := behaviour{"ok", "ok"}
	withServers(t, []func(*asking) []event{ok.server}, func(task *loop.Task, servers []*fake) error {
		armed := true
		r := newResolver(t, resolver.Config{Trace: func(e resolver.Event) {
			if e.Step == "ask" && armed {
				armed = false
				panic("ouch")
			}
		}}, servers...)
		warm(task, t, r)
		_, err := r.Getaddrinfo(task, "x.test", "80", resolver.Hints{})
		if st := r.Statistics(); !errors.Is(err, resolver.Fail) || st.Running != 0 || st.Broken != 1 {
			t.Errorf("%v, %+v", err, st)
		}
		if got, err := lookup(task, r, "x.test"); err != nil || got != "46" {
			t.Errorf("the next lookup: %s, %v", got, err)
		}
		return nil
	})
}

// A cancellation that a backend makes up is none of those who wait.
func TestBackendWithItsOwnCancellation(t *testing.T) {
	r := newBackend(t, resolver.Config{Backend: failing{loop.Cancelled}})
	virtually(t, func(task *loop.Task, _ *loop.Nursery) error {
		_, err := r.Getaddrinfo(task, "x.test", "", resolver.Hints{})
		if !errors.Is(err, resolver.Fail) || errors.Is(err, loop.Cancelled) {
			t.Errorf("the error is %v", err)
		}
		return nil
	})
}
