package windows

import "errors"

// TransmitFile is overlapped, and has no readiness: it does not fit the contract
// of these functions.

// Sendfile answers errors.ErrUnsupported.
func Sendfile(socket, file FD, head []byte, offset int64, n int) (int, error) {
	return 0, errors.ErrUnsupported
}

// O_NONBLOCK is no flag here: opening a file does not wait for anybody.
const O_NONBLOCK = 0

// ReadCached answers errors.ErrUnsupported: Windows does not tell what would be
// read from a disk.
func ReadCached(file FD, b []byte, offset int64) (int, error) { return 0, errors.ErrUnsupported }

// Cached answers errors.ErrUnsupported; see ReadCached.
func Cached(file FD, offset, n int64) (bool, error) { return false, errors.ErrUnsupported }

// Splice answers errors.ErrUnsupported: Windows has no such call.
func Splice(from, to FD, n int) (int, error) { return 0, errors.ErrUnsupported }
