package loop

import (
	"math"
	"time"
)

// A Clock gives a loop its time. The default is the system's monotonic clock;
// looptest has a virtual one. A clock belongs to one loop and is called only
// from it.
type Clock interface {
	// Start is called once, before the main function. If it fails, Run
	// returns ErrInternal.
	Start() error
	// Now returns the current time. It never goes backwards.
	Now() time.Time
	// Sleep returns how long the loop has to wait, in real time, until Now
	// reaches when: zero or less if it has.
	Sleep(when time.Time) time.Duration
}

// An AutojumpClock can be moved forward when nothing else would happen.
type AutojumpClock interface {
	Clock
	// Threshold is how long, in real time, all tasks must have been blocked
	// before the clock jumps; negative: never.
	Threshold() time.Duration
	// Jump moves the clock to when, the next deadline.
	Jump(when time.Time)
}

// waitMax caps a wait in the poller: a day, against overflow on the way to
// the kernel.
const waitMax = 24 * time.Hour

// readClock advances the loop's idea of the time, fires what is due, and
// returns it.
func (l *Loop) readClock() int64 {
	var now int64
	if l.clock == nil {
		now = int64(time.Since(l.base))
	} else {
		now = l.clockTime(l.foreignNow())
	}
	if now > l.cachedNow {
		l.cachedNow = now
	}
	if l.timers.next() <= l.cachedNow && !l.expiring {
		l.expiring = true
		// Guarded, since the clock may be read by a task, which must not be
		// blamed for a bug of the loop.
		if err := guarded("timers", l.expireTimers); err != nil {
			l.defect = internal("the timers failed", err)
		}
		l.expiring = false
	}
	return l.cachedNow
}

// foreignNow asks a clock that is not the system's. It may be called by a task,
// which must not be blamed if the clock fails: the loop ends.
func (l *Loop) foreignNow() (now time.Time) {
	now = l.now()
	if l.defect != nil {
		return now
	}
	if err := guarded("clock", func() { now = l.clock.Now() }); err != nil {
		l.defect = internal("the clock failed", err)
	}
	return now
}

// longAgo is the earliest time that is counted: 146 years before the loop. So
// the difference of any two times can be counted too, even with the zero time.
const longAgo = math.MinInt64 / 2

// clockTime converts a time to nanoseconds on the loop's clock.
func (l *Loop) clockTime(when time.Time) int64 { return max(int64(when.Sub(l.base)), longAgo) }

// timeAt is the inverse of clockTime.
func (l *Loop) timeAt(ns int64) time.Time { return l.base.Add(time.Duration(ns)) }

// after returns the time d from now, or the latest one that can be counted.
func (l *Loop) after(d time.Duration) int64 {
	if when := l.readClock() + int64(d); when >= 0 {
		return when
	}
	return never - 1
}

// now returns the time at which the clock was last read.
func (l *Loop) now() time.Time { return l.base.Add(time.Duration(l.cachedNow)) }

// timeLeft returns how long the poller may sleep before the next deadline.
func (l *Loop) timeLeft() time.Duration {
	next := l.timers.next()
	if next == never {
		return waitMax
	}
	var d time.Duration
	if l.clock == nil {
		d = time.Duration(next) - time.Since(l.base)
	} else {
		d = l.clock.Sleep(l.base.Add(time.Duration(next)))
	}
	return min(max(d, 0), waitMax)
}

// callClock calls a clock that may be somebody else's.
func callClock(fn func() error) (err error) {
	if failed := guarded("clock", func() { err = fn() }); failed != nil {
		return failed
	}
	return err
}
