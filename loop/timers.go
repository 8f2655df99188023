package loop

import "math"

// Timers are entries of one heap per loop: the deadline of a scope, or the end
// of a sleep. Each knows its place in the heap, so that stopping one leaves
// nothing behind: the heap never holds more than what is pending, however
// often a deadline is moved. A deadline later than all others, the usual case
// of a time-out per operation, is appended and removed without a comparison
// beyond the first.

// never is the time of a timer heap that is empty.
const never = math.MaxInt64

// A timer is pending while pos > 0: its place in the heap, counted from 1.
type timer struct {
	when  int64 // nanoseconds on the loop's clock
	pos   int
	scope *Scope // expires this scope
	task  *Task  // or else wakes this task
}

// armed reports whether m is pending. There need not be one.
func (m *timer) armed() bool { return m != nil && m.pos > 0 }

func (m *timer) start(l *Loop, when int64) {
	l.timerSeq++
	order := l.timerSeq
	if l.seeded {
		order |= uint64(l.rng.Uint32()) << 32
	}
	m.when = when
	l.timers = append(l.timers, alarm{})
	l.timers.up(len(l.timers)-1, alarm{when, order, m})
}

// stop has m pending no longer, if it was; there need not be one.
func (m *timer) stop(l *Loop) {
	if m.armed() {
		l.timers.remove(m.pos - 1)
	}
}

// An alarm is an entry of the heap. What it is ordered by is in the heap itself:
// among 100,000 timers each look at one elsewhere is a miss of the cache, and a
// node has four children to look at.
//
//lion:opt inline-alarms
type alarm struct {
	when  int64
	order uint64
	timer *timer
}

// before orders alarms by time; ties by the order in which they were started
// or, with a seed, by chance.
func (a *alarm) before(b *alarm) bool {
	return a.when < b.when || a.when == b.when && a.order < b.order
}

// timerHeap is a heap with four children a node: shallower than a binary one.
type timerHeap []alarm

func (h timerHeap) next() int64 {
	if len(h) == 0 {
		return never
	}
	return h[0].when
}

func (h timerHeap) set(i int, a alarm) {
	h[i] = a
	a.timer.pos = i + 1
}

// up puts a at i, which is free, or further up.
func (h timerHeap) up(i int, a alarm) {
	for i > 0 {
		parent := (i - 1) / 4
		if !a.before(&h[parent]) {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, a)
}

// down puts a at i, which is free, or further down.
func (h timerHeap) down(i int, a alarm) {
	for {
		first := 4*i + 1
		if first >= len(h) {
			break
		}
		least := first
		for c := first + 1; c < min(first+4, len(h)); c++ {
			if h[c].before(&h[least]) {
				least = c
			}
		}
		if !h[least].before(&a) {
			break
		}
		h.set(i, h[least])
		i = least
	}
	h.set(i, a)
}

func (h *timerHeap) remove(i int) {
	old := *h
	last := len(old) - 1
	gone, moved := old[i].timer, old[last]
	old[last] = alarm{}
	*h = old[:last]
	gone.pos = 0
	switch {
	case i == last:
	case i > 0 && moved.before(&old[(i-1)/4]):
		h.up(i, moved)
	default:
		h.down(i, moved)
	}
}

// expireTimers fires every timer that the clock has passed.
func (l *Loop) expireTimers() {
	for len(l.timers) > 0 && l.timers[0].when <= l.cachedNow {
		m := l.timers[0].timer
		l.timers.remove(0)
		if m.scope != nil {
			m.scope.expire()
		} else {
			l.wake(m.task, nil)
		}
	}
}
