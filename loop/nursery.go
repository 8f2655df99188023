package loop

import (
	"fmt"
	"runtime/debug"
	"slices"
)

// A Nursery is where tasks are spawned: it is open while the body given to
// Nurse runs, and Nurse returns only when the body and all children have
// ended. The first of them that fails cancels the others, unless its
// supervision (WithRestart, WithKeepGoing) says otherwise; every error is
// collected. Its methods are sync-coloured and belong to its loop.
type Nursery struct {
	scope    Scope
	outer    *Nursery // the next one out that the owner has open
	children *Task
	rare     *nurseryRare
	spawned  uint64
	count    int32 // children, and starts under way
	waiting  bool  // the owner waits for the children
	closed   bool
	hidden   bool // closed to users: the home of a task being started, say
	eldest   Task // the first child, see newTask
}

const (
	// taskBlock is how many tasks a nursery with many children makes at once.
	// A child that lives on keeps its block: three tasks that have ended, 336
	// bytes beside the stack that it has.
	taskBlock = 4

	// blockAfter is how many children make a nursery one with many.
	blockAfter = 16
)

// nurseryRare is what few nurseries have, apart to keep the others small.
type nurseryRare struct {
	name        string
	errs        []error
	starts      []*Scope // of starts under way: cancelled with this nursery
	supervision *supervision
	spare       []Task // the next children, see newTask
}

func newNursery(l *Loop) *Nursery {
	n := &Nursery{}
	n.scope.loop, n.scope.nursery = l, n
	return n
}

func (n *Nursery) rarely() *nurseryRare {
	if n.rare == nil {
		n.rare = &nurseryRare{}
	}
	return n.rare
}

func (n *Nursery) errors() []error {
	if n.rare == nil {
		return nil
	}
	return n.rare.errs
}

func (n *Nursery) starts() []*Scope {
	if n.rare == nil {
		return nil
	}
	return n.rare.starts
}

// NurseryOption sets up a nursery.
type NurseryOption func(*Nursery) error

// WithName names the nursery in dumps.
func WithName(name string) NurseryOption {
	return func(n *Nursery) error { n.rarely().name = name; return nil }
}

// Nurse opens a nursery, runs fn in it, waits for all children, and returns
// nil or a *Group of every error, in which Cancelled errors that the
// nursery's own cancellation caused are left out. A panic or Goexit of a child
// or of fn becomes a *PanicError after the others have ended; a Goexit of fn
// then goes on. Leaving is a schedule point, never a cancel point: the owner
// waits for its children whatever happens around it. A nil fn is refused with
// ErrMisuse.
func Nurse(t *Task, fn func(*Nursery) error, opts ...NurseryOption) error {
	return host(t, nil, fn, opts)
}

// openNursery makes a nursery for t.
func openNursery(t *Task, fn func(*Nursery) error, opts []NurseryOption) (*Nursery, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if fn == nil {
		return nil, misuse("a nursery with a nil function")
	}
	n := newNursery(t.loop)
	if err := apply(n, opts); err != nil {
		return nil, err
	}
	return n, nil
}

// host runs the body and the end of a nursery in its owner; of a new nursery if
// n is nil. It is Nurse in one frame, see Task.park.
//
//lion:opt flat-nurse
func host(
	t *Task, n *Nursery, fn func(*Nursery) error, opts []NurseryOption,
) (err error) {
	if n == nil {
		if n, err = openNursery(t, fn, opts); err != nil {
			return err
		}
	}
	n.scope.enter(t, t.scope)
	n.outer, t.nurseries = t.nurseries, n
	returned := false
	defer func() {
		if returned {
			return
		}
		e := &PanicError{Value: recover(), Stack: debug.Stack(), Task: t.Name()}
		e.Goexit = e.Value == nil
		if !e.Goexit {
			err = n.leave(t, e)
			return
		}
		n.scope.cancel(SourceNursery, "the body called runtime.Goexit")
		for _, err := range t.takeUnwound() {
			n.note(err, partOf("the body"))
		}
		if err := n.leave(t, nil); err != nil {
			t.rarely().unwound = append(t.rarely().unwound, err)
		}
	}()
	err = fn(n)
	returned = true
	return n.leave(t, err)
}

// leave waits for the children and composes the result.
func (n *Nursery) leave(t *Task, err error) error {
	if t.scope != &n.scope {
		if n.closed {
			return both(err, errAbandoned)
		}
		err = n.scope.misnested(t, err)
	}
	if err != nil && !n.scope.cancelledOutward() && hasCancelled(err) {
		err = &stray{err: err}
	}
	n.note(err, partOf("the body"))
	if n.count == 0 {
		ShieldedCheckpoint(t)
	}
	n.waiting = true
	for n.count > 0 {
		w := t.beginWait(nurseryLabel, (*nurseryWait)(n)) // as in Task.park
		if !t.co.yield(struct{}{}) {
			t.unwind()
		}
		if err := w.result(); err != nil {
			n.noteWoken(err)
		}
		if t.loop.broken != nil {
			break
		}
	}
	n.waiting, n.closed = false, true
	if t.nurseries == n {
		t.nurseries = n.outer
	} else {
		n.leaveAround(t)
	}
	err = n.scope.settle(newGroup(n.errors()))
	n.rare = nil
	n.scope.leave(t)
	return err
}

// nurseryLabel says that an owner waits for its children.
const nurseryLabel = "nursery"

// nurseryWait is how an owner waits for its children.
type nurseryWait Nursery

// Abort refuses cancellations, which the children see for themselves, and
// accepts an interrupt, which becomes one of the errors.
func (n *nurseryWait) Abort(w Wait) bool { return w.Cause == ErrInterrupt }

// WaitDetail describes what the owner waits for.
func (n *nurseryWait) WaitDetail() string { return fmt.Sprintf("%d children", n.count) }

func (n *Nursery) noteWoken(err error) {
	if err == ErrInterrupt {
		n.rarely().errs = append(n.rarely().errs, err)
		n.scope.cancel(SourceInterrupt, "the main task was interrupted")
		return
	}
	n.note(err, partOf("the owner"))
}

// culprit is who an error comes from. Tasks are named only if it is needed.
type culprit interface{ blamed() string }

func (t *Task) blamed() string { return "task " + t.Name() }

// partOf is a part of the nursery itself.
type partOf string

func (p partOf) blamed() string { return string(p) + " of the nursery" }

// note collects an error; the first one cancels the nursery.
func (n *Nursery) note(err error, who culprit) {
	if err == nil {
		return
	}
	if sameCancelled(n.errors(), err) {
		return
	}
	n.rarely().errs = append(n.rarely().errs, err)
	if n.scope.own != nil || n.scope.state != scopeActive {
		return
	}
	n.cancelFor(err, who)
}

func (n *Nursery) cancelFor(err error, who culprit) {
	if err == ErrInterrupt || onlyInterrupts(err) {
		n.scope.cancel(SourceInterrupt, "the main task was interrupted")
		return
	}
	n.scope.cancel(SourceNursery, fmt.Sprintf("%s failed: %v", who.blamed(), firstLine(err)))
}

// sameCancelled reports whether err is a Cancelled that errs holds already:
// one stands for all, as they say the same.
func sameCancelled(errs []error, err error) bool {
	if _, ok := err.(*CancelledError); !ok {
		return false
	}
	return slices.Contains(errs, err)
}

// firstLine keeps a reason short: errors of panics carry whole stacks, and
// groups whole trees.
func firstLine(err error) string {
	const reasonMax = 200
	if g, ok := err.(*Group); ok {
		return g.title()
	}
	text := err.Error()
	for i, r := range text {
		if r == '\n' || i >= reasonMax {
			return text[:i]
		}
	}
	return text
}

// Scope returns the nursery's own scope: cancelling it cancels the body and
// all children.
func (n *Nursery) Scope() *Scope { return &n.scope }

// Cancel cancels the body and all children; see Scope.Cancel.
func (n *Nursery) Cancel(reason string) error { return n.scope.Cancel(reason) }

// Owner returns the task that opened the nursery.
func (n *Nursery) Owner() *Task { return n.scope.task }

// Name returns the name given by WithName.
func (n *Nursery) Name() string {
	if n.rare == nil {
		return ""
	}
	return n.rare.name
}

// Closed reports whether nothing can be spawned any more.
func (n *Nursery) Closed() bool { return n.closed }

// Children returns the living children, youngest first.
func (n *Nursery) Children() []*Task {
	var all []*Task
	for t := n.children; t != nil; t = t.siblingNext {
		all = append(all, t)
	}
	return all
}

// NurseryStatistics describes a nursery at one moment.
type NurseryStatistics struct {
	Children int    // living children, and starts under way
	Spawned  uint64 // children spawned so far
	Errors   int    // errors collected so far
	Survived uint64 // failures that its supervision has answered: restarts, or going on
}

// Statistics returns the present numbers.
func (n *Nursery) Statistics() NurseryStatistics {
	s := NurseryStatistics{Children: int(n.count), Spawned: n.spawned, Errors: len(n.errors())}
	if by := n.supervision(); by != nil {
		s.Survived = by.survived
	}
	return s
}

// SpawnOption sets up a task.
type SpawnOption func(*Task)

// WithTaskName names the task; without it the name is that of its function.
func WithTaskName(name string) SpawnOption { return func(t *Task) { t.rarely().name = name } }

// WithLocals gives the task these locals instead of the spawner's: for tasks
// that are spawned by callbacks, which have none.
func WithLocals(values Locals) SpawnOption { return func(t *Task) { t.locals = values } }

// Spawn makes fn a child of the nursery and returns before it runs. The child
// takes the cancel status of the nursery and the locals of the spawner; in a
// nursery that is cancelled it still runs, to its first checkpoint. A nursery
// whose owner has left it answers ErrClosed, and nothing is spawned.
func (n *Nursery) Spawn(fn func(*Task) error, opts ...SpawnOption) error {
	if fn == nil {
		return misuse("spawning a nil function")
	}
	_, err := n.start(fn, codePointer(fn), opts)
	return err
}

// start makes a task of fn, which stands for the user's function at pc.
func (n *Nursery) start(fn func(*Task) error, pc uintptr, opts []SpawnOption) (*Task, error) {
	if err := n.accepts(opts); err != nil {
		return nil, err
	}
	if s := n.supervision(); s != nil && s.restart != nil {
		fn = s.watch(fn, pc)
	}
	t := n.spawn(fn, pc)
	for _, opt := range opts {
		opt(t)
	}
	if l := t.loop; l.hooks != nil {
		l.tellSpawned(t)
	}
	return t, nil
}

// none reports that there is no option.
func (o SpawnOption) none() bool { return o == nil }

// accepts says whether a task may be spawned now, with these options.
func (n *Nursery) accepts(opts []SpawnOption) error {
	switch {
	case n == nil || n.scope.loop == nil:
		return misuse("spawning in a nursery that Nurse has not opened")
	case slices.ContainsFunc(opts, SpawnOption.none):
		return errNilOption
	case n.closed:
		return fmt.Errorf("spawning in a nursery that was left: %w", ErrClosed)
	case n.hidden:
		return misuse("spawning in the hidden nursery %s; of a task being started, use Target", n.Name())
	case n.scope.loop.broken != nil:
		return n.scope.loop.broken
	case n.scope.loop.sleeping.Load():
		return fmt.Errorf("spawning from outside the loop: %w", ErrWrongTask)
	}
	return nil
}

// newTask makes room for a child. The first one is allocated with its nursery:
// most nurseries have one, many have no other, and an allocation is a tenth of
// the price of a short task. Later ones are made by the block, which refers to
// no other nursery and so keeps nothing else.
//
//lion:opt eldest-child
//lion:opt task-block
func (n *Nursery) newTask() (t *Task) {
	switch {
	case n.spawned == 0:
		return &n.eldest
	case n.spawned < blockAfter:
		return new(Task)
	}
	r := n.rarely()
	if len(r.spare) == 0 {
		r.spare = make([]Task, taskBlock)
	}
	t, r.spare = &r.spare[0], r.spare[1:]
	return t
}

// spawn makes a task of fn, named after the function at pc.
func (n *Nursery) spawn(fn func(*Task) error, pc uintptr) *Task {
	l := n.scope.loop
	l.nextID++
	t := n.newTask()
	t.loop, t.fn, t.pc, t.id, t.scope = l, fn, pc, l.nextID, &n.scope
	t.alert = l.atHome != nil
	if l.current != nil {
		t.locals = l.current.locals
	}
	n.adopt(t)
	l.living++
	l.ready = append(l.ready, t)
	return t
}

func (n *Nursery) adopt(t *Task) {
	t.nursery = n
	t.siblingNext, t.siblingPrev = n.children, nil
	if n.children != nil {
		n.children.siblingPrev = t
	}
	n.children = t
	n.count++
	n.spawned++
}

func (n *Nursery) disown(t *Task) {
	if t.siblingPrev != nil {
		t.siblingPrev.siblingNext = t.siblingNext
	} else {
		n.children = t.siblingNext
	}
	if t.siblingNext != nil {
		t.siblingNext.siblingPrev = t.siblingPrev
	}
	t.siblingNext, t.siblingPrev = nil, nil
}

// childEnded notes the end of a child and its error.
func (n *Nursery) childEnded(t *Task, err error) {
	n.disown(t)
	switch {
	case err == nil:
	case n.Owner() == t.loop.root:
		n.rarely().errs = append(n.rarely().errs, err)
		t.loop.rootChildFailed(n, err)
	case n.goesOn(t, err):
	default:
		n.note(err, t)
	}
	n.release()
}

// release counts down, and wakes the owner when nothing is left.
func (n *Nursery) release() {
	n.count--
	if n.count > 0 {
		return
	}
	l, owner := n.scope.loop, n.Owner()
	switch {
	case owner == l.root:
		l.nurseryEmptied(n)
	case n.waiting && owner.parked:
		l.wake(owner, nil)
	}
}
