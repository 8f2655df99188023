// Package kqueue is lion's poller for kqueue(2), written over an interface of
// two methods. On macOS the kernel answers it; on Linux an emulation does, so
// that the logic can be run where no Mac is at hand. It has no build tags and
// makes no system calls of its own.
package kqueue

import (
	"time"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Kevent is struct kevent of <sys/event.h> on 64-bit macOS.
type Kevent = seam.Kevent

// Filters, flags and notes of <sys/event.h> that the poller uses.
const (
	FilterRead   int16 = -1
	FilterWrite  int16 = -2
	FilterUser   int16 = -10
	FilterExcept int16 = -15

	FlagAdd      uint16 = 0x0001
	FlagDelete   uint16 = 0x0002
	FlagEnable   uint16 = 0x0004
	FlagDisable  uint16 = 0x0008
	FlagOneshot  uint16 = 0x0010
	FlagClear    uint16 = 0x0020
	FlagReceipt  uint16 = 0x0040
	FlagDispatch uint16 = 0x0080
	FlagError    uint16 = 0x4000
	FlagEOF      uint16 = 0x8000

	NoteOOB     uint32 = 0x00000002
	NoteTrigger uint32 = 0x01000000
)

// Kernel is a kqueue. One thread calls Kevent at a time, except that calls
// with no room for events may come from any thread while another one waits.
type Kernel interface {
	// Kevent applies changes in order, then, if none of them failed, waits for
	// events: forever if timeout is negative, not at all if it is zero, else at
	// most about that long and never less. A failed change becomes an event
	// with FlagError and the error number in Data if there is room. EINTR is
	// returned, after all changes were applied.
	Kevent(changes, events []Kevent, timeout time.Duration) (int, error)
	// Close frees the kqueue. Kevent is not called after it.
	Close() error
}
