package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/sys"
)

// The tests run the real program: the test binary starts itself with serveEnv
// set, and is httpd then.
const serveEnv = "HTTPD_TEST_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveEnv) != "" {
		os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// patience is how long the tests wait for what has to come: no bound on speed,
// only on hanging.
const patience = 30 * time.Second

// A process is a running httpd.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	addr   string
	out    lockedBuffer
	errs   lockedBuffer
	exited chan struct{}
	ended  bool // the test has seen to its end
}

// lockedBuffer gathers the output of a process.
type lockedBuffer struct {
	mu   sync.Mutex
	data bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.data.String()
}

var readyLine = regexp.MustCompile(`^httpd: serving on (\S+) \(transport (lion|net)\)\n$`)

// start runs httpd on a free port, with one loop, and waits until it is ready.
// When the test ends the process has to stop in order, with exit code 0.
func start(t *testing.T, transport string, args ...string) *process {
	t.Helper()
	return startOn(t, transport, "127.0.0.1:0", append([]string{"-loops", "1"}, args...)...)
}

// startOn is start on an address of the caller's choice.
func startOn(t *testing.T, transport, addr string, args ...string) *process {
	t.Helper()
	p := launch(t, append([]string{"-transport", transport, "-addr", addr}, args...)...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stderr)
	first, err := lines.ReadString('\n')
	match := readyLine.FindStringSubmatch(first)
	go func() {
		defer close(p.exited)
		_, _ = io.Copy(&p.errs, lines) // ends with the process
		_ = p.cmd.Wait()               // the exit code is in ProcessState
	}()
	t.Cleanup(p.cleanUp)
	if match == nil || match[2] != transport {
		t.Fatalf("the first line is %q (%v)", first, err)
	}
	p.addr = match[1]
	return p
}

func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{t: t, exited: make(chan struct{})}
	p.cmd = exec.Command(os.Args[0], args...)
	p.cmd.Env = append(os.Environ(), serveEnv+"=1")
	p.cmd.Stdout = &p.out
	return p
}

func (p *process) cleanUp() {
	if p.ended {
		return
	}
	if code := p.stop(); code != exitOK {
		p.t.Errorf("httpd ended with code %d: %s", code, p.errs.String())
	}
}

// stop asks httpd to stop, waits for its end and returns the exit code.
func (p *process) stop() int {
	p.t.Helper()
	p.signal()
	return p.wait()
}

func (p *process) signal() {
	p.t.Helper()
	err := p.cmd.Process.Signal(sys.Terminate)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("sending SIGTERM: %v", err)
	}
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	p.ended = true
	select {
	case <-p.exited:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.exited
		p.t.Errorf("httpd did not end: %s", p.errs.String())
	}
	return p.cmd.ProcessState.ExitCode()
}

// runToEnd runs httpd with args until it ends by itself.
func runToEnd(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	p := launch(t, args...)
	p.cmd.Stderr = &p.errs
	kill := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	err := p.cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode(), p.out.String(), p.errs.String()
}

func (p *process) url(path string) string { return "http://" + p.addr + path }

// dial opens a connection that can not hang the test.
func (p *process) dial() *client {
	p.t.Helper()
	conn, err := net.Dial("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { conn.Close() })
	c := &client{t: p.t, TCPConn: conn.(*net.TCPConn)}
	c.r = bufio.NewReader(c.TCPConn)
	c.limit(patience)
	return c
}

// A client speaks HTTP byte by byte.
type client struct {
	*net.TCPConn
	t *testing.T
	r *bufio.Reader
}

func (c *client) limit(d time.Duration) {
	c.t.Helper()
	if err := c.SetDeadline(time.Now().Add(d)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c.TCPConn, text); err != nil {
		c.t.Fatalf("sending %.60q: %v", text, err)
	}
}

// answer reads one response to a GET, with its body.
func (c *client) answer() (*http.Response, string) {
	c.t.Helper()
	res, err := http.ReadResponse(c.r, nil)
	if err != nil {
		c.t.Fatalf("reading a response: %v", err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatalf("reading a body: %v", err)
	}
	return res, string(body)
}

// hello makes sure that the next answer is the greeting.
func (c *client) hello() *http.Response {
	c.t.Helper()
	res, body := c.answer()
	if res.StatusCode != http.StatusOK || body != greeting {
		c.t.Fatalf("the answer is %s %q", res.Status, body)
	}
	return res
}

// rest reads until the server closes.
func (c *client) rest() string {
	c.t.Helper()
	text, err := io.ReadAll(c.r)
	if err != nil {
		c.t.Fatalf("the connection was not closed in order: %v; before that came %q", err, text)
	}
	return string(text)
}

const getHello = "GET /hello HTTP/1.1\r\nHost: test\r\n\r\n"

func get(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: test\r\n\r\n" }

// onBoth runs a test on each transport.
func onBoth(t *testing.T, test func(t *testing.T, transport string)) {
	for _, transport := range []string{transportLion, transportNet} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			test(t, transport)
		})
	}
}

// tree makes a directory with files: names to contents.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// statusOf returns the three digits of a raw response.
func statusOf(text string) string {
	_, rest, _ := strings.Cut(text, " ")
	return fmt.Sprintf("%.3s", rest)
}

func atoi(t *testing.T, text string) int {
	t.Helper()
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
