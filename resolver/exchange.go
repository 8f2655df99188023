package resolver

import (
	"net/netip"
	"slices"
	"time"

	"github.com/lion-go/lion/loop"
)

// An exchange asks the questions of a flight until all are answered. Each
// attempt is a task with a fresh socket, connected to one server: the kernel
// drops what comes from elsewhere, and the port is one more thing that a
// forger has to guess. When an answer takes too long the next server is asked
// as well, or the same one again, and the first answer wins.

// inFlight is how many attempts there may be at a time for one flight.
const inFlight = 2

type exchange struct {
	s         *stub
	f         *flight
	order     []*server
	questions []question
	attempts  []*attempt // those that go on
	launched  []int      // attempts by server
	talks     int        // tasks that have TCP to do
	nursery   *loop.Nursery
	lot       loop.ParkingLot // of the task that coordinates
	news      bool            // a server failed: go on at once
	heard     *server         // who answered last
	began     time.Time
	deadline  time.Time

	// What the slices above refer to in the usual case.
	questionStore [2]question
	attemptStore  [inFlight]*attempt
	launchedStore [3]int
}

// question is a type of record that is asked for.
type question struct {
	qtype   uint16
	done    bool
	refused []*server // who will never answer it
	err     *Error    // what the last of them said
	partial *answer   // from an answer that was cut off
}

// work asks what a flight wants to know.
func (s *stub) work(t *loop.Task, f *flight) error {
	step := len(f.parts)
	if s.conf.SingleRequest {
		step = 1
	}
	for at := 0; at < len(f.parts); at += step {
		x := &exchange{s: s, f: f, order: s.order(t.Now())}
		x.launched = append(x.launchedStore[:0], make([]int, len(x.order))...)
		x.attempts = x.attemptStore[:0]
		x.began = t.Now()
		x.deadline = x.began.Add(s.conf.Timeout * time.Duration(s.conf.Attempts))
		x.questions = x.questionStore[:0]
		for _, p := range f.parts[at : at+step] {
			x.questions = append(x.questions, question{qtype: p.qtype})
		}
		if err := x.run(t); err != nil {
			return err
		}
	}
	return nil
}

func (x *exchange) run(t *loop.Task) error {
	return loop.Nurse(t, func(n *loop.Nursery) error {
		x.nursery = n
		err := x.coordinate(t)
		//lion:opt nobody-left without it each lookup pays for the cancellation of nothing
		if len(x.attempts) == 0 && x.talks == 0 {
			return err
		}
		_ = n.Cancel("the answers are there") // it fails only for a closed nursery
		return err
	})
}

// coordinate launches attempts until everything is answered, nobody is left to
// be asked, or the time is over.
func (x *exchange) coordinate(t *loop.Task) error {
	next := t.Now() // when a server has had its time
	for turn := 0; !x.finished(); {
		early := t.Now().Before(next) // a server failed: only what nobody is asked now
		at := x.pick(turn, early)
		switch {
		case at >= 0:
			turn = at + 1
			server := at % len(x.order)
			next = t.Now().Add(x.s.hedge(x.order[server], x.launched[server]))
			if err := x.launch(t, server, early); err != nil {
				return err
			}
		case early:
		case len(x.attempts) > 0:
			next = x.deadline
		default:
			x.giveUp(t.Now())
			return nil
		}
		if err := x.pause(t, next); err != nil {
			return err
		}
		if !t.Now().Before(x.deadline) {
			break
		}
	}
	x.giveUp(t.Now())
	return nil
}

func (x *exchange) finished() bool {
	return !slices.ContainsFunc(x.questions, func(q question) bool { return !q.done })
}

// pick returns the turn of the next server that can be asked something, or -1.
func (x *exchange) pick(turn int, early bool) int {
	for i := range len(x.order) {
		at := (turn + i) % len(x.order)
		if x.launched[at] < x.s.conf.Attempts && x.canAsk(x.order[at], early) {
			return turn + i
		}
	}
	return -1
}

// canAsk reports whether there is something to ask a server.
func (x *exchange) canAsk(at *server, early bool) bool {
	for i := range x.questions {
		if x.open(&x.questions[i], at, early) {
			return true
		}
	}
	return false
}

// open reports whether a server has not refused to answer a question; early,
// only if it is not being asked.
func (x *exchange) open(q *question, at *server, early bool) bool {
	return !q.done && !slices.Contains(q.refused, at) && !(early && x.asking(q, at))
}

func (x *exchange) asking(q *question, at *server) bool {
	return slices.ContainsFunc(x.attempts, func(a *attempt) bool {
		return a.server == at && slices.ContainsFunc(a.asked, func(k *asked) bool { return k.q == q })
	})
}

// launch starts an attempt. If there are too many the oldest one ends: it had
// its time.
func (x *exchange) launch(t *loop.Task, at int, early bool) error {
	if len(x.attempts) >= inFlight {
		oldest := x.attempts[0]
		x.s.silent(oldest.server, x.began, t.Now())
		oldest.end()
	}
	again := slices.Max(x.launched) > 0 && !early
	x.launched[at]++
	a := &attempt{x: x, server: x.order[at], sent: t.Now(), again: again}
	plain := x.launched[at] > 2 // perhaps it drops what it does not know
	a.asked = a.askedStore[:0]
	for i := range x.questions {
		if q := &x.questions[i]; x.open(q, a.server, early) {
			a.asked = append(a.asked, a.ask(q, plain))
		}
	}
	if again {
		x.s.r.counters.hedges.Add(1)
	}
	if x.s.r.tracing() {
		why := "first"
		if again {
			why = "no answer in time"
		} else if early {
			why = "another server failed"
		}
		x.s.r.trace(a.sent, "ask", x.f.key.name, a.server.addr, "%d questions, %s", len(a.asked), why)
	}
	x.attempts = append(x.attempts, a)
	if x.s.conf.UseTCP {
		x.talks++ // it goes on when its time is over
	}
	return x.nursery.Spawn(a.run)
}

// pause suspends until there is news, everything is answered, or it is time.
func (x *exchange) pause(t *loop.Task, when time.Time) error {
	if when.After(x.deadline) {
		when = x.deadline
	}
	err := loop.MoveOnAt(t, when, func(*loop.Scope) error {
		for !x.finished() && !x.news {
			if err := x.lot.Park(t, "answer of a name server"); err != nil {
				return err
			}
		}
		return nil
	})
	x.news = false
	return err
}

func (x *exchange) wake() { wakeAll(&x.lot) }

// answer publishes what was found out for a question.
func (x *exchange) answer(q *question, a answer, now time.Time) {
	if q.done {
		return
	}
	q.done = true
	if x.s.r.tracing() {
		var from netip.AddrPort
		if x.heard != nil {
			from = x.heard.addr
		}
		x.s.r.trace(now, "answer", x.f.key.name, from, "%s: %s", typeName(q.qtype), a.outcome())
	}
	if !x.f.key.raw { // a message says nothing about addresses by itself
		x.s.r.cache.put(now, x.f.key.name, q.qtype, x.f.key.era, a)
	}
	x.f.publish(q.qtype, a)
	x.wake()
}

// refuse notes that a server will not answer a question. If it was the last
// one, that is the answer.
func (x *exchange) refuse(q *question, at *server, cause error, now time.Time) {
	if q.done || slices.Contains(q.refused, at) {
		return
	}
	q.refused = append(q.refused, at)
	x.s.r.counters.unhelpful.Add(1)
	q.err = &Error{Code: Again, Name: x.f.key.name, Server: at.addr, Err: cause}
	if x.s.r.tracing() {
		x.s.r.trace(now, "failure", x.f.key.name, at.addr, "%s: %v", typeName(q.qtype), cause)
	}
	x.news = true
	x.wake()
	if len(q.refused) == len(x.order) {
		x.settle(q, now)
	}
}

// settle ends a question that nobody answered.
func (x *exchange) settle(q *question, now time.Time) {
	if q.partial != nil && len(q.partial.addrs) > 0 {
		x.s.r.counters.truncated.Add(1)
		q.partial.expires = time.Time{}
		x.answer(q, *q.partial, now)
		return
	}
	if q.err == nil {
		q.err = &Error{Code: Again, Name: x.f.key.name, Err: loop.ErrTimeout}
		if len(x.order) > 0 {
			q.err.Server = x.order[0].addr
		}
	}
	a := answer{err: q.err, expires: now.Add(failureTTL)}
	if q.err.Code == SystemError {
		a.expires = time.Time{} // our own trouble, which may be over at once
	}
	x.answer(q, a, now)
}

// giveUp ends what is still open, and notes who was silent.
func (x *exchange) giveUp(now time.Time) {
	late := !x.finished()
	for _, a := range x.attempts {
		overdue := now.Sub(a.sent) >= minHedge && x.heard != nil && x.heard != a.server
		if !a.heard && (late || overdue) {
			x.s.silent(a.server, x.began, now)
		}
	}
	for i := range x.questions {
		if q := &x.questions[i]; !q.done {
			x.settle(q, now)
		}
	}
}
