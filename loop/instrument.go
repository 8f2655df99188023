package loop

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// An Instrument watches a loop: for logs, profiles, measurements. Each of its
// functions may be nil, and one that is nil costs nothing; a loop without an
// instrument pays a comparison with nil at each event.
//
// The functions are called on the loop. They must not block, and they are
// given no task to suspend with. One that panics is the last of its instrument
// that is called: the instrument is removed, the failure is reported with its
// stack, to Failed or else on standard error, and the loop goes on.
//
// With RunEach one instrument serves all loops, from a goroutine each.
type Instrument struct {
	Name   string      // for reports of its failure
	Failed func(error) // is told of it; nil: it is printed

	BeforeRun  func(*Loop)                           // before the main task is spawned
	AfterRun   func(*Loop)                           // after all tasks have ended, last of all
	BeforePoll func(l *Loop, patience time.Duration) // it asks the kernel, and may sleep
	AfterPoll  func(l *Loop, events int)             // it has been answered

	Spawned    func(*Task)        // it exists, and has its name
	Scheduled  func(*Task)        // it can run, and waits for its turn
	Started    func(*Task)        // its first turn begins; called on the goroutine it runs on
	BeforeTurn func(*Task)        // it is about to run
	AfterTurn  func(*Task)        // Task.Waiting and Task.Ended tell why
	Ignored    func(*Task)        // it has been told 1000 times that it is cancelled, and goes on
	Exited     func(*Task, error) // its function has ended; called where Started was
}

// hook is what an instrument can be told.
type hook int

const (
	hookBeforeRun hook = iota
	hookAfterRun
	hookBeforePoll
	hookAfterPoll
	hookSpawned
	hookScheduled
	hookStarted
	hookBeforeTurn
	hookAfterTurn
	hookIgnored
	hookExited
	hookCount
)

// happening is what a hook is told.
type happening struct {
	loop *Loop
	task *Task
	err  error
	n    int64 // events, or nanoseconds
}

// listener is one function of one instrument.
type listener struct {
	of *Instrument
	fn func(happening)
}

// hooks holds the functions of all instruments, each as it was when its
// instrument was added. It is never changed, only replaced: a hook may add and
// remove instruments. A loop without instruments has none.
type hooks struct {
	installed []*Instrument
	listeners [hookCount][]listener
}

// WithInstrument makes in watch the loop from its start.
func WithInstrument(in *Instrument) Option {
	return func(l *Loop) error { return l.AddInstrument(in) }
}

// AddInstrument makes in watch the loop from now on. Its functions are taken
// as they are now: who changes them removes and adds the instrument again. An
// instrument that is there already is left alone. Sync-coloured, and to be
// called on the loop.
func (l *Loop) AddInstrument(in *Instrument) error {
	if in == nil {
		return misuse("a nil instrument")
	}
	old := l.hooks
	if old == nil {
		old = &hooks{}
	}
	if slices.Contains(old.installed, in) {
		return nil
	}
	added := &hooks{installed: append(slices.Clip(old.installed), in)}
	for k := range hookCount {
		added.listeners[k] = old.listeners[k]
		if fn := in.hook(k); fn != nil {
			added.listeners[k] = append(slices.Clip(old.listeners[k]), listener{in, fn})
		}
	}
	l.hooks = added
	return nil
}

// RemoveInstrument ends what AddInstrument began. An instrument that is not
// there is refused with ErrMisuse. Sync-coloured, and to be called on the loop.
func (l *Loop) RemoveInstrument(in *Instrument) error {
	if l.hooks == nil || !slices.Contains(l.hooks.installed, in) {
		return misuse("removing an instrument that is not installed")
	}
	other := func(i *Instrument) bool { return i != in }
	left := &hooks{installed: filter(l.hooks.installed, other)}
	for k := range hookCount {
		left.listeners[k] = filter(l.hooks.listeners[k], func(e listener) bool { return e.of != in })
	}
	l.hooks = left
	if len(left.installed) == 0 {
		l.hooks = nil
	}
	return nil
}

func filter[T any](all []T, keep func(T) bool) (kept []T) {
	for _, v := range all {
		if keep(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// hook returns a function of the instrument in a common shape, or nil.
func (in *Instrument) hook(k hook) func(happening) {
	switch k {
	case hookBeforeRun:
		return aboutLoop(in.BeforeRun)
	case hookAfterRun:
		return aboutLoop(in.AfterRun)
	case hookSpawned:
		return aboutTask(in.Spawned)
	case hookScheduled:
		return aboutTask(in.Scheduled)
	case hookStarted:
		return aboutTask(in.Started)
	case hookBeforeTurn:
		return aboutTask(in.BeforeTurn)
	case hookAfterTurn:
		return aboutTask(in.AfterTurn)
	case hookIgnored:
		return aboutTask(in.Ignored)
	}
	return in.rareHook(k)
}

// rareHook returns the functions that are told more than who it is about.
func (in *Instrument) rareHook(k hook) func(happening) {
	switch {
	case k == hookExited && in.Exited != nil:
		fn := in.Exited
		return func(h happening) { fn(h.task, h.err) }
	case k == hookBeforePoll && in.BeforePoll != nil:
		fn := in.BeforePoll
		return func(h happening) { fn(h.loop, time.Duration(h.n)) }
	case k == hookAfterPoll && in.AfterPoll != nil:
		fn := in.AfterPoll
		return func(h happening) { fn(h.loop, int(h.n)) }
	}
	return nil
}

func aboutLoop(fn func(*Loop)) func(happening) {
	if fn == nil {
		return nil
	}
	return func(h happening) { fn(h.loop) }
}

func aboutTask(fn func(*Task)) func(happening) {
	if fn == nil {
		return nil
	}
	return func(h happening) { fn(h.task) }
}

// tell calls the listeners of one hook. Callers compare l.hooks with nil
// first, so that a loop without instruments does not even make the call.
func (l *Loop) tell(k hook, h happening) {
	h.loop = l
	for _, e := range l.hooks.listeners[k] {
		if err := guarded("instrument", func() { e.fn(h) }); err != nil {
			l.RemoveInstrument(e.of)
			e.of.reportFailure(err)
		}
		if l.hooks == nil {
			return
		}
	}
}

// reportFailure makes a failure known.
func (in *Instrument) reportFailure(err error) {
	err = fmt.Errorf("instrument %q failed and was removed: %w", in.Name, err)
	if in.Failed != nil && guarded("instrument", func() { in.Failed(err) }) == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "lion: %v\n", err)
}

// tellTask is tell for the hooks about a task, and small where it is called.
//
//go:noinline
func (l *Loop) tellTask(t *Task, k hook) {
	if k == hookBeforeTurn && l.watchdog != nil {
		l.watchdog.turn(t)
	}
	if len(l.hooks.listeners[k]) > 0 {
		l.tell(k, happening{task: t})
	}
}

// tellExited tells of the end of a task and its error.
//
//go:noinline
func (l *Loop) tellExited(t *Task, err error) {
	l.tell(hookExited, happening{task: t, err: err})
}

// tellTurnEnded tells of the end of the current task's turn. If it neither
// ended nor waits it has gone to the end of the queue by itself.
func (l *Loop) tellTurnEnded() {
	t := l.current
	if t == nil {
		return // the loop broke
	}
	if !t.done && !t.parked {
		l.tellTask(t, hookScheduled)
	}
	if l.hooks != nil {
		l.tellTask(t, hookAfterTurn)
	}
}

//go:noinline
func (l *Loop) tellPoll(k hook, n int64) { l.tell(k, happening{n: n}) }

// tellSpawned tells of a task that has got its options.
func (l *Loop) tellSpawned(t *Task) {
	l.tell(hookSpawned, happening{task: t})
	if l.hooks != nil {
		l.tell(hookScheduled, happening{task: t})
	}
}
