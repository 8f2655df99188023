package windows

import "errors"

// Handles are inherited by Windows in another way: by name, in a list, or by
// WSADuplicateSocket for a process that runs already. None of it is done here.

// StartProcess answers errors.ErrUnsupported.
func StartProcess(path string, argv, env []string, files []FD) (pid int, err error) {
	return 0, errors.ErrUnsupported
}

// CloseOnExec does nothing: no socket is inherited by children.
func CloseOnExec(fd FD) error { return nil }

// TryLock answers errors.ErrUnsupported.
func TryLock(name string) (lock FD, err error) { return Invalid, errors.ErrUnsupported }

// Unlock answers errors.ErrUnsupported.
func Unlock(lock FD, name string) error { return errors.ErrUnsupported }

// ReusePortBalances reports whether the system spreads connections over the
// listeners that share an address by SO_REUSEPORT, which Windows does not have.
const ReusePortBalances = false

// NamesInFiles reports whether resolv.conf(5), hosts(5) and nsswitch.conf(5) say
// how names are found: Windows keeps it in its registry.
const NamesInFiles = false
