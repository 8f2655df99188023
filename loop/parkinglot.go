package loop

import "fmt"

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
	return p.ParkFor(t, label, nil)
}

// Parking tasks in a lot describe their wait through this.
type lotAborter ParkingLot

// Abort takes the task out of the lot in which it is now.
func (p *lotAborter) Abort(w Wait) bool {
	w.Task.lot.remove(w.Task)
	return true
}

// detailedWait is a wait in a lot with a description for dumps.
type detailedWait struct {
	*lotAborter
	Detailer
}

// ParkFor is Park with a description of the wait for dumps, which may be nil. It
// is a checkpoint.
func (p *ParkingLot) ParkFor(t *Task, label string, detail Detailer) error {
	if err := t.check(); err != nil {
		return err
	}
	if err := p.brokenError(); err != nil {
		return err
	}
	t.loop.cancelPoints++
	if cause := t.pending(); cause != nil {
		return t.deliver()
	}
	var a Aborter = (*lotAborter)(p)
	if detail != nil {
		a = &detailedWait{(*lotAborter)(p), detail}
	}
	p.append(t)
	return t.park(label, a)
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
	p.remove(t)
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
		parked := p.head
		p.remove(parked)
		parked.loop.wake(parked, p.brokenError())
	}
}

// AddBreak makes the end of the task break the lot, once for each AddBreak
// that has not been taken back. If the task has ended already the lot breaks
// at once, and the answer matches ErrBroken.
func (t *Task) AddBreak(p *ParkingLot) error {
	if t.done {
		t.Break(p)
		return p.brokenError()
	}
	r := t.rarely()
	if r.breaks == nil {
		r.breaks = map[*ParkingLot]int{}
	}
	r.breaks[p]++
	return nil
}

// RemoveBreak takes back one AddBreak. Without one it answers ErrMisuse.
func (t *Task) RemoveBreak(p *ParkingLot) error {
	r := t.rare
	if r == nil || r.breaks[p] == 0 {
		return misuse("task %s is not to break this lot", t.Name())
	}
	r.breaks[p]--
	if r.breaks[p] == 0 {
		delete(r.breaks, p)
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
	for t := p.head; t != nil; t = t.lotNext {
		all = append(all, t)
	}
	return all
}

func (p *ParkingLot) append(t *Task) {
	t.lot, t.lotPrev, t.lotNext = p, p.tail, nil
	if p.tail != nil {
		p.tail.lotNext = t
	} else {
		p.head = t
	}
	p.tail = t
	p.length++
}

func (p *ParkingLot) remove(t *Task) {
	if t.lotPrev != nil {
		t.lotPrev.lotNext = t.lotNext
	} else {
		p.head = t.lotNext
	}
	if t.lotNext != nil {
		t.lotNext.lotPrev = t.lotPrev
	} else {
		p.tail = t.lotPrev
	}
	t.lot, t.lotPrev, t.lotNext = nil, nil, nil
	p.length--
}
