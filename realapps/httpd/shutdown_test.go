package main

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/sys"
)

// refused waits until the server accepts no more connections: then it has seen
// the signal.
func (p *process) refused() {
	p.t.Helper()
	for begin := time.Now(); time.Since(begin) < patience; {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			return
		}
		c.Close()
	}
	p.t.Fatal("the server goes on accepting connections")
}

// begin sends a request but for its end, and waits until the server has read that
// much: what is on its way when it stops is another matter, and lost on net.
func (c *client) begin() {
	c.t.Helper()
	c.send("POST /hello HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
	res, err := http.ReadResponse(c.r, nil)
	if err != nil || res.StatusCode != http.StatusContinue {
		c.t.Fatalf("asked whether to send a body: %v, %v", res, err)
	}
}

// end sends the end, and makes sure of the answer, which has to be the last one.
func (c *client) end() {
	c.t.Helper()
	c.send("x")
	res, _ := c.answer()
	if res.StatusCode != http.StatusMethodNotAllowed {
		c.t.Errorf("the answer is %s", res.Status)
	}
	if !res.Close {
		c.t.Error("the answer does not say that the connection ends")
	}
	if text := c.rest(); text != "" {
		c.t.Errorf("after the answer came %q", text)
	}
}

// TestGrace stops the server while requests are half sent and answers half
// taken. All of them end as if nothing had happened.
func TestGrace(t *testing.T) {
	const size = 30 << 20
	root := tree(t, map[string]string{"f": strings.Repeat("x", size)})
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", root)
		idle := p.dial()
		idle.send(getHello)
		idle.hello()

		half := p.dial()
		half.send(getHello)
		half.hello()
		half.begin()

		taking := p.dial()
		taking.send(get("/f"))
		res, err := http.ReadResponse(taking.r, nil)
		if err != nil {
			t.Fatal(err)
		}

		p.signal()
		p.refused()
		if text := idle.rest(); text != "" {
			t.Errorf("an idle connection got %q", text)
		}
		half.end()
		if n, err := io.Copy(io.Discard, res.Body); n != size || err != nil {
			t.Errorf("%d of %d bytes came: %v", n, size, err)
		}
		if code := p.wait(); code != exitOK {
			t.Errorf("the exit code is %d: %s", code, p.errs.String())
		}
	})
}

// TestGraceEnds: a request that does not end is cut, and httpd says so.
func TestGraceEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-grace", "200ms")
		c := p.dial()
		c.begin()
		begin := time.Now()
		code := p.stop()
		if took := time.Since(begin); took > patience/2 {
			t.Errorf("it took %v", took)
		}
		if said := p.errs.String(); code != exitError || !strings.Contains(said, "cut") {
			t.Errorf("code %d: %s", code, said)
		}
	})
}

func TestStopAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		for _, signal := range []os.Signal{sys.Interrupt, sys.Terminate} {
			stopAtOnce(t, start(t, transport), signal)
		}
	})
}

func stopAtOnce(t *testing.T, p *process, signal os.Signal) {
	t.Helper()
	begin := time.Now()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if code := p.wait(); code != exitOK || p.errs.String() != "" {
		t.Errorf("%v: code %d: %s", signal, code, p.errs.String())
	}
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("%v: it took %v", signal, took)
	}
}

// TestTwoLoops share an address; each takes its part of the connections.
func TestTwoLoops(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := startOn(t, transport, freeAddress(t), "-loops", "2")
		for range 50 {
			c := p.dial()
			c.send(getHello)
			c.hello()
		}
		if transport == "lion" {
			code, _, stderr := runToEnd(t, "-addr", p.addr, "-loops", "2")
			if code != exitError || !strings.Contains(stderr, "address already") {
				t.Errorf("a second instance at the address: code %d, %q", code, stderr)
			}
		}
		stopAtOnce(t, p, sys.Terminate)
	})
}

// TestLoopsAtAnyPort: the system chooses a port, and all loops have it.
func TestLoopsAtAnyPort(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := startOn(t, transport, "127.0.0.1:0", "-loops", "3")
		for range 20 {
			c := p.dial()
			c.send(getHello)
			c.hello()
		}
		stopAtOnce(t, p, sys.Interrupt)
	})
}

// TestGraceOfSeveralLoops: loops that have nothing under way end at once, and leave
// the others their time.
func TestGraceOfSeveralLoops(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := startOn(t, transport, "127.0.0.1:0", "-loops", "4")
		half := p.dial()
		half.begin()
		p.signal()
		p.refused()
		half.limit(graceUsed)
		if _, err := half.r.Peek(1); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("in the grace period came %v", err)
		}
		half.limit(patience)
		half.end()
		if code := p.wait(); code != exitOK {
			t.Errorf("the exit code is %d: %s", code, p.errs.String())
		}
	})
}

// graceUsed is how much of the grace period the rest of a request takes: more than
// loops without connections need to end, and less than the whole.
const graceUsed = 300 * time.Millisecond

// freeAddress returns an address on which nobody listens. Somebody may by the
// time it is used, but the system hands ports out in turns.
func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// TestEverywhere: without an address httpd serves on all of both families.
func TestEverywhere(t *testing.T) {
	onBoth(t, func(t *testing.T, transport string) {
		p := startOn(t, transport, ":0", "-loops", "1")
		_, port, err := net.SplitHostPort(p.addr)
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range []string{"127.0.0.1", "::1"} {
			if ln, err := net.Listen("tcp", net.JoinHostPort(host, "0")); err != nil {
				t.Logf("no %s here: %v", host, err)
				continue
			} else {
				ln.Close()
			}
			p.addr = net.JoinHostPort(host, port)
			c := p.dial()
			c.send(getHello)
			c.hello()
		}
	})
}

// scriptedListener answers Accept with errors, then with a connection.
type scriptedListener struct {
	net.Listener
	errs []error
	conn net.Conn
}

func (l *scriptedListener) Accept() (net.Conn, error) {
	if len(l.errs) == 0 {
		return l.conn, nil
	}
	err := l.errs[0]
	l.errs = l.errs[1:]
	return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", err)}
}

func TestPatientListener(t *testing.T) {
	conn, peer := net.Pipe()
	defer conn.Close()
	defer peer.Close()
	l := patientListener{&scriptedListener{errs: []error{sys.EMFILE, sys.ECONNABORTED}, conn: conn}}
	if got, err := l.Accept(); got != conn || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	l = patientListener{&scriptedListener{errs: []error{sys.EINVAL}}}
	if _, err := l.Accept(); !errors.Is(err, sys.EINVAL) {
		t.Errorf("a listener that is wrong gave %v", err)
	}
}

func TestAccessLog(t *testing.T) {
	root := tree(t, map[string]string{"f.txt": "0123456789"})
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", root, "-log")
		for _, request := range []string{
			getHello,
			get("/f.txt?a=b"),
			"HEAD /f.txt HTTP/1.1\r\nHost: a\r\n\r\n",
			"GET /f.txt HTTP/1.0\r\nRange: bytes=1-3\r\n\r\n",
			get(`/"quoted\path`),
			"POST /hello HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n",
			"rubbish\r\n\r\n",
		} {
			c := p.dial()
			c.send(request)
			if err := c.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			c.rest()
		}
		if code := p.stop(); code != exitOK {
			t.Errorf("the exit code is %d", code)
		}
		begin := `127.0.0.1 - - [`
		want := []string{
			`] "GET /hello HTTP/1.1" 200 13`,
			`] "GET /f.txt?a=b HTTP/1.1" 200 10`,
			`] "HEAD /f.txt HTTP/1.1" 200 -`,
			`] "GET /f.txt HTTP/1.0" 206 3`,
			`] "GET /\x22quoted\x5cpath HTTP/1.1" 404 10`,
			`] "POST /hello HTTP/1.1" 413 25`,
			`] "-" 400 12`,
		}
		stamp := regexp.MustCompile(`^\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}$`)
		lines := bufio.NewScanner(strings.NewReader(p.out.String()))
		for i := 0; lines.Scan(); i++ {
			line, ok := strings.CutPrefix(lines.Text(), begin)
			when, line, found := strings.Cut(line, "]")
			if i >= len(want) || !ok || !found || !stamp.MatchString(when) || "]"+line != want[i] {
				t.Errorf("line %d is %q", i, lines.Text())
			}
		}
		if n := strings.Count(p.out.String(), "\n"); n != len(want) {
			t.Errorf("%d lines for %d requests", n, len(want))
		}
	})
}

// TestAccessLogFalls behind: lines are dropped and counted, memory is bounded.
func TestAccessLogFallsBehind(t *testing.T) {
	r, w := io.Pipe()
	var complaints lockedBuffer
	l := newAccessLog(w, &complaints)
	line := strings.Repeat("x", 100) + "\n"
	const lines = 3 * logLimit / 101
	for range lines {
		l.add([]byte(line))
	}
	got := make(chan int)
	go func() {
		text, err := io.ReadAll(r)
		if err != nil {
			t.Error(err)
		}
		got <- strings.Count(string(text), "\n")
	}()
	if err := l.close(); err != nil {
		t.Error(err)
	}
	w.Close()
	written := <-got
	lost := 0 // told in parts, if the writer began late
	for _, match := range regexp.MustCompile(`lost (\d+) lines`).FindAllStringSubmatch(complaints.String(), -1) {
		lost += atoi(t, match[1])
	}
	if lost == 0 || written+lost != lines {
		t.Errorf("%d written and %d lost of %d; the complaint is %q", written, lost, lines, complaints.String())
	}
}

func TestBadFlags(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-transport", "udp"}, `-transport is "udp"; it is lion or net`},
		{[]string{"-loops", "0"}, "-loops is 0; it is at least 1"},
		{[]string{"-loops", "two"}, `invalid value "two" for flag -loops`},
		{[]string{"-addr", "localhost:80"}, `-addr is "localhost:80"; it takes an IP address`},
		{[]string{"-addr", "127.0.0.1"}, `-addr is "127.0.0.1"; it takes an IP address`},
		{[]string{"-header-timeout", "-1s"}, "-header-timeout is -1s"},
		{[]string{"-idle-timeout", "0"}, "-idle-timeout is 0s"},
		{[]string{"-grace", "0"}, "-grace is 0s"},
		{[]string{"-body-limit", "0"}, "-body-limit is 0"},
		{[]string{"-max-header", "1"}, "-max-header is 1"},
		{[]string{"-max-conns", "1", "-loops", "2"}, "-max-conns is 1"},
		{[]string{"-nothing"}, "flag provided but not defined: -nothing"},
		{[]string{"file"}, `there are only flags, but "file" was given`},
	} {
		code, stdout, stderr := runToEnd(t, c.args...)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, c.want) ||
			strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, "\nusage: httpd") {
			t.Errorf("%q: code %d, %q %q", c.args, code, stdout, stderr)
		}
	}
	if code, _, stderr := runToEnd(t, "-h"); code != exitOK || !strings.Contains(stderr, "-idle-timeout") {
		t.Errorf("-h: code %d, %q", code, stderr)
	}
}

func TestCanNotServe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() }) // after the parallel tests
	onBoth(t, func(t *testing.T, transport string) {
		for want, args := range map[string][]string{
			"opening -root":     {"-root", file},
			"no such file":      {"-root", file + "2"},
			"address already":   {"-loops", "1", "-addr", taken.Addr().String()},
			"requested address": {"-addr", "192.0.2.1:1", "-loops", "1"},
			"cannot assign":     {"-addr", "192.0.2.1:0", "-loops", "3"},
		} {
			code, _, stderr := runToEnd(t, append([]string{"-transport", transport}, args...)...)
			if code != exitError || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
				t.Errorf("%q: code %d, %q", args, code, stderr)
			}
		}
	})
}
