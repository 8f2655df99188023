package linux

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The kernel moves pages between a file or a pipe and a socket without a copy
// in user space. Facts, and hence this code:
//
//   - sendfile(2) takes the offset from its caller and leaves the position of
//     the file alone, so that many can send from one descriptor at once.
//   - It reads from the disk what is not in the page cache, and the thread
//     waits meanwhile. preadv2(2) with RWF_NOWAIT tells beforehand (Cached).
//   - splice(2) needs a pipe on one side. EAGAIN may be about either side, so
//     callers must know how full the pipe is.
//   - Those that move bytes are ordinary system calls, not raw ones: they may
//     take long, and the scheduler should be able to go on without the thread.

// Sendfile sends up to n bytes of the file, from the offset on, over a stream
// socket; see sendfile(2). Zero bytes are the end of the file.
// errors.ErrUnsupported if this file cannot be sent so.
func Sendfile(socket, file FD, offset int64, n int) (int, error) {
	for {
		sent, err := unix.Sendfile(int(socket), int(file), &offset, n)
		switch err {
		case nil:
			return sent, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, WouldBlock
		case unix.EINVAL, unix.ENOSYS, unix.EOPNOTSUPP:
			return 0, errors.ErrUnsupported
		default:
			return 0, err
		}
	}
}

// Cached reports whether the byte of the file at the offset can be read without
// waiting for a disk; so can the end of the file. errors.ErrUnsupported if the
// file system does not tell.
func Cached(file FD, offset int64) (bool, error) {
	var b [1]byte
	iov := unix.Iovec{Base: &b[0]}
	iov.SetLen(len(b))
	high := uintptr(uint64(offset) >> (longBits - 1) >> 1) // none where a long holds it all
	for {
		//lion:opt rawsyscall
		_, _, e := syscall.RawSyscall6(unix.SYS_PREADV2, uintptr(file), uintptr(unsafe.Pointer(&iov)), 1,
			uintptr(offset), high, unix.RWF_NOWAIT)
		switch e {
		case 0:
			return true, nil
		case unix.EINTR:
		case unix.EAGAIN:
			return false, nil
		case unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL:
			return false, errors.ErrUnsupported
		default:
			return false, e
		}
	}
}

// longBits is the size of a long of C, in which preadv2 takes half an offset.
const longBits = 32 << (^uintptr(0) >> 63)

// Splice moves up to n bytes from one descriptor to another, of which one is a
// pipe; see splice(2). It never waits. Zero bytes are the end of a stream.
func Splice(from, to FD, n int) (int, error) {
	for {
		moved, err := unix.Splice(int(from), nil, int(to), nil, n,
			unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		switch err {
		case nil:
			return int(moved), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, WouldBlock
		case unix.EINVAL, unix.ENOSYS:
			return 0, errors.ErrUnsupported
		default:
			return 0, err
		}
	}
}
