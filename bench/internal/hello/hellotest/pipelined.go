// Package hellotest checks servers that answer as package hello says.
package hellotest

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/bench/internal/hello"
)

// Pipelined sends requests in awkward pieces, half-closes, and expects every answer and then
// the end of the stream.
func Pipelined(t *testing.T, address string) {
	t.Helper()
	const requests = 2*hello.AnswersPerSend + 3
	for _, piece := range []int{1, 7, len(hello.Request), 5000} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		stream := strings.Repeat(hello.Request, requests)
		for rest := stream; rest != ""; {
			n := min(piece, len(rest))
			if _, err := io.WriteString(conn, rest[:n]); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		answers, err := io.ReadAll(conn)
		if err != nil || string(answers) != strings.Repeat(hello.Answer, requests) {
			t.Errorf("pieces of %d: %d bytes of answers, want %d (%v)",
				piece, len(answers), requests*len(hello.Answer), err)
		}
	}
}
