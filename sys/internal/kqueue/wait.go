package kqueue

import (
	"os"
	"syscall"
	"time"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Wait fills ev with events. It waits forever if d is negative, only looks if
// d is zero, and otherwise answers 0 after d at the earliest unless it was
// woken. Errors are Errno values of kevent(2); EINVAL if ev is empty. A closed
// poller answers os.ErrClosed.
func (p *Poller) Wait(ev []seam.Event, d time.Duration) (int, error) {
	switch {
	case p.closed:
		return 0, os.ErrClosed
	case len(ev) == 0:
		return 0, syscall.EINVAL
	}
	if n := p.handOut(ev); n > 0 || len(p.watched) > 0 {
		return n, nil // left over from the last harvest
	}
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	for {
		refused, err := p.sleep(&d)
		if err != nil {
			return 0, err
		}
		if n := p.handOut(ev); n > 0 || len(p.watched) > 0 {
			return n, nil
		}
		switch {
		case refused:
			// Entries for failed changes, all of them out of date, took the
			// place of events: look again. The list of changes is empty now.
		case d == 0:
			return 0, nil
		}
		if d > 0 {
			if d = time.Until(deadline); d <= 0 {
				return 0, nil
			}
		}
	}
}

// sleep makes one call to the kernel and follows the wake protocol. If there
// was a Wake it sets *d to zero, so that the caller does not sleep again.
func (p *Poller) sleep(d *time.Duration) (refused bool, err error) {
	once := *d
	if once != 0 {
		p.sleeping.Store(true)
	}
	if p.woken.Swap(false) {
		*d, once = 0, 0
	}
	refused, err = p.collect(min(once, maxSleep))
	p.sleeping.Store(false)
	if p.woken.Load() && p.woken.Swap(false) {
		*d = 0
	}
	return refused, err
}

// collect submits the changes, waits for events and keeps what came as
// reports. It answers whether entries for failed changes came instead.
func (p *Poller) collect(d time.Duration) (refused bool, err error) {
	p.stats.Waits++
	if d != 0 {
		p.stats.Parks++
	}
	n, err := p.kernel.Kevent(p.changes, p.harvest[:], d)
	if err != nil && err != syscall.EINTR {
		return false, err // Adding twice is harmless: the changes stay.
	}
	if len(p.changes) > 0 {
		p.stats.Controls += uint64(len(p.changes))
		p.changes = p.changes[:0]
	}
	for i := range p.harvest[:n] {
		ev := &p.harvest[i]
		switch {
		case ev.Udata == watchUdata:
			p.watch(ev)
		case ev.Filter == FilterUser:
			// The trigger of a Wake; woken tells the rest.
		case ev.Flags&FlagError != 0:
			refused = true
			p.refused(ev)
		default:
			p.fired(ev)
		}
	}
	return refused, nil
}

// refused handles the entry of a change that failed. Deletions have udata 0
// and nobody misses what they did not find.
func (p *Poller) refused(ev *Kevent) {
	s := p.current(ev)
	if s == nil {
		return
	}
	s.knotes &^= s.knotesOf(ev)
	s.failed[failedIndex(ev.Filter)] = uint16(ev.Data)
	p.report(s, ev, everything)
}

// fired handles an ordinary event.
func (p *Poller) fired(ev *Kevent) {
	s := p.current(ev)
	if s == nil {
		p.stale(ev)
		return
	}
	s.knotes &^= s.knotesOf(ev) & (readOnce | writeKnote)
	if ready := readiness(ev); ready != 0 {
		p.report(s, ev, ready)
	}
}

// current answers the slot of ev if ev belongs to its present registration.
func (p *Poller) current(ev *Kevent) *slot {
	if ev.Udata == 0 || ev.Ident >= uint64(len(p.slots)) {
		return nil
	}
	if s := &p.slots[ev.Ident]; s.serial == ev.Udata {
		return s
	}
	return nil
}

// stale handles an event of a registration that was dropped while its
// descriptor stayed open: the knote goes. One-shot knotes have gone already.
// There is room: the list was submitted by the call that brought the event, and
// is as long as a harvest.
func (p *Poller) stale(ev *Kevent) {
	if ev.Flags&FlagOneshot != 0 {
		return
	}
	p.changes = append(p.changes, Kevent{Ident: ev.Ident, Filter: ev.Filter, Flags: FlagDelete})
}

// report adds to what is to be handed out for a slot. One report for each slot
// makes the two filters of a descriptor one event: READ may come after WRITE,
// and whoever handles the event must be able to read first.
func (p *Poller) report(s *slot, ev *Kevent, ready seam.Interest) {
	if s.ready == 0 {
		p.reports = append(p.reports, report{fd: seam.FD(ev.Ident)})
		s.ready = int32(len(p.reports))
	}
	p.reports[s.ready-1].ready |= ready
}

// handOut moves reports to ev.
func (p *Poller) handOut(ev []seam.Event) int {
	n := 0
	for n < len(ev) && p.next < len(p.reports) {
		r := p.reports[p.next]
		p.next++
		if r.ready == 0 {
			continue // forgotten
		}
		s := &p.slots[r.fd]
		s.ready = 0
		ev[n] = seam.Event{Key: s.key, Ready: r.ready}
		n++
	}
	if p.next == len(p.reports) {
		p.reports, p.next = p.reports[:0], 0
	}
	p.stats.Events += uint64(n)
	return n
}

// knotesOf answers the bits of ev's filter.
func (s *slot) knotesOf(ev *Kevent) knotes {
	switch ev.Filter {
	case FilterRead:
		return readKnote | readOnce
	case FilterWrite:
		return writeKnote
	}
	return exceptKnote
}

// readiness translates an event. EV_EOF of READ is the end of what the peer
// sends; if fflags is not zero as well, it holds an error number, the end of
// the connection, or NOTE_OOB from before: they cannot be told apart. While
// there is a mark, READ says NOTE_OOB instead of telling a new end. EV_EOF of
// WRITE is the end of the connection or our own shutdown. READ without data
// means an empty datagram or a pending error (all in filt_soread_common and
// filt_sowrite_common).
func readiness(ev *Kevent) seam.Interest {
	ended := ev.Flags&FlagEOF != 0
	switch {
	case ended && ev.Fflags != 0:
		return everything
	case ended && ev.Filter == FilterWrite:
		return everything &^ seam.Priority
	case ended:
		return seam.Readable | seam.Unusual
	case ev.Filter == FilterWrite:
		return seam.Writable
	case ev.Fflags&NoteOOB != 0:
		return seam.Readable | seam.Priority | seam.Unusual
	case ev.Filter == FilterExcept:
		return 0 // plain data
	case ev.Data == 0:
		return seam.Readable | seam.ErrorQueue
	}
	return seam.Readable
}
