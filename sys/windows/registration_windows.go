package windows

import (
	"errors"

	"golang.org/x/sys/windows"
)

// What the poller knows about each socket, and the calls that follow from it.
// The essay is in poller_windows.go.

// askable are the interests that a registration can have.
const askable = Readable | Writable | Priority | ErrorQueue

// A registration is the state of one socket, and the memory of its poll.
type registration struct {
	iosb windows.IO_STATUS_BLOCK // written by the driver while a poll is under way
	info afdPollInfo             // likewise

	slot   int // index into Poller.slots plus one, and the context of packets
	queued int // index into Poller.queue plus one, or 0

	fd     FD
	base   windows.Handle
	key    uint64
	own    bool // registered without Once
	helper *helper

	want      Interest // what was armed and not yet reported
	asked     Interest // what the poll under way, if any, asks for
	underway  bool     // a packet will come
	cancelled bool     // ... and soon
	forgotten bool     // ... and then the registration is free
	failed    error    // why the last poll could not be started
}

// A helper is a handle of the driver, through which a group of sockets is
// polled.
type helper struct {
	afd  windows.Handle
	used int // registrations
}

// register makes a registration without any interest.
func (p *Poller) register(fd FD, key uint64, foreign bool) (*registration, error) {
	// Not every provider looks closely at what it is asked the base handle of.
	if _, err := GetsockoptInt(fd, SOL_SOCKET, SO_TYPE); err != nil {
		if err == ENOTSOCK && foreign && isHandle(fd) {
			return nil, errors.ErrUnsupported
		}
		return nil, err
	}
	base, err := baseHandle(fd)
	if err != nil {
		return nil, err
	}
	h, err := p.joinHelper()
	if err != nil {
		return nil, err
	}
	r := p.take()
	r.fd, r.base, r.key, r.helper = fd, base, key, h
	p.sockets[fd] = r
	return r, nil
}

// take returns a registration that is not in use.
func (p *Poller) take() *registration {
	if last := len(p.free) - 1; last >= 0 {
		r := p.free[last]
		p.free = p.free[:last]
		return r
	}
	r := &registration{}
	p.slots = append(p.slots, r)
	r.slot = len(p.slots)
	return r
}

// release makes a registration free. Its packet has come.
func (p *Poller) release(r *registration) {
	p.leaveHelper(r.helper)
	*r = registration{slot: r.slot}
	p.free = append(p.free, r)
}

// enqueue puts r on the list of registrations that need a call.
func (p *Poller) enqueue(r *registration) {
	if r.queued == 0 {
		p.queue = append(p.queue, r)
		r.queued = len(p.queue)
	}
}

// dequeue takes r off that list.
func (p *Poller) dequeue(r *registration) {
	if r.queued == 0 {
		return
	}
	last := p.queue[len(p.queue)-1]
	p.queue[r.queued-1], last.queued = last, r.queued
	p.queue[len(p.queue)-1] = nil
	p.queue = p.queue[:len(p.queue)-1]
	r.queued = 0
}

// flush makes the calls that the listed registrations need. Those that cannot
// be made now stay on the list, behind those that were not tried.
func (p *Poller) flush() {
	var failed [maxScarce]*registration
	n := 0
	kept := p.queue[:0]
	for _, r := range p.queue {
		r.queued = 0
		if n == maxScarce {
			kept = append(kept, r)
		} else if !p.update(r) {
			failed[n] = r
			n++
		}
	}
	kept = append(kept, failed[:n]...)
	for i, r := range kept {
		r.queued = i + 1
	}
	clear(p.queue[len(kept):])
	p.queue, p.short = kept, n > 0
}

// update makes the call that r needs, if any. It returns false if the system
// is short of something.
func (p *Poller) update(r *registration) bool {
	switch {
	case !r.underway && r.want != 0:
		return p.submit(r)
	case r.underway && r.want&^r.asked != 0:
		return p.stop(r)
	}
	return true
}

// submit starts a poll for what is wanted. If that fails for good, a packet of
// our own stands for the driver's, so that the failure takes the usual way:
// the waiter is told to look, and the next Arm tells it why.
func (p *Poller) submit(r *registration) bool {
	r.iosb = windows.IO_STATUS_BLOCK{Status: windows.STATUS_PENDING}
	r.info = afdPollInfo{
		timeout: afdForever, count: 1, handle: r.base, events: afdEvents(r.want),
	}
	p.count.Controls++
	status := p.start(r.helper.afd, r)
	if scarce(status) {
		return false
	}
	if refused(status) {
		if postPacket(p.port, packetAFD, uintptr(r.slot)) != nil {
			return false
		}
		r.iosb.Status = status
	}
	r.asked, r.underway, r.cancelled = r.want, true, false
	p.underway++
	return true
}

// stop cancels the poll under way. It returns false if it could not be.
func (p *Poller) stop(r *registration) bool {
	if r.cancelled {
		return true
	}
	p.count.Controls++
	status := p.cancel(r.helper.afd, r)
	// Not found: it has ended already, and its packet is in the queue.
	r.cancelled = !refused(status) || status == windows.STATUS_NOT_FOUND
	return r.cancelled
}

// ended takes note that the packet of r has come, and returns what to report.
func (p *Poller) ended(r *registration) Interest {
	p.underway--
	r.underway = false
	if r.forgotten {
		p.release(r)
		return 0
	}
	ready := r.answer()
	r.want &^= ready
	if r.want != 0 {
		p.enqueue(r)
	}
	return ready
}

// answer reads what the driver wrote about the poll that has ended.
func (r *registration) answer() Interest {
	status := r.iosb.Status
	switch {
	case status == windows.STATUS_CANCELLED:
		return 0
	case refused(status):
		r.failed = statusErrno(status)
		return readiness(afdAlways, r.want)
	case r.info.count == 0:
		return 0 // a timeout; ours never run out
	}
	return readiness(r.info.events, r.want)
}

// joinHelper returns a helper with room for one more socket, counted already.
func (p *Poller) joinHelper() (*helper, error) {
	if len(p.roomy) == 0 {
		if _, err := p.addHelper(); err != nil {
			return nil, err
		}
	}
	h := p.roomy[len(p.roomy)-1]
	if h.used++; h.used == groupSize {
		p.roomy = p.roomy[:len(p.roomy)-1]
	}
	return h, nil
}

// leaveHelper gives a place back. Helpers are kept: their number is that of
// the most sockets ever registered, divided by the size of a group.
func (p *Poller) leaveHelper(h *helper) {
	if h.used == groupSize {
		p.roomy = append(p.roomy, h)
	}
	h.used--
}

func (p *Poller) addHelper() (*helper, error) {
	afd, err := openAFD(p.port)
	if err != nil {
		return nil, err
	}
	h := &helper{afd: afd}
	p.helpers = append(p.helpers, h)
	p.roomy = append(p.roomy, h)
	return h, nil
}
