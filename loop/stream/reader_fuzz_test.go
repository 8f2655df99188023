package stream_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// splitter hands out data in pieces whose sizes the fuzzer chooses.
type splitter struct {
	data  []byte
	sizes []byte
}

// Receive takes a piece. It is a checkpoint.
func (s *splitter) Receive(t *loop.Task, b []byte) (int, error) {
	size := len(s.data)
	if len(s.sizes) > 0 {
		size, s.sizes = 1+int(s.sizes[0]), s.sizes[1:]
	}
	n := copy(b, s.data[:min(size, len(s.data))])
	s.data = s.data[n:]
	return n, loop.Checkpoint(t)
}

// FuzzReaderLines compares a Reader with a model that has all data at once:
// however they are cut, the lines are the same, and so is where it stops.
func FuzzReaderLines(f *testing.F) {
	f.Add([]byte("one\r\ntwo\n\nrest"), []byte{0, 3, 1}, uint8(16), uint8(5))
	f.Add([]byte("\r\r\n\n"), []byte{}, uint8(1), uint8(0))
	f.Add([]byte("too long for it\n"), []byte{7}, uint8(8), uint8(200))
	f.Fuzz(func(t *testing.T, data, sizes []byte, buffer, limit uint8) {
		looptest.Run(t, func(task *loop.Task) error {
			r := stream.NewReader(&splitter{data, sizes}, make([]byte, max(int(buffer), 1)))
			rest := data
			for {
				line, err := r.LineWithin(task, int(limit))
				if err != nil {
					checkStop(t, err, rest, int(buffer), int(limit))
					if !bytes.HasPrefix(rest, r.Buffered()) {
						t.Errorf("%q is buffered of %q", r.Buffered(), rest)
					}
					return nil
				}
				i := bytes.IndexByte(rest, '\n')
				if i < 0 || !bytes.Equal(line, bytes.TrimSuffix(rest[:i], []byte("\r"))) {
					t.Fatalf("got the line %q of %q", line, rest)
				}
				if len(line) > int(limit) {
					t.Fatalf("a line of %d bytes within %d", len(line), limit)
				}
				rest = rest[i+1:]
			}
		})
	})
}

// checkStop says whether it was right to stop at rest.
func checkStop(t *testing.T, err error, rest []byte, buffer, limit int) {
	t.Helper()
	i := bytes.IndexByte(rest, '\n')
	switch {
	case errors.Is(err, io.EOF):
		if len(rest) != 0 {
			t.Errorf("the end, with %q left", rest)
		}
	case errors.Is(err, io.ErrUnexpectedEOF):
		if i >= 0 || len(rest) == 0 {
			t.Errorf("an early end, with %q left", rest)
		}
	case errors.Is(err, stream.ErrTooLong):
		if i >= 0 && i < max(buffer, 1) && len(bytes.TrimSuffix(rest[:i], []byte("\r"))) <= limit {
			t.Errorf("too long, with a buffer of %d and a limit of %d: %q", buffer, limit, rest[:i])
		}
	default:
		t.Errorf("it stopped with %v", err)
	}
}

// FuzzReaderUntilSequence does the same for a delimiter of several bytes.
func FuzzReaderUntilSequence(f *testing.F) {
	f.Add([]byte("head\r\n\r\nbody"), []byte("\r\n\r\n"), []byte{3, 0, 0})
	f.Add([]byte("aaaab"), []byte("aab"), []byte{})
	f.Fuzz(func(t *testing.T, data, delim, sizes []byte) {
		looptest.Run(t, func(task *loop.Task) error {
			r := stream.NewReader(&splitter{data, sizes}, make([]byte, len(data)+1))
			got, err := r.UntilSequence(task, delim)
			i := bytes.Index(data, delim)
			switch {
			case len(delim) == 0:
				want(t, "an empty sequence", err, loop.ErrMisuse)
			case i >= 0 && (err != nil || !bytes.Equal(got, data[:i+len(delim)])):
				t.Errorf("until %q in %q: %q, %v", delim, data, got, err)
			case i < 0 && err != io.EOF && err != io.ErrUnexpectedEOF:
				t.Errorf("until %q, which is not in %q: %q, %v", delim, data, got, err)
			}
			return nil
		})
	})
}
