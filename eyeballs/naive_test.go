package eyeballs

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// naive is the race written down as simply as can be: a walk through the
// milliseconds that looks at everything in each of them. It shares no code with
// the engine but the words of the scenarios.
type naive struct {
	s                  *scenario
	cad, rd            int
	strict, sequential bool
	max, fafc          int
	lead               family

	begins  []int // per start: when
	tried   []netip.AddrPort
	ended   []bool
	answers map[family]*dnsAnswer
	held    int // when the resolution delay ends, -1 if there was none
	winner  int
	at      int

	left  []netip.AddrPort // what waiting said last, until something changes
	fresh bool
}

const ms = time.Millisecond

// run walks until the race is over or the end of time.
func (n *naive) run(end int) {
	n.answers, n.held, n.winner = map[family]*dnsAnswer{}, -1, -1
	for n.at = 0; n.at < end; n.at++ {
		for round := 0; ; round++ {
			if n.finished(round == 0) {
				return
			}
			if !n.startOne() {
				break
			}
		}
		if n.lost() {
			return
		}
	}
}

// finished takes what happens in this millisecond: a success ends it.
func (n *naive) finished(first bool) bool {
	for i, began := range n.begins {
		b := n.s.behaviour(n.tried[i])
		if !n.ended[i] && b.err == nil && began+int(b.after/ms) == n.at {
			n.winner = i
			return true
		}
	}
	for i := range n.s.answers {
		if a := &n.s.answers[i]; first && !a.never && int(a.after/ms) == n.at {
			n.answers[a.family], n.fresh = a, false
			switch other := n.answers[n.lead]; {
			case a.family == n.lead:
				n.held = -1
			case len(a.addrs) > 0 && other == nil && n.held < 0:
				n.held = n.at + n.rd
			}
		}
	}
	for i, began := range n.begins {
		b := n.s.behaviour(n.tried[i])
		if b.err != nil && began+int(b.after/ms) == n.at {
			n.ended[i] = true
		}
	}
	return false
}

// waiting is what has not been tried, in order.
func (n *naive) waiting() []netip.AddrPort {
	if !n.fresh {
		n.left, n.fresh = n.order(), true
	}
	return n.left
}

func (n *naive) order() (left []netip.AddrPort) {
	known := n.s.list
	if n.s.named {
		known = nil
		for _, f := range []family{n.lead, 1 - n.lead} {
			if a := n.answers[f]; a != nil {
				known = append(known, a.addrs...)
			}
		}
	}
	var families [2][]netip.AddrPort // of the first address, and the other
	seen := map[netip.AddrPort]bool{}
	for _, addr := range known {
		which := 0
		if addr.Addr().Is4() != known[0].Addr().Is4() {
			which = 1
		}
		if !seen[addr] {
			seen[addr] = true
			families[which] = append(families[which], addr)
		}
	}
	for turn := 0; len(families[0])+len(families[1]) > 0; turn++ {
		which := 0
		if turn >= n.fafc && (turn-n.fafc)%2 == 0 {
			which = 1
		}
		if len(families[which]) > 0 {
			if addr := families[which][0]; !slices.Contains(n.tried, addr) {
				left = append(left, addr)
			}
			families[which] = families[which][1:]
		}
	}
	return left
}

// startOne starts an attempt if one may start.
func (n *naive) startOne() bool {
	left := n.waiting()
	if len(left) == 0 {
		return false
	}
	if last := len(n.begins) - 1; last < 0 {
		if n.held >= 0 && n.at < n.held {
			return false
		}
	} else if n.ended[last] {
		if n.strict && n.at < n.begins[last]+10 {
			return false
		}
	} else if n.sequential || n.at < n.begins[last]+n.cad {
		return false
	}
	alive := 0
	for _, ended := range n.ended {
		if !ended {
			alive++
		}
	}
	if n.max > 0 && alive >= n.max {
		n.ended[slices.Index(n.ended, false)] = true
	}
	n.begins, n.tried = append(n.begins, n.at), append(n.tried, left[0])
	n.ended, n.fresh = append(n.ended, false), false
	return true
}

// lost reports whether nothing is left to hope for.
func (n *naive) lost() bool {
	if len(n.waiting()) > 0 || slices.Contains(n.ended, false) {
		return false
	}
	if n.s.named && len(n.answers) < 2 {
		a := n.answers[ipv4]
		return a != nil && a.err == errNoName && len(n.begins) == 0 && n.at >= int(a.after/ms)+n.rd
	}
	return true
}

// randomScenario makes a small scenario in which ties abound.
func randomScenario(rng *rand.Rand) (*scenario, *naive) {
	s := &scenario{acts: map[netip.AddrPort]behaviour{}}
	steps := func(n int) time.Duration { return time.Duration(5*rng.IntN(n)) * ms }
	all := strings.Fields("6a 4a 6b 4b 6c 4c")
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	byFamily := [2][]netip.AddrPort{}
	for _, name := range all[:rng.IntN(len(all)+1)] {
		addr := addrOf(name)
		b := behaviour{after: steps(13)}
		switch rng.IntN(4) {
		case 0:
			b.err = connectError(sys.ECONNREFUSED)
		case 1:
			b = behaviour{after: 150 * ms, err: connectError(sys.ETIMEDOUT)}
		}
		s.acts[addr] = b
		s.list = append(s.list, addr)
		byFamily[familyOf(addr)] = append(byFamily[familyOf(addr)], addr)
	}
	if s.named = rng.IntN(2) == 0; s.named {
		s.list = nil
		for f, addrs := range byFamily {
			a := dnsAnswer{family: family(f), after: steps(12), addrs: addrs, never: rng.IntN(12) == 0}
			if len(addrs) == 0 {
				a.err = []error{errNoData, errNoName, errServer}[rng.IntN(3)]
			}
			s.answers = append(s.answers, a)
		}
	}
	n := &naive{s: s, cad: []int{10, 20, 25, 30}[rng.IntN(4)], rd: 5 * rng.IntN(4),
		strict: rng.IntN(4) == 0, sequential: rng.IntN(6) == 0, max: rng.IntN(4),
		fafc: 1 + rng.IntN(2), lead: family(rng.IntN(2))}
	return s, n
}

// config is that of the engine for the same race.
func (n *naive) config() *config {
	return &config{delay: time.Duration(n.cad) * ms, resolutionDelay: time.Duration(n.rd) * ms,
		strict: n.strict, sequential: n.sequential, maxConcurrent: n.max,
		firstCount: n.fafc, prefer: n.lead, families: both}
}

func (n *naive) starts() (all []mark) {
	for i, addr := range n.tried {
		all = append(all, mark{addr.Addr().String(), time.Duration(n.begins[i]) * ms})
	}
	return all
}

func (n *naive) String() string {
	return fmt.Sprintf("%+v cad=%d rd=%d strict=%v seq=%v max=%d fafc=%d lead=%v list=%v acts=%v",
		n.s.answers, n.cad, n.rd, n.strict, n.sequential, n.max, n.fafc, n.lead, n.s.list, n.s.acts)
}

// modelRuns is how many random races the engine is compared in, and modelCuts
// in how many of them it is also cut off.
const (
	modelRuns = 100_000
	modelCuts = 1_000
	modelEnd  = 1000 // milliseconds; no race has anything to do for longer
)

// Scenario E104: the engine and the naive walk agree about random races.
func TestE104Model(t *testing.T) {
	runs := modelRuns
	if testing.Short() {
		runs /= 20
	}
	seed := looptest.Seed(t)
	for i := range runs {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		s, n := randomScenario(rng)
		end := modelEnd
		if i < modelCuts {
			end = 1 + rng.IntN(200)
		}
		n.run(end)
		h := drive(s, n.config(), both, time.Duration(end)*ms)
		if h.now != time.Duration(n.at)*ms || h.e.winner != n.winner ||
			!slices.Equal(h.starts, n.starts()) {
			t.Fatalf("race %d: %v\nengine: %v, winner %d at %v\nnaive:  %v, winner %d at %dms",
				i, n, h.starts, h.e.winner, h.now, n.starts(), n.winner, n.at)
		}
		for j := range h.e.attempts {
			if a := &h.e.attempts[j]; a.running() || (a.Outcome == Failed) != (a.Err != nil) {
				t.Fatalf("race %d: %v\nattempt %d ended as %v", i, n, j, a)
			}
		}
	}
}

// The driver agrees, too, on a loop with a virtual clock and in random order.
func TestE104ModelOnALoop(t *testing.T) {
	seed := looptest.Seed(t)
	for i := range 300 {
		s, n := randomScenario(rand.New(rand.NewPCG(seed, uint64(i))))
		n.run(modelEnd)
		w, c := &world{scenario: s}, n.config()
		c.connect, c.timeout = w.connect, modelEnd*ms
		c.trace = &Trace{}
		looptest.Run(t, func(task *loop.Task) error {
			r := &race{c: c, address: "model", addrs: s.list}
			if s.named {
				r.resolve = w.resolve
			}
			_, _ = r.run(task)
			if since(task) != time.Duration(n.at)*ms || c.trace.Winner != n.winner ||
				!slices.Equal(w.starts, n.starts()) {
				t.Errorf("race %d: %v\ndriver: %v, winner %d at %v\nnaive:  %v, winner %d at %dms",
					i, n, w.starts, c.trace.Winner, since(task), n.starts(), n.winner, n.at)
			}
			return nil
		}, loop.WithClock(looptest.NewAutojumpClock()))
		if t.Failed() {
			return
		}
	}
}
