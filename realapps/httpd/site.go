package main

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// A site answers requests. It knows nothing of the transport, and is shared by
// all loops: nothing in it changes but the flag that the server is stopping.
type site struct {
	root     *os.Root // nil: no files
	log      *accessLog
	config   *config
	stopping atomic.Bool
}

const (
	textPlain = "text/plain; charset=utf-8"
	greeting  = "Hello, World!"
	allowed   = "GET, HEAD"
)

func newSite(c *config) (*site, error) {
	s := &site{config: c}
	if c.root == "" {
		return s, nil
	}
	root, err := os.OpenRoot(c.root)
	if err != nil {
		return nil, fmt.Errorf("opening -root: %w", err)
	}
	s.root = root
	return s, nil
}

func (s *site) close() {
	if s.root != nil {
		s.root.Close()
	}
}

// server returns the fasthttp server of the site: the same for both transports.
//
// ReadTimeout runs from the first byte of a request to the end of its header;
// HeaderReceived replaces it where a body follows. So a client that sends a byte
// now and then gains nothing. On net it also runs from the start of a connection;
// on lion a connection on which nothing has come is idle, and costs as little.
func (s *site) server() *fasthttp.Server {
	c := s.config
	return &fasthttp.Server{
		Handler:        s.handle,
		ErrorHandler:   s.refuse,
		HeaderReceived: s.headerReceived,

		ReadTimeout:        c.headerTimeout,
		IdleTimeout:        c.idleTimeout,
		WriteTimeout:       c.writeTimeout,
		MaxRequestBodySize: c.bodyLimit,
		ReadBufferSize:     c.maxHeader,
		Concurrency:        c.maxConns,

		// A multipart body would be parsed before anybody asks for it, and
		// parts of it written to files.
		DisablePreParseMultipartForm: true,
		NoDefaultServerHeader:        true,

		// Nobody asks for the time of a request.
		LazyRequestTime: true,

		// What clients do wrong is in the access log, by its status. On standard
		// error it would be a way to fill a disk.
		Logger:                log.New(io.Discard, "", 0),
		SecureErrorLogMessage: true,
	}
}

// headerReceived gives a request with a body the time to send it.
func (s *site) headerReceived(h *fasthttp.RequestHeader) (r fasthttp.RequestConfig) {
	if n := h.ContentLength(); n > 0 || n == chunked {
		r.ReadTimeout = s.config.bodyTimeout
	}
	return r
}

// chunked is the content length that fasthttp reports for a chunked body.
const chunked = -1

// handle answers one request.
func (s *site) handle(ctx *fasthttp.RequestCtx) {
	s.route(ctx)
	if s.stopping.Load() {
		ctx.SetConnectionClose()
	}
	if s.log != nil {
		s.log.request(ctx, true)
	}
}

func (s *site) route(ctx *fasthttp.RequestCtx) {
	path := ctx.Path()
	switch {
	case !ctx.IsGet() && !ctx.IsHead():
		s.fail(ctx, fasthttp.StatusMethodNotAllowed)
		ctx.Response.Header.Set(fasthttp.HeaderAllow, allowed)
	case string(path) == "/hello":
		ctx.SetContentType(textPlain)
		ctx.SetBodyString(greeting)
	case s.config.debugFree && string(path) == "/debug/free":
		s.debugFree(ctx)
	default:
		s.file(ctx, string(path))
	}
}

// fail answers with a status and its name.
func (s *site) fail(ctx *fasthttp.RequestCtx, status int) {
	ctx.Error(fasthttp.StatusMessage(status)+"\n", status)
	ctx.SetContentType(textPlain)
}

// refuse answers what could not be read as a request. fasthttp closes the
// connection afterwards: where the next request begins is not known.
func (s *site) refuse(ctx *fasthttp.RequestCtx, err error) {
	var tooLong *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.As(err, &tooLong):
		s.fail(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge)
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		s.fail(ctx, fasthttp.StatusRequestEntityTooLarge)
	case errors.As(err, &timeout) && timeout.Timeout():
		s.fail(ctx, fasthttp.StatusRequestTimeout)
	default:
		s.fail(ctx, fasthttp.StatusBadRequest)
	}
	if s.log != nil {
		s.log.request(ctx, errors.Is(err, fasthttp.ErrBodyTooLarge))
	}
}

// stop makes every answer from now on the last of its connection.
func (s *site) stop() { s.stopping.Store(true) }

// writeDeadline is until when a client has to take what is written now.
func (s *site) writeDeadline() time.Time { return time.Now().Add(s.config.writeTimeout) }
