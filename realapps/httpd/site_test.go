package main

import (
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

func TestHelloToNetHTTP(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport)
		reused := 0
		trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) {
			if i.Reused {
				reused++
			}
		}}
		web := &http.Client{Transport: &http.Transport{MaxIdleConns: 1}}
		defer web.CloseIdleConnections()
		for range 20 {
			req, err := http.NewRequest("GET", p.url("/hello"), nil)
			if err != nil {
				t.Fatal(err)
			}
			checkHello(t, web, req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
		}
		if reused != 19 {
			t.Errorf("of 20 requests 19 had to use the connection of the first; %d did", reused)
		}
	})
}

func checkHello(t *testing.T, web *http.Client, req *http.Request) {
	t.Helper()
	res, err := web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if body := readAll(t, res); body != greeting || res.StatusCode != http.StatusOK {
		t.Errorf("%s %q", res.Status, body)
	}
	if got := res.Header.Get("Content-Type"); got != textPlain {
		t.Errorf("the type is %q", got)
	}
	if _, err := http.ParseTime(res.Header.Get("Date")); err != nil {
		t.Errorf("the date: %v", err)
	}
	if got := res.Header.Get("Server"); got != "" {
		t.Errorf("the server tells what it is: %q", got)
	}
}

// TestSameBytes sends the same bytes to both transports. What comes back, up to
// the end of the connection, is equal but for the date.
func TestSameBytes(t *testing.T) {
	root := tree(t, map[string]string{"index.html": "<p>", "d/index.html": "d", "f.txt": "0123456789"})
	lion, net := start(t, transportLion, "-root", root), start(t, transportNet, "-root", root)
	date := regexp.MustCompile(`Date: [^\r]*`)
	const end = "Connection: close\r\n\r\n"
	for _, c := range []struct{ name, request, status string }{
		{"hello", "GET /hello HTTP/1.1\r\nHost: a\r\n" + end, "200"},
		{"hello 1.0", "GET /hello HTTP/1.0\r\n\r\n", "200"},
		{"hello 1.0 kept", "GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", "200"},
		{"two hellos", getHello + "GET /hello HTTP/1.1\r\nHost: a\r\n" + end, "200"},
		{"head", "HEAD /hello HTTP/1.1\r\nHost: a\r\n" + end, "200"},
		{"index", "GET / HTTP/1.1\r\nHost: a\r\n" + end, "200"},
		{"absolute form", "GET http://a/hello HTTP/1.1\r\nHost: a\r\n" + end, "200"},
		{"directory", "GET /d?q=1 HTTP/1.1\r\nHost: a\r\n" + end, "301"},
		{"range", "GET /f.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\n" + end, "206"},
		{"head of a file", "HEAD /f.txt HTTP/1.1\r\nHost: a\r\nRange: bytes=2-4\r\n" + end, "200"},
		{"not there", "GET /nothing HTTP/1.1\r\nHost: a\r\n" + end, "404"},
		{"post", "POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" + end + "abc", "405"},
		{"post in chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" + end + "3\r\nabc\r\n0\r\n\r\n", "405"},
		{"expect", "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n" + end + "x", "100"},
		{"options", "OPTIONS * HTTP/1.1\r\nHost: a\r\n" + end, "405"},
		{"connect", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n" + end, "405"},
		{"no host", "GET /hello HTTP/1.1\r\n\r\n", "400"},
		{"rubbish", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", "400"},
		{"bad chunk", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "400"},
		{"nothing", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := map[string]string{}
			for _, p := range []*process{lion, net} {
				conn := p.dial()
				conn.send(c.request)
				if err := conn.CloseWrite(); err != nil {
					t.Fatal(err)
				}
				got[p.addr] = date.ReplaceAllString(conn.rest(), "Date: x")
			}
			if got[lion.addr] != got[net.addr] {
				t.Errorf("lion answered\n%q\nnet\n%q", got[lion.addr], got[net.addr])
			}
			if status := statusOf(got[lion.addr]); status != c.status {
				t.Errorf("the status is %q, not %q", status, c.status)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport)
		c := p.dial()
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"} {
			c.send(method + " /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}")
			res, _ := c.answer()
			if res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != allowed {
				t.Errorf("%s: %s, Allow %q", method, res.Status, res.Header.Get("Allow"))
			}
		}
		c.send(getHello) // the bodies were taken for bodies
		c.hello()
	})
}

func TestPipelining(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport)
		c := p.dial()
		const requests = 500
		go func() {
			if _, err := c.Write([]byte(strings.Repeat(getHello, requests))); err != nil {
				t.Error(err)
			}
		}()
		for range requests {
			c.hello()
		}
	})
}

// TestDebugFree checks the page of the benchmark, and that it is not there
// unless asked for.
func TestDebugFree(t *testing.T) {
	if _, err := resident(); err != nil {
		t.Skipf("the system does not tell the resident size: %v", err)
	}
	onBoth(t, func(t *testing.T, transport string) {
		with, without := start(t, transport, "-debug-free").dial(), start(t, transport).dial()
		with.send(get("/debug/free"))
		if res, body := with.answer(); res.StatusCode != http.StatusOK ||
			!regexp.MustCompile(`^[1-9][0-9]{5,}$`).MatchString(body) {
			t.Errorf("%s %q", res.Status, body)
		}
		without.send(get("/debug/free"))
		if res, _ := without.answer(); res.StatusCode != http.StatusNotFound {
			t.Errorf("%s without -debug-free", res.Status)
		}
	})
}

// TestHelloAllocates nothing: what the handler costs is the same on both sides.
func TestHelloAllocates(t *testing.T) {
	c, err := parse(nil, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	s := &site{config: c}
	var ctx fasthttp.RequestCtx
	ctx.Request.SetRequestURI("/hello")
	allocs := testing.AllocsPerRun(1000, func() {
		ctx.Response.Reset()
		s.handle(&ctx)
	})
	if allocs != 0 {
		t.Errorf("%v allocations for a greeting", allocs)
	}
	if got := string(ctx.Response.Body()); got != greeting {
		t.Errorf("the body is %q", got)
	}
}

func TestCurl(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", tree(t, map[string]string{"f.txt": "0123456789"}))
		for _, c := range []struct {
			args []string
			want string
		}{
			{[]string{p.url("/hello"), p.url("/hello")}, greeting + greeting},
			{[]string{"-r", "2-4", p.url("/f.txt")}, "234"},
			{[]string{"-o", "/dev/null", "-w", "%{http_code}", p.url("/none")}, "404"},
			{[]string{"-o", "/dev/null", "-w", "%{http_code} ", "-d", "x=1", p.url("/hello")}, "405 "},
			{[]string{"-o", "/dev/null", "-w", "%{num_connects}", p.url("/hello"), "-o", "/dev/null", p.url("/f.txt")}, "10"},
		} {
			out := command(t, "curl", append([]string{"-sS", "--max-time", "20"}, c.args...)...)
			if out != c.want {
				t.Errorf("curl %v printed %q, not %q", c.args, out, c.want)
			}
		}
	})
}

func TestWrk(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport)
		out := command(t, "wrk", "-t1", "-c32", "-d1s", p.url("/hello"))
		if strings.Contains(out, "Socket errors") || strings.Contains(out, "Non-2xx") ||
			!regexp.MustCompile(`\n\s+[1-9]\d* requests in`).MatchString(out) {
			t.Error(out)
		}
	})
}

func TestMaxConns(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-max-conns", "3")
		for range 3 {
			c := p.dial()
			c.send(getHello)
			c.hello()
		}
		c := p.dial()
		c.limit(200 * time.Millisecond)
		_, _ = c.Write([]byte(getHello)) // it may be refused at once
		if res, err := http.ReadResponse(c.r, nil); err == nil && res.StatusCode == http.StatusOK {
			t.Error("the fourth of three connections was served")
		}
	})
}
