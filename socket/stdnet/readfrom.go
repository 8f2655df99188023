package stdnet

import (
	"io"
	"os"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sendfile"
)

var _ io.ReaderFrom = (*TaskConn)(nil)

// ReadFrom sends what r has, up to its end. A regular file, or an
// io.LimitedReader of one, is sent by package sendfile from its present
// position, which moves on; so io.CopyN of a file is sent so, while io.Copy hides
// which file it is. Everything else is read in the task, and must not block. It
// returns how much went. It suspends the task, and is a checkpoint.
func (c *TaskConn) ReadFrom(r io.Reader) (n int64, err error) {
	if c.closed {
		return 0, c.failed("send", loop.ErrClosed)
	}
	limited, _ := r.(*io.LimitedReader)
	source := r
	if limited != nil {
		source = limited.R
	}
	f, ok := source.(*os.File)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	at, left, ok := fileRange(f)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	if limited != nil {
		left = max(0, min(left, limited.N))
	}
	err = c.write.limit(c.t, func() (err error) {
		n, err = sendfile.Send(c.t, c.c, f, at, left)
		return err
	})
	if limited != nil {
		limited.N -= n
	}
	if _, moved := f.Seek(at+n, io.SeekStart); err == nil {
		err = moved
	}
	return n, c.failed("send", err)
}

// fileRange is what a regular file has from its present position on. One that says
// that it is empty is to be read: it may be of /proc.
func fileRange(f *os.File) (at, left int64, ok bool) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return 0, 0, false
	}
	at, err = f.Seek(0, io.SeekCurrent)
	return at, max(0, info.Size()-at), err == nil
}
