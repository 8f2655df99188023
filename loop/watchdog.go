package loop

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// The stall watchdog is an instrument and a goroutine beside the loop. The
// instrument notes whose turn it is, and answers a question at each step; the
// goroutine asks it a few times per threshold, and if no answer comes while the
// loop is not asleep, somebody holds the loop: then it takes the stacks, to see
// who and where.
//
// Looking costs some microseconds a second, and nothing while the loop has
// been idle for a while. Taking the stacks stops the process for about 4 us a
// goroutine, so a report is followed by a pause of at least 200 times that:
// the watchdog as a whole takes no more than 0.5 % of a processor.

const (
	// WatchdogThreshold is how long a turn may take unless WithWatchdog says
	// otherwise. A turn of a well-behaved program takes microseconds; a tenth
	// of a second is what people notice.
	WatchdogThreshold = 100 * time.Millisecond

	// watchdogLooks is how often the watchdog looks within the threshold, and
	// how often it must see the same turn. A process that was stopped as a
	// whole is seen once.
	watchdogLooks = 4

	// watchdogQuiet is after how many looks at a sleeping loop it sleeps too.
	watchdogQuiet = 2 * watchdogLooks

	// watchdogThresholdMin keeps the looks cheap.
	watchdogThresholdMin = time.Millisecond

	// stallReminder is after how long a stall that goes on is reported again.
	stallReminder = 10 * time.Second

	// reportShare is how many times longer than taking the stacks took the
	// watchdog waits before it takes them again.
	reportShare = 200

	// ignoredRefusals is how often a task must have been told that it is
	// cancelled to count as ignoring it: clean-up takes a few.
	ignoredRefusals = 1000

	// ignoredBacklog bounds the tasks that wait to be reported as such.
	ignoredBacklog = 16
)

// A Stall is a report of the watchdog: a turn that takes too long or, if
// Ignores, a task that goes on though it has been told again and again that it
// is cancelled.
type Stall struct {
	Loop     *Loop         // use its methods for any goroutine only
	Task     uint64        // Task.ID; 0: a callback, or the loop itself
	Name     string        // Task.Name
	Function string        // what it runs, whatever its name
	For      time.Duration // so far, at least
	State    string        // what the goroutine does: running, sync.Mutex.Lock, ...
	Hint     string        // what that means and what to do
	Stack    string        // functions and places; empty if it was over too soon
	Missed   int           // stalls since the last report that were only counted
	Ignores  bool          // it ignores its cancellation
}

// String describes the stall in some lines.
func (s Stall) String() string {
	who := fmt.Sprintf("task %d %s", s.Task, s.Name)
	if s.Task == 0 {
		who = "a callback"
	}
	if s.Name != s.Function && s.Function != "" {
		who += " (" + s.Function + ")"
	}
	var b strings.Builder
	if s.Ignores {
		fmt.Fprintf(&b, "loop %d: %s: %s", s.Loop.number, who, s.Hint)
	} else {
		fmt.Fprintf(&b, "loop %d has been held for %v by %s", s.Loop.number, short(s.For), who)
		if s.State != "" {
			fmt.Fprintf(&b, ": %s: %s", s.State, s.Hint)
		}
	}
	if s.Missed > 0 {
		fmt.Fprintf(&b, " (%s before that went unreported)", count(s.Missed, "stall"))
	}
	d := dumper{printed: map[string]uint64{}}
	d.stack(1, s.Stack, 0)
	return strings.TrimSuffix(b.String()+"\n"+d.b.String(), "\n")
}

// WithWatchdog watches for turns that take longer than the threshold, and for
// tasks that ignore their cancellation. A turn that does is found within half
// as much again. 0 means WatchdogThreshold; less than a millisecond is refused
// with ErrMisuse, and so is a second watchdog. Each report is given to report, on a goroutine of the
// watchdog; nil prints it on standard error. A stall is reported once, and
// again every 10 seconds while it lasts; reports cost no more than 0.5 % of a
// processor, and stalls beyond that are only counted (Statistics.Stalls). A
// loop that sleeps or that has much to do in short turns is not reported.
func WithWatchdog(threshold time.Duration, report func(Stall)) Option {
	return func(l *Loop) error {
		if threshold == 0 {
			threshold = WatchdogThreshold
		}
		if l.watchdog != nil {
			return misuse("a loop with two watchdogs")
		}
		if threshold < watchdogThresholdMin {
			return misuse("a watchdog with a threshold of %v", threshold)
		}
		if report == nil {
			report = func(s Stall) { fmt.Fprintf(os.Stderr, "lion: %v\n", s) }
		}
		w := &watchdog{
			l: l, threshold: threshold, report: report,
			wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
			ignored: make(chan Stall, ignoredBacklog),
		}
		l.watchdog = w
		return l.AddInstrument(w.instrument())
	}
}

// watchdog watches one loop.
type watchdog struct {
	l         *Loop
	threshold time.Duration
	report    func(Stall)

	// Written by the loop, as seldom as possible: such a write costs as much as
	// a tenth of a short turn.
	asked   atomic.Bool // set by the goroutine; the loop answers at its next step
	resting atomic.Bool // the loop sleeps in the poller
	task    atomic.Pointer[Task]
	rare    atomic.Pointer[taskRare] // its, as its turn began: the name does not change after
	ignored chan Stall

	last struct { // what the loop wrote last
		task    *Task
		rare    *taskRare
		resting bool
	}

	// For the goroutine.
	dozing atomic.Bool // it waits for wake
	wake   chan struct{}
	quit   chan struct{}
	ended  chan struct{}

	// Read by Statistics.
	stalls  atomic.Uint64
	longest atomic.Int64
}

func (w *watchdog) instrument() *Instrument {
	return &Instrument{
		Name:      "watchdog",
		BeforeRun: func(*Loop) { go w.serve() },
		AfterRun:  func(*Loop) { close(w.quit); <-w.ended },
		BeforePoll: func(_ *Loop, d time.Duration) {
			if w.last.resting = d > 0; d > 0 {
				w.resting.Store(true)
			}
		},
		AfterPoll: func(*Loop, int) { w.polled() },
		Ignored:   w.ignores,
	}
}

// turn is called when a turn begins: not as a hook, whose guard against panics
// would cost more than it does.
//
//lion:opt watchdog-turn
func (w *watchdog) turn(t *Task) {
	if t != w.last.task {
		w.last.task = t
		w.task.Store(t)
	}
	if t.rare != w.last.rare {
		w.last.rare = t.rare
		w.rare.Store(t.rare)
	}
	if w.asked.Load() {
		w.asked.Store(false)
	}
}

// polled is called when the loop has slept, or has not.
func (w *watchdog) polled() {
	if w.asked.Load() {
		w.asked.Store(false)
	}
	if !w.last.resting {
		return
	}
	w.resting.Store(false)
	if w.dozing.Load() && w.dozing.CompareAndSwap(true, false) {
		w.wake <- struct{}{}
	}
}

// ignores is called on the loop.
func (w *watchdog) ignores(t *Task) {
	s := Stall{
		Loop: w.l, Task: t.id, Name: t.Name(), Function: functionName(t.pc), Ignores: true,
		Hint: fmt.Sprintf("it has been told %d times that it is cancelled (%v), and goes on; "+
			"return the error of a checkpoint, and retry other errors only", ignoredRefusals, t.pending()),
	}
	select {
	case w.ignored <- s:
	default: // it is in the dump
	}
}

// serve is the goroutine.
func (w *watchdog) serve() {
	defer close(w.ended)
	tick := time.NewTicker(w.threshold / watchdogLooks)
	defer tick.Stop()
	var look watchdogLook
	for {
		select {
		case <-w.quit:
			w.drain()
			return
		case s := <-w.ignored:
			w.report(s)
		case <-tick.C:
			if w.look(&look); look.quiet >= watchdogQuiet {
				look = watchdogLook{missed: look.missed, notBefore: look.notBefore}
				tick.Stop()
				w.doze()
				tick.Reset(w.threshold / watchdogLooks)
			}
		}
	}
}

// drain reports what is left at the end.
func (w *watchdog) drain() {
	for {
		select {
		case s := <-w.ignored:
			w.report(s)
		default:
			return
		}
	}
}

// doze waits until the loop wakes up. The protocol is that of the loop itself:
// first say that one sleeps, then look; the loop first says that it is awake.
func (w *watchdog) doze() {
	w.dozing.Store(true)
	if !w.resting.Load() && w.dozing.CompareAndSwap(true, false) {
		return
	}
	select {
	case <-w.wake:
	case <-w.quit:
	}
}

// watchdogLook is what the watchdog remembers from look to look.
type watchdogLook struct {
	first     time.Time // when it asked
	same      int       // how often it has looked since, without an answer
	quiet     int       // how often it has seen the loop asleep
	counted   bool      // this stall is in the statistics
	reported  time.Time
	notBefore time.Time
	missed    int
}

func (w *watchdog) look(k *watchdogLook) {
	now := time.Now()
	if resting := w.resting.Load(); resting || !w.asked.Load() {
		if k.quiet++; !resting {
			k.quiet = 0
		}
		k.first, k.same, k.counted = now, 0, false
		w.asked.Store(true)
		return
	}
	k.same++
	held := now.Sub(k.first)
	if k.same < watchdogLooks || held < w.threshold {
		return
	}
	w.longest.Store(max(w.longest.Load(), int64(held)))
	if k.counted && now.Sub(k.reported) < stallReminder {
		return
	}
	if !k.counted {
		k.counted, k.reported = true, now
		w.stalls.Add(1)
	}
	if now.Before(k.notBefore) {
		k.missed++
		return
	}
	k.reported = now
	w.report(w.describe(k, held))
	k.missed = 0
	k.notBefore = time.Now().Add(reportShare * time.Since(now))
}

// describe finds out who holds the loop. By then it may be over.
func (w *watchdog) describe(k *watchdogLook, held time.Duration) Stall {
	s := Stall{Loop: w.l, For: held, Missed: k.missed}
	if t := w.task.Load(); t != nil {
		s.Task, s.Function = t.id, functionName(t.pc)
		s.Name = s.Function
		if r := w.rare.Load(); r != nil && r.name != "" {
			s.Name = r.name
		}
	}
	stacks := allStacks()
	if !w.asked.Load() {
		return s
	}
	var h Snapshot
	h.Held = &Holding{}
	h.describeHeld(w.l, stacks)
	if h.Held.Task == "" { // after the turn of the task
		s.Task, s.Name, s.Function = 0, "", ""
	}
	s.State, s.Hint, s.Stack = h.Held.State, h.Held.Hint, h.Held.Stack
	return s
}
