package linux

import (
	"errors"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/seam"
)

// The kernel moves pages between a file or a pipe and a socket without a copy
// in user space. Facts, and hence this code:
//
//   - sendfile(2) takes the offset from its caller and leaves the position of
//     the file alone, so that many can send from one descriptor at once.
//   - It reads from the disk what is not in the page cache, and the thread
//     waits meanwhile. preadv2(2) with RWF_NOWAIT reads only what is there
//     (ReadCached), and cachestat(2), since Linux 6.5, counts it (Cached).
//   - splice(2) needs a pipe on one side. EAGAIN may be about either side, so
//     callers must know how full the pipe is.
//   - Those that move bytes are ordinary system calls, not raw ones: they may
//     take long, and the scheduler should be able to go on without the thread.
//     But a call that finds the scheduler's monitor asleep wakes it, which adds a
//     fifth to the price of 64 KiB; so for little that is known to be in the page
//     cache there is SendfileNowait.

// Sendfile sends head, and then up to n bytes of the file, from the offset on,
// over a stream socket; see sendfile(2) and MSG_MORE in send(2). It returns how
// many bytes of both went. If there is no head zero bytes are the end of the file.
// errors.ErrUnsupported if this file cannot be sent so. n must not be 0.
func Sendfile(socket, file FD, head []byte, offset int64, n int) (int, error) {
	return sendfile(socket, file, head, offset, n, false)
}

// SendfileNowait is Sendfile for a part that Cached has just seen in the page
// cache. It never suspends: no disk is waited for, and the scheduler need not hear
// of a call that takes some microseconds.
func SendfileNowait(socket, file FD, head []byte, offset int64, n int) (int, error) {
	return sendfile(socket, file, head, offset, n, n <= maxRaw)
}

func sendfile(socket, file FD, head []byte, offset int64, n int, raw bool) (int, error) {
	before := 0
	if len(head) > 0 {
		sent, err := Send(socket, head, MSG_MORE)
		if err != nil || sent < len(head) {
			return sent, err
		}
		before = sent
	}
	sent, err := sendfileOnce(socket, file, &offset, n, raw)
	switch {
	case err == nil:
		return before + sent, nil
	case before > 0:
		return before, nil // the next call meets it again
	case err == unix.EAGAIN:
		return 0, WouldBlock
	case err == unix.EINVAL, err == unix.ENOSYS, err == unix.EOPNOTSUPP:
		return 0, errors.ErrUnsupported
	}
	return 0, err
}

func sendfileOnce(socket, file FD, offset *int64, n int, raw bool) (int, error) {
	if !raw || longBits == 32 { // there the call for 64-bit offsets has another number
		return seam.AgainFor(func() (int, error) {
			return unix.Sendfile(int(socket), int(file), offset, n)
		})
	}
	for {
		//lion:opt rawsyscall
		sent, _, e := syscall.RawSyscall6(unix.SYS_SENDFILE, uintptr(socket), uintptr(file),
			uintptr(unsafe.Pointer(offset)), uintptr(n), 0, 0)
		switch e {
		case 0:
			return int(sent), nil
		case unix.EINTR:
		default:
			return 0, e
		}
	}
}

// O_NONBLOCK is a flag for os.OpenFile: it does not wait for the other end of a
// FIFO, nor does package os ask fcntl(2) four times about a regular file.
const O_NONBLOCK = unix.O_NONBLOCK

// ReadCached reads into b what the page cache has of the file from the offset
// on, without waiting for a disk: WouldBlock if it has nothing, and maybe less
// than b before a part that it lacks. Zero bytes are the end of the file.
// errors.ErrUnsupported if the file system does not tell; ESPIPE for what has no
// offsets.
func ReadCached(file FD, b []byte, offset int64) (int, error) {
	iov := unix.Iovec{Base: unsafe.SliceData(b)}
	iov.SetLen(len(b))
	high := uintptr(uint64(offset) >> (longBits - 1) >> 1) // none where a long holds it all
	for {
		//lion:opt rawsyscall
		n, _, e := syscall.RawSyscall6(unix.SYS_PREADV2, uintptr(file), uintptr(unsafe.Pointer(&iov)), 1,
			uintptr(offset), high, unix.RWF_NOWAIT)
		switch e {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, WouldBlock
		case unix.EOPNOTSUPP, unix.ENOSYS, unix.EINVAL:
			return 0, errors.ErrUnsupported
		default:
			return 0, e
		}
	}
}

// probeStep is how far apart the bytes are that Cached reads where cachestat(2)
// does not tell: what a disk is asked for at once is rarely less.
const probeStep = 32 << 10

// Cached reports whether n bytes of the file, from the offset on, can be read
// without waiting for a disk. cachestat(2) knows of every page whether it is
// there, but tells only those who own the file or may write it, and counts pages
// that are still being read. So the last byte is read as well, since a read-ahead
// fills pages in order; and where cachestat does not tell, one byte of every
// 32 KiB. Of bytes behind the end it does not know. errors.ErrUnsupported if the
// file system does not tell; ESPIPE for what has no offsets.
func Cached(file FD, offset, n int64) (bool, error) {
	if n <= 0 {
		return true, nil
	}
	if cached, err := probe(file, offset+n-1); !cached || err != nil {
		return false, err
	}
	first, last := offset&^(pageSize-1), offset+n-1
	if last-first < pageSize {
		return true, nil
	}
	if n, err := countCached(file, first, last-first+1); err == nil {
		return n > last/pageSize-first/pageSize, nil
	}
	return probeAll(file, offset, last)
}

// countCached is how many pages of a part of the file the page cache has.
func countCached(file FD, offset, n int64) (int64, error) {
	part := unix.CachestatRange{Off: uint64(offset), Len: uint64(n)}
	var found unix.Cachestat_t
	for {
		//lion:opt rawsyscall
		_, _, e := syscall.RawSyscall6(unix.SYS_CACHESTAT, uintptr(file),
			uintptr(unsafe.Pointer(&part)), uintptr(unsafe.Pointer(&found)), 0, 0, 0)
		switch e {
		case 0:
			return int64(found.Cache), nil
		case unix.EINTR:
		default:
			return 0, e
		}
	}
}

// probeAll is what Cached does where cachestat does not tell.
func probeAll(file FD, first, last int64) (bool, error) {
	for at := first; at < last; at += probeStep {
		if cached, err := probe(file, at); !cached || err != nil {
			return false, err
		}
	}
	return true, nil
}

// pageSize is what cachestat counts in.
var pageSize = int64(unix.Getpagesize())

// probe reports whether a byte of the file is in the page cache.
func probe(file FD, offset int64) (bool, error) {
	var b [1]byte
	_, err := ReadCached(file, b[:], offset)
	if err == WouldBlock {
		return false, nil
	}
	return err == nil, err
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
		return unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_LARGEFILE, 0)
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

// GrowPipe makes room for size bytes in a pipe, F_SETPIPE_SZ in fcntl(2), and
// returns how many fit: fewer if the system grants its user no more.
func GrowPipe(pipe FD, size int) int {
	n, err := seam.AgainFor(func() (int, error) {
		return unix.FcntlInt(uintptr(pipe), unix.F_SETPIPE_SZ, size)
	})
	if err != nil {
		return pipeRoom
	}
	return n
}

// pipeRoom is what a pipe has as a rule, pipe(7).
const pipeRoom = 64 << 10
