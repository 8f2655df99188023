package windows

import (
	"errors"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/windows"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Readiness on Windows.
//
// The facts. A completion port reports operations that ended. The AFD driver
// below Winsock has an operation that ends when a socket becomes ready: it is
// submitted through a helper handle, an open file of the driver, and names the
// socket to look at. It is one-shot and level-triggered: it ends at once if
// the socket is ready already. It cannot be changed, only cancelled. Until its
// packet has been taken from the port, the driver may write into the two
// structures that came with it, whatever happened meanwhile.
//
// Hence one poll at most is under way per socket, and a registration for each
// socket remembers three things: what is wanted, what the poll under way asks
// for, and whether it is under way. Everything follows from comparing them:
//
//   - Arm adds to what is wanted and puts the registration on a list.
//   - Wait first goes through the list. Where no poll is under way, it starts
//     one for what is wanted. Where one is that asks for too little, it
//     cancels that; when the packet comes, the registration is put on the list
//     again. So arming a socket twice between two waits costs one call.
//   - A packet takes what was reported away from what is wanted. If something
//     is left (the other direction), the registration goes on the list.
//   - Forget cancels and drops. The registration object, with the structures
//     that the driver may still write to, stays in its slot until its packet
//     has come, and can then serve another socket.
//
// A packet leads to its registration by a slot number and never by a pointer.
// A slot is not used again before its packet has come, so no packet can meet a
// successor; events of the past cannot reach a new owner of a descriptor.
//
// Being level-triggered, polls never miss what was there before they started,
// and a direction that has been reported is not asked for again before the
// next Arm, so a level that stays up (a FIN, a reset) does not spin.
//
// Starting a poll can fail for want of memory, or because too many are under
// way. That concerns nobody above: the registration stays on the list, and
// while there are any such, Wait sleeps only for short times in between.
//
// Cancelling takes time in proportion to the polls under way on the same
// helper handle, so there is a helper for each group of sockets.

const (
	packetAFD  = 1 // completion keys: a poll has ended
	packetWake = 2 // somebody called Wake

	// maxPackets is how many packets one Wait takes. More would only grow
	// the array; what is left is taken by the next Wait.
	maxPackets = 256

	// groupSize is how many sockets share a helper handle. Cancelling walks
	// a list of that length; a smaller number would cost more handles.
	groupSize = 128

	// scarceWait is how long Wait sleeps at most before it tries again to
	// start polls that could not be started.
	scarceWait = 10 * time.Millisecond

	// maxScarce is how many of them it tries at a time: where there is nothing
	// to be had, asking for all would only cost time.
	maxScarce = 16

	// Wake tries this often to post its packet, which takes a little memory,
	// and waits this long in between. A wake-up that is lost would be worse.
	wakeTries = 100
	wakePause = 10 * time.Millisecond

	// Close waits this often for this long for packets that do not come.
	// None ever failed to; a bound keeps a defect from hanging the program.
	drainRounds = 10
	drainWait   = 500 // milliseconds
)

// Interest, Event and PollerStatistics are shared by all systems.
type (
	Interest         = seam.Interest
	Event            = seam.Event
	PollerStatistics = seam.PollerStatistics
)

// What can be asked for and reported; see package seam. Windows has no error
// queue: ErrorQueue is reported when an error or a hang-up is.
const (
	Readable   = seam.Readable
	Writable   = seam.Writable
	Priority   = seam.Priority
	ErrorQueue = seam.ErrorQueue
	Unusual    = seam.Unusual
	Once       = seam.Once
)

// Poller reports the readiness of sockets. All its methods but Wake belong to
// one thread at a time.
type Poller struct {
	port windows.Handle

	sockets map[FD]*registration
	slots   []*registration // all that exist, in use or not
	free    []*registration // those not in use
	queue   []*registration // those whose poll needs a call, each at most once
	helpers []*helper       // all
	roomy   []*helper       // those with room

	underway int  // packets of polls that will come
	short    bool // a poll could not be started for want of something
	packets  [maxPackets]packet
	count    PollerStatistics

	// start and cancel are the driver's calls; tests make them fail.
	start  func(windows.Handle, *registration) windows.NTStatus
	cancel func(windows.Handle, *registration) windows.NTStatus

	// Operations and packets that are not the poller's; see power_windows.go.
	handles     map[FD]struct{}
	underwayOps map[uintptr]*Overlapped
	completed   []*Overlapped
	posted      []Completion

	wake struct {
		mu     sync.Mutex  // orders posting and closing the port
		closed bool        // under mu
		posted atomic.Bool // a wake-up packet is in the queue
		calls  atomic.Uint64
	}
}

// alive holds every poller that is not closed, or that was closed with polls
// under way. The driver writes into memory of theirs, so it must not be
// collected, not even when a program has lost its poller.
var alive sync.Map // of *Poller

// NewPoller makes a poller: a completion port and a first helper handle.
func NewPoller() (*Poller, error) {
	if err := startWinsock(); err != nil {
		return nil, err
	}
	port, err := windows.CreateIoCompletionPort(windows.InvalidHandle, 0, 0, 1)
	if err != nil {
		return nil, err
	}
	p := &Poller{
		port: port, sockets: make(map[FD]*registration), start: startPoll, cancel: cancelPoll,
	}
	if _, err := p.addHelper(); err != nil {
		windows.CloseHandle(port)
		return nil, err
	}
	alive.Store(p, nil)
	return p, nil
}

// Mode describes in a line how the poller waits.
func (p *Poller) Mode() string {
	return "I/O completion port with AFD polls"
}

// Statistics returns the counts so far.
func (p *Poller) Statistics() PollerStatistics {
	s := p.count
	s.Registered = len(p.sockets)
	s.Wakes = p.wake.calls.Load()
	return s
}

// Arm promises at least one event for key if fd becomes ready in a way that is
// wanted. Each direction is reported once per Arm. With [Once] the descriptor
// may be anybody's socket; other handles are errors.ErrUnsupported, since
// Windows has no readiness for them. Arm makes no call that can block, and
// fails only if fd cannot be polled at all, with EINVAL if want asks for
// nothing or for Unusual, with EEXIST if want has Once and fd is registered
// without, under another key, and with os.ErrClosed if the poller is closed.
func (p *Poller) Arm(fd FD, key uint64, want Interest) error {
	if p.sockets == nil {
		return os.ErrClosed
	}
	if want&askable == 0 || want&^(askable|Once) != 0 {
		return EINVAL
	}
	r := p.sockets[fd]
	if r != nil && r.key != key {
		if r.own && want&Once != 0 {
			return EEXIST // and the registration stays
		}
		p.drop(r)
		r = nil
	}
	if r == nil {
		var err error
		if r, err = p.register(fd, key, want&Once != 0); err != nil {
			return err
		}
	}
	r.own = r.own || want&Once == 0
	if err := r.failed; err != nil {
		r.failed = nil
		return err
	}
	r.want |= want & askable
	if !r.underway || r.want&^r.asked != 0 {
		p.enqueue(r)
	}
	return nil
}

// Forget drops the registration of fd under key, so that no later Wait reports
// the key. It may be called after fd was closed, although it should not. If fd
// is not registered, or under another key, it has no effect.
func (p *Poller) Forget(fd FD, key uint64) {
	if r := p.sockets[fd]; r != nil && r.key == key {
		p.drop(r)
	}
}

// ForgetClosing is Forget for a descriptor that is closed right after and has no
// duplicate.
func (p *Poller) ForgetClosing(fd FD, key uint64) { p.Forget(fd, key) }

// drop ends a registration.
func (p *Poller) drop(r *registration) {
	delete(p.sockets, r.fd)
	p.dequeue(r)
	r.forgotten = true
	if !r.underway {
		p.release(r)
		return
	}
	p.stop(r)
}

// Wait reports events in ev, which must have room for one, and returns their
// number. It sleeps until there is an event or a Wake, for about d at most, or
// for ever if d is negative; with 0 it only looks. Times are rounded up to
// milliseconds, and it does not return early. An empty ev is EINVAL; a closed
// poller answers os.ErrClosed.
func (p *Poller) Wait(ev []Event, d time.Duration) (int, error) {
	if p.sockets == nil {
		return 0, os.ErrClosed
	}
	if len(ev) == 0 {
		return 0, EINVAL
	}
	var start time.Time
	if d > 0 {
		start = time.Now()
	}
	left := d
	for {
		p.flush()
		packets, err := p.harvest(min(len(ev), maxPackets), left)
		if err != nil {
			return 0, err
		}
		n, woken := p.collect(ev, packets)
		if n > 0 || woken {
			p.count.Events += uint64(n)
			return n, nil
		}
		if d > 0 {
			left = max(0, d-time.Since(start))
		}
		if len(packets) == 0 && left == 0 {
			return 0, nil
		}
		// Packets without an event belonged to polls that were cancelled:
		// there may be new ones to start, so look again.
	}
}

// harvest takes up to n packets from the port and waits for the first for d.
func (p *Poller) harvest(n int, d time.Duration) ([]packet, error) {
	if p.short && (d < 0 || d > scarceWait) {
		d = scarceWait
	}
	p.count.Waits++
	if d != 0 {
		p.count.Parks++
	}
	n, err := dequeuePackets(p.port, p.packets[:n], milliseconds(d))
	return p.packets[:n], err
}

// milliseconds rounds a time up, since down would make 0 of short waits and a
// busy loop of those who wait.
func milliseconds(d time.Duration) uint32 {
	if d < 0 {
		return windows.INFINITE
	}
	ms := (d + time.Millisecond - 1) / time.Millisecond
	return uint32(min(ms, math.MaxInt32)) // 24 days; Wait asks again
}

// collect turns packets into events.
func (p *Poller) collect(ev []Event, packets []packet) (n int, woken bool) {
	for i := range packets {
		switch packets[i].key {
		case packetWake:
			p.wake.posted.Store(false)
			woken = true
			continue
		case packetAFD:
		default:
			p.foreignPacket(&packets[i])
			woken = true
			continue
		}
		r := p.slots[packets[i].context-1]
		if ready := p.ended(r); ready != 0 {
			ev[n] = Event{Key: r.key, Ready: ready}
			n++
		}
	}
	return n, woken
}

// Wake makes the Wait that sleeps, or else the next one, return soon. It may
// be called from any thread, also after Close; calls that nobody has noticed
// yet count as one.
func (p *Poller) Wake() {
	p.wake.calls.Add(1)
	if p.wake.posted.Swap(true) {
		return
	}
	for range wakeTries {
		if p.postWake() == nil {
			return
		}
		time.Sleep(wakePause)
	}
	p.wake.posted.Store(false)
}

// postWake posts the wake-up packet, but not to a handle that was closed and
// may be somebody else's by now.
func (p *Poller) postWake() error {
	p.wake.mu.Lock()
	defer p.wake.mu.Unlock()
	if p.wake.closed {
		return nil
	}
	return postPacket(p.port, packetWake, 0)
}

// Close cancels every poll, collects every packet and only then closes the
// port, for the driver owns memory of ours until then. A second Close
// answers os.ErrClosed.
func (p *Poller) Close() error {
	if p.sockets == nil {
		return os.ErrClosed
	}
	for _, r := range p.sockets {
		p.drop(r)
	}
	p.sockets = nil
	err := p.drain()
	for _, h := range p.helpers {
		windows.CloseHandle(h.afd)
	}
	p.wake.mu.Lock()
	p.wake.closed = true
	windows.CloseHandle(p.port)
	p.wake.mu.Unlock()
	if err == nil {
		alive.Delete(p)
	}
	return err
}

var errDrain = errors.New("the system did not give back every poll; its memory is kept")

// drain collects the packets of all polls under way.
func (p *Poller) drain() error {
	for round := 0; p.underway > 0; {
		n, err := dequeuePackets(p.port, p.packets[:], drainWait)
		if err != nil {
			return err
		}
		if n == 0 {
			if round++; round == drainRounds {
				return errDrain
			}
		}
		for i := range p.packets[:n] {
			if p.packets[i].key == packetAFD {
				p.ended(p.slots[p.packets[i].context-1])
			}
		}
	}
	return nil
}

// WatchKevent submits a change to the kqueue that is not about the readiness of
// a descriptor of lion's: a process, a timer, a change of a file. Errors are
// Errno values of that change; EEXIST if it concerns a descriptor that is
// registered. Systems without kqueue answer errors.ErrUnsupported.
func (p *Poller) WatchKevent(ch Kevent) error { return errors.ErrUnsupported }

// Kevents are the events of such changes since the last call, valid until the
// next Wait.
func (p *Poller) Kevents() []Kevent { return nil }
