package kqueue

import (
	"os"
	"syscall"
)

// Knotes of somebody else's: processes, signals, timers, changes of files,
// which are no readiness of a descriptor. They go through the same kqueue, are
// told apart by their udata, and are handed out as they came. The poller
// remembers nothing about them: who adds one has to delete it.

// watchUdata is the udata of such knotes. Serials of registrations count from 1
// and never get there.
const watchUdata = 1 << 63

// maxWatched bounds events that nobody has taken. The loop takes them after
// each Wait, so that this many come at once only in a storm; those that do not
// fit are dropped, as a kqueue merges events that nobody collects.
const maxWatched = 4 * maxHarvest

// WatchKevent submits a change that is not about readiness. Its Udata is the
// poller's. Errors are Errno values, of this change; EEXIST if it is about a
// descriptor that is registered, or about the poller's own wake-up. A closed
// poller answers os.ErrClosed.
func (p *Poller) WatchKevent(ch Kevent) error {
	registered := (ch.Filter == FilterRead || ch.Filter == FilterWrite || ch.Filter == FilterExcept) &&
		ch.Ident < uint64(len(p.slots)) && p.slots[ch.Ident].serial != 0
	switch {
	case p.closed:
		return os.ErrClosed
	case registered, ch.Filter == FilterUser && ch.Ident == trigger[0].Ident:
		return syscall.EEXIST
	}
	for len(p.changes) == maxChanges {
		if _, err := p.collect(0); err != nil {
			return err
		}
	}
	ch.Udata = watchUdata
	p.watchFailed = 0
	p.changes = append(p.changes, ch)
	if _, err := p.collect(0); err != nil {
		return err
	}
	if p.watchFailed != 0 {
		return syscall.Errno(p.watchFailed)
	}
	return nil
}

// Kevents are the events of such knotes since the last call. They are valid
// until the next Wait.
func (p *Poller) Kevents() []Kevent {
	came := p.watched
	p.watched = p.watched[:0]
	return came
}

// watch keeps an event of such a knote, or what became of its change.
func (p *Poller) watch(ev *Kevent) {
	switch {
	case ev.Flags&FlagError != 0:
		p.watchFailed = uint16(ev.Data)
	case len(p.watched) < maxWatched:
		p.watched = append(p.watched, *ev)
	}
}
