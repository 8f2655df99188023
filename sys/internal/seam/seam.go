// Package seam holds the few types that the three operating-system packages
// share and re-export: they are the vocabulary of the seam between lion and
// the kernel. It has no build tags and makes no system calls.
package seam

// FD is a descriptor: a file descriptor on Unix, a SOCKET or HANDLE on
// Windows. Negative values are never valid kernel descriptors.
type FD int

// Invalid is the FD that no kernel hands out; functions return it beside an
// error.
const Invalid FD = -1

// Interest is a set of readiness conditions. Readable to ErrorQueue can be
// asked for and reported; Unusual is only reported; Once is only asked for.
type Interest uint8

const (
	// Readable: a receive or an accept will not answer WouldBlock.
	Readable Interest = 1 << iota
	// Writable: a send will not answer WouldBlock, or a connect has ended.
	Writable
	// Priority: out-of-band data or another exceptional condition (POLLPRI).
	Priority
	// ErrorQueue: the socket error queue has something (Linux), or an error
	// is pending.
	ErrorQueue
	// Unusual accompanies an event in which a hang-up, a half-close by the
	// peer, an error or a priority condition was seen. From then on a short
	// read proves nothing about the descriptor.
	Unusual
	// Once asks for a one-shot, level-triggered registration. It is for
	// descriptors that lion did not make and whose registrations it cannot
	// rely on: each wait arms them again.
	Once
)

// Event is one report of readiness.
type Event struct {
	Key   uint64   // the key given to Arm, generation included
	Ready Interest // what is ready, perhaps with Unusual
}

// wouldBlock is the type of WouldBlock; a pointer to it is comparable and
// allocates nothing.
type wouldBlock struct{}

func (*wouldBlock) Error() string   { return "operation would block" }
func (*wouldBlock) Timeout() bool   { return false }
func (*wouldBlock) Temporary() bool { return true }

// WouldBlock is what every wrapper answers where the system call would have
// had to wait. Compare with ==.
var WouldBlock error = &wouldBlock{}

// PollerStatistics counts what a poller did since it was made.
type PollerStatistics struct {
	Registered int    // descriptors registered now
	Controls   uint64 // calls that changed a registration (epoll_ctl, kevent changes, AFD polls)
	Waits      uint64 // calls that asked the kernel for events
	Parks      uint64 // waits that really slept
	Events     uint64 // events reported
	Wakes      uint64 // calls of Wake
}
