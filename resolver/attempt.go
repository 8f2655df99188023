package resolver

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// attempt asks one server, from one socket.
type attempt struct {
	x       *exchange
	server  *server
	asked   []*asked
	sent    time.Time
	again   bool
	heard   bool // it answered something
	ended   bool
	deaf    bool // its datagrams are not listened to any more
	strange int  // datagrams that were no answer
	byTCP   bool // TCP is on its way for all
	sock    *socket.Socket
	store   [2]asked       // what the questions are kept in
	wire    [maxQuery]byte // what goes out
	random  [2 + maxName/8 + 1]byte

	askedStore [2]*asked // what asked refers to
}

// asked is a question as it was put to a server.
type asked struct {
	q     *question
	query query
	tcp   bool // TCP is on its way
	bent  bool // an answer did not keep the case of its letters
	tries int  // how often it was put differently
}

// end closes the socket; the task notices.
func (a *attempt) end() {
	a.ended = true
	if a.sock != nil {
		_ = a.sock.Close() // nothing was written that could be lost
	}
	if i := slices.Index(a.x.attempts, a); i >= 0 {
		a.x.attempts = slices.Delete(a.x.attempts, i, i+1)
	}
}

// ask puts a question the way the server likes it: a random id and, if it can
// stand that, letters in random case (draft-vixie-dnsext-dns0x20).
func (a *attempt) ask(q *question, plain bool) *asked {
	var k *asked
	if n := len(a.asked); n < len(a.store) {
		k = &a.store[n]
	} else {
		k = new(asked)
	}
	k.q, k.query = q, query{name: a.x.f.key.name, qtype: q.qtype}
	a.x.s.manners(a.server, a.sent, &k.query)
	if plain {
		k.query.edns, k.query.cookie = false, cookie{}
	}
	k.query.exact = k.query.exact && !a.x.s.conf.UseTCP
	random := &a.random
	_, _ = rand.Read(random[:]) // it cannot fail
	k.query.id = binary.BigEndian.Uint16(random[:])
	for _, other := range a.asked {
		if other.query.id == k.query.id {
			k.query.id ^= 1
		}
	}
	if k.query.exact {
		k.query.name = mixCase(k.query.name, random[2:])
	}
	return k
}

// mixCase changes the case of letters as bits say.
func mixCase(name string, random []byte) string {
	mixed := []byte(name)
	for i, c := range mixed {
		if c|0x20 >= 'a' && c|0x20 <= 'z' {
			mixed[i] = c&^0x20 | random[i/8]>>(i%8)&1<<5
		}
	}
	return string(mixed)
}

// open reports whether anything is still to be answered here.
func (a *attempt) open() bool {
	for _, k := range a.asked {
		if !k.q.done && !slices.Contains(k.q.refused, a.server) {
			return true
		}
	}
	return false
}

// run is the task of an attempt.
func (a *attempt) run(t *loop.Task) error {
	defer a.finish()
	if a.x.s.conf.UseTCP {
		defer func() { a.x.talks-- }()
		return a.exchangeTCP(t, a.asked)
	}
	err := a.connect(t)
	if err == nil {
		err = a.sendAll()
	}
	if err != nil {
		return a.fail(t, err)
	}
	for a.open() && !a.ended && !a.deaf {
		buf := t.Buffer()
		n, err := a.sock.Recv(t, buf, 0)
		if err != nil {
			return a.fail(t, err)
		}
		if n > udpSize {
			a.x.s.r.counters.oversized.Add(1)
		}
		if err := a.datagram(t, buf[:n], n == len(buf)); err != nil {
			return err
		}
	}
	return nil
}

// finish ends an attempt that has nothing more to do, unless TCP goes on.
func (a *attempt) finish() {
	byTCP := slices.ContainsFunc(a.asked, func(k *asked) bool { return k.tcp && !k.q.done })
	if !byTCP && a.deaf && !a.ended {
		for _, k := range a.asked { // TCP has failed, and datagrams are not believed
			a.x.refuse(k.q, a.server, ErrMalformed, a.sent)
		}
	}
	if !byTCP {
		a.x.news = a.x.news || !a.heard && !a.ended
		a.end()
		a.x.wake()
	}
}

func (a *attempt) connect(t *loop.Task) error {
	to := socket.InetAddr(a.server.addr)
	sock, err := socket.New(t.Loop(), to.Family(), sockDgram, 0)
	if err != nil {
		return err
	}
	a.x.s.r.counters.sockets.Add(1)
	a.sock = sock
	a.x.f.closers = append(a.x.f.closers, sock)
	return sock.Connect(t, to)
}

func (a *attempt) sendAll() error {
	for _, k := range a.asked {
		if err := a.send(k); err != nil {
			return err
		}
	}
	return nil
}

func (a *attempt) send(k *asked) error {
	a.x.s.sent(a.again)
	_, err := a.sock.SendNowait(k.query.pack(a.wire[:0]), 0)
	if errors.Is(err, loop.ErrWouldBlock) {
		return nil // a full queue drops datagrams like the network does
	}
	return err
}

// fail ends an attempt that the system, or a message of ICMP, has broken. The
// server will not be asked again.
func (a *attempt) fail(t *loop.Task, err error) error {
	if ofLoop(err) != nil {
		return err
	}
	if a.ended || a.x.f.last {
		return nil // it was closed from outside, which says nothing about the server
	}
	var op *socket.OpError
	exhausted := errors.As(err, &op) && op.Temporary()
	for _, k := range a.asked {
		if exhausted && !k.q.done {
			k.q.err = failure(SystemError, a.x.f.key.name, err)
			a.x.settle(k.q, t.Now())
		}
		a.x.refuse(k.q, a.server, err, t.Now())
	}
	if !exhausted {
		a.x.s.silent(a.server, t.Now(), t.Now())
	}
	return nil
}

// datagram takes what came in. full says that it filled the buffer, so that
// its end may be missing.
func (a *attempt) datagram(t *loop.Task, wire []byte, full bool) error {
	k, r, v := a.match(wire)
	counters := &a.x.s.r.counters
	switch {
	case v == malformed:
		counters.malformed.Add(1)
		return a.suspect(t)
	case v == forged:
		counters.forged.Add(1)
		return a.suspect(t)
	case v == caseLost:
		counters.caseLost.Add(1)
		k.bent = true
		return a.startTCP(k)
	case k.query.cookie.n > 0 && r.cookie == nil && a.x.s.expectsCookie(a.server):
		// Also a bare header: it would be the cheapest thing to forge.
		counters.forged.Add(1)
		return a.suspect(t)
	case r.truncated || full:
		return a.cutOff(t, k, r)
	}
	return a.judge(t, k, r)
}

// match finds the question that a message answers.
func (a *attempt) match(wire []byte) (k *asked, r reply, v verdict) {
	worst := forged
	for _, k := range a.asked {
		r, v = k.query.read(wire)
		switch v {
		case genuine, caseLost:
			return k, r, v
		case malformed: // it has the number of a question, or not even room for one
			worst = v
		}
	}
	return nil, reply{}, worst
}

// maxStrange is how many strange datagrams an attempt bears before it listens
// to TCP only.
const maxStrange = 8

// suspect is called for a datagram that is no answer. Somebody may be
// guessing: the first one starts the questions over TCP as well, where guesses
// are hopeless, and too many end the listening.
func (a *attempt) suspect(t *loop.Task) error {
	a.strange++
	if a.x.s.r.tracing() {
		a.x.s.r.trace(t.Now(), "suspicion", a.x.f.key.name, a.server.addr, "a datagram that is no answer")
	}
	if a.strange >= maxStrange {
		a.deaf = true
	}
	if a.byTCP {
		return nil
	}
	a.byTCP = true
	return a.startTCP(a.asked...)
}

// cutOff keeps what an answer had before it was cut off, and asks by TCP.
func (a *attempt) cutOff(t *loop.Task, k *asked, r reply) error {
	if r.body > 0 {
		partial, _ := r.extract(a.x.f.key.name, k.query.qtype, t.Now())
		k.q.partial = &partial
	}
	a.heard = true
	return a.startTCP(k)
}

// judge acts on a genuine answer.
func (a *attempt) judge(t *loop.Task, k *asked, r reply) error {
	now := t.Now()
	if k.q.done {
		return nil
	}
	a.heard, a.x.heard = true, a.server
	a.x.s.heard(a.server, a.roundTrip(k, &r, now), now)
	if r.cookie != nil || r.tcp && r.body > 0 {
		a.x.s.cookieFrom(a.server, r.cookie) // nobody can forge by TCP that there is none
	}
	switch r.rcode {
	case dns.RcodeSuccess, dns.RcodeNameError:
		if r.body > 0 && !r.lame() {
			a.take(k, &r, now)
			return nil
		}
		a.x.refuse(k.q, a.server, ErrLame, now)
	case dns.RcodeFormatError, dns.RcodeNotImplemented, dns.RcodeBadVers:
		if k.query.edns && k.tries == 0 && !k.tcp {
			return a.askPlainly(k, now)
		}
		a.x.refuse(k.q, a.server, ErrNotSupported, now)
	case dns.RcodeBadCookie:
		switch {
		case k.tcp:
			a.x.refuse(k.q, a.server, ErrServerFailure, now)
		case k.tries == 0:
			return a.askAgain(k)
		default:
			return a.startTCP(k)
		}
	case dns.RcodeRefused:
		a.x.refuse(k.q, a.server, ErrRefused, now)
	default:
		a.x.refuse(k.q, a.server, ErrServerFailure, now)
	}
	return nil
}

// roundTrip is how long the server took, or notMeasured: a connection that
// follows a datagram, and a question that was put again, say more about the
// way there than about the server, and would delay later hedges.
func (a *attempt) roundTrip(k *asked, r *reply, now time.Time) time.Duration {
	if r.tcp != a.x.s.conf.UseTCP || k.tries > 0 {
		return notMeasured
	}
	return now.Sub(a.sent)
}

func (a *attempt) take(k *asked, r *reply, now time.Time) {
	found, strangers := r.extract(a.x.f.key.name, k.query.qtype, now)
	a.x.s.r.counters.strangers.Add(uint64(strangers))
	if errors.Is(found.err, ErrAliasLoop) {
		a.x.s.r.counters.circles.Add(1)
	}
	if r.truncated { // by TCP too: there is more, and nobody to tell it
		if codeOf(found.err) == NoData && !a.x.f.key.raw {
			a.x.refuse(k.q, a.server, ErrMalformed, now)
			return
		}
		a.x.s.r.counters.truncated.Add(1)
		found.expires = time.Time{}
	}
	if a.x.f.key.raw {
		m := new(dns.Msg)
		if err := m.Unpack(r.wire); err != nil {
			a.x.s.r.counters.malformed.Add(1)
			a.x.refuse(k.q, a.server, errors.Join(ErrMalformed, err), now)
			return
		}
		found.msg, found.err = m, nil
	}
	if !k.query.edns && !k.tcp && !a.x.s.conf.NoEDNS && a.again {
		a.x.s.learn(func() { a.server.noEDNS = now.Add(quirkTime) })
	}
	a.x.answer(k.q, found, now)
}

// askPlainly repeats a question without EDNS, which the server does not know.
func (a *attempt) askPlainly(k *asked, now time.Time) error {
	a.x.s.r.counters.plain.Add(1)
	a.x.s.learn(func() { a.server.noEDNS = now.Add(quirkTime) })
	return a.repeat(k, true)
}

// askAgain repeats a question with the cookie that the server gave.
func (a *attempt) askAgain(k *asked) error { return a.repeat(k, false) }

func (a *attempt) repeat(k *asked, plain bool) error {
	fresh := a.ask(k.q, plain)
	k.query, k.tries = fresh.query, k.tries+1
	return a.send(k)
}
