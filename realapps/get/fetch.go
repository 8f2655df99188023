package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket/stdnet"
)

// fetch is one run: a document, and the redirects on the way to it.
type fetch struct {
	*config
	stdout, stderr io.Writer
	said           printable // standard error, for all but the progress bar
}

// maxHeader bounds the header of an answer: a server that never ends its header would
// otherwise fill the memory.
const maxHeader = 1 << 20

// maxWords bounds what a server may say about an error.
const maxWords = 64 << 10

// userAgent names this program to servers.
const userAgent = "lion-get/1"

// run fetches the document within the time that there is.
func (f *fetch) run(t *loop.Task) error {
	if f.timeout == 0 {
		return f.follow(t)
	}
	err := loop.FailAfter(t, f.timeout, func(*loop.Scope) error { return f.follow(t) })
	if err == loop.ErrTimeout {
		return fmt.Errorf("the document has not come within -timeout %v: %w", f.timeout, err)
	}
	return err
}

// follow goes from redirect to redirect until there is a document.
func (f *fetch) follow(t *loop.Task) error {
	at := f.url
	for hops := 0; ; hops++ {
		next, err := f.visit(t, at)
		if err != nil || next == nil {
			return err
		}
		switch {
		case hops >= f.redirects:
			return fmt.Errorf("%s redirects to %s, but there were %d redirects before: see -redirects",
				at, next, hops)
		case at.Scheme == "https" && next.Scheme == "http":
			return fmt.Errorf("%s redirects to %s, which is not protected", at, next)
		}
		at = next
	}
}

// visit asks one server. It returns where it redirects to, or nil after the document has been
// written.
func (f *fetch) visit(t *loop.Task, at *url.URL) (next *url.URL, err error) {
	s, err := f.connect(t, at)
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }() // all that was wanted has come, or nothing will
	conn := stdnet.Bind(t, s)
	response, err := f.ask(conn, at)
	if err != nil {
		return nil, err
	}
	// The body is not closed: that would read it to its end. The connection is.
	switch code := response.StatusCode; {
	case code == http.StatusMovedPermanently, code == http.StatusFound, code == http.StatusSeeOther,
		code == http.StatusTemporaryRedirect, code == http.StatusPermanentRedirect:
		next, err := response.Location()
		if err != nil {
			return nil, fmt.Errorf("the server answered %s to nowhere: %w", escape(response.Status, ""), err)
		}
		return next, checkURL(next)
	case code >= 400:
		// The words of the server are for a person, and never for the file.
		words, err := io.ReadAll(io.LimitReader(response.Body, maxWords))
		words = bytes.ReplaceAll(words, []byte("\r\n"), []byte("\n"))
		if _, failed := f.said.Write(words); failed != nil {
			err = errors.Join(err, &outputError{failed})
		}
		return nil, errors.Join(&statusError{response.Status}, err)
	}
	return nil, f.save(t, response)
}

// ask sends the request and reads the header of the answer.
func (f *fetch) ask(conn *stdnet.TaskConn, at *url.URL) (*http.Response, error) {
	request, err := http.NewRequest(http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", userAgent)
	request.Close = true
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	limited := &patient{conn: conn, stall: f.stall, left: maxHeader}
	reader := bufio.NewReader(limited)
	for {
		response, err := http.ReadResponse(reader, request)
		if err != nil {
			return nil, fmt.Errorf("reading the answer of %s: %w", at.Host, err)
		}
		switch {
		case response.StatusCode == http.StatusSwitchingProtocols:
			return nil, fmt.Errorf("the server answered %s, but nobody asked for another protocol",
				escape(response.Status, ""))
		case response.StatusCode >= 200:
			limited.left = -1
			return response, nil
		}
	}
}

// patient reads from a connection that has to send something now and then. left is how much it
// may send; -1: without end.
type patient struct {
	conn  *stdnet.TaskConn
	stall time.Duration
	left  int
}

func (p *patient) Read(b []byte) (int, error) {
	if p.left == 0 {
		return 0, fmt.Errorf("the header is longer than %d bytes", maxHeader)
	}
	if p.left > 0 && len(b) > p.left {
		b = b[:p.left]
	}
	if err := p.conn.SetReadDeadline(p.conn.Task().Now().Add(p.stall)); err != nil {
		return 0, err
	}
	n, err := p.conn.Read(b)
	if p.left > 0 {
		p.left -= n
	}
	return n, err
}

// save writes the document.
func (f *fetch) save(t *loop.Task, response *http.Response) error {
	var body io.Reader = response.Body
	if f.maxBytes > 0 {
		if response.ContentLength > f.maxBytes {
			return fmt.Errorf("the document has %d bytes; -max-bytes allows %d",
				response.ContentLength, f.maxBytes)
		}
		body = &bounded{from: body, left: f.maxBytes}
	}
	if f.output == "" {
		return transfer(f.stdout, body, nil)
	}
	file, err := createFile(f.output)
	if err != nil {
		return &outputError{err}
	}
	bar := &progress{total: response.ContentLength, name: f.output}
	err = f.underBar(t, bar, func() error { return transfer(file, body, bar) })
	return file.finish(err)
}

// bounded refuses a document that is too long, rather than cut it.
type bounded struct {
	from io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.from.Read(p)
	if b.left -= int64(n); b.left < 0 {
		return 0, errors.New("the document is longer than -max-bytes allows")
	}
	return n, err
}

// copyBuffer is how much is copied at once.
const copyBuffer = 64 << 10

// transfer copies the document. Writing may hold up the loop; nothing else runs on it but the
// bar.
func transfer(to io.Writer, from io.Reader, bar *progress) error {
	buf := make([]byte, copyBuffer)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return &outputError{err}
			}
			bar.add(n)
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}
