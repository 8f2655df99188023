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
	order uint64
	pos   int
	scope *Scope // expires this scope
	task  *Task  // or else wakes this task
}

func (m *timer) armed() bool { return m.pos > 0 }

// before orders timers by time; ties by the order in which they were started
// or, with a seed, by chance.
func (m *timer) before(o *timer) bool {
	return m.when < o.when || m.when == o.when && m.order < o.order
}

func (m *timer) start(l *Loop, when int64) {
	l.timerSeq++
	m.when, m.order = when, l.timerSeq
	if l.seeded {
		m.order |= uint64(l.rng.Uint32()) << 32
	}
	l.timers = append(l.timers, m)
	m.pos = len(l.timers)
	l.timers.up(len(l.timers) - 1)
}

func (m *timer) stop(l *Loop) {
	if m.pos == 0 {
		return
	}
	l.timers.remove(m.pos - 1)
}

// timerHeap is a heap with four children a node: shallower than a binary one.
type timerHeap []*timer

func (h timerHeap) next() int64 {
	if len(h) == 0 {
		return never
	}
	return h[0].when
}

func (h timerHeap) set(i int, m *timer) {
	h[i] = m
	m.pos = i + 1
}

func (h timerHeap) up(i int) {
	m := h[i]
	for i > 0 {
		parent := (i - 1) / 4
		if !m.before(h[parent]) {
			break
		}
		h.set(i, h[parent])
		i = parent
	}
	h.set(i, m)
}

func (h timerHeap) down(i int) {
	m := h[i]
	for {
		least := -1
		for c := 4*i + 1; c <= 4*i+4 && c < len(h); c++ {
			if least < 0 || h[c].before(h[least]) {
				least = c
			}
		}
		if least < 0 || !h[least].before(m) {
			break
		}
		h.set(i, h[least])
		i = least
	}
	h.set(i, m)
}

func (h *timerHeap) remove(i int) {
	old := *h
	last := len(old) - 1
	gone, moved := old[i], old[last]
	old[last] = nil
	*h = old[:last]
	gone.pos = 0
	if i == last {
		return
	}
	(*h).set(i, moved)
	(*h).up(i)
	(*h).down(moved.pos - 1)
}

// expireTimers fires every timer that the clock has passed.
func (l *Loop) expireTimers() {
	for len(l.timers) > 0 && l.timers[0].when <= l.cachedNow {
		m := l.timers[0]
		l.timers.remove(0)
		if m.scope != nil {
			m.scope.expire()
		} else {
			l.wake(m.task, nil)
		}
	}
}
