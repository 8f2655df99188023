package darwin

import (
	"errors"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// SetMaxFiles sets the soft limit of open descriptors (RLIMIT_NOFILE) and
// answers the one before. The hard limit is often infinite, yet setrlimit(2)
// refuses more than the sysctl kern.maxfilesperproc; n is brought down to the
// smaller of the two. Errors are Errno values.
func SetMaxFiles(n uint64) (old uint64, err error) {
	l, err := limits()
	if err != nil {
		return 0, err
	}
	old, l.Cur = l.Cur, min(n, l.Max)
	most, err := seam.AgainFor(func() (uint32, error) {
		return unix.SysctlUint32("kern.maxfilesperproc")
	})
	if err == nil {
		l.Cur = min(l.Cur, uint64(most))
	}
	return old, seam.Again(func() error { return unix.Setrlimit(unix.RLIMIT_NOFILE, &l) })
}

// MaxFiles answers the soft and the hard limit of open descriptors. Errors are
// Errno values.
func MaxFiles() (soft, hard uint64, err error) {
	l, err := limits()
	return l.Cur, l.Max, err
}

// limits are the soft and the hard limit of open descriptors.
func limits() (l unix.Rlimit, err error) {
	err = seam.Again(func() error { return unix.Getrlimit(unix.RLIMIT_NOFILE, &l) })
	return l, err
}

// OpenFDs lists the process's open descriptors in ascending order, without
// the one that the listing itself needs. It is for leak checks: descriptors
// that other threads open or close meanwhile may or may not be in it.
func OpenFDs() ([]FD, error) {
	dir, err := os.Open("/dev/fd")
	if err != nil {
		return nil, err
	}
	names, err := dir.Readdirnames(-1)
	_ = dir.Close() // Only read from: nothing is lost if this fails.
	if err != nil {
		return nil, err
	}
	var fds []FD
	for _, name := range names {
		n, err := strconv.Atoi(name)
		if err != nil {
			continue // not a descriptor
		}
		// The directory's own entry is closed by now, and some versions list
		// entries that are not open.
		if _, err := fcntl(FD(n), unix.F_GETFD, 0); err == nil {
			fds = append(fds, FD(n))
		}
	}
	slices.Sort(fds)
	return fds, nil
}

// Residents answers errors.ErrUnsupported: macOS tells resident memory only
// through Mach calls, which this package leaves alone.
func Residents() (bytes uint64, err error) {
	return 0, errors.ErrUnsupported
}
