package resolver_test

import (
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
)

// R135: an answer to a question from before files changed, or from before Flush,
// is for those who waited for it. Nobody later gets it from the cache or joins
// its lookup.
func TestLateAnswersAreNotKept(t *testing.T) {
	z := readZones(t, "testdata/lion.test.zone")
	changes := 0
	for what, change := range map[string]func(r *resolver.Resolver, dir string){
		"Flush": func(r *resolver.Resolver, _ string) { r.Flush() },
		"a new file": func(r *resolver.Resolver, dir string) {
			changes++
			writeFile(t, filepath.Join(dir, "hosts"), fmt.Sprintf("10.0.0.%d other.test\n", changes))
			resolver.Reload(r)
		},
	} {
		var r *resolver.Resolver
		dir, asked := tempDir(t), 0
		handle := func(q *asking) []event {
			if asked++; asked <= 2 { // both questions of the first lookup
				change(r, dir)
			}
			return z.honest(q)
		}
		withServers(t, []func(*asking) []event{handle}, func(task *loop.Task, servers []*fake) error {
			r = newResolver(t, resolver.Config{Files: resolver.Files{Dir: dir}}, servers...)
			warm(task, t, r)
			for i, want := range []int{2, 4, 4} { // the third comes from the cache
				if got, err := lookup(task, r, "dual.lion.test"); got != "46" || err != nil {
					t.Errorf("%s: found %q: %v", what, got, err)
				}
				if asked != want {
					t.Errorf("%s: %d questions after lookup %d, want %d", what, asked, i+1, want)
				}
			}
			return nil
		})
	}
}

// Attempts by TCP that had their time go on, and end with the lookup: its slot
// is free when the answers are there.
func TestTCPAttemptsEndWithTheLookup(t *testing.T) {
	late := func(q *asking) []event {
		if q.nth == 0 {
			return nil
		}
		return []event{{2200 * ms, packed(positive(q))}}
	}
	withServers(t, []func(*asking) []event{late}, func(task *loop.Task, servers []*fake) error {
		n := servers[0].n
		ln, err := socket.ListenTCP(task.Loop(), netip.AddrPortFrom(loopback, 0).String())
		if err != nil {
			return err
		}
		defer ln.Close()
		closing := task.Now().Add(2 * time.Second)
		servers[0].spawn(func(task *loop.Task) error { // the other server closes what it accepts
			for {
				c, err := ln.Accept(task)
				if err != nil {
					return nil
				}
				err = n.Spawn(func(task *loop.Task) error {
					defer c.Close()
					return loop.SleepUntil(task, closing)
				})
				if err != nil {
					return err
				}
			}
		})
		conf := &resolver.ResolvConf{UseTCP: true}
		r := newResolver(t, resolver.Config{ResolvConf: conf}, servers[0], &fake{addr: ln.Addr().AddrPort()})
		warm(task, t, r)
		if got, err := lookup(task, r, "x.test"); got != "46" || err != nil {
			t.Errorf("found %q: %v", got, err)
		}
		if err := loop.Sleep(task, ms); err != nil {
			return err
		}
		if st := r.Statistics(); st.Running != 0 || st.TCP != 4 {
			t.Errorf("the answers are there, and %+v", st)
		}
		return nil
	})
}

// R136: loops that share name servers, a cache and three slots, while everything is
// forgotten again and again and some leave early.
func TestR136LoopsShareTheStub(t *testing.T) {
	conn := serveGo(t)
	defer conn.Close()
	server := &fake{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	r := newResolver(t, resolver.Config{Slots: 3, CacheSize: 20}, server)
	const lookups = 60
	err := loop.RunEach(4, func(task *loop.Task, at int) error {
		one := func(task *loop.Task, i int) error {
			name := fmt.Sprintf("h%d.example.test", i%50)
			switch {
			case i%7 == at:
				return loop.MoveOnAfter(task, time.Duration(i)*10*time.Microsecond, func(*loop.Scope) error {
					_, err := lookup(task, r, name)
					return err
				})
			case i%10 == at:
				r.Flush()
			}
			if got, err := lookup(task, r, name); err != nil || got != "46" {
				t.Errorf("%s: %s, %v", name, got, err)
			}
			return nil
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for i := range lookups {
				if err := n.Spawn(func(task *loop.Task) error { return one(task, i) }); err != nil {
					return err
				}
			}
			return nil
		})
	})
	st := r.Statistics()
	if err != nil || st.Running != 0 || st.Waiting != 0 || st.Peak > 3 || resolver.Loops(r) != 0 {
		t.Errorf("%v, %d loops, %+v", err, resolver.Loops(r), st)
	}
}
