package main

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The tests run the program, without the process around it, against servers of net/http.

// got is what a run came to.
type got struct {
	code     int
	out, err string
}

func get(args ...string) got {
	var out, errs bytes.Buffer
	code := run(args, &out, &errs)
	return got{code, out.String(), errs.String()}
}

// want fails the test unless the code is this one and standard error contains the text.
func (g got) want(t *testing.T, code int, text string) {
	t.Helper()
	if g.code != code || !strings.Contains(g.err, text) {
		t.Errorf("code %d, %q; want code %d, %q", g.code, g.err, code, text)
	}
}

// document is longer than any buffer on the way.
var document = strings.Repeat("all work and no play\n", 20_000)

func serve(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server
}

func serveDocument(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, document) }

func TestToStandardOutput(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") != userAgent || r.Host == "" || r.URL.Path != "/a b" {
			t.Errorf("the request is %v", r)
		}
		serveDocument(w, r)
	})
	g := get(server.URL + "/a%20b")
	if g.want(t, exitOK, ""); g.out != document || g.err != "" {
		t.Errorf("%d bytes came, and %q", len(g.out), g.err)
	}
}

// With a length, in chunks, and until the end of the connection.
func TestBodies(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"length": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(document)))
			_, _ = io.WriteString(w, document)
		},
		"chunks": func(w http.ResponseWriter, r *http.Request) {
			w.(http.Flusher).Flush()
			serveDocument(w, r)
		},
		"until the end": func(w http.ResponseWriter, r *http.Request) {
			raw(w, "HTTP/1.0 200 OK\r\n\r\n"+document)
		},
		"after 103": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			serveDocument(w, r)
		},
	} {
		if g := get(serve(t, handler).URL); g.code != exitOK || g.out != document {
			t.Errorf("%s: code %d, %d bytes, %s", name, g.code, len(g.out), g.err)
		}
	}
}

// raw answers with these bytes and closes the connection.
func raw(w http.ResponseWriter, answer string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(conn, answer)
	_ = conn.Close()
}

func TestToAFile(t *testing.T) {
	server := serve(t, serveDocument)
	name := filepath.Join(t.TempDir(), "document")
	get("-o", name, "-progress", server.URL).want(t, exitOK, "document")
	if text, err := os.ReadFile(name); err != nil || string(text) != document {
		t.Errorf("the file has %d bytes, %v", len(text), err)
	}
	alone(t, name)
}

// alone fails the test unless name is the only file in its directory.
func alone(t *testing.T, name string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(name))
	if err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v", entries, err)
	}
}

// A transfer that fails leaves the file that was there before, and nothing else.
func TestTruncatedFile(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		raw(w, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
	})
	name := filepath.Join(t.TempDir(), "document")
	if err := os.WriteFile(name, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	get("-o", name, server.URL).want(t, exitTruncated, "ended before the document did")
	if text, _ := os.ReadFile(name); string(text) != "before" {
		t.Errorf("the file is %q", text)
	}
	alone(t, name)
}

func TestNoSuchDirectory(t *testing.T) {
	name := filepath.Join(t.TempDir(), "missing", "document")
	get("-o", name, serve(t, serveDocument).URL).want(t, exitOutput, "missing")
}

func TestRedirects(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/start":
			http.Redirect(w, r, "/next", http.StatusFound)
		case "/next":
			http.Redirect(w, r, "end?x=1", http.StatusPermanentRedirect)
		case "/end":
			serveDocument(w, r)
		case "/file":
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(http.StatusFound)
		default:
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		}
	})
	if g := get(server.URL + "/start"); g.code != exitOK || g.out != document {
		t.Errorf("code %d, %d bytes, %s", g.code, len(g.out), g.err)
	}
	get("-redirects", "1", server.URL+"/start").want(t, exitError, "see -redirects")
	get(server.URL+"/circle").want(t, exitError, "there were 10 redirects before")
	get(server.URL+"/file").want(t, exitError, "neither http nor https")
}

func TestErrorStatus(t *testing.T) {
	server := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "nothing here", http.StatusNotFound)
	})
	g := get(server.URL)
	g.want(t, exitStatus, "404 Not Found")
	if g.out != "" || !strings.Contains(g.err, "nothing here") {
		t.Errorf("standard output has %q, standard error %q", g.out, g.err)
	}
}

// rootsOf writes the certificate of a server to a file.
func rootsOf(t *testing.T, server *httptest.Server) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "roots.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(name, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(serveDocument))
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	roots, address := rootsOf(t, server), server.Listener.Addr().String()
	for _, args := range [][]string{
		{"-cacert", roots, server.URL},
		{"-cacert", roots, "-connect-to", address, "https://example.com/"},
		{"-cacert", roots, "-connect-to", address, "example.com"},
		{"-insecure", "-connect-to", address, "https://example.org/"},
	} {
		if g := get(args...); g.code != exitOK || g.out != document {
			t.Errorf("%v: code %d, %d bytes, %s", args, g.code, len(g.out), g.err)
		}
	}
	get(server.URL).want(t, exitTLS, "certificate")
	get("-cacert", roots, "-connect-to", address, "https://example.org/").want(t, exitTLS, "example.org")
	plain := serve(t, serveDocument)
	get(strings.Replace(plain.URL, "http:", "https:", 1)).want(t, exitTLS, "handshake")
}

// A redirect away from TLS is refused.
func TestRedirectWithoutTLS(t *testing.T) {
	plain := serve(t, serveDocument)
	server := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusFound))
	defer server.Close()
	get("-cacert", rootsOf(t, server), server.URL).want(t, exitError, "not protected")
}

// closedPort is an address at which nobody listens.
func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// An address that refuses does not hinder the next one, and the trace shows both.
func TestTrace(t *testing.T) {
	server := serve(t, serveDocument)
	picture := filepath.Join(t.TempDir(), "race.svg")
	g := get("-trace", "-trace-svg", picture, "-connect-to",
		closedPort(t)+","+server.Listener.Addr().String(), "http://example.com/")
	g.want(t, exitOK, "connection refused after")
	g.want(t, exitOK, "won after")
	if svg, err := os.ReadFile(picture); err != nil || !bytes.HasPrefix(svg, []byte("<svg ")) {
		t.Errorf("the picture is %.40q, %v", svg, err)
	}
}

func TestNobodyThere(t *testing.T) {
	get("http://"+closedPort(t)).want(t, exitConnect, "connection refused")
	get("-4", "http://[::1]:1/").want(t, exitName, "no addresses")
	get("http://nowhere.invalid/").want(t, exitName, "nowhere.invalid")
}

// Nothing that a server does holds the program up for ever.
func TestTimeouts(t *testing.T) {
	done := make(chan struct{})
	server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-done
	})
	defer close(done)
	get("-timeout", "20ms", server.URL).want(t, exitTimeout, "-timeout 20ms")
	get("-stall", "20ms", server.URL).want(t, exitTimeout, "timeout")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	get("-connect-timeout", "20ms", "https://"+silent.Addr().String()).want(t, exitTimeout, "shaking hands")
}

func TestLimits(t *testing.T) {
	server := serve(t, serveDocument)
	get("-max-bytes", "100", server.URL).want(t, exitError, "-max-bytes")
	long := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		raw(w, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 2<<20)+"\r\n\r\n")
	})
	get(long.URL).want(t, exitError, "header is longer")
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{
		{}, {"a", "b"}, {"-4", "-6", "x"}, {"ftp://x/"}, {"http:///x"}, {"-timeout", "-1s", "x"},
		{"-connect-to", "example.com:80", "x"}, {"-nonsense", "x"}, {"https://me:secret@x/"},
		{"-insecure", "-cacert", "x", "x"}, {"-redirects", "-1", "x"},
	} {
		g := get(args...)
		if g.code != exitUsage || !strings.HasPrefix(g.err, "get: ") || !strings.HasSuffix(g.err, shortUsage) {
			t.Errorf("%v: code %d, %q", args, g.code, g.err)
		}
		if strings.Contains(g.err, "secret") {
			t.Errorf("the password is shown: %s", g.err)
		}
	}
	get("-h").want(t, exitOK, "usage: get")
}

func TestProgressLine(t *testing.T) {
	for _, c := range []struct {
		bar  progress
		want string
	}{
		{progress{"f", 512, 1024}, "f  ███████████████░░░░░░░░░░░░░░░  50%  512 B  512 B/s  1s left"},
		{progress{"f", 2048, -1}, "f  2.0 KiB  2.0 KiB/s"},
		{progress{"f", 0, 0}, "f  0 B  0 B/s"},
		{progress{"f", 0, 1024}, "f  ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░   0%  0 B  0 B/s"},
		{progress{"f", 3 << 40, 3 << 40}, "f  ██████████████████████████████ 100%  3.0 TiB  3.0 TiB/s"},
	} {
		if got := strings.TrimRight(c.bar.line(1e9), " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.bar, got, c.want)
		}
	}
}
