package looptest

import (
	"errors"
	"io"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// greet is a careful program: it reads two lines and answers each.
func greet(t *loop.Task, s stream.Stream) error {
	r := stream.NewReader(s, make([]byte, 64))
	for range 2 {
		line, err := r.Line(t)
		if err != nil {
			return err
		}
		if err := s.SendAll(t, append([]byte("hello "), line...)); err != nil {
			return err
		}
	}
	return nil
}

var greeted = []byte("you\r\nthere\r\n")

func TestEachSplit(t *testing.T) {
	runs := 0
	EachSplit(t, greeted, func(task *loop.Task, s stream.Stream) error {
		runs++
		return greet(task, s)
	})
	if want := len(greeted) + 1; runs != want {
		t.Errorf("%d runs, want %d", runs, want)
	}
	r := record(func(r *recorder) {
		EachSplit(r, greeted, func(task *loop.Task, s stream.Stream) error {
			b := make([]byte, 100)
			n, err := s.Receive(task, b) // as if everything came at once
			if err == nil && n != len(greeted) {
				err = errTest
			}
			return err
		})
	})
	wantFailure(t, r, "the run failed: test")
}

func TestEachBreak(t *testing.T) {
	// Before each byte that comes and before each of "hello you", "hello there".
	if breaks := EachBreak(t, greeted, greet); breaks != len(greeted)+9+11 {
		t.Errorf("%d breaks", breaks)
	}
	for name, careless := range map[string]func(*loop.Task, stream.Stream) error{
		"drops errors of sends": func(task *loop.Task, s stream.Stream) error {
			_ = s.SendAll(task, []byte("x"))
			return nil
		},
		"takes a break for the end": func(task *loop.Task, s stream.Stream) error {
			_, err := stream.ReceiveExactly(task, s, make([]byte, len(greeted)))
			if err != nil {
				err = io.ErrUnexpectedEOF
			}
			return err
		},
		"fails without a reason": func(*loop.Task, stream.Stream) error { return errTest },
	} {
		r := record(func(r *recorder) { EachBreak(r, greeted, careless) })
		if !r.failed {
			t.Errorf("it does not notice code that %s", name)
		}
	}
}

// The counts of a send that breaks or is cancelled are those of all pieces,
// and what was counted arrives.
func TestSabotageCounts(t *testing.T) {
	Run(t, func(task *loop.Task) error {
		far, near := stream.NewMemory(100)
		defer far.Close()
		defer near.Close()
		after := 7
		s := &Sabotage{Stream: near, Pieces: []int{1, 3, -1, 2}, BreakSend: &after}
		err := s.SendAll(task, []byte("0123456789"))
		wantErr(t, "a send that breaks", err, loop.ErrBroken)
		if sent := stream.Sent(err, 10); sent != 7 || !s.Broke() {
			t.Errorf("%d bytes went; broke = %v", sent, s.Broke())
		}
		receives(task, t, far, "0123456")
		err = s.SendAll(task, []byte("x"))
		var partial *stream.SendError
		if !errors.Is(err, loop.ErrBroken) || errors.As(err, &partial) {
			t.Errorf("sending after the break: %v", err)
		}
		return s.SendAll(task, nil)
	})
}

// A sabotaged stream is a stream: it passes the kit.
func TestSabotagePassesKit(t *testing.T) {
	TestOneWay(t, func(*loop.Task, testing.TB) (stream.SendCloser, stream.ReceiveCloser) {
		a, b := stream.NewMemory(1 << 12)
		return &Sabotage{Stream: a, Pieces: []int{999, 1 << 20}},
			&Sabotage{Stream: b, Pieces: []int{1, 2, 3, 1 << 9}}
	})
}
