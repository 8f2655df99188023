package main

import (
	"io"
	"net"
	"strings"
	"testing"
	"unicode"
)

// answering is a server that says the same to everybody.
func answering(t *testing.T, text string) (url string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 4096)) // the request
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}()
	return "http://" + ln.Addr().String()
}

// What a server says does not reach the terminal as more than text, wherever it says it.
func TestControlCharacters(t *testing.T) {
	const title = "\x1b]0;owned\a"
	for _, c := range []struct {
		answer string
		code   int
		want   string
	}{
		{"HTTP/1.1 404 No" + title + "\r\nContent-Length: 0\r\n\r\n", exitStatus, `404 No\x1b]0;owned\a`},
		{"HTTP/1.1 500 a\u009b2J\u202eb\xff\r\nContent-Length: 0\r\n\r\n", exitStatus, `500 a\u009b2J\u202eb\xff`},
		{"HTTP/1.1 404 Not Found\r\n\r\nsorry\r\n\t" + title, exitStatus, "sorry\n\t" + `\x1b]0;owned\a`},
		{"HTTP/1.1 302 Found" + title + "\r\nContent-Length: 0\r\n\r\n", exitError, `Found\x1b]0;owned\a to nowhere`},
		{"HTTP/1.1 302 Found\r\nLocation: http://h\u009bst" + title + "/\r\nContent-Length: 0\r\n\r\n", exitError, `h`},
		{"HTTP/1.1 302 Found\r\nLocation: ftp://h%C2%9Bst/\r\nContent-Length: 0\r\n\r\n", exitError, `neither http`},
		{title + "\r\n\r\n", exitError, `\x1b]0;owned\a`},
	} {
		g := get(answering(t, c.answer))
		g.want(t, c.code, c.want)
		if at := strings.IndexFunc(g.err, func(r rune) bool {
			return r < ' ' && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u202e'
		}); at >= 0 || g.out != "" {
			t.Errorf("%q: standard output has %q, standard error %q", c.answer, g.out, g.err)
		}
	}
}

// Another protocol that nobody asked for is no document.
func TestUnwantedProtocol(t *testing.T) {
	url := answering(t, "HTTP/1.1 101 Switching\a Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nwhat is this")
	g := get(url)
	g.want(t, exitError, `101 Switching\a Protocols, but nobody asked`)
	if g.out != "" {
		t.Errorf("standard output has %q", g.out)
	}
}

// Whatever a server says, nothing but lines, tabs and what can be seen is left of it.
func FuzzEscape(f *testing.F) {
	f.Add("404 \x1b[2J\u009b\u202e\xff\ufffd\r\n\t")
	f.Fuzz(func(t *testing.T, text string) {
		got := escape(text, "\n\t")
		for _, c := range got {
			if c != '\n' && c != '\t' && !unicode.IsPrint(c) {
				t.Errorf("%q became %q", text, got)
			}
		}
	})
}
