package main

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"

	"github.com/valyala/fasthttp"
)

// Whoever can has the kernel send a file (sendfile): lion at any size, with the
// header in the same packet, or in the same call if the file is small; net from
// chunkSize on, since it needs a call for the header then, and one to set the
// position. What is less is copied through a buffer.
const (
	// chunkSize is how much of a file is copied at a time: reading it from the page
	// cache takes some 10 microseconds, and it fills the send buffer of a socket with
	// few calls.
	chunkSize = 64 << 10

	// kernelChunk is how much net's sendfile gets at a time: it has to go within the
	// write time.
	kernelChunk = 1 << 20
)

// chunks lends the buffers: one for each file that is being copied.
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
	b := &fileBody{site: s, conn: ctx.Conn(), file: f, at: part.start, left: part.length}
	if v, ok := b.conn.(*visit); ok && b.left > 0 {
		ctx.Response.ImmediateHeaderFlush = true // to the visit, which keeps it for WriteTo
		v.hold()
	}
	return b
}

// WriteTo writes what is left. Each part gets the write time anew: a large file
// may take long, a client that does not read may not.
func (b *fileBody) WriteTo(w io.Writer) (int64, error) {
	if v, ok := b.conn.(*visit); ok && b.left > 0 {
		return v.sendFile(b.file, b.at, b.left, b.site.config.writeTimeout)
	}
	if to, ok := w.(io.ReaderFrom); ok && b.left >= chunkSize {
		return b.writeByKernel(to)
	}
	return b.copyTo(w)
}

// writeByKernel hands w the file itself, in parts: package net recognizes it.
func (b *fileBody) writeByKernel(w io.ReaderFrom) (written int64, err error) {
	if _, err := b.file.Seek(b.at, io.SeekStart); err != nil {
		return 0, err
	}
	for b.left > 0 {
		if err := b.conn.SetWriteDeadline(b.site.writeDeadline()); err != nil {
			return written, err
		}
		part := io.LimitedReader{R: b.file, N: min(b.left, kernelChunk)}
		n, err := w.ReadFrom(&part)
		written += n
		b.left -= n
		if err == nil && part.N > 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return written, err
		}
	}
	return written, nil
}

func (b *fileBody) copyTo(w io.Writer) (written int64, err error) {
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

// Close closes the file. A header that waited for it in vain goes now.
func (b *fileBody) Close() error {
	err := b.file.Close()
	if v, ok := b.conn.(*visit); ok {
		err = errors.Join(err, v.release())
	}
	return err
}
