//go:build !kqemu

package linux

import (
	"errors"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// How events are waited for, see epoll(7).
//
// # Registration
//
// epoll keeps one registration per descriptor: a set of conditions and 64 bits
// of ours. A descriptor of lion's own is registered at its first wait for all
// conditions at once, edge-triggered, and never again, so that Arm costs a
// comparison. Edge-triggered means that the kernel reports news, not states;
// since a call is always tried before its wait, old news is not needed.
// EPOLL_CTL_ADD and EPOLL_CTL_MOD report conditions that hold already.
//
// A descriptor that lion did not make may be shared with others, who may read
// from it, close it or duplicate it. It is registered level-triggered for one
// report (EPOLLONESHOT) of just what is waited for, and again for each wait.
// One report disarms the whole descriptor; if a reader and a writer wait and
// only one was served, the poller arms the rest again at once.
//
// The 64 bits are the descriptor and a count of how often its number was
// registered. By them an event finds its entry and thus the caller's key, and
// an event for an earlier life of the number finds that it is out of date. The
// count of an entry only grows. EPOLL_CTL_DEL comes before close(2), which would
// not end the registration if the descriptor had been duplicated; it is left out
// where it is known that nobody has (ForgetClosing).
//
// # Waiting
//
// A thread blocked in epoll_wait(2) is a thread lost to the Go scheduler, and
// coming back costs a hand-over: 34 us for a call into an idle loop. But an
// epoll descriptor can itself be watched, and the Go runtime has a poller that
// parks goroutines. So the epoll descriptor is given to the runtime as a file,
// and a poller with nothing to report parks in RawConn.Read, whose function
// looks into epoll without waiting. The runtime watches it edge-triggered,
// which is sound because it resets its note of readiness before that look.
//
// Deadlines and wake-ups are both deadlines of the file. Wait sets it to when
// it must return; Wake, on another thread, sets it to a moment in the past,
// which ends the read at once (1.1 us for the same call into an idle loop).
// Three rules keep wake-ups from being lost and save setting the deadline:
//
//  1. Wake first stores woken=true, then sets the past deadline. Wait first
//     sets its own deadline, then takes woken (swaps in false). So if Wait's
//     deadline overwrites Wake's, Wait still sees woken; and if Wait did not
//     see it, Wake's deadline is set after Wait's and ends the read.
//  2. A Wake that finds woken=true does nothing: the one that stored it has
//     set, or is about to set, the deadline, and nobody has taken it since.
//  3. Only Wait knows what deadline it installed. If a read ends by deadline,
//     or woken was taken, the past deadline may be there or still to come:
//     the installed one is unknown, and the next Wait sets it anew. A deadline
//     installed earlier than now needed is left alone: if it passes, the read
//     ends too early once and Wait sets the right one, or returns for no reason.
//
// A past deadline that arrives after its woken was taken ends a later read
// early. Wait then finds neither woken nor its time come, and parks again.
//
// Some kernels or sandboxes might refuse to watch an epoll descriptor. Then the
// poller blocks a thread in epoll_pwait(2), and an eventfd(2) wakes it.

const (
	// maxHarvest is the most events one look takes; more stay in the kernel
	// for the next. 256 events are 3 to 4 KiB and seldom come at once.
	maxHarvest = 256

	modeNested   = "epoll, nested in the Go runtime's poller"
	modeBlocking = "epoll, blocking a thread in epoll_pwait (the Go runtime would not watch it)"
)

// past ends a read at once when it is set as its deadline.
var past = time.Unix(1, 0)

// Poller waits for descriptors to become ready. It belongs to one thread,
// except for Wake.
type Poller struct {
	epoll   FD
	file    *os.File // owns epoll
	closed  bool
	entries []entry // indexed by descriptor
	stats   PollerStatistics

	harvest [maxHarvest]unix.EpollEvent
	room    int   // how many events the caller takes
	found   int   // how many a look left in harvest
	failed  Errno // why a look failed

	woken atomic.Bool
	wakes atomic.Uint64

	// Nested: how to park, and when the read will end by itself.
	conn      syscall.RawConn
	look      func(uintptr) bool // lookInto as a value, made once
	installed time.Time          // the deadline of file; zero: none
	patience  time.Duration      // of the wait that installed it
	unknown   bool               // installed is out of date

	// Blocking: how to wake. The mutex keeps Wake off a closed eventfd.
	blocking bool
	mu       sync.Mutex
	eventfd  FD
	count    [8]byte // what eventfd counted
}

// NewPoller makes a poller. Errors are those of epoll_create1(2), and of
// eventfd(2) if that is needed.
func NewPoller() (*Poller, error) {
	return newPoller(true)
}

// newPoller makes a poller that is nested unless the runtime refuses. Without
// watchable it does refuse: it watches only descriptors that have O_NONBLOCK.
func newPoller(watchable bool) (*Poller, error) {
	fd, err := seam.AgainFor(func() (int, error) {
		return unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	})
	if err != nil {
		return nil, err
	}
	if err := SetNonblock(FD(fd), watchable); err != nil {
		unix.Close(fd)
		return nil, err
	}
	p := &Poller{epoll: FD(fd), eventfd: Invalid, file: os.NewFile(uintptr(fd), "epoll")}
	p.look = p.lookInto
	if p.conn, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{})
	}
	if errors.Is(err, os.ErrNoDeadline) {
		p.blocking = true
		err = p.addEventfd()
	}
	if err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// addEventfd makes the descriptor by which Wake ends a blocking wait. It is
// the only one registered with the generation 0.
func (p *Poller) addEventfd() error {
	fd, err := seam.AgainFor(func() (int, error) {
		return unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	})
	if err != nil {
		return err
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := p.epollControl(unix.EPOLL_CTL_ADD, FD(fd), &event); err != nil {
		unix.Close(fd)
		return err
	}
	p.eventfd = FD(fd)
	return nil
}

// Arm promises at least one event with this key if fd becomes ready after a
// call on it answered WouldBlock. Events may be spurious and may be merged. A
// descriptor has one key at a time: another one takes its place, except that
// Once does not replace a registration without it: EEXIST.
//
// Without Once, for lion's own descriptors, the first call registers fd for
// everything and later ones with the same key do nothing. With Once each call
// registers anew, reports also what is ready already, and waits added before
// anything was reported are kept together.
//
// Errors are those of epoll_ctl(2), EPERM for a regular file among them, and
// EINVAL if want asks for nothing or for Unusual. A closed poller answers
// os.ErrClosed.
func (p *Poller) Arm(fd FD, key uint64, want Interest) error {
	if uint(fd) < uint(len(p.entries)) && want&^askable == 0 && want != 0 {
		if e := &p.entries[fd]; e.state == own && e.key == key {
			return nil
		}
	}
	return p.register(fd, key, want)
}

// Forget drops the registration of fd under key, if that is the present one;
// later Waits do not report the key any more. It must precede Close of fd.
func (p *Poller) Forget(fd FD, key uint64) {
	p.unregister(fd, key)
}

// ForgetClosing is Forget for a descriptor that is closed right after and has no
// duplicate: the kernel ends its registration with the last reference to what is
// open, and need not be asked. Should there be a duplicate after all, say in a
// child of another thread that has not come to execve(2) yet, its events are
// those of an earlier life of the number, and are dropped.
func (p *Poller) ForgetClosing(fd FD, key uint64) {
	//lion:opt close-unregisters close(2) does what EPOLL_CTL_DEL would
	if fd >= 0 && int(fd) < len(p.entries) && p.entries[fd].key == key {
		p.drop(fd)
	}
}

// Wait stores events in ev and returns how many. It waits at most about d for
// the first, without limit if d is negative, and not at all if d is 0. It
// returns early after Wake, and now and then for no reason; an interrupted
// system call is one. More events than fit into ev are left for the next call.
// An empty ev is EINVAL; a closed poller answers os.ErrClosed.
func (p *Poller) Wait(ev []Event, d time.Duration) (int, error) {
	if p.closed {
		return 0, os.ErrClosed
	}
	if len(ev) == 0 {
		return 0, EINVAL
	}
	p.room = min(len(ev), maxHarvest)
	switch {
	case d != 0 && !p.blocking:
		//lion:opt look-once parking looks before it parks: a look of our own would be one too many
		if err := p.park(d); err != nil {
			return 0, err
		}
	case !p.lookInto(uintptr(p.epoll)) && d != 0:
		p.block(d)
	}
	if p.failed != 0 {
		return 0, p.failed
	}
	return p.report(ev), nil
}

// lookInto takes what epoll has to report, without waiting, and says whether
// there was something (or an error). A look that is interrupted is made again:
// it would pass for one that found nothing, and the runtime would wait for news
// although there is some.
func (p *Poller) lookInto(epoll uintptr) bool {
	p.stats.Waits++
	for {
		//lion:opt rawsyscall
		n, _, e := syscall.RawSyscall6(unix.SYS_EPOLL_PWAIT, epoll,
			uintptr(unsafe.Pointer(&p.harvest)), uintptr(p.room), 0, 0, 0)
		if e != eintr {
			return p.harvested(n, e)
		}
	}
}

func (p *Poller) harvested(n uintptr, e Errno) bool {
	if e != 0 {
		n = 0
	}
	if e == eintr {
		e = 0
	}
	p.found, p.failed = int(n), e
	return n > 0 || e != 0
}

// park waits in the runtime's poller; the essay explains the order of steps.
// Whenever it returns it has looked.
func (p *Poller) park(d time.Duration) error {
	for {
		deadline, err := p.setDeadline(d)
		if err != nil {
			return err
		}
		if p.takeWake() {
			return nil
		}
		p.stats.Parks++
		err = p.conn.Read(p.look)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err // nil: there is something
		}
		p.unknown = true
		if p.takeWake() {
			return nil
		}
		if d > 0 {
			if d = time.Until(deadline); d <= 0 {
				p.lookInto(uintptr(p.epoll)) // a read that begins too late does not
				return nil
			}
		}
	}
}

// takeWake tells whether Wake was called since it was last taken, and looks
// again if so: the caller returns.
func (p *Poller) takeWake() bool {
	if !p.woken.Swap(false) {
		return false
	}
	p.unknown = true
	p.lookInto(uintptr(p.epoll))
	return true
}

// setDeadline makes sure that a read ends by itself after d or before, and
// returns when that is; if d is negative it need not. An earlier deadline that
// is installed costs one read that ends too early, if it gets that far; setting
// one costs more. So does a look at the clock, which is left out if the
// installed one was for a wait no longer than this one; then the answer is the
// zero time, and the wait ends too early with the read.
//
//lion:opt known-deadline
func (p *Poller) setDeadline(d time.Duration) (deadline time.Time, err error) {
	limited := !p.installed.IsZero()
	if !p.unknown && (d < 0 || limited && d >= p.patience) {
		return deadline, nil
	}
	if d > 0 {
		deadline = time.Now().Add(d)
		if !p.unknown && limited && !deadline.Before(p.installed) {
			return deadline, nil
		}
	}
	p.installed, p.patience, p.unknown = deadline, d, false
	return deadline, p.file.SetReadDeadline(deadline)
}

// block waits with a thread of its own. Milliseconds are rounded up, so that
// the caller does not come back before its time over and over.
func (p *Poller) block(d time.Duration) {
	if p.takeWake() {
		return
	}
	timeout := -1
	if d > 0 {
		timeout = int(min((d-1)/time.Millisecond+1, math.MaxInt32))
	}
	p.stats.Waits++
	p.stats.Parks++
	n, _, e := syscall.Syscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.epoll),
		uintptr(unsafe.Pointer(&p.harvest)), uintptr(p.room), uintptr(timeout), 0, 0)
	p.harvested(n, e)
}

// report translates what was found into ev.
func (p *Poller) report(ev []Event) int {
	n := 0
	for i := range p.found {
		event := &p.harvest[i]
		if event.Pad == 0 {
			p.drainEventfd()
			continue
		}
		e := &p.entries[event.Fd]
		if e.state == absent || e.generation != uint32(event.Pad) {
			continue // an earlier life of this number
		}
		ready := interestsOf(event.Events)
		if e.state == once {
			ready |= p.rearm(FD(event.Fd), e, ready)
		}
		ev[n] = Event{Key: e.key, Ready: ready}
		n++
	}
	p.found = 0
	p.stats.Events += uint64(n)
	return n
}

// Wake makes the Wait that is under way, or else the next one that would
// sleep, return soon. Several calls before that count as one. Any thread may
// call it at any time, even after Close.
func (p *Poller) Wake() {
	p.wakes.Add(1)
	if p.woken.Swap(true) {
		return
	}
	if p.blocking {
		p.writeEventfd()
		return
	}
	// It fails only if the poller is closed.
	_ = p.file.SetReadDeadline(past)
}

var eventfdOne = [8]byte{7: 1} // a count other than 0 in either byte order

func (p *Poller) writeEventfd() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.eventfd != Invalid {
		// EAGAIN means that it counts to 2^64 already: readable, as wanted.
		_, _ = Write(p.eventfd, eventfdOne[:])
	}
}

// drainEventfd takes the wake-up that this Wait returns for. In this order: a
// Wake before the second step counts for this Wait, one after it writes again.
func (p *Poller) drainEventfd() {
	_, _ = Read(p.eventfd, p.count[:])
	p.woken.Store(false)
}

// Close closes the poller, not the descriptors registered with it. A second
// call answers os.ErrClosed.
func (p *Poller) Close() error {
	if p.closed {
		return os.ErrClosed
	}
	p.closed = true
	p.entries = nil
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.eventfd != Invalid {
		unix.Close(int(p.eventfd))
		p.eventfd = Invalid
	}
	return p.file.Close()
}

// Statistics tells what the poller did so far.
func (p *Poller) Statistics() PollerStatistics {
	s := p.stats
	s.Wakes = p.wakes.Load()
	return s
}

// Mode says in one line how this poller waits.
func (p *Poller) Mode() string {
	if p.blocking {
		return modeBlocking
	}
	return modeNested
}

// WatchKevent submits a change to the kqueue that is not about the readiness of
// a descriptor of lion's: a process, a timer, a change of a file. Errors are
// Errno values of that change; EEXIST if it concerns a descriptor that is
// registered. Systems without kqueue answer errors.ErrUnsupported.
func (p *Poller) WatchKevent(ch Kevent) error { return errors.ErrUnsupported }

// Kevents are the events of such changes since the last call, valid until the
// next Wait.
func (p *Poller) Kevents() []Kevent { return nil }
