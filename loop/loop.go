package loop

import (
	"cmp"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"time"

	"github.com/lion-go/lion/sys"
)

// A Loop runs tasks in turns on one goroutine and waits for the kernel on
// their behalf. Everything that belongs to it, tasks, scopes, nurseries,
// parking lots, descriptors, is used from its tasks and callbacks only, and
// needs no locks there. The methods that may be called from any goroutine say
// so.
type Loop struct {
	// Scheduling.
	current *Task   // the running task; nil in callbacks and in the poller
	ready   []*Task // runnable in the next pass
	batch   []*Task // the pass under way
	next    int     // the first in it that has not had its turn
	hooks   *hooks  // instruments; nil: none
	main    *Task
	root    *Task // the top of the tree; it runs no code
	idle    []*coroutine
	rng     *rand.Rand
	nextID  uint64
	woken   []*Task // room for propagate

	// The turn under way, for the checkpoint budget.
	credit    int   // operations until the next look at the clock
	used      int   // operations of this turn, counted when looking
	stride    int   // operations between the last look and the next
	turnStart int64 // clock readings
	lookedAt  int64

	// Turns since the last look at the clock, and how many there may be.
	unseenTurns int
	turnStride  int

	// Time.
	clock     Clock // nil: the system's
	base      time.Time
	cachedNow int64
	timers    timerHeap
	timerSeq  uint64
	expiring  bool

	// The kernel.
	poller    poller
	power     *power // waits of one system only
	events    []sys.Event
	slots     []slot
	freeSlots []uint32
	foreign   map[sys.FD]*Descriptor
	armFault  func(sys.Interest) error // nil, but in tests
	lastPoll  int64                    // when, and how many turns ago
	sincePoll int
	lastRest  int64 // when the thread was last given up
	started   time.Time
	sleeping  atomic.Bool

	// Calls from outside.
	entry      entryQueue
	interrupts Waker
	visits     *visit      // under way
	vars       map[any]any // see PerLoop
	team       []*Loop     // of RunEach

	// Trees and ends.
	rootScope   *Scope
	mainNursery *Nursery
	system      *Nursery
	mainErr     error
	mainDone    bool
	broken      error // why the loop can not go on
	defect      error // why it has to end after this pass
	crashes     []error
	closing     bool

	// Idleness.
	idlers []*idler

	// Seeing inside.
	number    uint64
	goroutine atomic.Uint64 // the number of the goroutine that runs the loop
	asked     snapshotRequests
	watchdog  *watchdog // nil: none
	mainPC    uintptr   // where the user's main function begins, if main is a wrapper
	dumpTo    io.Writer
	dumpOn    []os.Signal

	// Interrupts.
	interrupted  bool
	wasAsked     bool // there has been an interrupt, whoever dealt with it
	handlers     []*interruptHandler
	catchSignals bool
	firstSignal  *os.Signal // where Main wants to have it

	// Buffers.
	buffers    []*[]byte
	bufferSize int

	// Options and counters.
	alwaysReschedule bool
	atHome           func() bool // whether this is the goroutine of a loop; nil: unchecked
	seeded           bool
	debug            bool
	living           int
	parkedTasks      int
	readers          int
	writers          int
	cancelPoints     uint64
	schedulePoints   uint64
	counters         counters
	published        publishedStatistics
}

// Option sets up a loop.
type Option func(*Loop) error

// WithClock replaces the system's clock.
func WithClock(c Clock) Option {
	return func(l *Loop) error {
		if c == nil {
			return misuse("a nil clock")
		}
		l.clock = c
		return nil
	}
}

// WithSeed makes the order of tasks within a pass, of timers that are due at
// the same time and of events from one poll a function of the seed. Without
// it the order within a pass is drawn anew in every run, so that nobody comes
// to rely on it.
func WithSeed(seed uint64) Option {
	return func(l *Loop) error {
		l.seeded, l.rng = true, rand.New(rand.NewPCG(seed, seed))
		return nil
	}
}

// WithCoin replaces the lot that is drawn before each pass of two tasks or more:
// reverse is called, on the loop, and says whether the pass runs in the reverse
// order. That is the one choice that a loop without a seed makes by chance, so
// who knows all answers knows all schedules: see looptest.Schedules. A seed
// given before has no effect. A nil reverse is refused with ErrMisuse.
func WithCoin(reverse func() bool) Option {
	return func(l *Loop) error {
		if reverse == nil {
			return misuse("a nil coin")
		}
		l.seeded, l.rng = false, rand.New(coin(reverse))
		return nil
	}
}

// coin is a source of bits.
type coin func() bool

// Uint64 returns an even number for a pass in the reverse order.
func (c coin) Uint64() uint64 {
	if c() {
		return 0
	}
	return 1
}

// WithAlwaysReschedule takes the checkpoint budget away: every checkpoint
// ends the turn of its task.
func WithAlwaysReschedule() Option {
	return func(l *Loop) error { l.alwaysReschedule = true; return nil }
}

// WithEntryQueueSize bounds the calls from outside that wait for the loop.
// The default is DefaultEntryQueueSize.
func WithEntryQueueSize(n int) Option {
	return func(l *Loop) error {
		if n < 1 {
			return misuse("an entry queue for %d calls", n)
		}
		l.entry.limit = n
		return nil
	}
}

// WithBufferSize sets the length in bytes of the buffers that Task.Buffer
// lends. The default is DefaultBufferSize.
func WithBufferSize(n int) Option {
	return func(l *Loop) error {
		if n < 1 {
			return misuse("buffers of %d bytes", n)
		}
		l.bufferSize = n
		return nil
	}
}

func newLoop(opts []Option) (*Loop, error) {
	l := &Loop{
		base:       time.Now(),
		started:    time.Now(),
		bufferSize: DefaultBufferSize,
		entry:      entryQueue{limit: DefaultEntryQueueSize},
		foreign:    map[sys.FD]*Descriptor{},
		number:     loopNumbers.Add(1),
	}
	l.interrupts = Waker{loop: l, fn: l.interruptNow} // an option may use it
	if err := apply(l, opts); err != nil {
		return nil, err
	}
	if l.rng == nil {
		l.rng = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	l.rootScope = &Scope{loop: l, state: scopeActive}
	l.root = &Task{loop: l, scope: l.rootScope, rare: &taskRare{name: "root"}}
	l.rootScope.task = l.root
	l.mainNursery, l.system = l.rootNursery("main"), l.rootNursery("system")
	return l, nil
}

// Run runs main as the first task of a new loop, on the calling goroutine,
// and returns its error, as it is, after every task has ended. It may not be
// called from within a task: ErrMisuse. If the loop itself breaks, the error
// matches ErrInternal; if the main task was interrupted and nothing else went
// wrong, it is ErrInterrupt.
func Run(main func(*Task) error, opts ...Option) error {
	if onLoopGoroutine() {
		return misuse("Run was called inside a task")
	}
	l, err := newLoop(opts)
	if err != nil {
		return err
	}
	l.team = []*Loop{l}
	return l.run(main)
}

// Team returns the loops of RunEach, this one among them, by their index: the
// ones to give to Call. In a Run there is only one. It must not be changed.
func (l *Loop) Team() []*Loop { return l.team }

// run is where the stack of a loop begins.
//
//go:noinline
func (l *Loop) run(main func(*Task) error) (err error) {
	if main == nil {
		return misuse("a nil main function")
	}
	if l.catchSignals {
		c := catchSignals(l)
		defer func() {
			if c.stop() {
				err = withInterrupt(err)
			}
		}()
	}
	defer dumpOnSignals(l)()
	if err := l.start(); err != nil {
		l.broken = err
		l.entry.close()
		l.runEntries() // other loops may have called already
		return err
	}
	returned := false
	defer func() {
		if !returned { // a callback called Goexit, perhaps by FailNow
			l.fail(errGoexit)
			l.shutDown()
		}
	}()
	if l.hooks != nil {
		l.tell(hookBeforeRun, happening{})
	}
	l.main = l.mainNursery.spawn(main, cmp.Or(l.mainPC, codePointer(main)))
	if l.hooks != nil {
		l.tellSpawned(l.main)
	}
	l.turns()
	l.shutDown()
	returned = true
	return l.result()
}

func (l *Loop) start() error {
	if l.clock != nil {
		if err := callClock(l.clock.Start); err != nil {
			return internal("the clock failed to start", err)
		}
		l.base = l.clock.Now()
	}
	if l.poller == nil {
		poller, err := sys.NewPoller()
		if err != nil {
			return internal("making the poller", err)
		}
		l.poller = poller
	}
	l.events = make([]sys.Event, eventBatch)
	l.goroutine.Store(ownGoroutine())
	return nil
}

// turns runs the tasks. What goes wrong in the loop itself ends here, loudly.
func (l *Loop) turns() {
	if err := l.guardedPasses(); err != nil {
		l.fail(err)
	}
}

// result composes the error of Run.
func (l *Loop) result() error {
	err := l.mainErr
	if len(l.crashes) > 0 {
		kept, _ := absorbAll(l.crashes)
		if err != nil {
			if rest, _ := absorb(err); rest != nil {
				kept = append(kept, rest)
			}
		}
		return internal("the loop failed", joined(kept))
	}
	switch {
	case l.interrupted && err == nil, err != nil && onlyInterrupts(err):
		return ErrInterrupt
	case l.interrupted:
		return errors.Join(ErrInterrupt, err)
	}
	return err
}

func joined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	return newGroup(errs)
}

// crash notes a failure of the loop's own parts, and cancels everything.
func (l *Loop) crash(err error) {
	l.crashes = append(l.crashes, err)
	l.cancelMain(SourceShutdown, "the loop failed")
}

// cancelMain cancels the main task and all below it.
func (l *Loop) cancelMain(source Source, reason string) {
	if l.mainNursery.scope.state == scopeActive {
		l.mainNursery.scope.cancel(source, reason)
	}
}

// shutDown gives everything back. Tasks that are left belong to a broken
// loop: their waits fail, so that they unwind.
func (l *Loop) shutDown() {
	for _, t := range l.leftovers() {
		l.current = t
		if t.co != nil {
			if err := t.co.stopElsewhere(); err != nil {
				l.crashes = append(l.crashes, err)
			}
		}
		if !t.done { // it never began, or its coroutine was lost
			t.finish(l.broken)
		}
	}
	l.mainNursery.scope.endContext()
	l.system.scope.endContext()
	l.current, l.ready, l.batch, l.next = nil, nil, nil, 0
	l.entry.close()
	l.runEntries()
	l.dismissVisits()
	for _, c := range l.idle {
		c.dispose()
	}
	l.idle = nil
	l.poller.Close()
	l.publish()
	if l.hooks != nil {
		l.tell(hookAfterRun, happening{})
	}
}
