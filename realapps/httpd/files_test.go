package main

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// command runs a real client.
func command(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("there is no %s here", name)
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
	return string(out)
}

func readAll(t *testing.T, res *http.Response) string {
	t.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// ask makes one request with header lines "Name: value".
func ask(t *testing.T, method, url string, lines ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	web := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := web.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return res, readAll(t, res)
}

func TestFiles(t *testing.T) {
	root := tree(t, map[string]string{
		"index.html": "<h1>index", "a b.txt": "space", "d/index.html": "<h1>d", "empty.css": "",
		"f.TXT": "0123456789", "no/page.js": "x", "data": "raw", "50%.svg": "<svg/>",
	})
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", root)
		for _, c := range []struct {
			path, body, contentType string
			status                  int
		}{
			{"/", "<h1>index", "text/html; charset=utf-8", 200},
			{"/index.html", "<h1>index", "text/html; charset=utf-8", 200},
			{"/a%20b.txt", "space", textPlain, 200},
			{"/d/", "<h1>d", "text/html; charset=utf-8", 200},
			{"/d/../f.TXT?x=y", "0123456789", textPlain, 200},
			{"/empty.css", "", "text/css; charset=utf-8", 200},
			{"/data", "raw", "application/octet-stream", 200},
			{"/no/page.js", "x", "text/javascript; charset=utf-8", 200},
			{"/50%25.svg", "<svg/>", "image/svg+xml", 200},
			{"/d", "Moved Permanently\n", textPlain, 301},
			{"/no", "Not Found\n", textPlain, 404},
			{"/no/", "Not Found\n", textPlain, 404},
			{"/f.TXT/", "Not Found\n", textPlain, 404},
			{"/f.txt2", "Not Found\n", textPlain, 404},
		} {
			res, body := ask(t, "GET", p.url(c.path))
			if res.StatusCode != c.status || body != c.body || res.Header.Get("Content-Type") != c.contentType {
				t.Errorf("%s: %s %q %v", c.path, res.Status, body, res.Header)
			}
			head, body := ask(t, "HEAD", p.url(c.path))
			if head.StatusCode != c.status || body != "" || head.ContentLength != int64(len(c.body)) {
				t.Errorf("HEAD %s: %s %q, length %d", c.path, head.Status, body, head.ContentLength)
			}
		}
		for path, want := range map[string]string{"/d?a=b": "/d/?a=b", "//d": "/d/", "/./d": "/d/"} {
			if res, _ := ask(t, "GET", p.url(path)); res.Header.Get("Location") != want {
				t.Errorf("%s leads to %q", path, res.Header.Get("Location"))
			}
		}
	})
}

func TestAliased(t *testing.T) {
	for _, name := range []string{"a.", "a ", "d./a", "d /a", "a:b", `d\a`, "GIT~1/config", "a. "} {
		if !aliased(name) {
			t.Errorf("%q passes", name)
		}
	}
	for _, name := range []string{"a", "a.txt", "a b.txt", "d.d/a"} {
		if aliased(name) {
			t.Errorf("%q does not pass", name)
		}
	}
}

func TestRangesAndDates(t *testing.T) {
	root := tree(t, map[string]string{"f": "0123456789"})
	when := time.Date(2020, 2, 3, 4, 5, 6, 700, time.UTC)
	if err := os.Chtimes(filepath.Join(root, "f"), when, when); err != nil {
		t.Fatal(err)
	}
	const same, older = "Mon, 03 Feb 2020 04:05:06 GMT", "Mon, 03 Feb 2020 04:05:05 GMT"
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", root)
		for _, c := range []struct {
			lines        []string
			status       int
			body, ranges string
		}{
			{nil, 200, "0123456789", ""},
			{[]string{"Range: bytes=0-0"}, 206, "0", "bytes 0-0/10"},
			{[]string{"Range: bytes=2-4"}, 206, "234", "bytes 2-4/10"},
			{[]string{"Range: bytes=7-"}, 206, "789", "bytes 7-9/10"},
			{[]string{"Range: bytes=-3"}, 206, "789", "bytes 7-9/10"},
			{[]string{"Range: bytes=-30"}, 206, "0123456789", "bytes 0-9/10"},
			{[]string{"Range: bytes=5-100"}, 206, "56789", "bytes 5-9/10"},
			{[]string{"Range: bytes=10-"}, 416, "Requested Range Not Satisfiable\n", "bytes */10"},
			{[]string{"Range: bytes=-0"}, 416, "Requested Range Not Satisfiable\n", "bytes */10"},
			{[]string{"Range: bytes=0-1,3-4"}, 200, "0123456789", ""},
			{[]string{"Range: lines=0-1"}, 200, "0123456789", ""},
			{[]string{"Range: bytes=2-4", "If-Range: " + same}, 206, "234", "bytes 2-4/10"},
			{[]string{"Range: bytes=2-4", "If-Range: " + older}, 200, "0123456789", ""},
			{[]string{"Range: bytes=2-4", `If-Range: "tag"`}, 200, "0123456789", ""},
			{[]string{"If-Modified-Since: " + same}, 304, "", ""},
			{[]string{"If-Modified-Since: " + older}, 200, "0123456789", ""},
			{[]string{"If-Modified-Since: rubbish"}, 200, "0123456789", ""},
			{[]string{"If-Modified-Since: " + same, `If-None-Match: "x"`}, 200, "0123456789", ""},
			{[]string{"If-None-Match: *"}, 304, "", ""},
			{[]string{"If-None-Match: *", "If-Modified-Since: " + older}, 304, "", ""},
			{[]string{"If-Match: *", "Range: bytes=0-0"}, 206, "0", "bytes 0-0/10"},
			{[]string{`If-Match: "x"`, "If-None-Match: *"}, 412, "Precondition Failed\n", ""},
			{[]string{"If-Unmodified-Since: " + same, "Range: bytes=0-0"}, 206, "0", "bytes 0-0/10"},
			{[]string{"If-Unmodified-Since: " + older, "Range: bytes=0-0"}, 412, "Precondition Failed\n", ""},
			{[]string{"If-Unmodified-Since: rubbish"}, 200, "0123456789", ""},
			{[]string{"If-Match: *", "If-Unmodified-Since: " + older}, 200, "0123456789", ""},
		} {
			res, body := ask(t, "GET", p.url("/f"), c.lines...)
			if res.StatusCode != c.status || body != c.body || res.Header.Get("Content-Range") != c.ranges {
				t.Errorf("%q: %s %q %v", c.lines, res.Status, body, res.Header)
			}
			if c.status < 400 && res.Header.Get("Last-Modified") != same {
				t.Errorf("%q: modified at %q", c.lines, res.Header.Get("Last-Modified"))
			}
		}
	})
}

// TestNothingElse asks for what must not be served. None of it exists for a
// stranger.
func TestNothingElse(t *testing.T) {
	outside := tree(t, map[string]string{"secret.txt": "secret"})
	root := tree(t, map[string]string{
		"page.html": "page", ".env": "secret", ".git/config": "secret", "d/.htpasswd": "secret",
		"only/.hidden/index.html": "secret",
	})
	links := map[string]string{
		"out.txt": filepath.Join(outside, "secret.txt"), "up": "..", "in": "page.html", "outdir": outside, "loop": "loop",
	}
	for name, target := range links {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Skipf("no symbolic links here: %v", err)
		}
	}
	secret := filepath.Join(outside, "secret.txt")
	paths := []string{
		"/.env", "/%2eenv", "/.git/config", "/.git", "/.git/", "/d/.htpasswd", "/d/%2ehtpasswd",
		"/only/.hidden/", "/out.txt", "/outdir/secret.txt", "/outdir/", "/up/", "/loop",
		"/../" + filepath.Base(outside) + "/secret.txt", "/" + secret, "/" + strings.TrimPrefix(secret, "/"),
		"/..%2f..%2f..%2f..%2fetc%2fpasswd", "/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/../../../etc/passwd",
		"/..%5c..%5cetc%5cpasswd", `/..\..\etc\passwd`, "/%252e%252e/etc/passwd", "/.%2e/.%2e/etc/passwd",
		"/page.html%00", "/page.html%00.txt", "/%00", "/page.html/", "/page.html/..%00", "/page.html%2f.",
		"/%c0%ae%c0%ae/etc/passwd", "/%ff%fe", "/...", "/.", "/~root/", "/nul", "/d", "/d/",
		"/dev/null", "/proc/self/environ", "file:///etc/passwd",
	}
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", root)
		for _, path := range paths {
			c := p.dial()
			c.send("GET " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			text := c.rest()
			if status := statusOf(text); status != "404" && status != "400" {
				t.Errorf("%s: %q", path, text)
			}
		}
		c := p.dial()
		for _, path := range []string{"/page.html", "/in"} {
			c.send(get(path))
			if _, body := c.answer(); body != "page" {
				t.Errorf("%s is %q", path, body)
			}
		}
	})
}

// TestFIFO: to open a FIFO would wait for somebody who writes to it.
func TestFIFO(t *testing.T) {
	root := tree(t, nil)
	path, err := exec.LookPath("mkfifo")
	if err != nil {
		t.Skip("there is no mkfifo here")
	}
	if err := exec.Command(path, filepath.Join(root, "pipe")).Run(); err != nil {
		t.Skipf("no FIFO can be made here: %v", err)
	}
	onBoth(t, func(t *testing.T, transport string) {
		c := start(t, transport, "-root", root).dial()
		c.send(get("/pipe") + getHello)
		if res, _ := c.answer(); res.StatusCode != http.StatusNotFound {
			t.Error(res.Status)
		}
		c.hello()
	})
}

// TestLargeFile sends a file of many chunks while others are served.
func TestLargeFile(t *testing.T) {
	content := make([]byte, 20*chunkSize+123)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(content) // never fails
	root := tree(t, map[string]string{"large": string(content)})
	onBoth(t, func(t *testing.T, transport string) {
		p := start(t, transport, "-root", root)
		slow := p.dial()
		slow.send(get("/large"))
		other := p.dial()
		for range 10 {
			other.send(getHello)
			other.hello()
		}
		_, body := slow.answer()
		if sha256.Sum256([]byte(body)) != sha256.Sum256(content) {
			t.Errorf("%d bytes came, but not those of the file", len(body))
		}
		slow.send(getHello)
		slow.hello()
	})
}

// TestFilesInAPipeline: answers from memory and from files of all sizes, asked for
// at once, come in order and whole, and so does what comes later.
func TestFilesInAPipeline(t *testing.T) {
	files := map[string]string{"empty": ""}
	for name, size := range map[string]int{"a": 1, "b": 5000, "c": 16 << 10, "d": 70_000, "e": 3 << 20} {
		files[name] = strings.Repeat(name, size)
	}
	root := tree(t, files)
	onBoth(t, func(t *testing.T, transport string) {
		c := start(t, transport, "-root", root).dial()
		order := []string{"a", "b", "empty", "c", "d", "a", "e", "b", "empty"}
		requests := getHello
		for _, name := range order {
			requests += get("/"+name) + "HEAD /" + name + " HTTP/1.1\r\nHost: a\r\n\r\n" + getHello
		}
		c.send(requests)
		c.hello()
		for _, name := range order {
			if _, body := c.answer(); body != files[name] {
				t.Fatalf("%s: %d bytes, not the %d of the file", name, len(body), len(files[name]))
			}
			head, err := http.ReadResponse(c.r, &http.Request{Method: "HEAD"})
			if err != nil || head.ContentLength != int64(len(files[name])) {
				t.Fatalf("HEAD %s: %v, %v", name, head, err)
			}
			c.hello()
		}
	})
}

// TestShrinkingFile: a file that becomes shorter while it is sent ends the
// connection before the announced length, after the bytes that there were.
func TestShrinkingFile(t *testing.T) {
	const size = 64 << 20 // more than buffers hold
	onBoth(t, func(t *testing.T, transport string) {
		root := tree(t, map[string]string{"f": strings.Repeat("x", size)})
		p := start(t, transport, "-root", root)
		c := p.dial()
		c.send(get("/f"))
		res, err := http.ReadResponse(c.r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, res.Body, 1<<20); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(root, "f"), size-1); err != nil {
			t.Skipf("the system does not let it: %v", err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		if n != size-1-1<<20 || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes more came: %v", n, err)
		}
		other := p.dial()
		other.send(getHello)
		other.hello()
	})
}

func TestFileBodyOfAShrunkFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("0123"); err != nil {
		t.Fatal(err)
	}
	b := &fileBody{file: f, left: 10}
	text, err := io.ReadAll(b)
	if string(text) != "0123" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%q, %v", text, err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzFileName(f *testing.F) {
	for _, seed := range []string{"/", "/a/b", "/../x", "/.git", "//", "/a\x00", "/a/./b", "/\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		name, ok := fileName(path)
		if !ok {
			return
		}
		if !filepath.IsLocal(name) || strings.ContainsRune(name, 0) {
			t.Errorf("%q became %q", path, name)
		}
		for element := range strings.SplitSeq(name, "/") {
			if element == "" || element[0] == '.' {
				t.Errorf("%q became %q", path, name)
			}
		}
	})
}

func FuzzParseRange(f *testing.F) {
	for _, seed := range []string{"bytes=0-1", "bytes=-5", "bytes=9-", "bytes=5-1", "bytes=--", "bytes=+1-2"} {
		f.Add(seed, int64(10))
	}
	f.Fuzz(func(t *testing.T, text string, size int64) {
		if size < 0 {
			return
		}
		part, ok := parseRange(text, size)
		if !ok || part.unsatisfiable {
			return
		}
		if part.start < 0 || part.length < 1 || part.length > size || part.start > size-part.length {
			t.Errorf("%q of %d bytes: %+v", text, size, part)
		}
	})
}
