package windows

import "errors"

// TransmitFile is overlapped, and has no readiness: it does not fit the contract
// of these functions.

// Sendfile answers errors.ErrUnsupported.
func Sendfile(socket, file FD, offset int64, n int) (int, error) {
	return 0, errors.ErrUnsupported
}

// Cached answers errors.ErrUnsupported: Windows does not tell what would be
// read from a disk.
func Cached(file FD, offset int64) (bool, error) { return false, errors.ErrUnsupported }

// Splice answers errors.ErrUnsupported: Windows has no such call.
func Splice(from, to FD, n int) (int, error) { return 0, errors.ErrUnsupported }
