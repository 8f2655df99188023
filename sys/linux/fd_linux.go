package linux

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// A file descriptor is a small number that the kernel reuses as soon as it is
// free: the lowest one first (open(2)). So a number that was closed twice, or
// kept after a close, soon belongs to somebody else. Every descriptor made here
// is close-on-exec from birth, because a child forked by another thread between
// two calls would inherit it otherwise, and nonblocking.

// The vocabulary that all systems share.
type (
	// FD is a file descriptor.
	FD = seam.FD
	// Interest is a set of readiness conditions.
	Interest = seam.Interest
	// Event is one report of readiness.
	Event = seam.Event
	// PollerStatistics counts what a poller did since it was made.
	PollerStatistics = seam.PollerStatistics
)

// Invalid is the descriptor that no kernel hands out.
const Invalid = seam.Invalid

// The conditions that Arm asks for and Wait reports.
const (
	// Readable: a receive or an accept will not answer WouldBlock.
	Readable = seam.Readable
	// Writable: a send will not answer WouldBlock, or a connect has ended.
	Writable = seam.Writable
	// Priority: out-of-band data or another exceptional condition.
	Priority = seam.Priority
	// ErrorQueue: the error queue has something, or an error is pending.
	ErrorQueue = seam.ErrorQueue
	// Unusual accompanies a hang-up, a half-close, an error or a priority
	// condition; it is only reported.
	Unusual = seam.Unusual
	// Once asks for a one-shot, level-triggered registration.
	Once = seam.Once
)

// Close closes fd, see close(2). It is never tried again: Linux frees the
// number even when it reports EINTR, which therefore counts as closed. With a
// positive linger time set it may take that long. Forget comes first.
func Close(fd FD) error {
	if err := unix.Close(int(fd)); err != nil && err != unix.EINTR {
		return err
	}
	return nil
}

// CloseNowait is Close for a descriptor whose close never suspends: a connection of
// TCP without a linger time. It is made without telling the scheduler, which
// would wake its monitor: in a server of short connections that and what the
// monitor then does is every twentieth system call.
func CloseNowait(fd FD) error {
	//lion:opt rawsyscall
	_, _, e := syscall.RawSyscall6(unix.SYS_CLOSE, uintptr(fd), 0, 0, 0, 0, 0)
	if e != 0 && e != eintr {
		return e
	}
	return nil
}

// Dup duplicates fd, see F_DUPFD_CLOEXEC in fcntl(2). The copy is not
// inherited by children and shares the O_NONBLOCK flag with fd.
func Dup(fd FD) (FD, error) {
	copied, err := fcntl(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return Invalid, err
	}
	return FD(copied), nil
}

// SetNonblock sets or clears O_NONBLOCK of fd. Descriptors made by this
// package are nonblocking already; those adopted from elsewhere must be made
// so before Accept, Read or Write is called on them.
func SetNonblock(fd FD, on bool) error {
	flags, err := fcntl(fd, unix.F_GETFL, 0)
	if err != nil {
		return err
	}
	flags &^= unix.O_NONBLOCK
	if on {
		flags |= unix.O_NONBLOCK
	}
	_, err = fcntl(fd, unix.F_SETFL, flags)
	return err
}

// Nonblocking reports whether O_NONBLOCK of fd's open file is set, F_GETFL in
// fcntl(2).
func Nonblocking(fd FD) (bool, error) {
	flags, err := fcntl(fd, unix.F_GETFL, 0)
	return flags&unix.O_NONBLOCK != 0, err
}

// fcntl is fcntl(2).
func fcntl(fd FD, command, argument int) (int, error) {
	return seam.AgainFor(func() (int, error) {
		return unix.FcntlInt(uintptr(fd), command, argument)
	})
}

// Pipe makes a pipe, see pipe2(2): both ends nonblocking and not inherited by
// children.
func Pipe() (r, w FD, err error) {
	var ends [2]int
	err = seam.Again(func() error {
		return unix.Pipe2(ends[:], unix.O_CLOEXEC|unix.O_NONBLOCK)
	})
	if err != nil {
		return Invalid, Invalid, err
	}
	return FD(ends[0]), FD(ends[1]), nil
}

// Read reads from a descriptor that is not a socket, see read(2). Zero bytes
// without an error, in answer to a buffer that was not empty, are the end.
func Read(fd FD, b []byte) (int, error) {
	for {
		n, err := unix.Read(int(fd), b)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, WouldBlock
		default:
			return 0, err
		}
	}
}

// Write writes to a descriptor that is not a socket, see write(2); fewer
// bytes than asked for may be taken. Writing to a pipe whose reading end is
// closed answers EPIPE (the Go runtime turns the signal off for descriptors
// other than 1 and 2).
func Write(fd FD, b []byte) (int, error) {
	for {
		n, err := unix.Write(int(fd), b)
		switch err {
		case nil:
			return n, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, WouldBlock
		default:
			return 0, err
		}
	}
}
