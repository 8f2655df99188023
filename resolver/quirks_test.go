package resolver_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
)

// A server that answers in small letters is believed over TCP, and asked in
// small letters from then on.
func TestCaseIsLost(t *testing.T) {
	lower := behaviour{"lower", "lower"}
	c := stubCase{servers: []behaviour{lower}, want: "46", after: -1}
	run(t, c, func(task *loop.Task, r *resolver.Resolver, servers []*fake) {
		before := r.Statistics()
		if before.CaseLost == 0 || before.TCP == 0 {
			t.Errorf("statistics: %+v", before) // one of 16 million names has no capital
		}
		if got, err := lookup(task, r, "abcdefghijklmnopqrstuvwxyz.test"); err != nil || got != "46" {
			t.Errorf("%s, %v", got, err)
		}
		if after := r.Statistics(); after.TCP != before.TCP {
			t.Errorf("statistics: %+v", after)
		}
	})
}

// DNS cookies (RFC 7873): the server's is given back, and an answer without
// one is not believed any more.
func TestCookies(t *testing.T) {
	var given []string
	strip, twist := false, false
	handle := func(q *asking) []event {
		m := positive(q)
		if opt := q.msg.IsEdns0(); opt != nil && !strip {
			cookie := opt.Option[0].(*dns.EDNS0_COOKIE)
			given = append(given, cookie.Cookie)
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: cookie.Cookie[:16] + "0102030405060708"}}
			if twist && !q.tcp {
				m.IsEdns0().Option[0].(*dns.EDNS0_COOKIE).Cookie = "00000000000000000102030405060708"
			}
		}
		return []event{{0, packed(m)}}
	}
	withServers(t, []func(*asking) []event{handle}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{CacheSize: -1}, servers...)
		for range 2 {
			if got, err := lookup(task, r, "x.test"); err != nil || got != "46" {
				t.Errorf("%s, %v", got, err)
			}
		}
		if len(given) != 4 || len(given[0]) != 16 || given[2] != given[0]+"0102030405060708" {
			t.Errorf("cookies: %q", given)
		}
		twist = true
		before := r.Statistics().Forged
		if got, err := lookup(task, r, "x.test"); err != nil || got != "46" || r.Statistics().Forged == before {
			t.Errorf("with a cookie that is not ours: %s, %v", got, err)
		}
		twist, strip = false, true
		before = r.Statistics().Forged
		if got, err := lookup(task, r, "x.test"); err != nil || got != "46" || r.Statistics().Forged == before {
			t.Errorf("without a cookie: %s, %v, %+v", got, err, r.Statistics())
		}
		return nil
	})
}

// A server that is known is given four times its usual time.
func TestHedgeFollowsRTT(t *testing.T) {
	dead := false
	first := func(q *asking) []event {
		if dead {
			return nil
		}
		return []event{{20 * ms, packed(positive(q))}}
	}
	second := behaviour{"5:ok", "5:ok"}
	withServers(t, []func(*asking) []event{first, second.server}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{CacheSize: -1}, servers...)
		warm(task, t, r)
		for _, want := range []time.Duration{20 * ms, 20 * ms, 85 * ms, 5 * ms} {
			dead = want == 85*ms
			start := task.Now()
			got, err := lookup(task, r, "x.test")
			if took := task.Now().Sub(start); err != nil || got != "46" || took.Round(ms) != want {
				t.Errorf("%s, %v after %v, want %v", got, err, took, want)
			}
		}
		return nil
	})
}
