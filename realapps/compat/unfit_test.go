package compat

//lint:file-ignore SA1019 HTTP/2 of x/net is what is tried here, deprecated or not

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/rpc"
	"strings"
	"testing"

	"golang.org/x/net/http2"
)

// unfit start goroutines that use the connection, and so do not belong in a task.
// Each returns when its goroutines exist. The key is the package that starts them.
var unfit = map[string]func(t *testing.T, c, peer net.Conn){
	"net/rpc": func(_ *testing.T, c, _ net.Conn) { rpc.NewClient(c) },
	"golang.org/x/net/http2": func(t *testing.T, c, peer net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, peer) }() // until the end of the test
		_, err := (&http2.Transport{AllowHTTP: true}).NewClientConn(c)
		must(t, err)
	},
	"net/http": func(t *testing.T, c, peer net.Conn) {
		go func() {
			_, err := http.ReadRequest(bufio.NewReader(peer))
			if err == nil {
				_, _ = io.WriteString(peer, "HTTP/1.1 204 No Content\r\n\r\n") // the client tells
			}
		}()
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
		r, err := (&http.Client{Transport: transport}).Get("http://lion/")
		must(t, err)
		must(t, r.Body.Close())
		t.Cleanup(transport.CloseIdleConnections)
	},
}

// What docs/safe-in-tasks.md calls unfit starts goroutines indeed.
func TestUnfitForTasks(t *testing.T) {
	for name, start := range unfit {
		t.Run(name, func(t *testing.T) {
			c, peer := net.Pipe()
			start(t, c, peer)
			if !strings.Contains(stacks(), "\ncreated by "+name+".") {
				t.Error("it started no goroutine: it may be fit by now")
			}
			_ = c.Close() // a pipe does not fail
			_ = peer.Close()
			settle(t)
		})
	}
}
