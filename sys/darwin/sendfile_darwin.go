package darwin

import (
	"errors"

	"golang.org/x/sys/unix"
)

// Darwin's sendfile(2) may answer EAGAIN or EINTR although it has sent some
// bytes; their number is what counts then. Headers and trailers, which it could
// take along, are not exposed by x/sys, and Darwin has no MSG_MORE: they are
// sent by calls of their own.

// Sendfile sends up to n bytes of the file, from the offset on, over a stream
// socket; see sendfile(2). Zero bytes are the end of the file.
// errors.ErrUnsupported if this file cannot be sent so.
func Sendfile(socket, file FD, head []byte, offset int64, n int) (int, error) {
	for {
		sent, err := unix.Sendfile(int(socket), int(file), &offset, n)
		switch {
		case sent > 0 || err == nil:
			return sent, nil
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return 0, WouldBlock
		case err == unix.EINVAL || err == unix.ENOTSUP || err == unix.EOPNOTSUPP:
			return 0, errors.ErrUnsupported
		default:
			return 0, err
		}
	}
}

// O_NONBLOCK is a flag for os.OpenFile: it does not wait for the other end of a
// FIFO.
const O_NONBLOCK = unix.O_NONBLOCK

// ReadCached answers errors.ErrUnsupported: Darwin does not tell what would be
// read from a disk.
func ReadCached(file FD, b []byte, offset int64) (int, error) { return 0, errors.ErrUnsupported }

// Cached answers errors.ErrUnsupported; see ReadCached.
func Cached(file FD, offset, n int64) (bool, error) { return false, errors.ErrUnsupported }

// Splice answers errors.ErrUnsupported: Darwin has no such call.
func Splice(from, to FD, n int) (int, error) { return 0, errors.ErrUnsupported }
