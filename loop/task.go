package loop

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"time"
)

// A Task is a sequence of Go code that takes turns with the other tasks of
// its loop. The code that runs as a task receives its handle, and passes it
// to every function that may suspend: a function may suspend if and only if
// its first parameter is a *Task.
//
// Only the running task may use its handle, except for Unpark, Name, ID and
// Parent, which belong to the loop. Methods of Task are sync-coloured: they
// never block and never schedule.
type Task struct {
	loop *Loop
	co   *coroutine
	fn   func(*Task) error

	scope *Scope // the innermost

	nursery     *Nursery // whose child this is
	siblingNext *Task
	siblingPrev *Task
	nurseries   *Nursery // open ones of its own, innermost first

	locals Locals
	buffer *[]byte
	rare   *taskRare
	pc     uintptr // where fn begins: its name, when somebody asks
	id     uint64

	parked   bool
	open     bool // it was parked by Park: anybody may wake it
	refused  bool // the abort function of this wait has refused
	alert    bool // something beside a cancellation is pending
	slow     bool // its operations take long: look at the clock more often
	done     bool
	refusals uint16 // how often it was told Cancelled, up to the largest
}

// taskRare is what few tasks have, apart to keep the others small.
type taskRare struct {
	name    string
	base    *Scope   // its own outermost scope, if it was started
	target  *Nursery // the nursery it is being started in
	handle  *handle  // that Go returned
	lost    error    // set when its wait could not be aborted properly
	unwound []error  // of nurseries that a Goexit left
	waits   int      // begun since the loop broke
	breaks  []brokenAtEnd

	answered bool // how it ends has been told to whom it concerns
}

// rarely returns the rare part of the task.
func (t *Task) rarely() *taskRare {
	if t.rare == nil {
		t.rare = &taskRare{}
	}
	return t.rare
}

// lost returns the error that ends everything the task tries, or nil.
func (t *Task) lost() error {
	if t.rare == nil {
		return nil
	}
	return t.rare.lost
}

// Loop returns the loop of the task, nil for a nil task: who asks whether it is
// the right one need not ask twice.
func (t *Task) Loop() *Loop {
	if t == nil {
		return nil
	}
	return t.loop
}

// ID returns a number that no other task of the loop has or had.
func (t *Task) ID() uint64 { return t.id }

// Name returns the name given at the spawn, or else that of the function.
func (t *Task) Name() string {
	if t.rare != nil && t.rare.name != "" {
		return t.rare.name
	}
	return functionName(t.pc)
}

// codePointer returns where fn begins.
func codePointer(fn any) uintptr { return reflect.ValueOf(fn).Pointer() }

// functionName names a function by its package and name, without the path.
func functionName(pc uintptr) string {
	f := runtime.FuncForPC(pc)
	if f == nil {
		return "?"
	}
	return shortName(f.Name())
}

// String names the task and what it waits for.
func (t *Task) String() string {
	if label := t.Waiting(); label != "" {
		return fmt.Sprintf("task %d %s (%s)", t.id, t.Name(), label)
	}
	return fmt.Sprintf("task %d %s", t.id, t.Name())
}

// Parent returns the task in whose nursery this one was spawned. The root of
// the tree, which runs no code, has none. It stays known after the end.
func (t *Task) Parent() *Task {
	if t.nursery == nil {
		return nil
	}
	return t.nursery.Owner()
}

// Nursery returns the nursery whose child the task is. While the task is
// being started that is a hidden one in which nothing else can be spawned;
// see Target.
func (t *Task) Nursery() *Nursery { return t.nursery }

// Target returns the nursery into which the task will move when it calls
// started, or nil.
func (t *Task) Target() *Nursery {
	if t.rare == nil {
		return nil
	}
	return t.rare.target
}

// Nurseries returns the open nurseries of the task, outermost first.
func (t *Task) Nurseries() []*Nursery {
	var open []*Nursery
	for n := t.nurseries; n != nil; n = n.outer {
		open = append([]*Nursery{n}, open...)
	}
	return open
}

// Scope returns the innermost scope around the task.
func (t *Task) Scope() *Scope { return t.scope }

// Waiting returns the label of what the task waits for, or "".
func (t *Task) Waiting() string {
	if t.co == nil {
		return ""
	}
	return t.co.wait.label
}

// Ended reports whether the task has ended.
func (t *Task) Ended() bool { return t.done }

// Now returns the time on the loop's clock, as of when the loop last looked:
// when it polled, or within the budget of a checkpoint. With a virtual clock
// it is always current.
func (t *Task) Now() time.Time {
	if t.loop.clock != nil {
		t.loop.readClock()
	}
	return t.loop.now()
}

// Deadline returns the earliest deadline that can cancel the task, and
// whether there is one. If a cancellation is visible already, it returns the
// present.
func (t *Task) Deadline() (when time.Time, ok bool) {
	if t.scope == nil { // the task has ended
		return time.Time{}, false
	}
	if t.scope.cause != nil {
		return t.Now(), true
	}
	var at int64
	for s := t.scope; s != nil; s = s.parent {
		if due, limited := s.due(); limited && (!ok || due < at) {
			at, ok = due, true
		}
		if s.shield {
			break
		}
	}
	return t.loop.timeAt(at), ok
}

// Context returns a context bound to the scope that is current at the call:
// done when that scope comes to see a cancellation, or is left. It carries
// the earliest deadline known at the call and the task's locals, and may be
// used from any goroutine.
func (t *Task) Context() context.Context {
	if t.scope == nil { // the task has ended
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		return ended
	}
	bound := t.scope.boundContext(t)
	if t.locals.first != nil {
		return t.locals.Context(bound)
	}
	return bound
}

// Buffer returns the task's buffer, borrowed from the pool of the loop when
// first asked for and given back when the task ends: nothing may refer to it
// afterwards. Its length is that of the option WithBufferSize. Prefer it to a
// local array, which would make the stack of the task grow and stay grown.
func (t *Task) Buffer() []byte {
	if t.buffer == nil {
		t.buffer = t.loop.takeBuffer()
	}
	return *t.buffer
}

// unwindWaits is how many waits a task may begin in a broken loop: enough for
// any clean-up. A task that goes on after that would go on for ever.
const unwindWaits = 1000

// unwind makes every wait of the task end at once: the loop is broken and
// wants its tasks to end.
func (t *Task) unwind() {
	l := t.loop
	l.abort(t, l.broken)
	if t.parked { // the wait can not be aborted
		l.wake(t, nil)
	}
	r := t.rarely()
	t.alert, r.lost, t.co.wait.err = true, l.broken, l.broken
	l.current = t
	if r.waits++; r.waits > unwindWaits {
		runtime.Goexit()
	}
}

// finish is called when the function of the task has returned or panicked,
// still on the coroutine.
func (t *Task) finish(err error) {
	l := t.loop
	if err == nil {
		err = t.lost()
	}
	if t.rare != nil && t.rare.answered {
		err = nil
	}
	if err != nil && !t.scope.cancelledOutward() && hasCancelled(err) {
		err = &stray{err: err}
	}
	if l.hooks != nil {
		l.tellExited(t, err)
	}
	t.done = true
	t.fn, t.co, t.locals = nil, nil, Locals{}
	if t.buffer != nil {
		l.giveBuffer(t.buffer)
		t.buffer = nil
	}
	if t.rare != nil {
		err = t.rare.finish(t, err)
	}
	t.scope = nil
	l.living--
	t.nursery.childEnded(t, err)
}

// finish ends what the rare part of t holds, and returns what is left of the
// error of t.
func (r *taskRare) finish(t *Task, err error) error {
	if h := r.handle; h != nil {
		r.handle = nil
		h.ended(err)
	}
	if r.base != nil {
		err = r.base.settle(err)
		r.base.exit()
		r.base = nil
	}
	for _, b := range r.breaks {
		for range b.times {
			t.Break(b.lot)
		}
	}
	r.breaks, r.unwound = nil, nil
	return err
}

// hasCancelled reports whether err holds a Cancelled that a scope would
// absorb.
func hasCancelled(err error) bool {
	_, caught := absorb(err)
	return caught
}
