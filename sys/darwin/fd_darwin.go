package darwin

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// macOS makes every descriptor inheritable and blocking; only fcntl(2) changes
// that, in a second call. A fork of another thread between the two would leak
// the descriptor into the child. syscall.ForkLock, which os/exec holds for
// writing while it forks, is therefore held for reading until FD_CLOEXEC is set;
// the rest can wait until after that. Writing to a pipe without a reader raises
// SIGPIPE unless F_SETNOSIGPIPE was set.

// FD is a file descriptor.
type FD = seam.FD

// Invalid is the FD that no kernel hands out.
const Invalid = seam.Invalid

// maxTransfer bounds one read, write, send or receive. Darwin answers EINVAL
// to transfers of 2 GiB and more (INT_MAX checks in XNU's sys_generic.c and
// uipc_syscalls.c), where a short count is the honest answer.
const maxTransfer = 1 << 30

// Close closes fd with close(2). It is never retried: after EINTR the
// descriptor is gone already, so EINTR counts as closed. A socket with a
// positive linger time can make it wait. Errors are Errno values.
func Close(fd FD) error {
	if err := unix.Close(int(fd)); err != unix.EINTR {
		return err
	}
	return nil
}

// CloseNowait is Close for a descriptor whose close never suspends. Only Linux
// makes a difference.
func CloseNowait(fd FD) error { return Close(fd) }

// Dup duplicates fd with F_DUPFD_CLOEXEC, fcntl(2). The duplicate shares the
// nonblocking flag and is not inherited by children. Errors are Errno values.
func Dup(fd FD) (FD, error) {
	n, err := fcntl(fd, unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return Invalid, err
	}
	return FD(n), nil
}

// SetNonblock switches O_NONBLOCK of fd's open file on or off, fcntl(2). It
// acts on every descriptor of that open file. Errors are Errno values.
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
// fcntl(2). Errors are Errno values.
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

// Pipe makes a pipe(2), both ends nonblocking, not inherited by children and
// not raising SIGPIPE (F_SETNOSIGPIPE). Errors are Errno values.
func Pipe() (r, w FD, err error) {
	var p [2]int
	syscall.ForkLock.RLock()
	if err := seam.Again(func() error { return unix.Pipe(p[:]) }); err != nil {
		syscall.ForkLock.RUnlock()
		return Invalid, Invalid, err
	}
	unix.CloseOnExec(p[0])
	unix.CloseOnExec(p[1])
	syscall.ForkLock.RUnlock()
	for _, fd := range p {
		if err := setUpPipeEnd(FD(fd)); err != nil {
			_ = unix.Close(p[0]) // The first error is the one to report.
			_ = unix.Close(p[1])
			return Invalid, Invalid, err
		}
	}
	return FD(p[0]), FD(p[1]), nil
}

// setUpPipeEnd makes one end of a new pipe nonblocking and silent.
func setUpPipeEnd(fd FD) error {
	if _, err := fcntl(fd, unix.F_SETFL, unix.O_NONBLOCK); err != nil {
		return err
	}
	_, err := fcntl(fd, unix.F_SETNOSIGPIPE, 1)
	return err
}

// Read is read(2) for descriptors that are not sockets. It answers WouldBlock
// where it would wait, 0 and nil at the end of the file, and reads at most
// 1 GiB at a time. Other errors are Errno values.
func Read(fd FD, b []byte) (int, error) {
	b = b[:min(len(b), maxTransfer)]
	for {
		n, err := unix.Read(int(fd), b)
		if err == nil {
			return n, nil
		}
		if err = answerError(err); err != unix.EINTR {
			return 0, err
		}
	}
}

// Write is write(2) for descriptors that are not sockets. It answers
// WouldBlock where it would wait, may write less than asked, and writes at
// most 1 GiB at a time. Other errors are Errno values.
func Write(fd FD, b []byte) (int, error) {
	b = b[:min(len(b), maxTransfer)]
	for {
		n, err := unix.Write(int(fd), b)
		if err == nil {
			return n, nil
		}
		if err = answerError(err); err != unix.EINTR {
			return 0, err
		}
	}
}
