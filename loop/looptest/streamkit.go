package looptest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// A StreamMaker makes two ends that are connected to each other, on the loop
// of t. It may fail the test. The kit closes them.
type StreamMaker func(t *loop.Task, tb testing.TB) (a, b stream.Stream)

// A OneWayMaker makes the two ends of a stream that goes one way.
type OneWayMaker func(t *loop.Task, tb testing.TB) (stream.SendCloser, stream.ReceiveCloser)

// TestStream checks, each in a subtest and a run of its own, what the package
// stream promises of every Stream: bytes arrive once and in order, the end and
// the half-close, what a close does to both sides and to tasks that wait,
// ErrBusy, cancellation at every moment, and that a peer that does not read
// makes senders wait. Streams of any capacity pass, from none (see
// stream.NewLockstep) to that of a kernel. An Abort method is tested if there
// is one.
func TestStream(t *testing.T, make StreamMaker) { Config{}.TestStream(t, make) }

// TestOneWay is TestStream for streams that go one way.
func TestOneWay(t *testing.T, make OneWayMaker) { Config{}.TestOneWay(t, make) }

// TestStream is the function TestStream with the configuration c, whose limit
// holds for each run.
func (c Config) TestStream(t *testing.T, make StreamMaker) {
	t.Run("there", func(t *testing.T) {
		c.TestOneWay(t, func(task *loop.Task, tb testing.TB) (stream.SendCloser, stream.ReceiveCloser) {
			return make(task, tb)
		})
	})
	t.Run("back", func(t *testing.T) {
		c.TestOneWay(t, func(task *loop.Task, tb testing.TB) (stream.SendCloser, stream.ReceiveCloser) {
			a, b := make(task, tb)
			return b, a
		})
	})
	for _, check := range twoWayChecks {
		t.Run(check.name, func(t *testing.T) {
			c.Run(t, func(task *loop.Task) error {
				a, b := make(task, t)
				defer closeBoth(a, b)
				check.fn(task, t, a, b)
				return nil
			})
		})
	}
}

// TestOneWay is the function TestOneWay with the configuration c, whose limit
// holds for each run.
func (c Config) TestOneWay(t *testing.T, make OneWayMaker) {
	for _, check := range oneWayChecks {
		t.Run(check.name, func(t *testing.T) {
			c.Run(t, func(task *loop.Task) error {
				s, r := make(task, t)
				defer closeBoth(s, r)
				check.fn(task, t, s, r)
				return nil
			})
		})
	}
	t.Run("S409-cancelled-everywhere", func(t *testing.T) { c.cancelStream(t, make) })
}

func closeBoth(s stream.SendCloser, r stream.ReceiveCloser) {
	_ = s.Close() // idempotent, and the checks look at errors
	_ = r.Close()
}

// The helpers of the checks.

// must ends the test, and the task, if err is not nil.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantErr fails the test unless err matches target.
func wantErr(t testing.TB, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: got %v; want an error that matches: %v", what, err, target)
	}
}

// together runs functions as tasks, to their ends.
func together(task *loop.Task, fns ...func(*loop.Task) error) error {
	return loop.Nurse(task, func(n *loop.Nursery) error {
		for _, fn := range fns {
			if err := n.Spawn(fn); err != nil {
				return err
			}
		}
		return nil
	})
}

// meanwhile spawns fn, lets it come to where it waits, and runs then.
func meanwhile(task *loop.Task, t testing.TB, fn func(*loop.Task) error, then func() error) {
	t.Helper()
	must(t, loop.Nurse(task, func(n *loop.Nursery) error {
		if err := n.Spawn(fn); err != nil {
			return err
		}
		WaitAllTasksBlocked(task, t)
		return then()
	}))
}

// receives fails the test unless exactly text comes, in however many pieces;
// "" is the end.
func receives(task *loop.Task, t testing.TB, r stream.Receiver, text string) {
	t.Helper()
	b := make([]byte, max(len(text), 1))
	for have := 0; ; {
		n, err := r.Receive(task, b[have:])
		have += n
		switch {
		case err != nil, n == 0 && have < len(text), string(b[:have]) != text[:have]:
			t.Errorf("received %q, %v; want %q", b[:have], err, text)
			return
		case have == len(text):
			return
		}
	}
}

// exchange sends text while another task receives it.
func exchange(task *loop.Task, t testing.TB, s stream.Sender, r stream.Receiver, text string) {
	t.Helper()
	must(t, together(task,
		func(task *loop.Task) error { return s.SendAll(task, []byte(text)) },
		func(task *loop.Task) error { receives(task, t, r, text); return nil }))
}

// receiveAll receives until the end, in pieces of at most size bytes.
func receiveAll(task *loop.Task, r stream.Receiver, size int) (all []byte, err error) {
	b := make([]byte, size)
	for {
		n, err := r.Receive(task, b)
		all = append(all, b[:n]...)
		if n == 0 || err != nil {
			return all, err
		}
	}
}

// clog sends until the sender has to wait, and goes on waiting until that
// fails. It returns how much went.
func clog(task *loop.Task, s stream.Sender) (int, error) {
	chunk := make([]byte, 1<<16)
	for total := 0; ; {
		err := s.SendAll(task, chunk)
		total += stream.Sent(err, len(chunk))
		if err != nil {
			return total, err
		}
	}
}

// patternMax is the most that a check sends at once.
const patternMax = 10 << 20

// patternBytes are made once: under the race detector that takes its time.
var patternBytes = sync.OnceValue(func() []byte {
	b := make([]byte, patternMax)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
})

// pattern is n bytes, up to patternMax, in which every position can be told
// from its neighbours. They are not to be changed.
func pattern(n int) []byte { return patternBytes()[:n:n] }

// same compares without printing megabytes.
func same(got, want []byte) error {
	if bytes.Equal(got, want) {
		return nil
	}
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	return fmt.Errorf("%d bytes came and %d went; they differ from byte %d on",
		len(got), len(want), at)
}
