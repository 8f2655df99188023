package main

import (
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// The access log: a line for each request, in the Common Log Format,
//
//	192.0.2.1 - - [02/Jan/2026:15:04:05 +0000] "GET /hello HTTP/1.1" 200 13
//
// written when the answer has been decided. The last number is the length that
// the answer announces, "-" for none; a client that goes away gets less.
//
// Lines are gathered in memory and written by a goroutine of their own: standard
// output may be a pipe that nobody empties, and a loop can not wait for that.
// If the writer falls so far behind that the memory set aside for lines is full,
// lines are dropped, and their number is reported on standard error.

const (
	// logFlush is how many bytes are gathered before the writer is woken: large
	// writes cost little.
	logFlush = 32 << 10

	// logLimit bounds the lines in memory: some ten thousand.
	logLimit = 1 << 20

	// logDelay is how long a line waits for others at most.
	logDelay = time.Second

	// logField bounds what a stranger can put into a line.
	logField = 1 << 10
)

type accessLog struct {
	out, complaints io.Writer

	mu      sync.Mutex
	pending []byte
	lost    int

	wake  chan struct{}
	quit  chan struct{}
	ended chan struct{}
	err   error // of the last write; read after ended
}

func newAccessLog(out, complaints io.Writer) *accessLog {
	l := &accessLog{
		out: out, complaints: complaints,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
	}
	go l.serve()
	return l
}

// request notes an answered request; one that was not understood, or did not
// arrive whole, shows as "-".
func (l *accessLog) request(ctx *fasthttp.RequestCtx, understood bool) {
	var scratch [512]byte
	l.add(appendLogLine(scratch[:0], ctx, understood, time.Now()))
}

func (l *accessLog) add(line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending)+len(line) > logLimit {
		l.lost++
		return
	}
	before := len(l.pending)
	l.pending = append(l.pending, line...)
	if before < logFlush && len(l.pending) >= logFlush {
		select {
		case l.wake <- struct{}{}:
		default: // it has been woken already
		}
	}
}

func appendLogLine(b []byte, ctx *fasthttp.RequestCtx, understood bool, now time.Time) []byte {
	b = append(b, ctx.RemoteIP().String()...)
	b = append(b, " - - ["...)
	b = now.AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendRequestLine(b, ctx, understood)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(ctx.Response.StatusCode()), 10)
	b = append(b, ' ')
	if n := announced(ctx); n > 0 {
		b = strconv.AppendInt(b, int64(n), 10)
	} else {
		b = append(b, '-')
	}
	return append(b, '\n')
}

func appendRequestLine(b []byte, ctx *fasthttp.RequestCtx, understood bool) []byte {
	if !understood {
		return append(b, '-')
	}
	h := &ctx.Request.Header
	b = appendEscaped(b, h.Method())
	b = append(b, ' ')
	b = appendEscaped(b, h.RequestURI())
	b = append(b, ' ')
	return appendEscaped(b, h.Protocol())
}

// announced returns the length of the body that will be sent.
func announced(ctx *fasthttp.RequestCtx) int {
	switch {
	case ctx.IsHead():
		return 0
	case ctx.Response.IsBodyStream():
		return ctx.Response.Header.ContentLength()
	}
	return len(ctx.Response.Body())
}

// appendEscaped appends text from a stranger: no line of the log can be forged,
// and no terminal be driven, by what a request says.
func appendEscaped(b, text []byte) []byte {
	const hex = "0123456789abcdef"
	for _, c := range text[:min(len(text), logField)] {
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			b = append(b, c)
		} else {
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		}
	}
	return b
}

// serve is the goroutine that writes.
func (l *accessLog) serve() {
	defer close(l.ended)
	tick := time.NewTicker(logDelay)
	defer tick.Stop()
	var spare []byte
	for open := true; open; {
		select {
		case <-l.wake:
		case <-tick.C:
		case <-l.quit:
			open = false
		}
		spare = l.flush(spare)
	}
}

// flush writes what has been gathered, and returns the memory it lay in.
func (l *accessLog) flush(spare []byte) []byte {
	l.mu.Lock()
	text, lost := l.pending, l.lost
	l.pending, l.lost = spare[:0], 0
	l.mu.Unlock()
	if len(text) > 0 {
		if _, err := l.out.Write(text); err != nil && l.err == nil {
			l.err = fmt.Errorf("writing the access log: %w", err)
			fmt.Fprintln(l.complaints, "httpd:", l.err)
		}
	}
	if lost > 0 {
		fmt.Fprintf(l.complaints, "httpd: the access log lost %d lines: its reader is too slow\n", lost)
	}
	return text
}

// close writes what is left and returns the first error of the log.
func (l *accessLog) close() error {
	close(l.quit)
	<-l.ended
	return l.err
}
