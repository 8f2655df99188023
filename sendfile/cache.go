package sendfile

import (
	"errors"
	"io"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/worker"
	"github.com/lion-go/lion/sys"
)

// The kernel reads from the disk what is not in the page cache, while the thread
// waits, and with it every task of the loop. So the cache is looked at before
// each part, at the moment when it is sent: since the last one the connection may
// have kept it waiting for long. What is not there is read by a worker first. A
// small file is read in the same moment, as far as it is there. The cache may
// still lose a part between the look and the call, or have a page that is only on
// its way: then the loop waits for one read of the disk. That goes as well for a
// file that was seen there in the last ten milliseconds; see seen.go.

// errCold is what sendPart answers for a part that is not in the page cache.
var errCold = errors.New("not in the page cache")

// look looks for the next part in the page cache, and keeps a small file. False:
// the system does not tell, the file has no offsets, or it is small and not there.
func (x *transfer) look() bool {
	if x.isSmall() {
		return x.gather(x.readCached)
	}
	return x.raw.Control(x.onLook) == nil && !x.blind
}

func (x *transfer) lookNow(file uintptr) {
	if x.fresh || x.blind {
		return
	}
	if x.left <= x.size-x.offset && x.remembered() {
		x.fresh = true
		return
	}
	cached, err := sys.Cached(sys.FD(file), x.offset, min(x.left, chunk))
	x.fresh, x.blind = cached && err == nil, err != nil
	if x.fresh && x.offset == 0 && x.left == x.size {
		x.remember()
	}
}

// readCached reads what the page cache has: sys.WouldBlock if that is nothing.
func (x *transfer) readCached(b []byte, offset int64) (int, error) {
	if x.blind || len(b) == 0 {
		return 0, nil
	}
	x.room, x.from = b, offset
	if err := x.raw.Control(x.onRead); err != nil {
		return 0, err
	}
	if x.err != nil && x.err != sys.WouldBlock {
		x.blind = true
	}
	return x.n, x.err
}

func (x *transfer) readNow(file uintptr) {
	x.n, x.err = sys.ReadCached(sys.FD(file), x.room, x.from)
}

// isSmall reports whether all that is to be sent may go by one call.
func (x *transfer) isSmall() bool {
	return x.left <= small && len(x.header)+len(x.trailer) <= piece-small
}

// gather reads a small file, and puts around it what goes before and after. It
// answers false, and has done nothing, if not all of it can be read so.
func (x *transfer) gather(read func(b []byte, offset int64) (int, error)) bool {
	if x.buf == nil {
		x.buf = lend()
	}
	room := (*x.buf)[copy(*x.buf, x.header):][:x.left]
	if n, _ := read(room, x.offset); n < len(room) {
		return false
	}
	end := len(x.header) + len(room)
	x.body = (*x.buf)[:end+copy((*x.buf)[end:], x.trailer)]
	return true
}

// warm has the next part read into the page cache by a worker.
func (x *transfer) warm(t *loop.Task) error {
	f, from, n := x.f, x.offset, min(x.left, chunk)
	err := worker.Run(t, func(*worker.Job) error {
		buf := lend()
		defer giveBack(buf)
		for at := from; at < from+n; at += piece {
			if _, err := f.ReadAt((*buf)[:min(piece, from+n-at)], at); err != nil {
				return nil // sending meets it again
			}
		}
		return nil
	})
	x.fresh = err == nil
	return err
}

// read reads on for a copy: what is in the page cache at once, the rest by a
// worker.
func (x *transfer) read(t *loop.Task, b []byte) (int, error) {
	n, err := x.readCached(b, x.offset)
	switch {
	case err == sys.WouldBlock:
		f, from := x.f, x.offset
		return worker.Value(t, func(*worker.Job) (int, error) { return f.ReadAt(b, from) })
	case x.blind:
		return x.f.ReadAt(b, x.offset)
	case err == nil && n == 0:
		err = io.EOF
	}
	return n, err
}
