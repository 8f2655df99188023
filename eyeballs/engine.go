package eyeballs

import (
	"net/netip"
	"slices"
	"time"
)

// The engine is the whole of the race as a pure state machine: it is told what
// has happened and when, and says what is to be done. It knows no clock, no
// socket and no task. The driver in race.go runs it on a loop; tests run it by
// hand, and beside a naive simulation.
//
// Times are durations since the race began. A step is given everything that
// happened since the last one, so that things of the same instant have an
// order that does not depend on who was woken first: successes by rank, then
// answers, then half-done attempts, then failures, and timers last. A step
// starts one attempt at most: a loop that was held up for a second starts the
// next attempt late, not four of them at once.

// An eventKind says what has happened. Their order is that in which events of
// one instant are taken.
type eventKind uint8

const (
	attemptWon    eventKind = iota // connected, and shaken hands if that is asked for
	answerCame                     // the addresses of one family, or none
	lookupEnded                    // no more answers will come for these families
	servicesCame                   // the endpoints of the service, as far as they are known
	servicesEnded                  // no more of them will come
	attemptOpened                  // connected; the handshake is to come
	attemptFailed
)

type event struct {
	kind   eventKind
	rank   int // of the attempt
	family family
	asked  families // whose lookup ended
	addrs  []netip.AddrPort
	stage  Stage
	err    error

	endpoints []Endpoint
}

// An actionKind says what is to be done.
type actionKind uint8

const (
	askFor  actionKind = iota // look up the addresses of these families
	askMore                   // look up the endpoints of the service
	dialTo                    // start an attempt
	shake                     // let an attempt begin its handshake
	abandon                   // close an attempt
)

type action struct {
	kind   actionKind
	rank   int
	target netip.AddrPort
	asked  families
}

// engine is one race.
type engine struct {
	c     *config
	began time.Time // for the memory of outcomes only
	now   time.Duration
	out   []action

	named   bool             // the addresses come from lookups
	given   []netip.AddrPort // or from the caller
	routes  families         // that this host has connectivity in
	lookups [2]lookup

	services serviceLookup

	list     []netip.AddrPort // not started yet, in order
	attempts []attempt        // in the order of their starts: the rank
	next     time.Duration    // when the newest attempt no longer holds up the next one
	hold     time.Duration    // the end of the Resolution Delay, 0 without one

	over   bool
	fatal  bool // the handshake failed in a way that ends the race
	winner int  // rank; -1 while there is none
}

func newEngine(c *config, began time.Time, routes families) *engine {
	return &engine{c: c, began: began, routes: routes, winner: -1}
}

// start begins the race for addresses that are known.
func (e *engine) start(addrs []netip.AddrPort) []action {
	e.given = addrs
	e.sort()
	return e.step(0, nil)
}

// startNamed begins the race for addresses that have to be looked up.
func (e *engine) startNamed() []action {
	e.named = true
	e.out = e.out[:0]
	asked := e.c.families & e.routes
	if len(e.c.nat64) > 0 && e.c.lastResort == 0 {
		asked |= only4 & e.c.families
	}
	if asked == 0 {
		asked = e.c.families
	}
	e.ask(asked)
	if e.c.services != nil {
		e.services.state = lookupPending
		e.out = append(e.out, action{kind: askMore})
	}
	return e.out
}

func (e *engine) ask(asked families) {
	for f := range e.lookups {
		if asked.has(family(f)) {
			e.lookups[f].state, e.lookups[f].asked = lookupPending, e.now
		}
	}
	e.out = append(e.out, action{kind: askFor, asked: asked})
}

// step takes what has happened, all of it at the time now or unnoticed until
// now, and answers with what is to be done. The answer is valid until the next
// step.
func (e *engine) step(now time.Duration, batch []event) []action {
	e.now, e.out = now, e.out[:0]
	slices.SortStableFunc(batch, func(a, b event) int {
		if a.kind != b.kind {
			return int(a.kind) - int(b.kind)
		}
		return a.rank - b.rank
	})
	for _, ev := range batch {
		if e.over {
			return e.out
		}
		e.take(ev)
	}
	if !e.over {
		e.decide()
	}
	return e.out
}

func (e *engine) take(ev event) {
	switch ev.kind {
	case attemptWon:
		e.win(ev.rank)
	case answerCame:
		e.answer(ev)
	case lookupEnded:
		e.endLookup(ev)
	case servicesCame:
		e.serviceAnswer(ev)
	case servicesEnded:
		e.servicesEnd(ev)
	case attemptOpened:
		e.opened(ev.rank)
	case attemptFailed:
		e.failed(ev)
	}
}

// decide does what is due: it starts an attempt, asks for more addresses, or
// gives up.
func (e *engine) decide() {
	if len(e.list) > 0 {
		if at, ok := e.startTime(); ok && e.now >= at {
			e.begin()
		}
		return
	}
	if at, ok := e.lastResortTime(); ok && e.now >= at {
		e.ask(only4)
		return
	}
	if e.running() > 0 || e.pending() && !e.graceOver() {
		return
	}
	if rest := e.unasked(); rest != 0 && !e.nameDenied() {
		e.ask(rest)
		return
	}
	e.over = true
}

// deadline returns when the engine wants a step even if nothing happens.
func (e *engine) deadline() (at time.Duration, ok bool) {
	consider := func(when time.Duration, wanted bool) {
		if wanted && (!ok || when < at) {
			at, ok = when, true
		}
	}
	if e.over {
		return 0, false
	}
	if len(e.list) > 0 {
		consider(e.startTime())
	} else {
		consider(e.lastResortTime())
		consider(e.graceTime())
	}
	return at, ok
}

// startTime returns when the next attempt may start, and whether time alone
// makes it start at all.
func (e *engine) startTime() (time.Duration, bool) {
	if len(e.attempts) == 0 {
		return e.hold, true
	}
	newest := &e.attempts[len(e.attempts)-1]
	switch {
	case !newest.running() && e.c.strict:
		return newest.Start + MinSpacing, true
	case !newest.running():
		return 0, true
	case e.c.sequential:
		return 0, false
	}
	return e.next, true
}

// begin starts an attempt to the first address of the list.
func (e *engine) begin() {
	if m := e.c.maxConcurrent; m > 0 && e.running() >= m {
		e.abandonOldest()
	}
	addr := e.list[0]
	e.list = e.list[1:]
	a := attempt{Attempt: Attempt{Addr: addr, Target: e.target(addr), Start: e.now,
		Endpoint: e.endpoint(addr)}}
	e.next = max(e.punctual()+e.c.delayFor(addr, e.began.Add(e.now)), e.now+MinSpacing)
	e.attempts = append(e.attempts, a)
	e.out = append(e.out, action{kind: dialTo, rank: len(e.attempts) - 1, target: a.Target})
}

// punctual is the time from which the delay of an attempt that starts now
// counts: when it was due, if a loop that is a little late is to blame for the
// rest, so that the lateness of many attempts does not add up. A loop that was
// held up for longer counts from now.
func (e *engine) punctual() time.Duration {
	if n := len(e.attempts); n > 0 && e.attempts[n-1].running() {
		if late := e.now - e.next; late > 0 && late < MinSpacing {
			return e.next
		}
	}
	return e.now
}

func (e *engine) abandonOldest() {
	for rank := range e.attempts {
		a := &e.attempts[rank]
		if a.running() {
			a.end(Dropped, e.now)
			e.out = append(e.out, action{kind: abandon, rank: rank})
			e.offerHandshakes()
			return
		}
	}
}

// opened notes that an attempt is connected. It has shown that it gets
// somewhere, so the next one waits for as long as a handshake may take.
func (e *engine) opened(rank int) {
	a := &e.attempts[rank]
	if !a.running() {
		return
	}
	a.opened, a.Connected = true, e.now-a.Start
	e.next = max(e.next, e.now+e.c.delay)
	e.offerHandshakes()
}

func (e *engine) win(rank int) {
	a := &e.attempts[rank]
	if !a.running() {
		return
	}
	if !a.opened {
		a.Connected = e.now - a.Start
	}
	a.end(Won, e.now)
	e.winner = rank
	e.finish(Lost)
}

// failed notes the end of an attempt. Whether the next one starts at once is
// for decide: it does if this was the newest.
func (e *engine) failed(ev event) {
	a := &e.attempts[ev.rank]
	if !a.running() {
		return
	}
	a.end(Failed, e.now)
	a.Stage, a.Err = ev.stage, ev.err
	if ev.stage == StageHandshake && e.c.fatal != nil && e.c.fatal(ev.err) {
		e.fatal = true
		e.finish(Lost)
		return
	}
	e.offerHandshakes()
}

// finish ends the race, and with it all attempts that are running.
func (e *engine) finish(as Outcome) {
	e.over = true
	for rank := range e.attempts {
		if a := &e.attempts[rank]; a.running() {
			a.end(as, e.now)
		}
	}
}

// cancel ends the race from outside.
func (e *engine) cancel(now time.Duration) {
	if !e.over {
		e.now = now
		e.finish(Cut)
	}
}

func (e *engine) running() (n int) {
	for i := range e.attempts {
		if e.attempts[i].running() {
			n++
		}
	}
	return n
}
