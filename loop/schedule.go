package loop

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"
)

// A pass runs exactly the tasks that were runnable at its start, in the order
// in which they became so or in the reverse: which, is drawn by lot, so that
// nobody comes to rely on it, and at worst two busy tasks run as ABBA. Tasks
// that become runnable meanwhile wait for the next pass.

const (
	// pollTurns and pollTime bound how long passes may follow each other
	// without the kernel being asked for events. Asking at every pass would
	// cost four times as much for each hand-over between two tasks; a bound
	// in turns alone would starve I/O beside tasks that compute. Within a
	// pass it is not asked: whom it would name would wait for the next pass
	// anyway, and a busy server would ask for few events at a time.
	pollTurns = 64
	pollTime  = 50 * time.Microsecond

	// turnStride is how many turns may pass between two looks at the clock
	// while turns are shorter than slowTurn: two system calls of a server, say.
	turnStride = 4
	slowTurn   = 10 * time.Microsecond

	// eventBatch is how many events are taken from the kernel at once; more
	// are taken by the next poll.
	eventBatch = 128

	// neighbourTime is how long the loop keeps its thread without a pause:
	// then other goroutines get their turn, which otherwise would wait for
	// the runtime to preempt the loop, 10 ms later. Half of it is what they
	// wait on average, and twice of it is promised.
	neighbourTime = 500 * time.Microsecond

	// restTime is how long a wait for events must have taken to count as a
	// pause in which others had their turn.
	restTime = 100 * time.Microsecond
)

// guardedPasses runs passes until every task has ended. Their failures, which
// are bugs of the loop or of what it calls, are returned.
func (l *Loop) guardedPasses() (err error) {
	returned := false
	defer func() {
		if !returned {
			e := &PanicError{Value: recover(), Stack: debug.Stack(), Task: "pass", part: true}
			err = internal("a pass failed", e)
		}
	}()
	for err == nil && (l.living > 0 || l.entry.waiting()) {
		if err = l.pass(); err == nil {
			err = l.defect
		}
		if l.mainDone && l.system.count == 0 && !l.closing {
			l.closing = true
			l.entry.close()
		}
	}
	returned = true
	return err
}

// pass runs one batch. Coroutines may take tasks from it too (followOn). It
// resumes them in its own frame, see Task.park.
//
//lion:opt flat-turn
func (l *Loop) pass() error {
	if len(l.ready) == 0 || l.pollDue() {
		if err := l.poll(); err != nil {
			return err
		}
	}
	l.runEntries()
	l.batch, l.ready = l.ready, l.batch[:0]
	if len(l.batch) > 1 && l.rng.Uint64()&1 == 0 {
		slices.Reverse(l.batch)
	}
	for l.next = 0; l.next < len(l.batch); {
		c := l.beforeTurn(l.takeNext())
		_, alive := c.next()
		l.afterTurn(c, alive)
	}
	l.counters.passes++
	return nil
}

// beforeTurn prepares the turn of t, and returns the coroutine to resume.
func (l *Loop) beforeTurn(t *Task) *coroutine {
	c := t.co
	if c == nil { // its first turn
		c = l.takeCoroutine(t)
	}
	l.beginTurn(t)
	if l.hooks != nil {
		l.tellTask(t, hookBeforeTurn)
	}
	return c
}

// afterTurn is for the coroutine that has come back, perhaps with another task
// than it went with (followOn).
func (l *Loop) afterTurn(c *coroutine, alive bool) {
	if l.hooks != nil {
		l.tellTurnEnded()
	}
	if c.task.done {
		l.releaseCoroutine(c) // first, so that no failure below loses it
	} else if !alive {
		panic(fmt.Sprintf("loop: the coroutine of %v ended before its task", c.task))
	}
	l.endTurn()
}

func (l *Loop) takeNext() *Task {
	t := l.batch[l.next]
	l.batch[l.next] = nil
	l.next++
	return t
}

func (l *Loop) beginTurn(t *Task) {
	l.counters.turns++
	l.sincePoll++
	l.turnStart, l.lookedAt, l.used = l.cachedNow, l.cachedNow, 0
	l.extend(t, checkpointStride)
	l.current = t
}

func (l *Loop) endTurn() {
	l.current = nil
	if l.unseenTurns++; l.unseenTurns >= l.turnStride {
		l.lookAfterTurns()
	}
}

// followOn is called on a coroutine whose task has ended. If the next task of
// the pass is a new one it takes its turn on the same coroutine, and the two
// switches through the loop are saved: half of the price of a short task.
//
//lion:opt follow-on
func (l *Loop) followOn(c *coroutine) bool {
	if l.broken != nil || l.next >= len(l.batch) || l.batch[l.next].co != nil {
		return false
	}
	if l.hooks != nil {
		l.tellTurnEnded()
	}
	l.endTurn()
	t := l.takeNext()
	c.task, t.co, c.began = t, c, l.cachedNow
	l.beginTurn(t)
	if l.hooks != nil {
		l.tellTask(t, hookBeforeTurn)
	}
	return true
}

// lookAfterTurns reads the clock after each turn or, while turns are short,
// after every turnStride of them: a read costs a quarter of an empty turn.
//
//lion:opt turn-stride
func (l *Loop) lookAfterTurns() {
	before := l.cachedNow
	l.yieldThread(l.realTime())
	if time.Duration(l.cachedNow-before) > slowTurn*time.Duration(l.unseenTurns) {
		l.turnStride = 1
	} else {
		l.turnStride = turnStride
	}
	l.unseenTurns = 0
}

// pollDue reports whether runnable tasks have kept the loop from the kernel
// for long enough.
func (l *Loop) pollDue() bool {
	return l.sincePoll >= pollTurns || l.cachedNow-l.lastPoll >= int64(pollTime) && l.sincePoll > 0
}

// poll asks for events, and waits for them if nothing can run.
func (l *Loop) poll() error {
	if len(l.ready) > 0 {
		if len(l.slots) == len(l.freeSlots) && !l.power.waiting() {
			l.sincePoll, l.lastPoll = 0, l.cachedNow
			return nil // no descriptor, so no event
		}
		return l.wait(0)
	}
	if l.endSurplus() {
		return l.wait(0) // there may be something better to do by now
	}
	d, plan := l.patience()
	if plan == nil {
		return l.wait(d)
	}
	began, before := time.Now(), l.counters.events
	if err := l.wait(d); err != nil {
		return err
	}
	quiet := l.counters.events == before && len(l.ready) == 0 && !l.entry.waiting()
	if quiet && time.Since(began) >= d {
		plan()
	}
	return nil
}

// wait asks the poller for events and hands them to who waits for them. The
// protocol with those who wake the loop is: they put their call into the
// entry queue first and then wake the poller if the loop sleeps; the loop
// says that it sleeps first and then looks at the queue. So either they see
// that it sleeps, or it sees the call.
func (l *Loop) wait(d time.Duration) error {
	began := l.realTime()
	if l.yieldThread(began) {
		d = min(d, l.timeLeft())
	}
	if l.hooks != nil {
		l.tellPoll(hookBeforePoll, int64(d))
	}
	if len(l.ready) > 0 {
		d = 0 // reading the clock may have woken somebody
	}
	if d > 0 {
		l.sleeping.Store(true)
		if l.entry.waiting() {
			d = 0
		}
	}
	n, err := l.poller.Wait(l.events, d)
	l.sleeping.Store(false)
	if l.hooks != nil {
		l.tellPoll(hookAfterPoll, int64(n))
	}
	if err != nil {
		return internal("waiting for events", err)
	}
	l.counters.polls++
	l.counters.events += uint64(n)
	l.sincePoll = 0
	l.lastPoll = l.readClock()
	l.unseenTurns = 0
	if d > 0 {
		l.noteRest(began)
	}
	if l.seeded {
		l.rng.Shuffle(n, func(i, j int) { l.events[i], l.events[j] = l.events[j], l.events[i] })
	}
	for _, e := range l.events[:n] {
		l.dispatch(e)
	}
	if l.power != nil {
		l.power.dispatch()
	}
	l.publish()
	return nil
}

// noteRest is called after a wait that began then: others may have had their
// turn. The clock has just been read, if it is the system's.
func (l *Loop) noteRest(began int64) {
	now := l.lastPoll
	if l.clock != nil {
		now = l.realTime()
	}
	if now-began >= int64(restTime) {
		l.lastRest = now
	}
}

// yieldThread lets other goroutines run if the loop has not rested for long,
// and reports whether it did.
func (l *Loop) yieldThread(now int64) bool {
	if now-l.lastRest < int64(neighbourTime) {
		return false
	}
	runtime.Gosched()
	l.counters.yields++
	l.lastRest = l.realTime()
	return true
}

// realTime is the time since the start, whatever clock the loop has.
func (l *Loop) realTime() int64 {
	if l.clock == nil {
		return l.readClock()
	}
	return int64(time.Since(l.started))
}

// fail ends a loop that can not go on. Everything is cancelled, and what is
// left is unwound by shutDown.
func (l *Loop) fail(err error) {
	l.crashes = append(l.crashes, err)
	l.broken = err
	l.current = nil
}

// leftovers returns the tasks that have not ended, children before parents, in
// a loop that broke.
func (l *Loop) leftovers() []*Task {
	var found []*Task
	var walk func(n *Nursery)
	walk = func(n *Nursery) {
		for t := n.children; t != nil; t = t.siblingNext {
			for inner := t.nurseries; inner != nil; inner = inner.outer {
				walk(inner)
			}
			found = append(found, t)
		}
	}
	walk(l.mainNursery)
	walk(l.system)
	return found
}
