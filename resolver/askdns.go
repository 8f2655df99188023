package resolver

import (
	"net/netip"
	"time"

	"github.com/lion-go/lion/loop"
)

// askDNS tries the names that the search list makes of a name, in order. The
// first that has an address decides; what is known of it is handed out at
// once, for the sake of those who race. That a name does not exist, or a
// failure, leads to the next one; the worst failure is reported in the end.
func (r *Resolver) askDNS(t *loop.Task, s *settings, name string, c *found) (status, error) {
	var last error
	for _, candidate := range s.resolv.candidates(name) {
		committed, err := r.askName(t, s, candidate, c)
		if err != nil && ofLoop(err) != nil {
			return statusTryAgain, err
		}
		if committed {
			return statusSuccess, nil
		}
		last = worse(last, err)
		if codeOf(err) == SystemError {
			break
		}
	}
	if codeOf(last) == Again || codeOf(last) == SystemError {
		return statusTryAgain, last
	}
	return statusNotFound, last
}

// askName asks for one absolute name. It reports whether the name has
// addresses; if not, why.
func (r *Resolver) askName(t *loop.Task, s *settings, name string, c *found) (bool, error) {
	if r.tracing() {
		r.trace(t.Now(), "try", name, netip.AddrPort{}, "as an absolute name")
	}
	p := &pair{r: r, c: c, name: name, strict: s.resolv.StrictError}
	types := p.missing(t, s)
	if types == [2]uint16{} {
		return p.done()
	}
	key := flightKey{name: name, types: types, era: r.era(s)}
	f, err := r.join(t, key, s.stub.work)
	if err != nil {
		return false, err
	}
	defer f.leave()
	return p.follow(t, f, r.config.PartialGrace)
}

// pair gathers the answers for both families of one name.
type pair struct {
	r         *Resolver
	c         *found
	name      string
	strict    bool
	known     wanted
	answers   [families]answer
	committed bool // one family has addresses: this name it is
}

// missing takes what the cache has, and returns the types of records that have
// to be asked for, AAAA first.
func (p *pair) missing(t *loop.Task, s *settings) (types [2]uint16) {
	n := 0
	for _, f := range []family{v6, v4} {
		if !p.c.want[f] {
			continue
		}
		if f == v6 && s.resolv.NoAAAA {
			p.take(f, answer{err: failure(NoData, p.name, nil)})
			continue
		}
		if a, ok := p.r.cache.get(t.Now(), p.name, f.qtype(), p.r.era(s)); ok {
			p.r.counters.cacheHits.Add(1)
			if p.r.tracing() {
				p.r.trace(t.Now(), "cache", p.name, netip.AddrPort{}, "%s: %s", typeName(f.qtype()), a.outcome())
			}
			p.take(f, a)
			continue
		}
		types[n] = f.qtype()
		n++
	}
	return types
}

// take notes an answer. Addresses commit to the name, and then everything that
// is known of it goes out.
func (p *pair) take(f family, a answer) {
	p.known[f], p.answers[f] = true, a
	p.committed = p.committed || len(a.addrs) > 0 && !p.strict
	if !p.committed {
		return
	}
	for _, f := range []family{v6, v4} {
		if p.known[f] && p.c.want[f] {
			p.known[f] = false // once
			p.c.put(f, p.answers[f])
		}
	}
}

// follow takes the answers of a flight as they come. Once one is there the
// other has only a grace left.
func (p *pair) follow(t *loop.Task, f *flight, grace time.Duration) (bool, error) {
	seen := [families]bool{}
	for have := 0; have < len(f.parts); {
		more, err := f.wait(t, have, p.patience(have, grace))
		if err != nil {
			return false, err
		}
		for _, fam := range []family{v6, v4} {
			if part := f.part(fam.qtype()); part != nil && part.ready && !seen[fam] {
				seen[fam] = true
				have++
				p.take(fam, part.answer)
			}
		}
		if !more {
			p.giveUp(f, seen)
			break
		}
	}
	return p.done()
}

// patience is how long to wait for the next answer when have are there;
// negative: as long as it takes.
func (p *pair) patience(have int, grace time.Duration) time.Duration {
	switch {
	case p.committed:
		return grace
	case have > 0 && p.nowhere():
		return NoSuchNameGrace
	}
	return -1
}

// nowhere reports whether a server said that there is no such name.
func (p *pair) nowhere() bool {
	for i := range p.answers {
		if p.known[i] && codeOf(p.answers[i].err) == NoName && p.answers[i].err != nil {
			return true
		}
	}
	return false
}

// giveUp answers for the families that stayed silent.
func (p *pair) giveUp(f *flight, seen [families]bool) {
	silent := f.err
	if silent == nil {
		silent = failure(Again, p.name, loop.ErrTimeout)
	}
	if p.nowhere() && codeOf(silent) == Again {
		silent = failure(NoName, p.name, nil)
	}
	for _, fam := range []family{v6, v4} {
		if part := f.part(fam.qtype()); part != nil && !seen[fam] {
			p.take(fam, answer{err: silent})
		}
	}
}

// done tells whether the name has addresses and, if not, why.
func (p *pair) done() (bool, error) {
	if p.committed {
		return true, nil
	}
	var err error
	for i := range p.answers {
		if p.known[i] {
			err = worse(err, p.answers[i].err)
		}
	}
	if codeOf(err) == NoData && p.nowhere() {
		err = failure(NoName, p.name, nil) // as glibc has it
	}
	if p.strict && err == nil || p.strict && rank(err) < rank(&Error{Code: Fail}) && p.any() {
		p.strict = false
		for _, f := range []family{v6, v4} {
			if p.known[f] {
				p.take(f, p.answers[f])
			}
		}
		return p.committed, err
	}
	return false, err
}

func (p *pair) any() bool {
	return len(p.answers[v4].addrs)+len(p.answers[v6].addrs) > 0
}
