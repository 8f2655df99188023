package hello

import (
	"bytes"
	"strings"
	"testing"
)

func TestScan(t *testing.T) {
	for _, c := range []struct {
		data           string
		requests, size int
	}{
		{"", 0, 0},
		{"GET / HTTP/1.1\r\n", 0, 0},
		{"\r\n\r", 0, 0},
		{Request, 1, len(Request)},
		{Request + Request + "GE", 2, 2 * len(Request)},
		{"\r\n\r\n\r\n\r\n", 2, 8},
	} {
		if requests, size := Scan([]byte(c.data)); requests != c.requests || size != c.size {
			t.Errorf("Scan(%q) = %d, %d, want %d, %d",
				c.data, requests, size, c.requests, c.size)
		}
	}
}

func TestAnswer(t *testing.T) {
	if !strings.HasSuffix(Answer, "\r\n\r\n"+Body) || len(Body) != 13 {
		t.Error("the answer must carry the 13 bytes that its header announces")
	}
	if len(Answers) != AnswersPerSend*len(Answer) {
		t.Error("Answers must hold AnswersPerSend answers")
	}
}

func TestBufferFills(t *testing.T) {
	b := Buffer{Bytes: make([]byte, 8)}
	if n := b.Take(copy(b.Free(), "12345678")); n != 0 || len(b.Free()) != 0 || b.Pending() != 8 {
		t.Errorf("a request without an end: %d requests, %d bytes free", n, len(b.Free()))
	}
}

// FuzzBuffer feeds a stream in arbitrary pieces: the number of requests found must be that of
// the whole stream, however it is cut.
func FuzzBuffer(f *testing.F) {
	f.Add([]byte(Request+Request), []byte{1, 5, 200})
	f.Add([]byte("\r\n\r\n\r\r\n\r\n"), []byte{1, 1, 1, 1, 1})
	f.Add([]byte("\r\n\r"), []byte{3})
	f.Fuzz(func(t *testing.T, stream, cuts []byte) {
		want, size := Scan(stream)
		b := Buffer{Bytes: make([]byte, MaxRequest)}
		got, rest := 0, stream
		for i := 0; len(rest) > 0; i++ {
			piece := 1
			if len(cuts) > 0 {
				piece += int(cuts[i%len(cuts)])
			}
			n := copy(b.Free(), rest[:min(piece, len(rest))])
			if n == 0 {
				return // A request larger than the buffer: the servers close here.
			}
			got += b.Take(n)
			rest = rest[n:]
		}
		if got != want || !bytes.Equal(b.Bytes[:b.Pending()], stream[size:]) {
			t.Errorf("%d requests and %d bytes left, want %d and %d",
				got, b.Pending(), want, len(stream)-size)
		}
	})
}
