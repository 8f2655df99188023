package stream_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// pieces hands out a text in the pieces it is made of.
type pieces []string

// Receive takes from the first piece. It is a checkpoint.
func (p *pieces) Receive(t *loop.Task, b []byte) (int, error) {
	if err := loop.Checkpoint(t); err != nil || len(*p) == 0 {
		return 0, err
	}
	n := copy(b, (*p)[0])
	if (*p)[0] = (*p)[0][n:]; (*p)[0] == "" {
		*p = (*p)[1:]
	}
	return n, nil
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

func want(tb testing.TB, what string, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("%s: got %v, want %v", what, err, target)
	}
}

func TestReaderLines(t *testing.T) {
	text := "first\r\nsecond\n\n\r\nlast, without an end"
	for size := 1; size <= len(text); size++ {
		looptest.Run(t, func(task *loop.Task) error {
			var from pieces
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				from, rest = append(from, rest[:n]), rest[n:]
			}
			r := stream.NewReader(&from, make([]byte, len(text)))
			for _, line := range []string{"first", "second", "", ""} {
				got, err := r.Line(task)
				if err != nil || string(got) != line {
					t.Errorf("in pieces of %d: line %q, %v; want %q", size, got, err, line)
				}
			}
			_, err := r.Line(task)
			want(t, "a line without an end", err, io.ErrUnexpectedEOF)
			if got := string(r.Buffered()); got != "last, without an end" {
				t.Errorf("an error has taken something: %q is left", got)
			}
			got, err := r.Next(task, 4)
			if err != nil || string(got) != "last" {
				t.Errorf("the next 4: %q, %v", got, err)
			}
			rest := make([]byte, 100)
			n, err := r.Receive(task, rest)
			if err != nil || string(rest[:n]) != ", without an end" {
				t.Errorf("the rest: %q, %v", rest[:n], err)
			}
			n, err = r.Receive(task, rest)
			if err != nil || n != 0 {
				t.Errorf("the end: %d, %v", n, err)
			}
			_, err = r.Line(task)
			want(t, "a line after the end", err, io.EOF)
			return nil
		})
	}
}

func TestReaderBounds(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		from := pieces{"0123", "456789\n"}
		r := stream.NewReader(&from, make([]byte, 8))
		_, err := r.Line(task)
		want(t, "a line that is too long", err, stream.ErrTooLong)
		_, err = r.Next(task, 9)
		want(t, "more than the buffer holds", err, stream.ErrTooLong)
		_, err = r.Next(task, -1)
		want(t, "less than nothing", err, loop.ErrMisuse)
		_, err = r.Receive(task, nil)
		want(t, "into nothing", err, loop.ErrMisuse)
		got, err := r.Next(task, 8)
		if err != nil || string(got) != "01234567" {
			t.Errorf("the next 8: %q, %v", got, err)
		}
		line, err := r.Line(task)
		if err != nil || string(line) != "89" {
			t.Errorf("the line: %q, %v", line, err)
		}
		return nil
	})
}

// TestReaderCancelled loses nothing of what is in the buffer.
func TestReaderCancelled(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(0)
		defer a.Close()
		defer b.Close()
		r := stream.NewReader(b, make([]byte, 100))
		must(t, loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				_, err := r.Line(task)
				want(t, "a line whose end has not come", err, loop.Cancelled)
				return err
			}))
			must(t, a.SendAll(task, []byte("half")))
			looptest.WaitAllTasksBlocked(task, t)
			return n.Cancel("test")
		}))
		err := loop.Scoped(task, func(s *loop.Scope) error {
			must(t, s.Cancel("test"))
			_, err := r.Next(task, 2)
			want(t, "what is there, in a cancelled scope", err, loop.Cancelled)
			_, err = r.Receive(task, make([]byte, 1))
			want(t, "what is there, in a cancelled scope", err, loop.Cancelled)
			return err
		})
		must(t, err)
		must(t, a.SendAll(task, []byte(" and half\n")))
		line, err := r.Line(task)
		if err != nil || string(line) != "half and half" {
			t.Errorf("the line: %q, %v", line, err)
		}
		return nil
	})
}

func TestReaderIsCheckpoint(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		from := pieces{"all\nof\nit\nis\nbuffered"}
		r := stream.NewReader(&from, make([]byte, 100))
		_, err := r.Line(task)
		must(t, err)
		must(t, looptest.AssertCheckpoint(task, t, func() error {
			_, err := r.Line(task)
			return err
		}))
		must(t, looptest.AssertCheckpoint(task, t, func() error {
			_, err := r.Next(task, 0)
			return err
		}))
		must(t, looptest.AssertCheckpoint(task, t, func() error {
			_, err := r.Receive(task, make([]byte, 3))
			return err
		}))
		return nil
	})
}

func TestReceiveExactly(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		from := pieces{"ab", "c", "de"}
		b := make([]byte, 4)
		n, err := stream.ReceiveExactly(task, &from, b)
		if err != nil || string(b[:n]) != "abcd" {
			t.Errorf("received %q, %v", b[:n], err)
		}
		n, err = stream.ReceiveExactly(task, &from, b)
		want(t, "at an early end", err, io.ErrUnexpectedEOF)
		if string(b[:n]) != "e" {
			t.Errorf("received %q", b[:n])
		}
		_, err = stream.ReceiveExactly(task, &from, b)
		want(t, "at the end", err, io.EOF)
		must(t, looptest.AssertCheckpoint(task, t, func() error {
			_, err := stream.ReceiveExactly(task, &from, nil)
			return err
		}))
		return nil
	})
}

func TestSendError(t *testing.T) {
	if err := stream.Partial(0, io.EOF); err != io.EOF {
		t.Errorf("after nothing: %v", err)
	}
	if err := stream.Partial(3, nil); err != nil {
		t.Errorf("without an error: %v", err)
	}
	err := stream.Partial(3, loop.ErrTimeout)
	want(t, "the reason", err, loop.ErrTimeout)
	var timeout interface{ Timeout() bool }
	if !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Error("it is not a timeout any more")
	}
	if !strings.Contains(err.Error(), "3 bytes") {
		t.Errorf("the text %q", err)
	}
	for _, c := range []struct {
		err  error
		want int
	}{{nil, 9}, {err, 3}, {io.EOF, 0}} {
		if got := stream.Sent(c.err, 9); got != c.want {
			t.Errorf("of %v: %d bytes went, want %d", c.err, got, c.want)
		}
	}
}
