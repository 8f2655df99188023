package linux

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/lion-go/lion/sys/internal/seam"
)

// SetMaxFiles sets the soft limit of open descriptors and returns the one
// before, see RLIMIT_NOFILE in getrlimit(2). More than the hard limit is
// EINVAL. It concerns the whole process.
func SetMaxFiles(n uint64) (old uint64, err error) {
	limit, err := limits()
	if err != nil {
		return 0, err
	}
	old, limit.Cur = limit.Cur, n
	return old, seam.Again(func() error {
		return syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	})
}

// MaxFiles is the limit of open descriptors of this process: the soft one,
// which counts, and the hard one, up to which the soft one may be raised.
func MaxFiles() (soft, hard uint64, err error) {
	limit, err := limits()
	return limit.Cur, limit.Max, err
}

// limits are the soft and the hard limit of open descriptors.
func limits() (limit syscall.Rlimit, err error) {
	err = seam.Again(func() error { return syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) })
	return limit, err
}

// OpenFDs lists the open descriptors of this process, in no order, from
// /proc/self/fd (proc_pid_fd(5)); the one it reads them with is left out. It
// is meant for finding leaks. Other threads may open and close meanwhile.
func OpenFDs() ([]FD, error) {
	directory, err := os.Open("/proc/self/fd")
	if err != nil {
		return nil, err
	}
	defer directory.Close()
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	own := FD(directory.Fd())
	fds := make([]FD, 0, len(names))
	for _, name := range names {
		number, err := strconv.Atoi(name)
		if err != nil {
			return nil, fmt.Errorf("/proc/self/fd has an entry %q: %w", name, err)
		}
		if FD(number) != own {
			fds = append(fds, FD(number))
		}
	}
	return fds, nil
}

// Residents is the resident memory of this process in bytes, from
// /proc/self/statm (proc_pid_statm(5)), whose second number counts pages.
func Residents() (bytes uint64, err error) {
	return residents("/proc/self/statm")
}

func residents(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("%s has no second number: %q", path, text)
	}
	pages, err := strconv.ParseUint(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return pages * uint64(os.Getpagesize()), nil
}
