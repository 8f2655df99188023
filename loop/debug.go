package loop

import "runtime"

// A task that calls runtime.LockOSThread kills the process at its next
// suspension, or at its end: the runtime refuses to switch ("coro: OS thread
// locking must match locking at coroutine creation"). Its message comes with
// the stack of the task. Nothing in Go tells cheaply whether a goroutine is
// locked, so only a loop in debug mode looks before it switches.

// WithDebug makes the loop look, whenever a task suspends or ends, at the
// goroutine that does so. One that is locked to its thread
// (runtime.LockOSThread) is unlocked, and its task fails with ErrMisuse instead
// of killing the process. And at every cancel point a goroutine that runs no loop
// and uses the handle of the running task is refused with ErrWrongTask; so is an
// iterator that is pulled (iter.Pull) and suspends. A look costs a few
// microseconds.
func WithDebug() Option {
	return func(l *Loop) error { l.debug, l.atHome = true, onLoopGoroutine; return nil }
}

// locksMax bounds the attempts to unlock a thread: calls of LockOSThread add up.
const locksMax = 1000

// watchYield returns yield with a look at the goroutine before.
func (c *coroutine) watchYield(yield func(struct{}) bool) func(struct{}) bool {
	return func(v struct{}) bool {
		c.task.checkThread()
		return yield(v)
	}
}

// checkThread is called on the goroutine of a task that suspends or ends.
func (t *Task) checkThread() {
	var g goroutineText
	if g.parseHeader(ownHeader()); g.locked {
		t.unlockThread()
	}
}

// unlockThread takes the goroutine off its thread and dooms the task.
func (t *Task) unlockThread() {
	for range locksMax {
		runtime.UnlockOSThread()
		var g goroutineText
		if g.parseHeader(ownHeader()); !g.locked {
			break
		}
	}
	t.rarely().lost = misuse("task %d %s called runtime.LockOSThread; what needs a thread of its own "+
		"belongs in a worker", t.id, t.Name())
	t.alert = true
}
