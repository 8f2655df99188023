package loop

import (
	"sync"
	"time"

	"github.com/lion-go/lion/sys"
)

// Statistics describes a loop at one moment. Counters count from its start.
type Statistics struct {
	TasksLiving   int // all tasks that have not ended, system tasks included
	TasksRunnable int // those that wait for their turn
	TasksParked   int // those that wait for something else
	EntryQueue    int // calls from outside that wait
	EntryPeak     int // the most that ever waited
	Timers        int // deadlines and sleeps pending
	Descriptors   int // descriptors registered for waits
	Readers       int // tasks that wait until a descriptor is readable
	Writers       int // tasks that wait until a descriptor is writable

	// NextDeadline is the time to the next deadline, negative if it is
	// overdue; it is meaningful if HasDeadline.
	NextDeadline time.Duration
	HasDeadline  bool

	Spawned        uint64 // tasks
	Turns          uint64 // turns of tasks
	Passes         uint64 // batches of turns
	Polls          uint64 // calls of the poller
	Events         uint64 // events from it
	EntryCalls     uint64 // calls from outside that were made
	EntryRefused   uint64 // times a call from outside found the queue full
	Yields         uint64 // times the thread was yielded to other goroutines
	CancelPoints   uint64 // cancel points passed
	SchedulePoints uint64 // schedule points passed, whether or not they ended a turn

	// What the watchdog saw; see WithWatchdog.
	Stalls       uint64        // turns that exceeded its threshold
	LongestStall time.Duration // the longest of them so far

	Poller sys.PollerStatistics // of the loop's poller
}

type counters struct {
	turns, passes, polls, events, entries, yields uint64
}

// publishedStatistics is the copy for other goroutines.
type publishedStatistics struct {
	mu    sync.Mutex
	value Statistics
}

// Statistics returns the numbers of this moment.
func (t *Task) Statistics() Statistics {
	t.loop.readClock()
	s := t.loop.statistics()
	t.loop.entry.describe(&s)
	return s
}

// Statistics returns the numbers of the moment in which the loop last polled.
// It may be called from any goroutine; a task calls Task.Statistics for the
// present ones.
func (l *Loop) Statistics() Statistics {
	l.published.mu.Lock()
	defer l.published.mu.Unlock()
	s := l.published.value
	l.entry.describe(&s)
	s.watched(l.watchdog)
	return s
}

func (l *Loop) publish() {
	l.published.mu.Lock()
	l.published.value = l.statistics()
	l.published.mu.Unlock()
}

func (l *Loop) statistics() Statistics {
	s := Statistics{
		TasksLiving:    l.living,
		TasksRunnable:  len(l.ready) + len(l.batch) - l.next,
		TasksParked:    l.parkedTasks,
		Timers:         len(l.timers),
		Descriptors:    len(l.slots) - len(l.freeSlots),
		Readers:        l.readers,
		Writers:        l.writers,
		Spawned:        l.nextID,
		Turns:          l.counters.turns,
		Passes:         l.counters.passes,
		Polls:          l.counters.polls,
		Events:         l.counters.events,
		EntryCalls:     l.counters.entries,
		Yields:         l.counters.yields,
		CancelPoints:   l.cancelPoints,
		SchedulePoints: l.schedulePoints,
		Poller:         l.poller.Statistics(),
	}
	s.watched(l.watchdog)
	if next := l.timers.next(); next != never {
		s.NextDeadline, s.HasDeadline = time.Duration(next-l.cachedNow), true
	}
	return s
}

// describe fills in what other goroutines change, as of now.
func (q *entryQueue) describe(s *Statistics) {
	q.mu.Lock()
	s.EntryQueue, s.EntryPeak, s.EntryRefused = len(q.calls), q.peak, q.refused
	q.mu.Unlock()
}

// watched adds what the watchdog knows, which may be newer than the rest.
func (s *Statistics) watched(w *watchdog) {
	if w != nil {
		s.Stalls, s.LongestStall = w.stalls.Load(), time.Duration(w.longest.Load())
	}
}
