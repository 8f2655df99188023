package darwin

import (
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// A child inherits the descriptors that it is given, under the numbers that it
// is told, and no others: all of ours are close-on-exec. What os.StartProcess
// does would not do for sockets: os.File.Fd clears O_NONBLOCK, a flag of the open
// file that parent and child have in common, so that the parent's next accept
// would block its loop.

// StartProcess starts a program, see fork(2) and execve(2): argv[0] is its own
// name by custom, files become its descriptors 0, 1, 2 and so on, with their
// O_NONBLOCK as it is. It returns the process id; the child must be waited for.
func StartProcess(path string, argv, env []string, files []FD) (pid int, err error) {
	numbers := make([]uintptr, len(files))
	for i, fd := range files {
		numbers[i] = uintptr(fd)
	}
	return seam.AgainFor(func() (int, error) {
		return syscall.ForkExec(path, argv, &syscall.ProcAttr{Env: env, Files: numbers})
	})
}

// CloseOnExec keeps children from inheriting fd, see FD_CLOEXEC in fcntl(2).
func CloseOnExec(fd FD) error {
	_, err := fcntl(fd, unix.F_SETFD, unix.FD_CLOEXEC)
	return err
}

// TryLock takes the lock of the file name, see LOCK_EX and LOCK_NB in flock(2),
// and makes the file if there is none. Unlock gives it back. WouldBlock says that
// somebody else has it.
func TryLock(name string) (lock FD, err error) {
	for {
		fd, err := seam.AgainFor(func() (int, error) {
			const flags = unix.O_RDWR | unix.O_CREAT | unix.O_CLOEXEC | unix.O_NOFOLLOW
			return unix.Open(name, flags, 0o600)
		})
		if err != nil {
			return Invalid, err
		}
		err = seam.Again(func() error { return unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
		if err != nil {
			_ = unix.Close(fd)
			if err == unix.EWOULDBLOCK {
				err = WouldBlock
			}
			return Invalid, err
		}
		// Who had it before may have removed the file meanwhile.
		var own, named unix.Stat_t
		err = seam.Again(func() error { return unix.Fstat(fd, &own) })
		if err != nil {
			_ = unix.Close(fd)
			return Invalid, err
		}
		err = seam.Again(func() error { return unix.Stat(name, &named) })
		if err == nil && own.Dev == named.Dev && own.Ino == named.Ino {
			return FD(fd), nil
		}
		_ = unix.Close(fd)
	}
}

// Unlock removes the file of a lock and gives the lock back, in this order: so
// nobody holds a lock whose file is there for somebody else.
func Unlock(lock FD, name string) error {
	err := seam.Again(func() error { return unix.Unlink(name) })
	if closed := Close(lock); err == nil {
		err = closed
	}
	return err
}

// ReusePortBalances reports whether the system spreads connections over the
// listeners that share an address by SO_REUSEPORT: macOS gives them to one.
const ReusePortBalances = false

// NamesInFiles reports whether resolv.conf(5), hosts(5) and nsswitch.conf(5) say
// how names are found: macOS keeps it in its configuration daemon.
const NamesInFiles = false
