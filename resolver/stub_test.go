package resolver_test

import (
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
)

// A behaviour is how a server treats one type of record: words that a plus
// joins, each with the milliseconds after which it happens, "30:ok". See act.
type behaviour struct{ a, q string }

// server turns behaviours into the function of a fake.
func (b behaviour) server(q *asking) []event {
	words := b.a
	if q.kind == dns.TypeAAAA {
		words = b.q
	}
	var events []event
	for word := range strings.SplitSeq(words, "+") {
		ms, what, ok := strings.Cut(word, ":")
		if !ok {
			ms, what = "0", word
		}
		after, err := strconv.Atoi(ms)
		if err != nil {
			panic(err)
		}
		if wire := act(q, what); wire != nil {
			events = append(events, event{time.Duration(after) * time.Millisecond, wire})
		}
	}
	return events
}

// positive is the honest answer: 192.0.2.1 or 2001:db8::1.
func positive(q *asking) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(q.msg)
	m.RecursionAvailable = true
	m.Answer = []dns.RR{record(q.msg.Question[0].Name, q.kind)}
	return m
}

func record(name string, kind uint16) dns.RR {
	if kind == dns.TypeAAAA {
		return &dns.AAAA{Hdr: header(name, kind), AAAA: net.ParseIP("2001:db8::1")}
	}
	return &dns.A{Hdr: header(name, kind), A: net.IPv4(192, 0, 2, 1)}
}

func rcode(q *asking, code int) *dns.Msg {
	m := positive(q)
	m.Answer, m.Rcode = nil, code
	return m
}

// act is the datagram for a word, nil for none.
func act(q *asking, what string) []byte {
	hasOPT := q.msg.IsEdns0() != nil
	switch what {
	case "never":
		return nil
	case "S":
		return packed(rcode(q, dns.RcodeServerFailure))
	case "N":
		return packed(rcode(q, dns.RcodeNameError))
	case "D":
		return packed(rcode(q, dns.RcodeSuccess))
	case "R":
		return packed(rcode(q, dns.RcodeRefused))
	case "lame":
		m := rcode(q, dns.RcodeSuccess)
		m.RecursionAvailable = false
		return packed(m)
	case "bareS":
		return packed(rcode(q, dns.RcodeServerFailure))[:12:12]
	case "bareS0":
		wire := packed(rcode(q, dns.RcodeServerFailure))[:12:12]
		wire[5] = 0
		return wire
	case "TT":
		m := positive(q)
		m.Truncated = true
		return packed(m)
	case "optF", "optI":
		if hasOPT {
			return packed(rcode(q, map[string]int{"optF": dns.RcodeFormatError, "optI": dns.RcodeNotImplemented}[what]))
		}
	case "optX":
		if hasOPT {
			return nil
		}
	case "T":
		if !q.tcp {
			m := positive(q)
			m.Truncated = true
			return packed(m)
		}
	case "lower":
		m := positive(q)
		if !q.tcp {
			m.Question[0].Name = strings.ToLower(m.Question[0].Name)
		}
		return packed(m)
	}
	return packed(positive(q))
}

// A stubCase is a lookup of both families and what it comes to.
type stubCase struct {
	id      string
	servers []behaviour
	conf    resolver.ResolvConf
	want    string        // "46", "4", "6" or a code
	after   time.Duration // virtual; -1: not checked
	udp     int           // datagrams at all servers; 0: not checked
}

const ms = time.Millisecond

func run(tb testing.TB, c stubCase, then func(*loop.Task, *resolver.Resolver, []*fake)) {
	tb.Helper()
	var handles []func(*asking) []event
	for _, b := range c.servers {
		handles = append(handles, b.server)
	}
	withServers(tb, handles, func(t *loop.Task, servers []*fake) error {
		r := newResolver(tb, resolver.Config{ResolvConf: &c.conf, CacheSize: -1}, servers...)
		warm(t, tb, r)
		start := t.Now()
		got, err := lookup(t, r, "x.test")
		if err != nil {
			return err
		}
		if took := t.Now().Sub(start); c.after >= 0 && took.Round(ms) != c.after {
			tb.Errorf("%s: took %v, want %v", c.id, took, c.after)
		}
		if got != c.want {
			tb.Errorf("%s: got %s, want %s", c.id, got, c.want)
		}
		n := 0
		for _, f := range servers {
			for _, entry := range f.log {
				if !strings.HasPrefix(entry, "tcp") {
					n++
				}
			}
		}
		if c.udp != 0 && n != c.udp {
			tb.Errorf("%s: %d datagrams, want %d", c.id, n, c.udp)
		}
		if then != nil {
			then(t, r, servers)
		}
		return nil
	})
}

// warm lets r read its files, on a worker, before time counts.
func warm(t *loop.Task, tb testing.TB, r *resolver.Resolver) {
	if _, err := r.Getaddrinfo(t, "localhost", "", resolver.Hints{}); err != nil {
		tb.Fatal(err)
	}
}

// lookup asks for a name, and writes which families it got, or the code.
func lookup(t *loop.Task, r *resolver.Resolver, name string) (string, error) {
	infos, err := r.Getaddrinfo(t, name, "80", resolver.Hints{SockType: 1})
	var e *resolver.Error
	if errors.As(err, &e) {
		return strings.TrimPrefix(e.Code.String(), "EAI_"), nil
	}
	has := map[bool]bool{}
	for _, info := range infos {
		has[info.Addr.Addr().Is4()] = true
	}
	text := ""
	if has[true] {
		text += "4"
	}
	if has[false] {
		text += "6"
	}
	return text, err
}

// R069 to R105: how servers behave, and what becomes of it, in virtual time.
func TestR069Servers(t *testing.T) {
	two := resolver.ResolvConf{Timeout: time.Second, Attempts: 2}
	for _, c := range []stubCase{
		{id: "R069", servers: []behaviour{{"ok", "ok"}}, want: "46", udp: 2},
		{id: "R070", servers: []behaviour{{"ok", "100:ok"}}, want: "46", after: 100 * ms, udp: 2},
		{id: "R071", servers: []behaviour{{"ok", "never"}}, want: "4", after: time.Second},
		{id: "R072", servers: []behaviour{{"never", "ok"}}, want: "6", after: time.Second},
		{id: "R073", servers: []behaviour{{"ok", "S"}}, want: "4"},
		{id: "R074", servers: []behaviour{{"S", "ok"}}, want: "6"},
		{id: "R075", servers: []behaviour{{"S", "S"}}, want: "AGAIN", udp: 2},
		{id: "R075 two", servers: []behaviour{{"S", "S"}, {"ok", "ok"}}, want: "46", udp: 4},
		{id: "R076", servers: []behaviour{{"N", "ok"}}, want: "6"},
		{id: "R076 mirrored", servers: []behaviour{{"ok", "N"}}, want: "4"},
		{id: "R077", servers: []behaviour{{"N", "never"}}, want: "NONAME", after: 50 * ms},
		{id: "R078", servers: []behaviour{{"N", "N"}}, want: "NONAME"},
		{id: "R079", servers: []behaviour{{"D", "N"}}, want: "NONAME"},
		{id: "R065", servers: []behaviour{{"D", "D"}}, want: "NODATA"},
		{id: "R080", servers: []behaviour{{"R", "R"}}, want: "AGAIN", udp: 2},
		{id: "R080 two", servers: []behaviour{{"R", "R"}, {"N", "N"}}, want: "NONAME", udp: 4},
		{id: "R081", servers: []behaviour{{"optF", "optF"}}, want: "46", udp: 4},
		{id: "R081 NOTIMP", servers: []behaviour{{"optI", "optI"}}, want: "46", udp: 4},
		{id: "R084", servers: []behaviour{{"lame", "lame"}, {"ok", "ok"}}, want: "46"},
		{id: "R084 alone", servers: []behaviour{{"lame", "lame"}}, want: "AGAIN"},
		{id: "R085", servers: []behaviour{{"T", "ok"}}, want: "46", udp: 2},
		{id: "R087", servers: []behaviour{{"TT", "ok"}}, want: "46", udp: 2},
		{id: "R091", servers: []behaviour{{"bareS", "bareS"}}, want: "AGAIN", udp: 2},
		{id: "R091 without a question", servers: []behaviour{{"bareS0", "bareS0"}}, want: "AGAIN", udp: 2},
		{id: "R092", servers: []behaviour{{"600:ok", "600:ok"}}, want: "46", after: 600 * ms},
		{id: "R096", servers: []behaviour{{"never", "never"}, {"5:ok", "5:ok"}}, want: "46", after: 405 * ms, udp: 4},
		{id: "R097", servers: []behaviour{{"never", "never"}, {"never", "never"}, {"5:ok", "5:ok"}},
			want: "46", after: 805 * ms, udp: 6},
		{id: "R099", servers: []behaviour{{"N", "N"}, {"ok", "ok"}}, want: "NONAME", udp: 2},
		{id: "R100", servers: []behaviour{{"S", "S"}, {"ok", "ok"}}, want: "46"},
		{id: "R101", servers: []behaviour{{"never", "never"}, {"never", "never"}}, conf: two,
			want: "AGAIN", after: 2 * time.Second},
		{id: "no-aaaa", servers: []behaviour{{"ok", "ok"}}, conf: resolver.ResolvConf{NoAAAA: true}, want: "4", udp: 1},
		{id: "use-vc", servers: []behaviour{{"ok", "ok"}}, conf: resolver.ResolvConf{UseTCP: true}, want: "46", after: -1},
		{id: "single-request", servers: []behaviour{{"ok", "ok"}}, conf: resolver.ResolvConf{SingleRequest: true},
			want: "46", udp: 2},
	} {
		t.Run(c.id, func(t *testing.T) { run(t, c, nil) })
	}
}

// R069: one socket for both questions, AAAA first, in letters of random case.
func TestR069OneSocketTwoDatagrams(t *testing.T) {
	run(t, stubCase{servers: []behaviour{{"ok", "ok"}}, want: "46", udp: 2},
		func(_ *loop.Task, r *resolver.Resolver, servers []*fake) {
			f := servers[0]
			if len(f.ports) != 1 || f.clients != 0 {
				t.Errorf("%d ports, %d TCP connections", len(f.ports), f.clients)
			}
			if got := strings.Join(f.log, ", "); got != "AAAA x.test, A x.test" {
				t.Errorf("questions: %s", got)
			}
			if st := r.Statistics(); st.Sockets != 1 || st.Queries != 2 || st.Started != 1 || st.Running != 0 {
				t.Errorf("statistics: %+v", st)
			}
		})
}

// R096, R097: who was silent is asked last from then on.
func TestR096DeadServerIsRemembered(t *testing.T) {
	c := stubCase{servers: []behaviour{{"never", "never"}, {"5:ok", "5:ok"}}, want: "46", after: 405 * ms}
	run(t, c, func(task *loop.Task, r *resolver.Resolver, servers []*fake) {
		for range 3 {
			start := task.Now()
			got, err := lookup(task, r, "y.test")
			if err != nil || got != "46" || task.Now().Sub(start) != 5*ms {
				t.Errorf("later: %s, %v after %v", got, err, task.Now().Sub(start))
			}
		}
		if len(servers[0].log) != 2 {
			t.Errorf("the dead server was asked: %v", servers[0].log)
		}
		r.Flush()
		start := task.Now()
		if _, err := lookup(task, r, "z.test"); err != nil || task.Now().Sub(start) < 50*ms {
			t.Errorf("after Flush the dead server is not remembered: %v", task.Now().Sub(start))
		}
	})
}

// R102: rotation spreads lookups evenly.
func TestR102Rotate(t *testing.T) {
	ok := behaviour{"ok", "ok"}
	c := stubCase{servers: []behaviour{ok, ok, ok}, conf: resolver.ResolvConf{Rotate: true}, want: "46"}
	run(t, c, func(task *loop.Task, r *resolver.Resolver, servers []*fake) {
		for range 29 {
			if _, err := lookup(task, r, "x.test"); err != nil {
				t.Error(err)
			}
		}
		for i, f := range servers {
			if len(f.log) != 20 {
				t.Errorf("server %d got %d questions", i, len(f.log))
			}
		}
	})
}

// R105: early repetitions are bounded.
func TestR105HedgeBudget(t *testing.T) {
	slow := behaviour{"450:ok", "450:ok"}
	c := stubCase{servers: []behaviour{slow}, want: "46", after: 450 * ms}
	run(t, c, func(task *loop.Task, r *resolver.Resolver, servers []*fake) {
		for range 160 {
			r.Flush() // cold again: 450 ms are late
			if _, err := lookup(task, r, "x.test"); err != nil {
				t.Fatal(err)
			}
		}
		if st := r.Statistics(); st.Hedges > 130 || st.Hedges < 10 {
			t.Errorf("%d of %d questions were repeated", st.Hedges, st.Queries)
		}
	})
}

// R082: a server that drops what it does not know is asked plainly, in the end.
func TestR082DropsEDNS(t *testing.T) {
	conf := resolver.ResolvConf{Attempts: 5}
	c := stubCase{servers: []behaviour{{"optX", "optX"}}, conf: conf, want: "46", after: -1}
	run(t, c, func(task *loop.Task, r *resolver.Resolver, _ []*fake) {
		start := task.Now()
		got, err := lookup(task, r, "y.test")
		if err != nil || got != "46" || task.Now() != start {
			t.Errorf("it is not remembered: %s, %v after %v", got, err, task.Now().Sub(start))
		}
	})
}

// R086: TCP is refused, and what the datagram had is used.
func TestR086TruncatedWithoutTCP(t *testing.T) {
	cut := behaviour{"T", "ok"}
	withServers(t, []func(*asking) []event{cut.server}, func(task *loop.Task, servers []*fake) error {
		_ = servers[0].tcp.Close()
		r := newResolver(t, resolver.Config{}, servers...)
		got, err := lookup(task, r, "x.test")
		st := r.Statistics()
		if err != nil || got != "46" || st.TCPFailed != 1 || st.Truncated != 1 {
			t.Errorf("%s, %v, %+v", got, err, st)
		}
		return nil
	})
}

// R090: large answers come by TCP, middling ones in one datagram.
func TestR090LargeAnswers(t *testing.T) {
	z := readZones(t, "testdata/lion.test.zone", "testdata/other.test.zone")
	withServers(t, []func(*asking) []event{z.honest}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{}, servers...)
		for name, want := range map[string]int{"big.lion.test": 200, "mid.lion.test": 40} {
			infos, err := r.Getaddrinfo(task, name, "80", resolver.Hints{SockType: 1})
			if err != nil || len(infos) != want {
				t.Errorf("%s: %d addresses, %v", name, len(infos), err)
			}
		}
		if st := r.Statistics(); st.TCP != 1 || st.TCPFailed != 0 {
			t.Errorf("statistics: %+v", st)
		}
		return nil
	})
}

// R089: answers on one TCP connection may come in any order, in any pieces.
func TestR089TCPOutOfOrder(t *testing.T) {
	late := behaviour{"T", "T"}
	handle := func(q *asking) []event {
		if q.tcp && q.kind == dns.TypeAAAA {
			return []event{{20 * ms, packed(positive(q))}}
		}
		return late.server(q)
	}
	withServers(t, []func(*asking) []event{handle}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{ResolvConf: &resolver.ResolvConf{UseTCP: true}}, servers...)
		got, err := lookup(task, r, "x.test")
		if err != nil || got != "46" || servers[0].clients != 1 {
			t.Errorf("%s, %v, %d connections", got, err, servers[0].clients)
		}
		return nil
	})
}

// R094: what cannot even be sent to leads to the next server at once.
func TestR094Unreachable(t *testing.T) {
	ok := behaviour{"ok", "ok"}
	withServers(t, []func(*asking) []event{ok.server}, func(task *loop.Task, servers []*fake) error {
		nowhere := &fake{addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), 53)}
		closed := &fake{addr: netip.AddrPortFrom(loopback, 1)} // ICMP says that nobody is there
		r := newResolver(t, resolver.Config{}, nowhere, closed, servers[0])
		warm(task, t, r)
		start := task.Now()
		got, err := lookup(task, r, "x.test")
		if took := task.Now().Sub(start); err != nil || got != "46" || took > coldHedge {
			t.Errorf("%s, %v after %v", got, err, took)
		}
		return nil
	})
}

// coldHedge is how long an unknown server has for its first answer.
const coldHedge = 400 * time.Millisecond

// R095: broken routers answer one of two questions from one port. The other
// one is asked again, alone and from a fresh port.
func TestR095OneAnswerPerPort(t *testing.T) {
	handle := func(q *asking) []event {
		if q.kind == dns.TypeA && q.nth == 0 {
			return nil
		}
		return []event{{0, packed(positive(q))}}
	}
	withServers(t, []func(*asking) []event{handle}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{}, servers...)
		got, err := lookup(task, r, "x.test")
		if log := strings.Join(servers[0].log, ", "); err != nil || got != "46" || len(servers[0].ports) != 2 ||
			log != "AAAA x.test, A x.test, A x.test" {
			t.Errorf("%s, %v: %s", got, err, log)
		}
		return nil
	})
}

// R064, R065, R060: a suffix that fails does not hide those behind it, and an
// outage never looks like a name that does not exist.
func TestR064SearchGoesOn(t *testing.T) {
	handle := func(q *asking) []event {
		switch {
		case strings.HasSuffix(q.name, ".dead.test"):
			return nil
		case strings.HasSuffix(q.name, ".broken.test"):
			return []event{{0, packed(rcode(q, dns.RcodeServerFailure))}}
		case strings.HasSuffix(q.name, ".empty.test"):
			return []event{{0, packed(rcode(q, dns.RcodeSuccess))}}
		case q.name == "found.good.test":
			return []event{{0, packed(positive(q))}}
		}
		return []event{{0, packed(rcode(q, dns.RcodeNameError))}}
	}
	for _, c := range []struct{ search, name, want string }{
		{"dead.test good.test", "found", "46"},
		{"broken.test good.test", "found", "46"},
		{"empty.test good.test", "found", "46"},
		{"broken.test good.test", "lost", "AGAIN"},
		{"dead.test good.test", "lost", "AGAIN"},
		{"empty.test good.test", "lost", "NODATA"},
		{"good.test", "lost", "NONAME"},
	} {
		withServers(t, []func(*asking) []event{handle}, func(task *loop.Task, servers []*fake) error {
			conf := resolver.ResolvConf{Search: strings.Fields(c.search)}
			r := newResolver(t, resolver.Config{ResolvConf: &conf}, servers...)
			if got, err := lookup(task, r, c.name); err != nil || got != c.want {
				t.Errorf("%s, search %s: %s, %v", c.name, c.search, got, err)
			}
			return nil
		})
	}
}
