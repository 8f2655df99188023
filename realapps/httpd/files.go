package main

// Files beneath -root, and no others.
//
// Facts, hence this code:
//
//   - A path is text from a stranger. fasthttp decodes it and takes "." and ".."
//     out, but a name may still hold a NUL, or what one system takes for a
//     separator and another does not. So the path has to be valid for io/fs, and
//     everything is opened through an os.Root, which resolves each element
//     beneath the directory and refuses a link that leads out of it.
//   - Names that begin with a dot are where passwords, keys and repositories
//     lie. They do not exist here. A link to such a file under another name is
//     served: somebody has made it.
//   - Windows reaches a file under several names: with a stream behind a colon,
//     with backslashes, with a short alias such as GIT~1, with dots or spaces at the
//     end of a name. These are refused there.
//   - Opening a FIFO waits for its writer, and opening a device may do
//     anything. So a file is looked at before it is opened, and again afterwards,
//     since it may have been another one by then.
//   - A file may change while it is sent. The length is that of the moment of
//     opening; a file that has become shorter ends the connection, so that nobody
//     takes a part for the whole.
//
// A file is sent in parts, so the memory for an answer is bounded, and other
// tasks get their turn between them. On lion what is not in the page cache is read
// by a worker, and holds up nobody else.

import (
	"errors"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/lion-go/lion/sys"
)

// indexPage is what stands for a directory.
const indexPage = "index.html"

// errNoFile says that there is nothing to serve under a name, for whatever
// reason: the answer does not tell which.
var errNoFile = errors.New("no such file")

// errDirectory says that a name is that of a directory.
var errDirectory = errors.New("is a directory")

// file answers a request for a file.
func (s *site) file(ctx *fasthttp.RequestCtx, urlPath string) {
	name, ok := fileName(urlPath)
	if s.root == nil || !ok {
		s.fail(ctx, fasthttp.StatusNotFound)
		return
	}
	f, info, err := s.open(name)
	switch {
	case err == nil:
		s.send(ctx, f, info)
	case errors.Is(err, errDirectory):
		s.redirect(ctx, urlPath)
	case errors.Is(err, errNoFile):
		s.fail(ctx, fasthttp.StatusNotFound)
	default: // descriptors or memory ran out, or the disk fails
		s.fail(ctx, fasthttp.StatusServiceUnavailable)
	}
}

// fileName turns the path of a URL, decoded, into a name beneath the root.
// It answers false for names that are never served.
func fileName(urlPath string) (name string, ok bool) {
	name = strings.TrimPrefix(urlPath, "/")
	if name == "" || strings.HasSuffix(name, "/") {
		name += indexPage
	}
	switch {
	case !fs.ValidPath(name), strings.ContainsRune(name, 0):
		return "", false
	case strings.HasPrefix(name, "."), strings.Contains(name, "/."):
		return "", false
	case os.PathSeparator != '/' && aliased(name):
		return "", false
	}
	return name, true
}

// aliased reports whether Windows could take a name for another one.
func aliased(name string) bool {
	if strings.ContainsAny(name, `\:~`) {
		return true
	}
	for element := range strings.SplitSeq(name, "/") {
		if strings.HasSuffix(element, ".") || strings.HasSuffix(element, " ") {
			return true
		}
	}
	return false
}

// open opens a regular file.
func (s *site) open(name string) (*os.File, fs.FileInfo, error) {
	before, err := s.root.Stat(name)
	if err != nil {
		return nil, nil, cause(err)
	}
	if before.IsDir() {
		return nil, nil, errDirectory
	}
	if !before.Mode().IsRegular() {
		return nil, nil, errNoFile
	}
	f, err := s.root.OpenFile(name, os.O_RDONLY|sys.O_NONBLOCK, 0) // four calls fewer
	if err != nil {
		return nil, nil, cause(err)
	}
	info, err := f.Stat()
	if err == nil && !(info.Mode().IsRegular() && os.SameFile(before, info)) {
		err = errNoFile
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// cause parts what a stranger asked for in vain from what is wrong with the
// server: of the latter, only running out and input or output errors are left.
func cause(err error) error {
	if sys.Exhausted(err) {
		return err
	}
	return errNoFile
}

// redirect sends the client of a directory to its index, if there is one: to a
// path on this server, whatever the request looked like.
func (s *site) redirect(ctx *fasthttp.RequestCtx, urlPath string) {
	name, ok := fileName(urlPath + "/")
	if ok {
		info, err := s.root.Stat(name)
		ok = err == nil && info.Mode().IsRegular()
	}
	if !ok {
		s.fail(ctx, fasthttp.StatusNotFound)
		return
	}
	target := url.URL{Path: path.Clean(urlPath) + "/"}
	if query := ctx.URI().QueryString(); len(query) > 0 {
		target.RawQuery = string(query)
	}
	s.fail(ctx, fasthttp.StatusMovedPermanently)
	ctx.Response.Header.Set(fasthttp.HeaderLocation, target.String())
}

// send answers with a file, a part of it, or the news that it has not changed.
// It owns f.
func (s *site) send(ctx *fasthttp.RequestCtx, f *os.File, info fs.FileInfo) {
	h := &ctx.Response.Header
	modified := string(fasthttp.AppendHTTPDate(nil, info.ModTime()))
	h.Set(fasthttp.HeaderLastModified, modified)
	h.Set(fasthttp.HeaderAcceptRanges, "bytes")
	h.Set(fasthttp.HeaderXContentTypeOptions, "nosniff")
	ctx.SetContentType(contentType(info.Name()))

	part := span{length: info.Size()}
	if ctx.IsGet() {
		part = requestedSpan(ctx, modified, info.Size())
	}
	status := precondition(ctx, info.ModTime())
	switch {
	case status == fasthttp.StatusNotModified:
		f.Close()
		ctx.NotModified()
		h.Set(fasthttp.HeaderLastModified, modified)
		return
	case status != 0:
		f.Close()
		s.fail(ctx, status)
		return
	case part.unsatisfiable:
		f.Close()
		s.fail(ctx, fasthttp.StatusRequestedRangeNotSatisfiable)
		h.Set(fasthttp.HeaderContentRange, part.header(info.Size()))
		return
	case part.length > math.MaxInt: // on 32-bit systems
		f.Close()
		s.fail(ctx, fasthttp.StatusNotImplemented)
		return
	case part.partial:
		ctx.SetStatusCode(fasthttp.StatusPartialContent)
		h.Set(fasthttp.HeaderContentRange, part.header(info.Size()))
	}
	if ctx.IsHead() {
		f.Close()
		ctx.Response.SkipBody = true
		h.SetContentLength(int(part.length))
		return
	}
	ctx.SetBodyStream(s.newFileBody(ctx, f, part), int(part.length))
}
