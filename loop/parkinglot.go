package loop

import (
	"fmt"
	"slices"
)

// A ParkingLot is a queue of parked tasks, strictly first in, first out: what
// every other primitive is made of. The zero value is ready to use. A lot
// belongs to the loop of the tasks that park in it; all its methods except
// Park are sync-coloured.
type ParkingLot struct {
	head, tail *Task
	length     int
	brokenBy   []*Task
}

// Park suspends t until it is unparked, and returns nil; or until its scope
// is cancelled, and returns the *CancelledError; or until the lot is broken,
// and returns an error that matches ErrBroken. label says what is being waited
// for; it must be a constant. It is a checkpoint.
func (p *ParkingLot) Park(t *Task, label string) error {
	return p.ParkWith(t, label, leaver{})
}

// leaver agrees to every cancellation of a wait in a lot.
type leaver struct{}

// Abort agrees: the wake-up takes the task out of its lot.
func (leaver) Abort(Wait) bool { return true }

// ParkWith is Park with an Aborter, which is asked while the task is still in
// the lot; when it has agreed the task is taken out. Like that of the function
// Park it may be a Detailer too, and may be nil: then every cancellation is
// refused, also one that came before the call. It is a checkpoint.
func (p *ParkingLot) ParkWith(t *Task, label string, a Aborter) error {
	if err := p.admit(t); err != nil {
		return err
	}
	w := t.beginWait(label, a) // see Task.park
	if !t.co.yield(struct{}{}) {
		t.unwind()
	}
	return w.result()
}

// admit takes t, which is about to park, into the lot.
func (p *ParkingLot) admit(t *Task) error {
	if err := t.check(); err != nil {
		return err
	}
	if err := p.brokenError(); err != nil {
		return err
	}
	if p.head != nil && p.head.loop != t.loop {
		return fmt.Errorf("parking among tasks of another loop: %w", ErrWrongTask)
	}
	t.loop.cancelPoints++
	p.append(t)
	return nil
}

func (p *ParkingLot) brokenError() error {
	if len(p.brokenBy) == 0 {
		return nil
	}
	return fmt.Errorf("parking lot, by the end of task %s: %w", p.brokenBy[0].Name(), ErrBroken)
}

// Unpark wakes up to n tasks, those that have parked longest, and returns
// them in that order. A negative n is refused with ErrMisuse.
func (p *ParkingLot) Unpark(n int) ([]*Task, error) {
	if n < 0 {
		return nil, misuse("unparking %d tasks", n)
	}
	n = min(n, p.length)
	if n == 0 {
		return nil, nil
	}
	woken := make([]*Task, 0, n)
	for range n {
		woken = append(woken, p.UnparkOne())
	}
	return woken, nil
}

// UnparkOne wakes the task that has parked longest and returns it, or nil if
// there is none. It allocates nothing.
func (p *ParkingLot) UnparkOne() *Task {
	t := p.head
	if t == nil {
		return nil
	}
	t.loop.wake(t, nil)
	return t
}

// UnparkAll wakes all tasks and returns them in the order of their parking.
func (p *ParkingLot) UnparkAll() []*Task {
	woken, _ := p.Unpark(p.length)
	return woken
}

// Repark moves up to n tasks, those that have parked longest, to the end of
// the lot to, without waking them; a cancellation finds them there. A negative
// n is refused with ErrMisuse, a broken lot with ErrBroken.
func (p *ParkingLot) Repark(to *ParkingLot, n int) error {
	if n < 0 {
		return misuse("reparking %d tasks", n)
	}
	if to == nil {
		return misuse("reparking in a nil lot")
	}
	if err := to.brokenError(); err != nil {
		return err
	}
	for range min(n, p.length) {
		t := p.head
		p.remove(t)
		to.append(t)
	}
	return nil
}

// ReparkAll moves all tasks to the end of the lot to; see Repark.
func (p *ParkingLot) ReparkAll(to *ParkingLot) error { return p.Repark(to, p.length) }

// BrokenBy returns the tasks that Break was called for, in order.
func (p *ParkingLot) BrokenBy() []*Task { return p.brokenBy }

// Break wakes all tasks in the lot with an error that matches ErrBroken, which
// every later Park answers too. The task is to blame for it, as by its end; if
// a lot is broken again the blame adds up.
func (t *Task) Break(p *ParkingLot) {
	p.brokenBy = append(p.brokenBy, t)
	for p.head != nil {
		p.head.loop.wake(p.head, p.brokenError())
	}
}

// AddBreak makes the end of the task break the lot, once for each AddBreak
// that has not been taken back. If the task has ended already the lot breaks
// at once, and the answer matches ErrBroken.
func (t *Task) AddBreak(p *ParkingLot) error {
	if p == nil {
		return misuse("breaking a nil parking lot")
	}
	if t.done {
		t.Break(p)
		return p.brokenError()
	}
	r := t.rarely()
	if i := r.breakOf(p); i >= 0 {
		r.breaks[i].times++
		return nil
	}
	r.breaks = append(r.breaks, brokenAtEnd{p, 1})
	return nil
}

// brokenAtEnd is a lot that the end of a task breaks. They are in a list and
// not in a map, since a task has few of them, a lock that passes from hand to
// hand enters and leaves one each time, and lots break in a definite order.
type brokenAtEnd struct {
	lot   *ParkingLot
	times int
}

// breakOf returns the index of p in r.breaks, or -1.
func (r *taskRare) breakOf(p *ParkingLot) int {
	for i := range r.breaks {
		if r.breaks[i].lot == p {
			return i
		}
	}
	return -1
}

// RemoveBreak takes back one AddBreak. Without one it answers ErrMisuse.
func (t *Task) RemoveBreak(p *ParkingLot) error {
	i := -1
	if t.rare != nil {
		i = t.rare.breakOf(p)
	}
	if i < 0 {
		return misuse("task %s is not to break this lot", t.Name())
	}
	r := t.rare
	if r.breaks[i].times--; r.breaks[i].times == 0 {
		r.breaks = slices.Delete(r.breaks, i, i+1)
	}
	return nil
}

// Len returns how many tasks are parked.
func (p *ParkingLot) Len() int { return p.length }

// ParkingLotStatistics describes a lot at one moment.
type ParkingLotStatistics struct {
	TasksWaiting int // parked tasks
}

// Statistics returns the present numbers.
func (p *ParkingLot) Statistics() ParkingLotStatistics {
	return ParkingLotStatistics{TasksWaiting: p.length}
}

// Tasks returns the parked tasks, the one that has parked longest first.
func (p *ParkingLot) Tasks() []*Task {
	var all []*Task
	for t := p.head; t != nil; t = t.co.wait.next {
		all = append(all, t)
	}
	return all
}

func (p *ParkingLot) append(t *Task) {
	w := &t.co.wait
	w.lot, w.prev, w.next = p, p.tail, nil
	if p.tail != nil {
		p.tail.co.wait.next = t
	} else {
		p.head = t
	}
	p.tail = t
	p.length++
}

func (p *ParkingLot) remove(t *Task) {
	w := &t.co.wait
	if w.prev != nil {
		w.prev.co.wait.next = w.next
	} else {
		p.head = w.next
	}
	if w.next != nil {
		w.next.co.wait.prev = w.prev
	} else {
		p.tail = w.prev
	}
	w.lot, w.prev, w.next = nil, nil, nil
	p.length--
}
