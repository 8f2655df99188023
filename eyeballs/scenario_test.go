package eyeballs

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// A scenario is one of testdata/scenarios.txt, where the words are explained.
type scenario struct {
	number, title string

	named    bool
	list     []netip.AddrPort
	answers  []dnsAnswer
	services []serviceAnswer
	acts     map[netip.AddrPort]behaviour
	shaking  bool // some address shakes hands

	opts    []Option
	history bool
	srtt    [2]time.Duration
	cancel  time.Duration
	cancels bool
	starts  []mark
	end     string // "win", "fail", "late" or "cancelled"
	winner  string
	at      time.Duration
	errText string
	asked   []mark
	numbers map[string]int
}

// behaviour is what an address does, from the start of an attempt.
type behaviour struct {
	after      time.Duration
	err        error
	shakeAfter time.Duration
	shakeErr   error
	shakeNever bool
}

// dnsAnswer is one answer to a lookup, from its start.
type dnsAnswer struct {
	family family
	after  time.Duration
	addrs  []netip.AddrPort
	err    error
	never  bool
}

// serviceAnswer is one answer about services, from the start of the lookup.
type serviceAnswer struct {
	after     time.Duration
	endpoints []Endpoint
	err       error
	never     bool
}

// serviceAnswerOf reads "MS PRIORITY[/ALPN]=ADDR,... ...", "MS sf" or "never".
func serviceAnswerOf(fields []string) (a serviceAnswer) {
	if a.never = fields[0] == "never"; a.never {
		return a
	}
	a.after = msOf(fields[0])
	for _, field := range fields[1:] {
		if field == "sf" {
			a.err = errServer
			return a
		}
		what, addrs, _ := strings.Cut(field, "=")
		priority, alpn, limited := strings.Cut(what, "/")
		p := Endpoint{Priority: uint16(number(priority))}
		if limited {
			p.ALPN = []string{alpn}
		}
		for _, addr := range strings.Split(addrs, ",") {
			p.Addrs = append(p.Addrs, addrOf(addr))
		}
		a.endpoints = append(a.endpoints, p)
	}
	return a
}

const kernelPatience = 133400 * time.Millisecond

func (s *scenario) behaviour(addr netip.AddrPort) behaviour {
	if b, ok := s.acts[addr]; ok {
		return b
	}
	return behaviour{after: 20 * time.Millisecond}
}

func (s *scenario) answersFor(which families) (all []dnsAnswer) {
	for _, a := range s.answers {
		if which.has(a.family) {
			all = append(all, a)
		}
	}
	return all
}

// loadScenarios reads the table. A mistake in it ends the test.
func loadScenarios(t *testing.T) []*scenario {
	t.Helper()
	raw, err := os.ReadFile("testdata/scenarios.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []*scenario
	var s *scenario
	for i, line := range strings.Split(string(raw), "\n") {
		word, rest, _ := strings.Cut(line, " ")
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
			continue
		case word[0] == 'E' || word[0] == 'S' || word[0] == 'V':
			s = &scenario{number: word, title: rest, acts: map[netip.AddrPort]behaviour{}}
			all = append(all, s)
			continue
		}
		if err := s.line(word, rest); err != nil {
			t.Fatalf("testdata/scenarios.txt:%d: %v", i+1, err)
		}
	}
	return all
}

func (s *scenario) line(word, rest string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("%s: %v", word, v)
		}
	}()
	fields := strings.Fields(rest)
	switch word {
	case "list", "with":
		for _, field := range fields {
			name, does, _ := strings.Cut(field, "=")
			addr := addrOf(name)
			if word == "list" {
				s.list = append(s.list, addr)
			}
			s.acts[addr] = s.behaviourOf(does)
		}
	case "dns":
		s.named = true
		for _, field := range fields {
			s.answers = append(s.answers, answerOf(field))
		}
	case "services":
		s.services = append(s.services, serviceAnswerOf(fields))
	case "opts":
		for _, field := range fields {
			s.option(field)
		}
	case "want":
		s.want(fields)
	case "error":
		s.errText = rest
	case "asked":
		for _, field := range fields {
			what, at := timed(field)
			s.asked = append(s.asked, mark{what, at})
		}
	case "numbers":
		s.numbers = map[string]int{}
		for _, field := range fields {
			name, n, _ := strings.Cut(field, "=")
			s.numbers[name] = number(n)
		}
	default:
		return fmt.Errorf("what is %q?", word)
	}
	return nil
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return n
}

func msOf(text string) time.Duration {
	return time.Duration(number(text)) * time.Millisecond
}

// timed splits "what@ms".
func timed(field string) (string, time.Duration) {
	what, at, _ := strings.Cut(field, "@")
	return what, msOf(at)
}

// addrOf reads 6a, 4b or a literal.
func addrOf(name string) netip.AddrPort {
	if len(name) == 2 && name[0] == '6' {
		return netip.AddrPortFrom(netip.MustParseAddr("2001:db8::"+name[1:]), 80)
	}
	if len(name) == 2 && name[0] == '4' {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, name[1] - 'a' + 10}), 80)
	}
	return netip.AddrPortFrom(netip.MustParseAddr(name), 80)
}

func (s *scenario) behaviourOf(text string) behaviour {
	text, shake, shakes := strings.Cut(text, "+")
	if text == "bh" {
		return behaviour{after: kernelPatience, err: connectError(sys.ETIMEDOUT)}
	}
	does, after := timed(text)
	b := behaviour{after: after, err: map[string]error{
		"ok": nil, "tcp": nil, "rst": connectError(sys.ECONNREFUSED),
		"unr": connectError(sys.EHOSTUNREACH), "net": connectError(sys.ENETUNREACH),
		"noaf": socketError(sys.EAFNOSUPPORT), "mfile": socketError(sys.EMFILE),
	}[does]}
	if !shakes {
		return b
	}
	s.shaking = true
	if shake == "never" {
		b.shakeNever = true
		return b
	}
	does, b.shakeAfter = timed(shake)
	if does == "bad" {
		b.shakeErr = errBad
	}
	return b
}

func answerOf(field string) (a dnsAnswer) {
	kind, addrs, positive := strings.Cut(field, "=")
	what, at, _ := strings.Cut(kind, "@")
	name, failure, _ := strings.Cut(what, "!")
	if name == "AAAA" {
		a.family = ipv6
	}
	if failure == "never" {
		a.never = true
		return a
	}
	a.after = msOf(at)
	if positive {
		for _, addr := range strings.Split(addrs, ",") {
			a.addrs = append(a.addrs, addrOf(addr))
		}
		return a
	}
	a.err = map[string]error{"neg": errNoData, "nx": errNoName, "sf": errServer}[failure]
	return a
}

func (s *scenario) option(field string) {
	name, value, _ := strings.Cut(field, "=")
	switch name {
	case "cad":
		s.opts = append(s.opts, WithAttemptDelay(msOf(value)))
	case "timeout":
		s.opts = append(s.opts, WithTimeout(msOf(value)))
	case "max":
		s.opts = append(s.opts, WithMaxConcurrent(number(value)))
	case "fafc":
		s.opts = append(s.opts, WithFirstCount(number(value)))
	case "sequential":
		s.opts = append(s.opts, Sequential())
	case "strict":
		s.opts = append(s.opts, StrictSpacing())
	case "single":
		s.opts = append(s.opts, SingleHandshake())
	case "hold":
		s.opts = append(s.opts, HoldHandshakes())
	case "fatal":
		s.opts = append(s.opts, FatalHandshake(func(err error) bool { return err == errBad }))
	case "preferv4":
		s.opts = append(s.opts, PreferIPv4())
	case "lastresort":
		s.opts = append(s.opts, WithLastResort())
	case "nat64":
		s.opts = append(s.opts, WithNAT64(netip.MustParsePrefix(value)))
	case "routes":
		s.opts = append(s.opts, WithRoutes(func(*loop.Task) (v4, v6 bool, err error) {
			return strings.Contains(value, "4"), strings.Contains(value, "6"), nil
		}))
	case "srtt":
		srtt, rttvar, _ := strings.Cut(value, "/")
		s.history = true
		s.srtt = [2]time.Duration{msOf(srtt), msOf(rttvar)}
	case "cancel":
		s.cancels, s.cancel = true, msOf(value)
	default:
		panic("no option " + name)
	}
}

func (s *scenario) want(fields []string) {
	for len(fields) > 0 && fields[0] != "win" && !isEnd(fields[0]) {
		what, at := timed(fields[0])
		s.starts = append(s.starts, mark{addrOf(what).Addr().String(), at})
		fields = fields[1:]
	}
	if s.end = fields[0]; s.end == "win" {
		winner, at := timed(fields[1])
		s.winner, s.at = addrOf(winner).Addr().String(), at
		return
	}
	s.end, s.at = timed(s.end)
}

func isEnd(field string) bool {
	what, _, _ := strings.Cut(field, "@")
	return what == "fail" || what == "late" || what == "cancelled"
}

// options are those of the scenario, in the given world.
func (s *scenario) options(w *world, tr *Trace) []Option {
	opts := append([]Option{WithTrace(tr), func(c *config) error {
		c.connect = w.connect
		if s.shaking {
			c.handshake = w.shake
		}
		if len(s.services) > 0 {
			c.services, c.speak = w.services, []string{"h2"}
		}
		return nil
	}}, s.opts...)
	if s.history {
		opts = append(opts, WithHistory(s.past()))
	}
	return opts
}

// past is a memory in which all addresses have the round trip of the scenario.
func (s *scenario) past() *History {
	h := &History{}
	for _, addr := range s.list {
		o := h.note(addr, epoch)
		o.srtt, o.rttvar = s.srtt[0], s.srtt[1]
	}
	return h
}
