package main

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"github.com/valyala/fasthttp"
)

// chunkSize is how much of a file is read at a time: reading it from the page
// cache takes some 10 microseconds, far less than a turn of a task, and it fills
// the send buffer of a socket with few calls.
const chunkSize = 64 << 10

// chunks lends the buffers: one for each file that is being sent.
var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// fileBody is a part of a file as the body of a response. fasthttp calls
// WriteTo, or Read where it has to, and then Close.
type fileBody struct {
	site *site
	conn net.Conn
	file *os.File
	at   int64
	left int64
}

func (s *site) newFileBody(ctx *fasthttp.RequestCtx, f *os.File, part span) *fileBody {
	return &fileBody{site: s, conn: ctx.Conn(), file: f, at: part.start, left: part.length}
}

// WriteTo writes what is left. Each chunk gets the write time anew: a large file
// may take long, a client that does not read may not.
func (b *fileBody) WriteTo(w io.Writer) (written int64, err error) {
	buf := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(buf)
	for b.left > 0 {
		n, err := b.Read(buf[:])
		if err != nil {
			return written, err
		}
		if err := b.conn.SetWriteDeadline(b.site.writeDeadline()); err != nil {
			return written, err
		}
		n, err = w.Write(buf[:n])
		written += int64(n)
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

// Read reads on. A file that has become shorter is io.ErrUnexpectedEOF.
func (b *fileBody) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	n, err := b.file.ReadAt(p[:min(int64(len(p)), b.left)], b.at)
	b.at += int64(n)
	b.left -= int64(n)
	switch {
	case n > 0:
		return n, nil // an error will come again
	case errors.Is(err, io.EOF):
		return 0, io.ErrUnexpectedEOF
	}
	return 0, err
}

// Close closes the file.
func (b *fileBody) Close() error { return b.file.Close() }
