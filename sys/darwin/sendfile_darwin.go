package darwin

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Darwin's sendfile(2) may answer EAGAIN or EINTR although it has sent some
// bytes; their number is what counts then. It could take headers and trailers
// along (struct sf_hdtr), but not over a nonblocking socket: XNU sends headers by
// writev(2), goes on with the file however little of them went (sendfile in
// bsd/kern/uipc_syscalls.c), and sends trailers also after a file that has become
// shorter, while the count does not tell which bytes it is about. So both are sent
// by calls of their own.

// Sendfile sends head, and then up to n bytes of the file, from the offset on,
// over a stream socket; see sendfile(2). It returns how many bytes of both went.
// If there is no head zero bytes are the end of the file. errors.ErrUnsupported if
// this file cannot be sent so. n must not be 0.
func Sendfile(socket, file FD, head []byte, offset int64, n int) (int, error) {
	if len(head) > 0 {
		sent, err := Send(socket, head, 0)
		if err != nil || sent < len(head) {
			return sent, err
		}
		more, err := Sendfile(socket, file, nil, offset, n)
		if err != nil {
			more = 0 // the next call meets it again
		}
		return sent + more, nil
	}
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

// SendfileNowait is Sendfile for a part that Cached has just seen in the page
// cache; it never suspends. Only Linux makes a difference.
func SendfileNowait(socket, file FD, head []byte, offset int64, n int) (int, error) {
	return Sendfile(socket, file, head, offset, n)
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

// FileState is what OpenFile tells of a file.
type FileState struct {
	Size     int64 // in bytes
	Modified int64 // in nanoseconds since 1970

	Volume, ID uint64 // no two files of a volume have the same ID
}

// OpenFile opens a regular file for reading, see open(2), and tells its state.
// What is no regular file is refused with errors.ErrUnsupported, and never waited
// for. Close it with CloseFile.
func OpenFile(name string) (FD, FileState, error) {
	fd, err := seam.AgainFor(func() (int, error) {
		return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	})
	if err != nil {
		return Invalid, FileState{}, err
	}
	var st unix.Stat_t
	err = seam.Again(func() error { return unix.Fstat(fd, &st) })
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.ErrUnsupported
	}
	if err != nil {
		_ = Close(FD(fd))
		return Invalid, FileState{}, err
	}
	return FD(fd), FileState{
		Size: st.Size, Modified: st.Mtim.Nano(), Volume: uint64(st.Dev), ID: st.Ino,
	}, nil
}

// ReadAt reads from the offset on, see pread(2), and may wait for a disk. Zero
// bytes are the end of the file.
func ReadAt(file FD, b []byte, offset int64) (int, error) {
	return seam.AgainFor(func() (int, error) { return unix.Pread(int(file), b, offset) })
}

// CloseFile closes what OpenFile has opened.
func CloseFile(file FD) error { return Close(file) }

// GrowPipe does nothing here, and answers 0: without Splice nobody needs room.
func GrowPipe(pipe FD, size int) int { return 0 }
