package loop

import (
	"iter"
	"reflect"
	"runtime"
	"runtime/debug"
)

// A coroutine is what a task runs on: a goroutine that the runtime switches
// to and from directly (iter.Pull), without its scheduler. Facts, measured on
// Go 1.26, and hence this code:
//
//   - A switch and back costs 70 to 100 ns and allocates nothing; making a
//     coroutine costs about 800 ns and 2.7 KiB. So they are pooled.
//   - A suspended coroutine is never collected, not even when nothing refers
//     to it. So the pool is stopped before Run returns, and a loop never
//     forgets a task.
//   - A panic that leaves the coroutine loses the stack of its origin, and a
//     Goexit kills whoever resumed it. So both are caught inside. A coroutine
//     in which Goexit began cannot stop exiting; it is parked in a deferred
//     call, and stopped from a goroutine that may die of it.

const (
	// coroutinePoolMax bounds the idle coroutines that a loop keeps, about 3
	// MiB of stacks: enough that a server in steady state makes none.
	coroutinePoolMax = 1024

	// coroutineSurplusMax bounds those that it keeps while it is busy, about
	// 45 MiB. They were all in use a moment ago, ending them would delay tasks
	// that can run, and the next burst of tasks has use for them: so they are
	// ended when the loop has nothing else to do, surplusBatch of them between
	// two looks at the kernel.
	//
	//lion:opt coroutine-surplus
	coroutineSurplusMax = 16384
	surplusBatch        = 64
)

type coroutine struct {
	task     *Task
	next     func() (struct{}, bool)
	stop     func()
	yield    func(struct{}) bool
	inside   bool // the function of the task has begun, and not returned
	poisoned bool // a Goexit is in progress: never reuse it

	began int64 // when the task had its first turn, as of the loop's last look at the clock
	wait  waitState
}

func newCoroutine() *coroutine {
	c := &coroutine{}
	c.next, c.stop = iter.Pull(c.run)
	return c
}

// run executes one task after another; c.task is assigned before.
//
//go:noinline
func (c *coroutine) run(yield func(struct{}) bool) {
	if c.task.loop.debug {
		yield = c.watchYield(yield)
	}
	c.yield = yield
	for {
		l := c.task.loop
		for c.execute(); !c.poisoned && l.followOn(c); c.execute() {
		}
		if !yield(struct{}{}) {
			return
		}
	}
}

// execute runs the task to its end and reports its error to its nursery.
func (c *coroutine) execute() {
	t := c.task
	c.inside = true
	defer c.catch()
	if t.loop.hooks != nil {
		t.loop.tellTask(t, hookStarted)
	}
	err := t.fn(t)
	c.inside = false
	if t.loop.debug {
		t.checkThread()
	}
	if t.insideStill() {
		err = t.abandon(err)
	}
	t.finish(err)
}

// catch is deferred: it ends a task that has not returned.
func (c *coroutine) catch() {
	if !c.inside {
		return
	}
	c.inside = false
	t := c.task
	e := &PanicError{Value: recover(), Stack: debug.Stack(), Task: t.Name()}
	e.Goexit = e.Value == nil
	err := t.joinGoexit(e)
	if t.insideStill() {
		err = t.abandon(err)
	}
	t.finish(err)
	if e.Goexit {
		c.poisoned = true
		c.yield(struct{}{})
	}
}

// joinGoexit adds the errors of nurseries that a Goexit unwound: they cannot
// be returned by a body that no longer returns.
func (t *Task) joinGoexit(e *PanicError) error {
	unwound := t.takeUnwound()
	if len(unwound) == 0 {
		return e
	}
	return newGroup(append([]error{e}, unwound...))
}

// takeUnwound takes the errors of nurseries that a Goexit has left so far.
func (t *Task) takeUnwound() (unwound []error) {
	if t.rare != nil {
		unwound, t.rare.unwound = t.rare.unwound, nil
	}
	return unwound
}

// settleUnwound has s, through which a Goexit carries them, absorb of those
// errors what it would absorb of a body's.
func (s *Scope) settleUnwound(t *Task) {
	for _, err := range t.takeUnwound() {
		if err = s.settle(err); err != nil {
			t.rare.unwound = append(t.rare.unwound, err)
		}
	}
}

// dispose ends a coroutine without a task.
func (c *coroutine) dispose() {
	if c.poisoned {
		c.stopElsewhere()
		return
	}
	c.stop()
}

// stopElsewhere ends a coroutine in which a Goexit is in progress, or may yet
// begin: it takes the goroutine that stops it along. A panic is returned.
func (c *coroutine) stopElsewhere() (err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() {
			if v := recover(); v != nil {
				err = &PanicError{Value: v, Stack: debug.Stack(), Task: "coroutine", part: true}
			}
		}()
		c.stop()
	}()
	<-done
	return err
}

// takeCoroutine gives t an idle coroutine or a new one.
func (l *Loop) takeCoroutine(t *Task) *coroutine {
	var c *coroutine
	if n := len(l.idle) - 1; n >= 0 {
		c = l.idle[n]
		l.idle[n] = nil
		l.idle = l.idle[:n]
	} else {
		c = newCoroutine()
	}
	c.task, t.co, c.began = t, c, l.cachedNow
	return c
}

// releaseCoroutine takes back the coroutine of a task that has ended.
func (l *Loop) releaseCoroutine(c *coroutine) {
	c.task = nil
	if c.poisoned || len(l.idle) >= coroutineSurplusMax {
		c.dispose()
		return
	}
	l.idle = append(l.idle, c)
}

// endSurplus ends some of the coroutines that are more than an idle loop
// keeps, and reports whether there were any.
func (l *Loop) endSurplus() bool {
	n := min(len(l.idle)-coroutinePoolMax, surplusBatch)
	for range n {
		last := len(l.idle) - 1
		c := l.idle[last]
		l.idle[last] = nil
		l.idle = l.idle[:last]
		c.dispose()
	}
	return n > 0
}

// coroutineEntry and loopEntry are where the stacks of tasks and of loops
// begin.
var (
	coroutineEntry = reflect.ValueOf((*coroutine).run).Pointer()
	loopEntry      = reflect.ValueOf((*Loop).run).Pointer()
)

// Inside reports whether the caller runs inside a task or a callback of some
// loop, where it must not block: for functions that do, to refuse. It may be
// called on any goroutine, and takes a microsecond or less. In an iterator that is
// pulled (iter.Pull) it reports false: whose it is nothing tells. Sync-coloured.
func Inside() bool { return onLoopGoroutine() }

// onLoopGoroutine reports whether the caller runs inside a task or a callback
// of some loop, see whereabouts. In an iterator that is pulled it does not.
func onLoopGoroutine() bool { return callerIs() == onLoop }

// whereabouts is what can be told of a goroutine by its stack.
type whereabouts uint8

const (
	outside     whereabouts = iota // an ordinary goroutine
	onLoop                         // inside a task or a callback of some loop
	onCoroutine                    // in an iterator that is pulled: whose, nothing tells
)

// callerIs finds out by a walk over the caller's own stack: about a microsecond, for
// calls that are rare, and free of data races from whatever goroutine it is made.
// Skipping frames costs as much as reporting them, so pieces of a deep stack
// grow.
func callerIs() whereabouts {
	var few [64]uintptr
	pcs := few[:]
	var last, before *runtime.Func
	for skip := 2; ; {
		n := runtime.Callers(skip, pcs)
		for _, pc := range pcs[:n] {
			f := runtime.FuncForPC(pc - 1)
			if f == nil {
				continue
			}
			if e := f.Entry(); e == coroutineEntry || e == loopEntry {
				return onLoop
			}
			before, last = last, f // last is runtime.goexit in the end
		}
		if n < len(pcs) {
			if before != nil && before.Name() == "runtime.corostart" {
				return onCoroutine
			}
			return outside
		}
		skip += n
		pcs = make([]uintptr, 4*n)
	}
}
