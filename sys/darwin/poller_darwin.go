package darwin

import (
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqueue"
	"github.com/lion-go/lion/sys/internal/seam"
)

// The poller's logic is in package kqueue, whose comment explains it. This
// file supplies the kernel: one descriptor and one system call.

// Interest is a set of readiness conditions.
type Interest = seam.Interest

// Event is one report of readiness.
type Event = seam.Event

// PollerStatistics counts what a poller did since it was made.
type PollerStatistics = seam.PollerStatistics

// The conditions of an Interest; package seam documents them.
const (
	Readable   = seam.Readable
	Writable   = seam.Writable
	Priority   = seam.Priority
	ErrorQueue = seam.ErrorQueue
	Unusual    = seam.Unusual
	Once       = seam.Once
)

// rawChanges is the most changes that a kevent call which does not wait may
// carry and still be a raw call. Each costs the kernel well under a
// microsecond.
//
//lion:opt rawsyscall
const rawChanges = 16

// kernel is a kqueue(2) descriptor.
type kernel struct{ fd FD }

// Kevent is kevent(2), see kqueue.Kernel.
func (k kernel) Kevent(changes, events []kqueue.Kevent, timeout time.Duration) (int, error) {
	raw := len(changes) <= rawChanges && (timeout == 0 || len(events) == 0)
	n, e := 0, Errno(0)
	if timeout < 0 {
		n, e = kevent(raw, k.fd, changes, events, nil)
	} else {
		limit := unix.NsecToTimespec(int64(timeout))
		n, e = kevent(raw, k.fd, changes, events, &limit)
	}
	if e != 0 {
		return 0, e
	}
	return n, nil
}

// Close closes the kqueue, see kqueue.Kernel.
func (k kernel) Close() error { return Close(k.fd) }

// Poller waits for descriptors to become ready. It belongs to one thread,
// except for Wake.
type Poller struct {
	kqueue *kqueue.Poller
}

// NewPoller makes a kqueue(2). Errors are Errno values.
func NewPoller() (*Poller, error) {
	syscall.ForkLock.RLock()
	fd, err := seam.AgainFor(unix.Kqueue)
	if err == nil {
		// No child inherits a kqueue, but exec in this process would keep it.
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	p, err := kqueue.NewPoller(kernel{FD(fd)})
	if err != nil {
		return nil, err
	}
	return &Poller{p}, nil
}

// Arm promises at least one event for key if fd becomes ready for one of the
// wanted conditions after a call on it answered WouldBlock. Events may be
// spurious and may be merged; an error or hang-up counts as both readable and
// writable. With Once, fd is not lion's own and is armed for one event only.
// A key other than before begins a new registration, but never one with Once in
// place of one without: that is EEXIST. Errors are Errno values.
func (p *Poller) Arm(fd FD, key uint64, want Interest) error {
	return p.kqueue.Arm(fd, key, want)
}

// Forget drops the registration of fd under key, if that is the present one; no
// later Wait reports the key. It must precede Close of fd.
func (p *Poller) Forget(fd FD, key uint64) { p.kqueue.Forget(fd, key) }

// ForgetClosing is Forget for a descriptor that is closed right after and has no
// duplicate.
func (p *Poller) ForgetClosing(fd FD, key uint64) { p.kqueue.Forget(fd, key) }

// Wait fills ev with events and answers how many. It waits forever if d is
// negative, only looks if d is zero, and otherwise answers 0 events after
// about d. Wake, too, makes it answer 0. Errors are Errno values; an empty ev
// is EINVAL and a closed poller answers os.ErrClosed.
func (p *Poller) Wait(ev []Event, d time.Duration) (int, error) { return p.kqueue.Wait(ev, d) }

// Wake makes a present or the next Wait return soon. Any thread may call it,
// at any time, also after Close.
func (p *Poller) Wake() { p.kqueue.Wake() }

// Close frees the poller and all registrations. A second one answers
// os.ErrClosed.
func (p *Poller) Close() error { return p.kqueue.Close() }

// Statistics answers what the poller did since it was made.
func (p *Poller) Statistics() PollerStatistics { return p.kqueue.Statistics() }

// Mode says in one line how the poller waits.
func (p *Poller) Mode() string { return "kqueue, blocking a thread in kevent" }

// WatchKevent submits a change to the kqueue that is not about the readiness of
// a descriptor of lion's: a process, a timer, a change of a file. Errors are
// Errno values of that change; EEXIST if it concerns a descriptor that is
// registered. Systems without kqueue answer errors.ErrUnsupported.
func (p *Poller) WatchKevent(ch Kevent) error { return p.kqueue.WatchKevent(ch) }

// Kevents are the events of such changes since the last call, valid until the
// next Wait.
func (p *Poller) Kevents() []Kevent { return p.kqueue.Kevents() }
