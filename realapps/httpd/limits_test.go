package main

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// drip sends text byte by byte, pausing as long as the server keeps silent,
// until the server answers or closes. It returns how long that took.
func drip(t *testing.T, c *client, text string, pause time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	for i := range len(text) {
		if _, err := c.Write([]byte{text[i]}); err != nil {
			return time.Since(begin)
		}
		if err := c.SetReadDeadline(begin.Add(time.Duration(i+1) * pause)); err != nil {
			t.Fatal(err)
		}
		_, err := c.r.Peek(1)
		var timeout net.Error
		if !errors.As(err, &timeout) || !timeout.Timeout() {
			c.limit(patience)
			return time.Since(begin)
		}
	}
	t.Fatalf("the server waited %v for %d bytes", time.Since(begin), len(text))
	return 0
}

// TestSlowHeader is the attack that holds connections with a byte now and then.
func TestSlowHeader(t *testing.T) {
	const limit = 300 * time.Millisecond
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-header-timeout", limit.String())
		for _, before := range []string{"", getHello} {
			c := p.dial()
			c.send(before)
			if before != "" {
				c.hello()
			}
			took := drip(t, c, "GET /hello HTTP/1.1\r\nHost: a\r\nX: "+strings.Repeat("x", 4000), limit/10)
			if took < limit*9/10 {
				t.Errorf("cut after %v", took)
			}
			if res, _ := c.answer(); res.StatusCode != http.StatusRequestTimeout || !res.Close {
				t.Error(res.Status, res.Header)
			}
		}
	})
}

// TestSlowBody: the body has a time of its own, however short that of the header.
func TestSlowBody(t *testing.T) {
	const limit = 900 * time.Millisecond
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-body-timeout", limit.String(), "-header-timeout", (limit / 3).String())
		c := p.dial()
		c.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n")
		if took := drip(t, c, strings.Repeat("x", 3999), limit/10); took < limit*9/10 {
			t.Errorf("cut after %v", took)
		}
		if res, _ := c.answer(); res.StatusCode != http.StatusRequestTimeout || !res.Close {
			t.Error(res.Status, res.Header)
		}
	})
}

// TestIdle connections end, whether they have been used or not.
func TestIdle(t *testing.T) {
	const limit = 200 * time.Millisecond
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-idle-timeout", limit.String(), "-header-timeout", limit.String())
		used, unused := p.dial(), p.dial()
		used.send(getHello)
		used.hello()
		begin := time.Now()
		if text := used.rest(); text != "" {
			t.Errorf("the end of an idle connection was %q", text)
		}
		if took := time.Since(begin); took < limit*3/4 {
			t.Errorf("an idle connection ended after %v", took)
		}
		// net answers what has not come; it makes no difference to anybody.
		if text := unused.rest(); text != "" && statusOf(text) != "408" {
			t.Errorf("the end of an unused connection was %q", text)
		}
	})
}

func TestHeaderLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-max-header", "1024")
		c := p.dial()
		c.send("GET /hello HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 900) + "\r\n\r\n")
		c.hello()
		c.send("GET /hello HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 1100) + "\r\n\r\n")
		if res, _ := c.answer(); res.StatusCode != http.StatusRequestHeaderFieldsTooLarge || !res.Close {
			t.Error(res.Status, res.Header)
		}
	})
}

// TestFullBuffer sends requests that end where the buffer ends, so that a short
// receive never tells that there is no more.
func TestFullBuffer(t *testing.T) {
	const size = 1024
	const begin, end = "GET /hello HTTP/1.1\r\nHost: a\r\nX: ", "\r\n\r\n"
	request := begin + strings.Repeat("x", size-len(begin)-len(end)) + end
	onBoth(t, func(t *testing.T, transport string) {
		c := start(t, transport, "-max-header", strconv.Itoa(size)).dial()
		for _, at := range []int{1, 3, 1, 2} {
			c.send(strings.Repeat(request, at))
			for range at {
				c.hello()
			}
		}
	})
}

func TestBodyLimit(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-body-limit", "1000")
		for _, c := range []struct {
			head, body string
			status     int
		}{
			{"Content-Length: 1000", strings.Repeat("x", 1000), 405},
			{"Content-Length: 1001", "", 413},
			{"Content-Length: 999999999999", "", 413},
			{"Transfer-Encoding: chunked", "3e8\r\n" + strings.Repeat("x", 1000) + "\r\n0\r\n\r\n", 405},
			{"Transfer-Encoding: chunked", "3e9\r\n", 413},
			{"Transfer-Encoding: chunked", "3e8\r\n" + strings.Repeat("x", 1000) + "\r\n1\r\n", 413},
		} {
			conn := p.dial()
			conn.send("POST / HTTP/1.1\r\nHost: a\r\n" + c.head + "\r\n\r\n" + c.body)
			if res, _ := conn.answer(); res.StatusCode != c.status {
				t.Errorf("%s: %s", c.head, res.Status)
			}
		}
	})
}

// TestSmuggling sends requests whose end two servers may see in different
// places. None may be followed by an answer to what it hides.
func TestSmuggling(t *testing.T) {
	const hidden = "GET /hello HTTP/1.1\r\nHost: hidden\r\n\r\n"
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport)
		for _, c := range []struct{ name, head string }{
			{"length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
			{"chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
			{"two lengths", "Content-Length: 0\r\nContent-Length: 5\r\n\r\n"},
			{"list of lengths", "Content-Length: 0, 5\r\n\r\n"},
			{"signed length", "Content-Length: +0\r\n\r\n"},
			{"negative length", "Content-Length: -1\r\n\r\n"},
			{"hexadecimal length", "Content-Length: 0x0\r\n\r\n"},
			{"huge length", "Content-Length: 18446744073709551616\r\n\r\n"},
			{"other encoding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"},
			{"two encodings", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
			{"space before colon", "Content-Length : 0\r\n\r\n"},
			{"bad chunk size", "Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n"},
			{"huge chunk size", "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n\r\n"},
			{"NUL in a header", "X: a\x00b\r\n\r\n"},
		} {
			conn := p.dial()
			conn.send("POST /hello HTTP/1.1\r\nHost: a\r\n" + c.head + hidden)
			if err := conn.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			text := conn.rest()
			if strings.Contains(text, greeting) || strings.Count(text, "HTTP/1.1 ") != 1 ||
				!strings.Contains(text, "Connection: close") {
				t.Errorf("%s: %q", c.name, text)
			}
		}
	})
}

// TestResets breaks connections at every point of a request and an answer. The
// server goes on, and keeps no descriptor.
func TestResets(t *testing.T) {
	root := tree(t, map[string]string{"large": strings.Repeat("x", 4<<20)})
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", root)
		before := p.baseline()
		for i := range len(getHello) {
			c := p.dial()
			c.send(getHello[:i])
			reset(t, c)
			c = p.dial()
			c.send(get("/large"))
			if i%2 == 0 {
				if _, err := io.CopyN(io.Discard, c.r, int64(1+i*1000)); err != nil {
					t.Fatal(err)
				}
			}
			reset(t, c)
		}
		p.settle(before)
	})
}

func reset(t *testing.T, c *client) {
	t.Helper()
	if err := c.SetLinger(0); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
}

// descriptors counts the descriptors of the server.
func (p *process) descriptors() int {
	p.t.Helper()
	list, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "fd"))
	if err != nil {
		p.t.Skipf("the system does not show the descriptors of a process: %v", err)
	}
	return len(list)
}

// baseline returns the descriptors of a server that is new: it has served one
// request, since the first lines that it prints come before all is open, and
// the connection of that request is left out.
func (p *process) baseline() int {
	p.t.Helper()
	c := p.dial()
	defer c.Close()
	c.send(getHello)
	c.hello()
	return p.descriptors() - 1
}

// settle serves requests until the server has no more descriptors than before,
// and the one for the connection that asks.
func (p *process) settle(before int) {
	p.t.Helper()
	c := p.dial()
	var now int
	for begin := time.Now(); time.Since(begin) < patience; {
		c.send(getHello)
		c.hello()
		if now = p.descriptors(); now <= before+1 {
			break
		}
	}
	if now > before+1 {
		p.t.Errorf("%d descriptors became %d", before, now)
	}
	c.Close()
}

// resident returns the resident size of the server in bytes.
func (p *process) resident() int64 {
	p.t.Helper()
	c := p.dial()
	defer c.Close()
	c.send(get("/debug/free"))
	res, body := c.answer()
	n, err := strconv.ParseInt(body, 10, 64)
	if res.StatusCode == http.StatusNotImplemented {
		p.t.Skipf("the system does not tell the resident size: %s", body)
	}
	if err != nil {
		p.t.Fatalf("%s %q", res.Status, body)
	}
	return n
}

// TestClientsThatNeverRead ask for much and take nothing. The memory stays
// bounded, others are served, and in the end they are cut.
func TestClientsThatNeverRead(t *testing.T) {
	root := t.TempDir()
	f, err := os.Create(filepath.Join(root, "huge"))
	if err == nil {
		err = errors.Join(f.Truncate(1<<30), f.Close()) // sparse
	}
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", root, "-debug-free", "-write-timeout", "400ms")
		descriptors := p.baseline()
		before := p.resident()
		const clients = 20
		var idlers []*client
		var pours []func() error
		for i := range clients {
			c := p.dial()
			if i%2 == 0 {
				c.send(get("/huge"))
			} else {
				// Pipelined requests, until the server takes no more.
				pour := pipeline(c)
				pours = append(pours, pour)
				c.limit(100 * time.Millisecond)
				_ = pour()
				c.limit(patience)
			}
			idlers = append(idlers, c)
		}
		const each = 512 << 10 // a chunk, buffers, a stack
		if grown := p.resident() - before; grown > clients*each {
			t.Errorf("%d clients that do not read made the server grow by %d KiB", clients, grown>>10)
		}
		// Now they are cut: those whose buffers were not full when the time
		// was up go on until they are.
		for i, pour := range pours {
			if err := pour(); errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("client %d was not cut: %v", 2*i+1, err)
			}
		}
		p.settle(descriptors)
		for i, c := range idlers {
			n, err := io.Copy(io.Discard, c.TCPConn)
			if n >= 1<<30 {
				t.Errorf("client %d got all %d bytes (%v)", i, n, err)
			}
		}
	})
}

// pipeline returns a function that sends requests until that fails; another
// call goes on where the last one stopped.
func pipeline(c *client) func() error {
	text := []byte(strings.Repeat(getHello, 1000))
	rest := text
	return func() error {
		for {
			n, err := c.TCPConn.Write(rest)
			if rest = rest[n:]; len(rest) == 0 {
				rest = text
			}
			if err != nil {
				return err
			}
		}
	}
}

// TestSlowReader takes longer than the write time for a whole file, but reads
// on all the time: it gets everything.
func TestSlowReader(t *testing.T) {
	const limit = 500 * time.Millisecond
	const size = 40 << 20
	root := tree(t, map[string]string{"f": strings.Repeat("x", size)})
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", root, "-write-timeout", limit.String())
		c := p.dial()
		if err := c.SetReadBuffer(64 << 10); err != nil {
			t.Fatal(err)
		}
		c.send(get("/f"))
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		tick := time.NewTicker(limit / 20)
		defer tick.Stop()
		n := int64(0)
		for begin := time.Now(); time.Since(begin) < 2*limit && n < size/2; {
			<-tick.C
			part, err := io.CopyN(io.Discard, res.Body, 256<<10)
			n += part
			if err != nil {
				t.Fatalf("cut after %d bytes and %v: %v", n, time.Since(begin), err)
			}
		}
		part, err := io.Copy(io.Discard, res.Body)
		if n += part; n != size || err != nil {
			t.Errorf("%d of %d bytes came: %v", n, size, err)
		}
	})
}
