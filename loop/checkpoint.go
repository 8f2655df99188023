package loop

import (
	"fmt"
	"math"
	"time"
)

// Every async-coloured function checks for cancellation first and, once it
// has succeeded, gives the scheduler its turn to decide. The check is one
// comparison and is never left out. The turn may be: within its budget the
// task simply goes on, since going round the loop after each operation would
// cost a switch and, soon, a call into the kernel for nothing.

const (
	// checkpointBudget is how many operations a task may complete in one
	// turn, if others are waiting or not.
	checkpointBudget = 64

	// checkpointTime is how long a task may go on in one turn. The loop looks
	// at the clock after the first checkpointStride operations; after quick
	// ones it looks again after quickStride, and once they are slow after each.
	// So the time is exceeded by quickStride operations at most, and by that
	// many only when they become slow all of a sudden.
	//
	//lion:opt quick-stride: fewer looks, 13.4 -> 9.7 ns a checkpoint
	checkpointTime   = 200 * time.Microsecond
	checkpointStride = 4
	quickStride      = 12

	// slowOperation separates operations after which the clock is always
	// read from those for which reading it would cost more than it tells. Of
	// those under quickOperation, even quickStride are over in a fraction of
	// checkpointTime.
	slowOperation  = 10 * time.Microsecond
	quickOperation = 500 * time.Nanosecond
)

// Checkpoint lets other tasks run if the task has used up its budget, and
// returns the *CancelledError if the scope has been cancelled, else nil. A
// deadline that passed before the call is seen by this call.
func Checkpoint(t *Task) error {
	if err := ShieldedCheckpoint(t); err != nil {
		return err
	}
	if len(t.loop.timers) > 0 {
		t.loop.readClock()
	}
	return CheckpointIfCancelled(t)
}

// Yield is a Checkpoint that ends the turn of the task whatever its budget:
// all others that can run do so first.
func Yield(t *Task) error {
	if err := t.check(); err != nil {
		return err
	}
	t.loop.schedulePoints++
	t.yield()
	if len(t.loop.timers) > 0 {
		t.loop.readClock()
	}
	return CheckpointIfCancelled(t)
}

// CheckpointIfCancelled is a cancel point only: it returns the
// *CancelledError, after letting others run, if the scope has been cancelled,
// and else nil at once. Together with ShieldedCheckpoint it makes a
// checkpoint: first this, then the operation, then that.
func CheckpointIfCancelled(t *Task) error {
	if t == nil {
		return errNilTask
	}
	l := t.loop
	if l.current != t {
		return t.wrong()
	}
	l.cancelPoints++
	if l.clock != nil {
		l.readClock()
	}
	if t.scope.cause == nil && !t.alert {
		return nil
	}
	return t.deliver()
}

// ShieldedCheckpoint is a schedule point only: it lets other tasks run if the
// task has used up its budget, and does not look at cancellation. Its only
// error is ErrWrongTask.
func ShieldedCheckpoint(t *Task) error {
	if t == nil {
		return errNilTask
	}
	l := t.loop
	if l.current != t {
		return t.wrong()
	}
	l.schedulePoints++
	l.credit--
	if l.credit > 0 {
		return nil
	}
	return l.spend(t)
}

// deliver lets the others run, as even a task that ignores every Cancelled
// must, and returns the error.
func (t *Task) deliver() error {
	if err := t.check(); err != nil {
		return err
	}
	err := t.pending()
	if err == nil { // an alert that has been dealt with
		t.alert = t.loop.atHome != nil
		return nil
	}
	if err == ErrInterrupt {
		t.loop.interrupted = false
		t.alert = t.lost() != nil || t.loop.atHome != nil
	}
	t.refuse()
	t.loop.schedulePoints++
	t.yield()
	return err
}

// refuse counts how often the task has been told that it is cancelled.
func (t *Task) refuse() {
	if t.refusals == math.MaxUint16 {
		return
	}
	if t.refusals++; t.refusals == ignoredRefusals && t.loop.hooks != nil {
		t.loop.tellTask(t, hookIgnored)
	}
}

// spend is called when the credit of the running task is used up: it looks
// at the clock, and either extends the credit or ends the turn. A turn of quick
// operations that is over anyway ends without a look: others follow soon.
//
//lion:opt last-look
func (l *Loop) spend(t *Task) error {
	if err := t.check(); err != nil {
		return err
	}
	l.used += l.stride
	if l.used >= checkpointBudget && l.stride > checkpointStride {
		t.yield()
		return nil
	}
	before := l.lookedAt
	l.lookedAt = l.readClock()
	spent := time.Duration(l.lookedAt - l.turnStart)
	if l.alwaysReschedule || l.used >= checkpointBudget || spent >= checkpointTime {
		t.yield()
		return nil
	}
	each := time.Duration(l.lookedAt-before) / time.Duration(l.stride)
	t.slow = each > slowOperation
	if each <= quickOperation {
		l.extend(t, quickStride)
	} else {
		l.extend(t, checkpointStride)
	}
	return nil
}

// extend grants the running task some operations until the next look.
func (l *Loop) extend(t *Task, stride int) {
	if t.slow || l.alwaysReschedule || l.clock != nil {
		stride = 1
	}
	l.stride = min(stride, checkpointBudget-l.used)
	l.credit = l.stride
}

// check says whether t may be used by the caller.
func (t *Task) check() error {
	if t == nil {
		return errNilTask
	}
	if t.loop.current != t || t.loop.atHome != nil && !t.loop.atHome() {
		return t.wrong()
	}
	return nil
}

// errNilTask is for the handle of no task.
var errNilTask = fmt.Errorf("a nil task: %w", ErrWrongTask)

//go:noinline
func (t *Task) wrong() error {
	if t.done {
		return fmt.Errorf("task %s has ended: %w", t.Name(), ErrWrongTask)
	}
	if now := t.loop.current; now != nil && now.id != t.id {
		return fmt.Errorf("task %s, used while task %s runs: %w", t.Name(), now.Name(), ErrWrongTask)
	}
	return fmt.Errorf("task %s: %w", t.Name(), ErrWrongTask)
}

// yield puts the task at the end of the queue.
func (t *Task) yield() {
	t.loop.ready = append(t.loop.ready, t)
	if !t.co.yield(struct{}{}) { // see Task.park
		t.unwind()
	}
}

// Sleep suspends the task for at least d; Sleep of zero is a plain
// checkpoint. It returns the *CancelledError if the scope is cancelled first,
// and ErrMisuse at once if d is negative.
func Sleep(t *Task, d time.Duration) error {
	if d < 0 {
		return misuse("sleeping for %v", d)
	}
	if d == 0 {
		return Checkpoint(t)
	}
	if err := CheckpointIfCancelled(t); err != nil {
		return err
	}
	return t.sleep(t.loop.after(d), "sleeping")
}

// SleepUntil suspends the task until the loop's clock reaches when; a time in
// the past makes it a plain checkpoint. It returns the *CancelledError if the
// scope is cancelled first.
func SleepUntil(t *Task, when time.Time) error {
	if err := CheckpointIfCancelled(t); err != nil {
		return err
	}
	at := t.loop.clockTime(when)
	if at <= t.loop.readClock() {
		return Checkpoint(t)
	}
	return t.sleep(at, "sleeping")
}

// SleepForever suspends the task until its scope is cancelled, and returns
// the *CancelledError. If somebody unparks the task it returns ErrMisuse.
func SleepForever(t *Task) error {
	err := Park(t, "sleeping forever", (*sleeper)(t))
	if err == nil {
		return misuse("task %s was unparked while it slept forever", t.Name())
	}
	return err
}

func (t *Task) sleep(at int64, label string) error {
	t.co.wait.timer.task = t
	t.co.wait.timer.start(t.loop, at)
	return t.park(label, (*sleeper)(t))
}

// sleeper aborts a sleep.
type sleeper Task

// Abort agrees: the timer is stopped by the wake-up.
func (s *sleeper) Abort(Wait) bool { return true }
