package resolver

import (
	"crypto/rand"
	"crypto/sha256"
	"net/netip"
	"sync"
	"time"
)

// Times about servers.
const (
	// coldHedge is how long the first answer of a server may take before the
	// next one is asked too; later it is hedgeFactor times what it usually takes.
	coldHedge   = 400 * time.Millisecond
	hedgeFactor = 4
	minHedge    = 50 * time.Millisecond
	maxHedge    = 2 * time.Second
	// poorHedge is for when too many questions had to be repeated: RFC 1035 and
	// what came after it find a second about right then.
	poorHedge = time.Second
	// deadTime is how long a silent server is asked last.
	deadTime = 30 * time.Second
	// quirkTime is how long it is remembered what a server cannot do.
	quirkTime = 5 * time.Minute
)

// Questions that are repeated early are bounded: each question earns a tenth
// of a repetition, and hedgeSavings of them can be saved up.
const (
	hedgePrice   = 10
	hedgeSavings = 200
)

// stub asks name servers. What it knows of them is shared by all loops.
type stub struct {
	r    *Resolver
	conf *ResolvConf

	mu      sync.Mutex // for all below, and the fields of servers
	servers []*server
	turn    int // for rotation
	credit  int
	secret  [32]byte
}

// server is what is known of a name server.
type server struct {
	addr      netip.AddrPort
	srtt      time.Duration // zero: no answer yet
	deadUntil time.Time
	heardAt   time.Time
	noEDNS    time.Time // until when to ask without
	noCase    time.Time // until when not to play with the case of letters
	ours      []byte    // our cookie for it
	theirs    []byte    // its cookie for us
}

func newStub(r *Resolver, conf *ResolvConf) *stub {
	s := &stub{r: r, conf: conf, credit: hedgeSavings * hedgePrice}
	_, _ = rand.Read(s.secret[:]) // it cannot fail
	s.forget()
	return s
}

// forget makes all servers unknown again.
func (s *stub) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.servers = nil
	for _, addr := range s.conf.Servers {
		sum := sha256.Sum256(append(s.secret[:], addr.String()...))
		s.servers = append(s.servers, &server{addr: addr, ours: sum[:clientCookie]})
	}
}

// order returns the servers in the order in which to ask them: as they are in
// the file, or in turns, those that were silent last.
func (s *stub) order(now time.Time) []*server {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.servers)
	list := make([]*server, 0, n)
	for _, dead := range []bool{false, true} {
		for i := range n {
			at := s.servers[(s.turn+i)%n]
			if now.Before(at.deadUntil) == dead {
				list = append(list, at)
			}
		}
	}
	if s.conf.Rotate && n > 0 {
		s.turn = (s.turn + 1) % n
	}
	return list
}

// notMeasured stands for a time that says nothing about a server.
const notMeasured = time.Duration(-1)

// heard notes an answer, and how long it took unless that is notMeasured.
func (s *stub) heard(at *server, took time.Duration, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at.deadUntil, at.heardAt = time.Time{}, now
	switch {
	case took < 0:
	case at.srtt == 0:
		at.srtt = max(took, 1)
	default:
		at.srtt += (took - at.srtt) / 8 // RFC 6298
	}
}

// silent notes that no answer came since a time. A server that has answered
// something else since then is alive.
func (s *stub) silent(at *server, since, now time.Time) {
	s.mu.Lock()
	alive := at.heardAt.After(since)
	if !alive {
		at.deadUntil = now.Add(deadTime)
	}
	s.mu.Unlock()
	if alive {
		return
	}
	s.r.counters.timeouts.Add(1)
}

// hedge is how long to wait for a server before the next one is asked, in the
// given round.
func (s *stub) hedge(at *server, round int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.credit < hedgePrice {
		return min(poorHedge, s.conf.Timeout)
	}
	d := coldHedge
	if at.srtt > 0 {
		d = min(max(hedgeFactor*at.srtt, minHedge), maxHedge)
	}
	return min(d<<round, s.conf.Timeout)
}

// sent accounts for a question, or for one that is repeated.
func (s *stub) sent(again bool) {
	s.r.counters.queries.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	if again {
		s.credit -= hedgePrice
		return
	}
	s.credit = min(s.credit+1, hedgeSavings*hedgePrice)
}

// learn changes what is known of a server.
func (s *stub) learn(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
}

// manners puts into q how a server is to be asked now.
func (s *stub) manners(at *server, now time.Time, q *query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.exact = !now.Before(at.noCase)
	q.edns = !s.conf.NoEDNS && !now.Before(at.noEDNS)
	if q.edns {
		q.cookie.n = copy(q.cookie.bytes[:], at.ours)
		q.cookie.n += copy(q.cookie.bytes[q.cookie.n:], at.theirs)
	}
}

// cookieFrom keeps the cookie of a server; none, if it has given them up.
func (s *stub) cookieFrom(at *server, cookie []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at.theirs = append(at.theirs[:0], cookie...)
}

// expectsCookie reports whether a server has given cookies: without one, an
// answer is not believed.
func (s *stub) expectsCookie(at *server) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(at.theirs) > 0
}
