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

// cookieServer answers with a cookie while it is told to, and by datagram with
// what forge makes of its answer, if that is not nil.
type cookieServer struct {
	cookies bool
	forge   func(q *asking) []byte
}

func (s *cookieServer) answer(q *asking) []event {
	m := positive(q)
	if opt := q.msg.IsEdns0(); opt != nil && s.cookies {
		cookie := opt.Option[0].(*dns.EDNS0_COOKIE)
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE,
			Cookie: cookie.Cookie[:16] + "0102030405060708"}}
	}
	if s.forge != nil && !q.tcp {
		return []event{{0, s.forge(q)}, {5 * ms, packed(m)}}
	}
	return []event{{0, packed(m)}}
}

// A bare header has no cookie, so from a server that gives cookies it is no
// answer: it must neither end a question nor talk us out of EDNS, and with it
// out of cookies.
func TestBareHeaderWithoutCookie(t *testing.T) {
	for _, code := range []int{dns.RcodeServerFailure, dns.RcodeRefused, dns.RcodeFormatError} {
		s := &cookieServer{cookies: true}
		withServers(t, []func(*asking) []event{s.answer}, func(task *loop.Task, servers []*fake) error {
			r := newResolver(t, resolver.Config{CacheSize: -1}, servers...)
			if got, err := lookup(task, r, "x.test"); err != nil || got != "46" {
				t.Errorf("%s, %v", got, err)
			}
			s.forge = func(q *asking) []byte {
				wire := packed(rcode(q, code))[:12]
				copy(wire[4:], make([]byte, 8))
				return wire
			}
			got, err := lookup(task, r, "x.test")
			if st := r.Statistics(); err != nil || got != "46" || st.Forged == 0 || st.Plain != 0 {
				t.Errorf("code %d: %s, %v, %+v", code, got, err, st)
			}
			return nil
		})
	}
}

// A server that has given up its cookies says so over TCP, and is believed by
// datagram from then on: else each lookup for ever would go the long way.
func TestCookiesAreGivenUp(t *testing.T) {
	s := &cookieServer{cookies: true}
	withServers(t, []func(*asking) []event{s.answer}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{CacheSize: -1}, servers...)
		var tcp []uint64
		for i := range 4 {
			s.cookies = i == 0
			if got, err := lookup(task, r, "x.test"); err != nil || got != "46" {
				t.Errorf("%s, %v", got, err)
			}
			tcp = append(tcp, r.Statistics().TCP)
		}
		if tcp[1] != 1 || tcp[3] != 1 {
			t.Errorf("conversations over TCP, after each lookup: %d", tcp)
		}
		return nil
	})
}

// A server that answers one family and never the other is alive: it is not put
// behind those that are worse.
func TestHalfSilentServerIsAlive(t *testing.T) {
	half := behaviour{"5:ok", "never"}
	withServers(t, []func(*asking) []event{half.server}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{CacheSize: -1}, servers...)
		warm(task, t, r)
		for range 2 {
			if got, err := lookup(task, r, "x.test"); err != nil || got != "4" {
				t.Errorf("%s, %v", got, err)
			}
		}
		if st := r.Statistics(); st.Timeouts != 0 {
			t.Errorf("statistics: %+v", st)
		}
		return nil
	})
}

// What Net asks for is not taken for the answer to a lookup: it is a message,
// and says nothing about addresses by itself.
func TestMessagesAreNotCached(t *testing.T) {
	none := func(q *asking) []event {
		m := rcode(q, dns.RcodeSuccess)
		m.Ns = []dns.RR{mustRR("test. 60 IN SOA a. b. 1 2 3 4 60")}
		return []event{{0, packed(m)}}
	}
	withServers(t, []func(*asking) []event{none}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{}, servers...)
		for _, qtype := range []uint16{dns.TypeA, dns.TypeAAAA} {
			if m, err := resolver.Message(task, r, "x.test", qtype); err != nil || len(m.Answer) != 0 {
				t.Errorf("%v, %v", m, err)
			}
		}
		if got, err := lookup(task, r, "x.test"); err != nil || got != "NODATA" {
			t.Errorf("%s, %v", got, err)
		}
		return nil
	})
}

// Whoever leaves says nothing about the server: it is asked first afterwards.
func TestCancelledLookupBlamesNobody(t *testing.T) {
	slow := behaviour{"100:ok", "100:ok"}
	withServers(t, []func(*asking) []event{slow.server, slow.server}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{CacheSize: -1}, servers...)
		warm(task, t, r)
		err := loop.MoveOnAfter(task, 10*ms, func(*loop.Scope) error {
			_, err := lookup(task, r, "x.test")
			return err
		})
		if err != nil {
			return err
		}
		if got, err := lookup(task, r, "y.test"); err != nil || got != "46" {
			t.Errorf("%s, %v", got, err)
		}
		if st := r.Statistics(); st.Timeouts != 0 || len(servers[1].log) != 0 {
			t.Errorf("the second server was asked %q; statistics: %+v", servers[1].log, st)
		}
		return nil
	})
}
