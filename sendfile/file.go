package sendfile

import (
	"io"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sys"
)

// A File is a regular file that is open for sending: a descriptor and no more.
// For a server that opens a file for each answer it costs half of what an
// os.File does, which tells the runtime's poller and the garbage collector. It
// has to be closed. Any number of tasks, of any loops, can send from it at once.
type File struct {
	fd    sys.FD
	name  string
	state sys.FileState
	key   uint64 // identity

	// users are the calls under way on the descriptor, and closed once Close was
	// called: who brings them down to exactly closed closes it.
	users atomic.Int64
}

// closed is more than there ever are users.
const closed = 1 << 32

// Open opens a regular file. What is none is refused with errors.ErrUnsupported;
// the other end of a FIFO is never waited for. Like any other way to open a file it
// may wait for a disk. Errors are *fs.PathError. Sync-coloured.
func Open(name string) (*File, error) {
	fd, state, err := sys.OpenFile(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f := &File{fd: fd, name: name, state: state}
	f.key = f.identity()
	return f, nil
}

// Name returns the name with which it was opened.
func (f *File) Name() string { return f.name }

// Size returns its size when it was opened, in bytes.
func (f *File) Size() int64 { return f.state.Size }

// ModTime returns when it had been modified last when it was opened.
func (f *File) ModTime() time.Time { return time.Unix(0, f.state.Modified) }

// Send is the function Send for this file; a negative n is all up to the end that
// the file had when it was opened. It is a checkpoint.
func (f *File) Send(
	t *loop.Task, to stream.Sender, offset, n int64, opts ...Option,
) (sent int64, err error) {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return 0, err
	}
	x := takeTransfer(offset, n, opts)
	x.f, x.raw = f, f
	x.key, x.size = f.key, f.Size()
	switch {
	case f.users.Load() >= closed:
		err = f.failed("send", os.ErrClosed)
	case offset < 0:
		err = x.misplaced()
	default:
		if n < 0 {
			x.toTheEnd(f.Size())
		}
		err = x.run(t, to)
	}
	return x.end(), err
}

// Control calls fn with the descriptor, which stays open meanwhile. os.ErrClosed
// after Close. Sync-coloured.
func (f *File) Control(fn func(fd uintptr)) error {
	for {
		n := f.users.Load()
		if n >= closed {
			return f.failed("use", os.ErrClosed)
		}
		if f.users.CompareAndSwap(n, n+1) {
			break
		}
	}
	defer f.leave()
	fn(uintptr(f.fd))
	return nil
}

func (f *File) leave() {
	if f.users.Add(-1) == closed {
		_ = sys.CloseFile(f.fd) // Close has answered already
	}
}

// ReadAt reads into b what is at the offset, as io.ReaderAt has it. It may wait
// for a disk. Sync-coloured.
func (f *File) ReadAt(b []byte, offset int64) (n int, err error) {
	closedErr := f.Control(func(fd uintptr) {
		for n < len(b) && err == nil {
			var got int
			if got, err = sys.ReadAt(sys.FD(fd), b[n:], offset+int64(n)); got == 0 && err == nil {
				err = io.EOF
			}
			n += got
		}
	})
	if closedErr != nil {
		return 0, closedErr
	}
	if err != nil && err != io.EOF {
		err = f.failed("read", err)
	}
	return n, err
}

// Close closes the file; the descriptor goes when the last call on it that is
// under way has ended. A second Close is os.ErrClosed. Sync-coloured.
func (f *File) Close() error {
	for {
		n := f.users.Load()
		switch {
		case n >= closed:
			return f.failed("close", os.ErrClosed)
		case !f.users.CompareAndSwap(n, n+closed):
		case n > 0:
			return nil
		default:
			if err := sys.CloseFile(f.fd); err != nil {
				return f.failed("close", err)
			}
			return nil
		}
	}
}

func (f *File) failed(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.name, Err: err}
}
