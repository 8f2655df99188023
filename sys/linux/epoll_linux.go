//go:build !kqemu

package linux

import (
	"math"
	"os"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// What the poller remembers of its registrations; poller_linux.go says why.
//
// Facts about epoll_ctl(2), hence this code: a registration belongs to the
// descriptor's number and to the open file behind it, and ends when the last
// duplicate of that file is closed, wherever it is. ADD answers EEXIST for a
// pair that is registered and MOD answers ENOENT for one that is not. Both
// look at the file at once, so what is ready already is reported.

const (
	// ownEvents are all conditions; EPOLLERR and EPOLLHUP are always included.
	ownEvents = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLPRI | unix.EPOLLET

	askable = Readable | Writable | Priority | ErrorQueue
)

// entry is what the poller knows about one descriptor number.
type entry struct {
	key        uint64
	generation uint32 // 0: never registered
	state      registration
	waiting    Interest // what a once-registration has not reported yet
}

type registration uint8

const (
	absent registration = iota
	own                 // edge-triggered, for everything
	once                // level-triggered, for one report
)

// interestsOf translates what epoll reports. Whoever waits for anything must
// learn of an error or a hang-up, so those are everything.
func interestsOf(events uint32) Interest {
	var ready Interest
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP) != 0 {
		ready |= Readable
	}
	if events&unix.EPOLLOUT != 0 {
		ready |= Writable
	}
	if events&unix.EPOLLPRI != 0 {
		ready |= Priority
	}
	if events&unix.EPOLLERR != 0 {
		ready |= Readable | Writable | ErrorQueue
	}
	if events&unix.EPOLLHUP != 0 {
		ready |= Readable | Writable
	}
	if events&(unix.EPOLLRDHUP|unix.EPOLLPRI|unix.EPOLLERR|unix.EPOLLHUP) != 0 {
		ready |= Unusual
	}
	return ready
}

// onceEvents translates what is waited for; errors need no asking.
func onceEvents(waiting Interest) uint32 {
	events := uint32(unix.EPOLLONESHOT)
	if waiting&Readable != 0 {
		events |= unix.EPOLLIN | unix.EPOLLRDHUP
	}
	if waiting&Writable != 0 {
		events |= unix.EPOLLOUT
	}
	if waiting&Priority != 0 {
		events |= unix.EPOLLPRI
	}
	return events
}

// register makes or changes the registration of fd.
func (p *Poller) register(fd FD, key uint64, want Interest) error {
	if p.closed {
		return os.ErrClosed
	}
	if want&askable == 0 || want&^(askable|Once) != 0 {
		return EINVAL
	}
	if fd < 0 || int64(fd) > math.MaxInt32 {
		return EBADF
	}
	var e entry
	if int(fd) < len(p.entries) {
		e = p.entries[fd]
	}
	previous := e.state
	if previous == own && e.key != key && want&Once != 0 {
		return EEXIST // and the registration stays
	}
	if previous == absent || e.key != key {
		e.generation = max(e.generation+1, 1)
		e.key, e.state, e.waiting = key, absent, 0
	}
	switch {
	case want&Once == 0:
		e.state, e.waiting = own, 0
	case e.state != own: // else everything is registered; MOD reports it again
		e.state = once
		e.waiting |= want & askable
	}
	if err := p.control(fd, &e, previous != absent); err != nil {
		p.drop(fd)
		return err
	}
	if previous == absent {
		p.stats.Registered++
	}
	if need := int(fd) + 1 - len(p.entries); need > 0 {
		p.entries = append(p.entries, make([]entry, need)...)
	}
	p.entries[fd] = e
	return nil
}

// control tells the kernel. Its registrations end when a descriptor that was
// not forgotten is closed, or go on if it had been duplicated, so our idea of
// what is there may be wrong: then the other operation is right.
func (p *Poller) control(fd FD, e *entry, known bool) error {
	event := unix.EpollEvent{Events: ownEvents, Fd: int32(fd), Pad: int32(e.generation)}
	if e.state == once {
		event.Events = onceEvents(e.waiting)
	}
	first, second, healable := unix.EPOLL_CTL_ADD, unix.EPOLL_CTL_MOD, EEXIST
	if known {
		first, second, healable = second, first, ENOENT
	}
	p.stats.Controls++
	err := p.epollControl(first, fd, &event)
	if err == healable {
		p.stats.Controls++
		err = p.epollControl(second, fd, &event)
	}
	return err
}

// epollControl is epoll_ctl(2).
func (p *Poller) epollControl(operation int, fd FD, event *unix.EpollEvent) error {
	return seam.Again(func() error {
		return unix.EpollCtl(int(p.epoll), operation, int(fd), event)
	})
}

// rearm notes that a once-registration has reported, and registers the rest
// again. If that fails the rest is returned as ready: who tries the call that
// he waits for learns the reason.
func (p *Poller) rearm(fd FD, e *entry, ready Interest) Interest {
	const everything = Readable | Writable
	e.waiting &^= ready
	if ready&Unusual != 0 && ready&everything == everything {
		e.waiting = 0 // an error or a hang-up
	}
	if e.waiting == 0 {
		return 0
	}
	if err := p.control(fd, e, true); err != nil {
		rest := e.waiting
		e.waiting = 0
		return rest
	}
	return 0
}

// unregister leaves alone what a later owner of the number registered.
func (p *Poller) unregister(fd FD, key uint64) {
	if fd < 0 || int(fd) >= len(p.entries) {
		return
	}
	if e := &p.entries[fd]; e.state == absent || e.key != key {
		return
	}
	p.stats.Controls++
	// It fails if the descriptor is closed; then nothing is left to drop.
	_ = p.epollControl(unix.EPOLL_CTL_DEL, fd, nil)
	p.drop(fd)
}

// drop marks fd as not registered.
func (p *Poller) drop(fd FD) {
	if int(fd) < len(p.entries) && p.entries[fd].state != absent {
		e := &p.entries[fd]
		e.state, e.waiting = absent, 0
		p.stats.Registered--
	}
}
