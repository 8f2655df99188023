package darwin

import (
	"errors"
	"unsafe"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Operations that complete later are what Windows has instead of readiness for
// files and pipes; sys/windows explains them. macOS has nothing of the kind that a
// descriptor could not tell by readiness, so all of it is unsupported here. (Of
// kqueue's own events the methods of Poller tell.)

type (
	// Kevent is one event of kqueue(2), or a change.
	Kevent = seam.Kevent
	// Completion is a packet that was posted to a completion port.
	Completion = seam.Completion
)

// Overlapped is the record of one operation of Windows that completes later.
type Overlapped struct{}

// Pointer is nil here.
func (o *Overlapped) Pointer() unsafe.Pointer { return nil }

// Keep does nothing here.
func (o *Overlapped) Keep(b []byte) {}

// Result is errors.ErrUnsupported here.
func (o *Overlapped) Result() (int, error) { return 0, errors.ErrUnsupported }

// Aborted is false here.
func (o *Overlapped) Aborted() bool { return false }

// Read is errors.ErrUnsupported here.
func (o *Overlapped) Read(b []byte, offset int64) error { return errors.ErrUnsupported }

// Write is errors.ErrUnsupported here.
func (o *Overlapped) Write(b []byte, offset int64) error { return errors.ErrUnsupported }

// RegisterHandle is errors.ErrUnsupported here.
func (p *Poller) RegisterHandle(h FD) error { return errors.ErrUnsupported }

// ForgetHandle does nothing here.
func (p *Poller) ForgetHandle(h FD) {}

// Begin is errors.ErrUnsupported here.
func (p *Poller) Begin(h FD) (*Overlapped, error) { return nil, errors.ErrUnsupported }

// Abandon does nothing here.
func (p *Poller) Abandon(o *Overlapped) {}

// Cancel is errors.ErrUnsupported here.
func (p *Poller) Cancel(o *Overlapped) error { return errors.ErrUnsupported }

// Completed is nothing here.
func (p *Poller) Completed() ([]*Overlapped, []Completion) { return nil, nil }

// PostCompletion is errors.ErrUnsupported here.
func (p *Poller) PostCompletion(c Completion) error { return errors.ErrUnsupported }

// OverlappedScarce is false here.
func OverlappedScarce(err error) bool { return false }

// OverlappedPending is nil here: nothing completes later.
var OverlappedPending error

// OpenOverlapped is errors.ErrUnsupported here.
func OpenOverlapped(name string, write bool) (FD, error) { return Invalid, errors.ErrUnsupported }

// OverlappedPipe is errors.ErrUnsupported here.
func OverlappedPipe() (r, w FD, err error) { return Invalid, Invalid, errors.ErrUnsupported }

// CloseHandle is errors.ErrUnsupported here.
func CloseHandle(h FD) error { return errors.ErrUnsupported }
