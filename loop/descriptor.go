package loop

import (
	"fmt"

	"github.com/lion-go/lion/sys"
)

// Readiness. A call on a nonblocking descriptor is always tried before it is
// waited for; only when it would have had to wait does the task suspend until
// the poller reports the descriptor ready, and then the call is tried again.
// Facts, and hence this code:
//
//   - Lion's own descriptors are registered once, edge-triggered where the
//     system has that. An edge is reported once, whether or not anybody waits.
//     So a Descriptor remembers per direction whether it is drained: a call
//     would have had to wait, and no event has come since. Only then does a
//     wait really wait; in any other state it returns at once, and the caller
//     tries. No edge can get lost, and none has to be waited for twice.
//   - Events are harvested in batches, and a task that runs first may close a
//     descriptor and open another with the same number. So events carry a key,
//     a slot and its generation, and not a descriptor or a pointer: an event
//     of an earlier generation is dropped.
//   - A short read on a TCP socket drains it too, as a rule; the exceptions
//     announce themselves by a hang-up, an error or a priority condition, so
//     the first of these ends the rule for that descriptor (Unusual).

// A Descriptor is a nonblocking descriptor registered with a loop. It belongs
// to that loop. At most one task waits in each direction.
type Descriptor struct {
	loop     *Loop
	fd       sys.FD
	slot     uint32
	drained  sys.Interest
	unusual  bool
	closed   bool
	foreign  bool
	reader   *Task
	writer   *Task
	priority *Task
	failures *Task
	notify   ReadyFunc
}

// ReadyFunc is called on the loop, outside any task, when a descriptor on
// which nobody waits becomes readable, or, with ErrClosed, when it is
// forgotten. It must not block. An interface and not a function, so that an
// idle connection can be its own callback without an allocation.
type ReadyFunc interface {
	Ready(err error)
}

// slot maps the low half of a key to a descriptor; the high half is the
// generation.
type slot struct {
	generation uint32
	d          *Descriptor
}

// Register makes fd, a nonblocking descriptor that the caller owns, waitable.
// The kernel hears of it at the first wait. Forget must come before the close.
// Sync-coloured; it must be called on the loop.
func (l *Loop) Register(fd sys.FD) *Descriptor {
	d := &Descriptor{loop: l, fd: fd}
	l.occupy(d)
	return d
}

func (l *Loop) occupy(d *Descriptor) {
	if n := len(l.freeSlots) - 1; n >= 0 {
		d.slot = l.freeSlots[n]
		l.freeSlots = l.freeSlots[:n]
	} else {
		d.slot = uint32(len(l.slots))
		l.slots = append(l.slots, slot{generation: 1})
	}
	l.slots[d.slot].d = d
}

func (d *Descriptor) key() uint64 {
	return uint64(d.loop.slots[d.slot].generation)<<32 | uint64(d.slot)
}

// FD returns the descriptor's number.
func (d *Descriptor) FD() sys.FD { return d.fd }

// Loop returns the loop of the descriptor.
func (d *Descriptor) Loop() *Loop { return d.loop }

// MarkDrained records that a call in the direction want answered WouldBlock,
// or was a read so short that it proves as much (see Unusual): the next wait
// in that direction will wait for an event.
func (d *Descriptor) MarkDrained(want sys.Interest) { d.drained |= want }

// Drained reports whether nothing has happened in the direction want since
// MarkDrained: a call would have to wait.
func (d *Descriptor) Drained(want sys.Interest) bool { return d.drained&want == want }

// Unusual reports whether a hang-up, a half-close by the peer, an error or a
// priority condition has been seen: from then on a short read proves nothing.
func (d *Descriptor) Unusual() bool { return d.unusual }

// Forget wakes everybody who waits on the descriptor with ErrClosed and takes
// it from the poller. Call it before closing the descriptor. Idempotent.
func (d *Descriptor) Forget() { d.forget(errForgotten, false) }

// ForgetClosing is Forget for a descriptor that is closed right after, and of
// which there is no duplicate: on Linux it saves a system call.
func (d *Descriptor) ForgetClosing() { d.forget(errForgotten, true) }

// forget is Forget with another error for those who wait.
func (d *Descriptor) forget(reason error, closing bool) {
	if d.closed {
		return
	}
	d.closed = true
	l := d.loop
	switch {
	case l.poller == nil:
	case closing:
		l.poller.ForgetClosing(d.fd, d.key())
	default:
		l.poller.Forget(d.fd, d.key())
	}
	l.slots[d.slot].generation++
	l.slots[d.slot].d = nil
	l.freeSlots = append(l.freeSlots, d.slot)
	if d.foreign {
		delete(l.foreign, d.fd)
	}
	for _, t := range [...]*Task{d.reader, d.writer, d.priority, d.failures} {
		if t != nil {
			d.leave(t)
			l.wake(t, reason)
		}
	}
	if n := d.notify; n != nil {
		d.notify = nil
		n.Ready(reason)
	}
}

// errForgotten is made once: most descriptors are forgotten while nobody waits.
var errForgotten = fmt.Errorf("the descriptor was closed: %w", ErrClosed)

// leave takes t off its place.
func (d *Descriptor) leave(t *Task) {
	switch t {
	case d.reader:
		d.reader = nil
		d.loop.readers--
	case d.writer:
		d.writer = nil
		d.loop.writers--
	case d.priority:
		d.priority = nil
	case d.failures:
		d.failures = nil
	}
}

// descriptorWait is a wait for a descriptor.
type descriptorWait Descriptor

// Abort takes the task off its place.
func (w *descriptorWait) Abort(aborted Wait) bool {
	d := (*Descriptor)(w)
	d.leave(aborted.Task)
	if d.foreign && d.deserted() {
		d.Forget()
	}
	return true
}

// WaitReadable suspends t until the descriptor is readable, in error or hung
// up; it may also return early, so the caller tries again. It waits only if
// the descriptor is drained (MarkDrained) in this direction. It is a
// checkpoint. Errors: the *CancelledError, ErrBusy if another task waits in
// this direction, ErrClosed, or what the poller answered.
func WaitReadable(t *Task, d *Descriptor) error {
	if d.notify != nil {
		return fmt.Errorf("waiting for a descriptor that is idle: %w", ErrBusy)
	}
	return d.wait(t, sys.Readable, &d.reader, &d.loop.readers, "readable")
}

// WaitWritable is WaitReadable for the other direction, and a checkpoint.
func WaitWritable(t *Task, d *Descriptor) error {
	return d.wait(t, sys.Writable, &d.writer, &d.loop.writers, "writable")
}

// WaitPriority is WaitReadable for out-of-band data and other exceptional
// conditions, and a checkpoint.
func WaitPriority(t *Task, d *Descriptor) error {
	var uncounted int
	return d.wait(t, sys.Priority, &d.priority, &uncounted, "priority")
}

// WaitErrorQueue is WaitReadable for the error queue of a socket on Linux,
// where reports of ICMP errors and of timestamps wait for MSG_ERRQUEUE; other
// systems have none, and report errors as readiness to read. It is a
// checkpoint.
func WaitErrorQueue(t *Task, d *Descriptor) error {
	var uncounted int
	return d.wait(t, sys.ErrorQueue, &d.failures, &uncounted, "error queue")
}

// deserted reports whether no task waits.
func (d *Descriptor) deserted() bool {
	return d.reader == nil && d.writer == nil && d.priority == nil && d.failures == nil
}

func (d *Descriptor) wait(
	t *Task, want sys.Interest, place **Task, count *int, label string,
) error {
	if err := CheckpointIfCancelled(t); err != nil {
		return err
	}
	switch {
	case t.loop != d.loop:
		return fmt.Errorf("waiting for a descriptor of another loop: %w", ErrWrongTask)
	case d.closed:
		return fmt.Errorf("waiting for a descriptor: %w", ErrClosed)
	case *place != nil:
		return fmt.Errorf("waiting for a descriptor: %w", ErrBusy)
	case d.drained&want == 0 && !d.foreign:
		return ShieldedCheckpoint(t)
	}
	if err := d.arm(want); err != nil {
		return fmt.Errorf("waiting for a descriptor: %w", err)
	}
	*place = t
	*count++
	return t.park(label, (*descriptorWait)(d))
}

// arm asks the poller. A number has one registration, and a Descriptor that
// its owner registered comes before a wait by number (foreign.go).
func (d *Descriptor) arm(want sys.Interest) error {
	if d.foreign {
		return d.armForeign(want)
	}
	if err := d.armPoller(want); err != nil {
		return err
	}
	if len(d.loop.foreign) != 0 {
		d.loop.evict(d.fd)
	}
	return nil
}

// armPoller asks the poller itself. armFault stands for a kernel that is short
// of memory, in tests.
func (d *Descriptor) armPoller(want sys.Interest) error {
	if d.loop.armFault != nil {
		if err := d.loop.armFault(want); err != nil {
			return err
		}
	}
	return d.loop.poller.Arm(d.fd, d.key(), want)
}

// NotifyReadable calls f.Ready once when the descriptor becomes readable, so
// that an idle connection needs no task. It answers ErrWouldBlock, and does
// not call f, if the descriptor is not drained: then there may be something
// to read now. ErrBusy: a task or another callback waits. Sync-coloured.
func (d *Descriptor) NotifyReadable(f ReadyFunc) error {
	switch {
	case d.closed:
		return fmt.Errorf("going idle: %w", ErrClosed)
	case d.reader != nil || d.notify != nil:
		return fmt.Errorf("going idle: %w", ErrBusy)
	case d.drained&sys.Readable == 0:
		return ErrWouldBlock
	}
	if err := d.arm(sys.Readable); err != nil {
		return fmt.Errorf("going idle: %w", err)
	}
	d.notify = f
	return nil
}

// CancelNotify takes back NotifyReadable, and reports whether it was pending.
func (d *Descriptor) CancelNotify() bool {
	pending := d.notify != nil
	d.notify = nil
	return pending
}

// dispatch hands an event to who waits for it.
func (l *Loop) dispatch(e sys.Event) {
	i := uint32(e.Key)
	if int(i) >= len(l.slots) || l.slots[i].generation != uint32(e.Key>>32) {
		return // of a descriptor that has been forgotten
	}
	d := l.slots[i].d
	d.drained &^= e.Ready
	d.unusual = d.unusual || e.Ready&sys.Unusual != 0
	if t := d.reader; t != nil && e.Ready&sys.Readable != 0 {
		d.leave(t)
		l.wake(t, nil)
	}
	if t := d.writer; t != nil && e.Ready&sys.Writable != 0 {
		d.leave(t)
		l.wake(t, nil)
	}
	if t := d.priority; t != nil && e.Ready&(sys.Priority|sys.Unusual) != 0 {
		d.leave(t)
		l.wake(t, nil)
	}
	if t := d.failures; t != nil && e.Ready&(sys.ErrorQueue|sys.Unusual) != 0 {
		d.drained &^= sys.ErrorQueue
		d.leave(t)
		l.wake(t, nil)
	}
	if n := d.notify; n != nil && e.Ready&sys.Readable != 0 {
		d.notify = nil
		n.Ready(nil)
	}
	if d.foreign && d.deserted() && !d.closed {
		d.Forget()
	}
}
