package main

import (
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// Conditional requests and ranges, RFC 9110 sections 13 and 14. The validator is
// the time of modification; there are no entity tags.

// precondition evaluates what a request demands of the present state of a file, in
// the order of RFC 9110 section 13.2.2. It returns 0 if the file is to be sent, and
// else the status that takes its place. A date that is none counts as absent; a tag
// is that of no file, since there are none.
func precondition(ctx *fasthttp.RequestCtx, modified time.Time) int {
	h := &ctx.Request.Header
	match, noneMatch := h.Peek(fasthttp.HeaderIfMatch), h.Peek(fasthttp.HeaderIfNoneMatch)
	switch {
	case len(match) > 0:
		if string(match) != anyState {
			return fasthttp.StatusPreconditionFailed
		}
	case changed(modified, h.Peek(fasthttp.HeaderIfUnmodifiedSince)) == yes:
		return fasthttp.StatusPreconditionFailed
	}
	switch {
	case len(noneMatch) > 0:
		if string(noneMatch) == anyState {
			return fasthttp.StatusNotModified
		}
	case changed(modified, h.Peek(fasthttp.HeaderIfModifiedSince)) == no:
		return fasthttp.StatusNotModified
	}
	return 0
}

// anyState stands for every tag, also for those that nobody has given.
const anyState = "*"

// answer is that to a question which may make no sense.
type answer int

const (
	senseless answer = iota
	yes
	no
)

// changed reports whether a file was modified after the time that a header names.
func changed(modified time.Time, header []byte) answer {
	when, err := fasthttp.ParseHTTPDate(header)
	switch {
	case err != nil:
		return senseless
	case modified.Truncate(time.Second).After(when):
		return yes
	}
	return no
}

// A span is the part of a file that a response holds.
type span struct {
	start, length int64
	partial       bool // not simply all of it
	unsatisfiable bool // the request asks for what lies behind the end
}

// header returns the Content-Range of the span of a file of that size.
func (s span) header(size int64) string {
	if s.unsatisfiable {
		return fmt.Sprintf("bytes */%d", size)
	}
	return fmt.Sprintf("bytes %d-%d/%d", s.start, s.start+s.length-1, size)
}

// requestedSpan returns what a request asks for of a file of that size. A range
// that is not understood, several ranges, and a range of an older state of the
// file ask for all of it, as the RFC permits.
func requestedSpan(ctx *fasthttp.RequestCtx, modified string, size int64) span {
	h := &ctx.Request.Header
	whole := span{length: size}
	text := h.Peek(fasthttp.HeaderRange)
	if len(text) == 0 {
		return whole
	}
	if state := h.Peek(fasthttp.HeaderIfRange); len(state) > 0 && string(state) != modified {
		return whole
	}
	part, ok := parseRange(string(text), size)
	if !ok {
		return whole
	}
	return part
}

// parseRange reads a header such as "bytes=0-99", "bytes=100-" or "bytes=-100".
func parseRange(text string, size int64) (part span, ok bool) {
	text, ok = strings.CutPrefix(text, "bytes=")
	first, last, dash := strings.Cut(text, "-")
	if !ok || !dash {
		return part, false
	}
	if first == "" {
		n, ok := parseOffset(last)
		n = min(n, size)
		return span{start: size - n, length: n, partial: true, unsatisfiable: n == 0}, ok
	}
	from, ok := parseOffset(first)
	if !ok {
		return part, false
	}
	to := size - 1
	if last != "" {
		end, ok := parseOffset(last)
		if !ok || end < from {
			return part, false
		}
		to = min(to, end)
	}
	return span{start: from, length: to - from + 1, partial: true, unsatisfiable: from >= size}, true
}

// parseOffset reads a number without a sign.
func parseOffset(text string) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil
}

// contentTypes is a table of our own: that of the system differs from machine
// to machine, and what a browser runs must not.
var contentTypes = map[string]string{
	".avif": "image/avif", ".bmp": "image/bmp", ".bz2": "application/x-bzip2",
	".css": "text/css; charset=utf-8", ".csv": "text/csv; charset=utf-8",
	".gif": "image/gif", ".gz": "application/gzip",
	".htm": "text/html; charset=utf-8", ".html": "text/html; charset=utf-8",
	".ico": "image/x-icon", ".jpeg": "image/jpeg", ".jpg": "image/jpeg",
	".js": "text/javascript; charset=utf-8", ".json": "application/json",
	".md": "text/markdown; charset=utf-8", ".mjs": "text/javascript; charset=utf-8",
	".mp3": "audio/mpeg", ".mp4": "video/mp4", ".oga": "audio/ogg", ".ogg": "audio/ogg",
	".ogv": "video/ogg", ".otf": "font/otf", ".pdf": "application/pdf", ".png": "image/png",
	".svg": "image/svg+xml", ".tar": "application/x-tar", ".tif": "image/tiff",
	".tiff": "image/tiff", ".ttf": "font/ttf", ".txt": textPlain, ".wasm": "application/wasm",
	".wav": "audio/wav", ".webm": "video/webm", ".webmanifest": "application/manifest+json",
	".webp": "image/webp", ".woff": "font/woff", ".woff2": "font/woff2",
	".xml": "application/xml", ".zip": "application/zip", ".zst": "application/zstd",
}

// contentType returns the type of a file by its name.
func contentType(name string) string {
	if t, ok := contentTypes[strings.ToLower(path.Ext(name))]; ok {
		return t
	}
	return "application/octet-stream"
}
