package resolver

import (
	"container/list"
	"context"
	"errors"
	"time"

	"github.com/lion-go/lion/loop"
)

// A flight is one piece of work that any number of lookups wait for: the
// questions about one name, asked once. It runs as a system task of its loop,
// since no single waiter may take it along when it is cancelled; the last
// waiter that leaves cancels it. Flights are shared within a loop. Loops share
// answers through the cache.
type flight struct {
	r      *Resolver
	loop   *loop.Loop
	key    flightKey
	caller any           // whose turn it counts for
	place  *list.Element // in the throttle's queue, under the throttle's lock
	work   func(t *loop.Task, f *flight) error

	lot     loop.ParkingLot
	scope   *loop.Scope
	waiters int
	ended   bool
	last    bool     // nobody waits any more
	closers []closer // what the last waiter closes at once
	parts   []part
	store   [2]part // what parts refers to
	err     error   // why it ended, if parts are missing
}

type closer interface{ Close() error }

// part is the answer to one question of a flight.
type part struct {
	qtype uint16
	ready bool
	answer
}

// flightKey says what a flight is about.
type flightKey struct {
	name  string
	types [2]uint16
	era   era  // an old flight ends with the old settings
	raw   bool // the message is wanted, not only its addresses
	stays bool // the work cannot be stopped, and keeps its slot to its end
}

// flights are those of one loop that can still be joined.
type flights map[flightKey]*flight

// join finds or starts the flight for a key, and enters t as a waiter. leave
// must be called afterwards.
func (r *Resolver) join(t *loop.Task, key flightKey, work func(*loop.Task, *flight) error) (*flight, error) {
	r.mu.Lock()
	mine := r.loops[t.Loop()]
	if mine == nil {
		mine = flights{}
		r.loops[t.Loop()] = mine
	}
	f := mine[key]
	r.mu.Unlock()
	if f != nil {
		r.counters.joined.Add(1)
		f.waiters++
		return f, nil
	}
	f = &flight{r: r, loop: t.Loop(), key: key, caller: t.Nursery(), work: work, waiters: 1}
	f.parts = f.store[:0]
	for _, qtype := range key.types {
		if qtype != 0 {
			f.parts = append(f.parts, part{qtype: qtype})
		}
	}
	scope, err := loop.NewScope(f.loop)
	if err != nil {
		return nil, err
	}
	f.scope = scope
	r.mu.Lock()
	mine[key] = f
	r.mu.Unlock()
	if err := f.begin(); err != nil {
		f.remove()
		return nil, err
	}
	return f, nil
}

// begin starts the work, now or when there is a slot.
func (f *flight) begin() error {
	granted, err := f.r.throttle.acquire(f)
	if err != nil {
		return failure(Again, f.key.name, err)
	}
	if granted {
		return f.start()
	}
	f.r.counters.waited.Add(1)
	return nil
}

// remove makes the flight unknown to later lookups.
func (f *flight) remove() {
	f.r.mu.Lock()
	defer f.r.mu.Unlock()
	mine := f.r.loops[f.loop]
	if mine[f.key] == f {
		delete(mine, f.key)
	}
	if len(mine) == 0 {
		delete(f.r.loops, f.loop)
	}
}

// grant hands the flight a slot that became free, from any goroutine. It
// reports whether the slot was taken.
func (f *flight) grant() bool {
	err := f.loop.CallSoon(f.granted)
	if errors.Is(err, loop.ErrFull) {
		go f.insist()
		return true
	}
	return err == nil
}

// insist waits for room in the entry queue of the loop, which is full.
func (f *flight) insist() {
	err := f.loop.Do(context.Background(), func(*loop.Task) error { f.granted(); return nil })
	if err != nil {
		f.r.throttle.release()
	}
}

func (f *flight) granted() {
	if f.last {
		f.r.throttle.release()
		return
	}
	if err := f.start(); err != nil {
		f.end(err)
	}
}

// start runs the work in a task. The flight has a slot.
func (f *flight) start() error {
	f.r.counters.started.Add(1)
	err := f.loop.SpawnSystem(f.run, loop.WithTaskName("resolver: lookup"))
	if err != nil {
		f.r.throttle.release()
	}
	return err
}

// run does the work. Its error is for those who wait, and never for the loop,
// which an error of a system task would end. Nothing that a Backend or a Trace
// does may leave somebody waiting.
func (f *flight) run(t *loop.Task) error {
	defer f.r.throttle.release()
	err := errExit
	defer func() { f.end(err) }()
	err = loop.Enter(t, f.scope, func(*loop.Scope) error { return f.work(t, f) })
	return nil
}

// errExit is what waiters are told whose work never returned.
var errExit = errors.New("the goroutine of the lookup has ended")

// end wakes all waiters for good. An error that is no *Error becomes one: it
// is a bug of a Backend or of a Trace, or the end of the loop.
func (f *flight) end(err error) {
	var e *Error
	if err != nil && !errors.As(err, &e) {
		if !f.last && ofLoop(err) == nil {
			f.r.counters.broken.Add(1)
		}
		err = failure(Fail, f.key.name, err)
	}
	f.err, f.ended = err, true
	f.remove()
	wakeAll(&f.lot)
}

// wakeAll is UnparkAll for those who do not want to know whom: it allocates
// nothing.
func wakeAll(lot *loop.ParkingLot) {
	for lot.UnparkOne() != nil {
	}
}

// publish gives the answer for one type of record to those who wait.
func (f *flight) publish(qtype uint16, a answer) {
	for i := range f.parts {
		p := &f.parts[i]
		if p.qtype == qtype && !p.ready {
			p.ready, p.answer = true, a
			wakeAll(&f.lot)
		}
	}
	if f.count() == len(f.parts) {
		f.remove() // who comes later asks anew
	}
}

// leave takes a waiter out. The last one ends the flight: what it holds open
// is closed before leave returns.
func (f *flight) leave() {
	f.waiters--
	if f.waiters > 0 || f.ended || f.count() == len(f.parts) {
		return
	}
	f.last = true
	f.remove()
	if f.r.throttle.leave(f) {
		return
	}
	f.r.counters.abandoned.Add(1)
	if f.key.stays {
		return
	}
	for _, c := range f.closers {
		_ = c.Close() // nobody is left to be told
	}
	_ = f.scope.Cancel("nobody waits for the lookup any more")
}

// count is how many parts are ready.
func (f *flight) count() int {
	n := 0
	for i := range f.parts {
		if f.parts[i].ready {
			n++
		}
	}
	return n
}

// wait suspends until more than have parts are ready, and reports whether
// there are; a grace of zero or more bounds the time.
func (f *flight) wait(t *loop.Task, have int, grace time.Duration) (more bool, err error) {
	for f.count() <= have && !f.ended && err == nil {
		if grace < 0 {
			err = f.lot.Park(t, "name lookup")
			continue
		}
		err = loop.MoveOnAfter(t, grace, func(*loop.Scope) error {
			for f.count() <= have && !f.ended {
				if err := f.lot.Park(t, "name lookup"); err != nil {
					return err
				}
			}
			return nil
		})
		break
	}
	return f.count() > have, err
}

// part returns the answer for a type of record, as far as it is known.
func (f *flight) part(qtype uint16) *part {
	for i := range f.parts {
		if f.parts[i].qtype == qtype {
			return &f.parts[i]
		}
	}
	return nil
}
