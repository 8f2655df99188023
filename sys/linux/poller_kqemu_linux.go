//go:build kqemu

package linux

import (
	"time"

	"github.com/lion-go/lion/sys/internal/kqemu"
	"github.com/lion-go/lion/sys/internal/kqueue"
)

// With the tag kqemu the macOS poller runs here, over an emulation of kqueue,
// so that `go test -tags kqemu ./...` puts its logic under the whole stack. It
// is for tests and slower than epoll.

// Poller waits for descriptors to become ready. It belongs to one thread,
// except for Wake.
type Poller struct {
	kqueue *kqueue.Poller
}

// NewPoller makes a poller. Errors are Errno values.
func NewPoller() (*Poller, error) {
	kernel, err := kqemu.New()
	if err != nil {
		return nil, err
	}
	p, err := kqueue.NewPoller(kernel)
	if err != nil {
		return nil, err
	}
	return &Poller{p}, nil
}

// Arm promises at least one event for key if fd becomes ready for one of the
// wanted conditions after a call on it answered WouldBlock. It answers EEXIST
// if want has Once and fd is registered without, under another key.
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
func (p *Poller) Mode() string { return "kqueue, emulated on epoll for tests (tag kqemu)" }

// WatchKevent submits a change to the kqueue that is not about the readiness of
// a descriptor of lion's: a process, a timer, a change of a file. Errors are
// Errno values of that change; EEXIST if it concerns a descriptor that is
// registered. Systems without kqueue answer errors.ErrUnsupported.
func (p *Poller) WatchKevent(ch Kevent) error { return p.kqueue.WatchKevent(ch) }

// Kevents are the events of such changes since the last call, valid until the
// next Wait.
func (p *Poller) Kevents() []Kevent { return p.kqueue.Kevents() }
