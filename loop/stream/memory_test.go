package stream_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// Memory streams pass the kit in looptest. Here is what they promise beyond.

func TestS412MemoryStatistics(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(10)
		must(t, a.SendAllVectored(task, [][]byte{[]byte("abc"), nil, []byte("de")}))
		got := make([]byte, 2) // less than there is
		n, err := b.Receive(task, got)
		if err != nil || string(got[:n]) != "ab" {
			t.Errorf("received %q, %v", got[:n], err)
		}
		if s := a.Statistics(); s != (stream.MemoryStatistics{Sent: 2, Unread: 3}) {
			t.Errorf("of the sender: %+v", s)
		}
		if s := b.Statistics(); s != (stream.MemoryStatistics{Received: 2, Waiting: 3}) {
			t.Errorf("of the receiver: %+v", s)
		}
		must(t, a.Abort())
		must(t, a.Abort())
		_, err = b.Receive(task, got)
		want(t, "receiving from who has aborted", err, loop.ErrBroken)
		want(t, "sending to who has aborted", b.SendAll(task, got), loop.ErrBroken)
		if s := a.Statistics(); s != (stream.MemoryStatistics{Sent: 2, Closed: true}) {
			t.Errorf("after an abort: %+v", s)
		}
		return b.Close()
	})
}

// TestS412MemoryClose: what the closed end has not received is lost, as is the
// room it took; what it had sent is not.
func TestS412MemoryClose(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(10)
		defer b.Close()
		must(t, a.SendAll(task, []byte("there")))
		must(t, b.SendAll(task, []byte("back")))
		must(t, a.Close())
		if s := a.Statistics(); s != (stream.MemoryStatistics{Unread: 5, Closed: true}) {
			t.Errorf("of the closed end: %+v", s)
		}
		got := make([]byte, 5)
		_, err := stream.ReceiveExactly(task, b, got)
		must(t, err)
		n, err := b.Receive(task, got)
		if n != 0 || err != nil {
			t.Errorf("the end: %d, %v", n, err)
		}
		return nil
	})
}

// TestS413Lockstep: the sender waits until everything has been taken.
func TestS413Lockstep(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := stream.NewLockstep()
		defer b.Close()
		defer a.Close()
		returned := false
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				err := a.SendAll(task, []byte("abc"))
				returned = true
				return err
			}))
			for _, text := range []string{"a", "b", "c"} {
				looptest.WaitAllTasksBlocked(task, t)
				if returned {
					t.Errorf("the sender did not wait for %q to be taken", text)
				}
				got := make([]byte, 1)
				_, err := b.Receive(task, got)
				if err != nil || string(got) != text {
					t.Errorf("received %q, %v; want %q", got, err, text)
				}
			}
			looptest.WaitAllTasksBlocked(task, t)
			if !returned {
				t.Error("the sender still waits")
			}
			return nil
		})
	})
}

// half is one end of a one-way stream that counts.
type half struct {
	stream.Stream
	closed int
	err    error
}

func (h *half) Close() error {
	h.closed++
	_ = h.Stream.Close()
	return h.err
}

// TestS381Staple: each call goes to the right half, and a close closes both
// even if the first fails.
func TestS381Staple(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		in, feed := stream.NewMemory(0)
		out, drain := stream.NewMemory(0)
		errR, errW := errors.New("r"), errors.New("w")
		r, w := &half{Stream: in, err: errR}, &half{Stream: out, err: errW}
		s := stream.Staple(r, w)
		must(t, feed.SendAll(task, []byte("in")))
		got := make([]byte, 10)
		n, err := s.Receive(task, got)
		if err != nil || string(got[:n]) != "in" {
			t.Errorf("received %q, %v", got[:n], err)
		}
		must(t, s.SendAllVectored(task, [][]byte{[]byte("o"), []byte("ut")}))
		n, err = drain.Receive(task, got)
		if err != nil || string(got[:n]) != "o" && string(got[:n]) != "out" {
			t.Errorf("sent %q, %v", got[:n], err)
		}
		err = s.Close()
		want(t, "closing", err, errR)
		want(t, "closing", err, errW)
		must(t, s.Close())
		if r.closed != 1 || w.closed != 1 {
			t.Errorf("the halves were closed %d and %d times", r.closed, w.closed)
		}
		return nil
	})
}

// bare hides what a Sender can do beyond SendAll.
type bare struct{ stream.Sender }

// The number of bytes that went counts the buffers before the one that failed.
func TestSendAllVectoredFallback(t *testing.T) {
	for name, wrap := range map[string]func(stream.Sender) stream.Sender{
		"at once":    func(s stream.Sender) stream.Sender { return s },
		"one by one": func(s stream.Sender) stream.Sender { return bare{s} },
	} {
		looptest.Run(t, func(task *loop.Task) error {
			a, b := stream.NewMemory(10)
			defer a.Close()
			defer b.Close()
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				must(t, n.Spawn(func(task *loop.Task) error {
					buffers := [][]byte{[]byte("123456"), nil, []byte("789012"), []byte("x")}
					err := stream.SendAllVectored(task, wrap(a), buffers)
					want(t, name, err, loop.Cancelled)
					if sent := stream.Sent(err, 13); sent != 10 {
						t.Errorf("%s: %d bytes went", name, sent)
					}
					return err
				}))
				looptest.WaitAllTasksBlocked(task, t)
				return n.Cancel("there is room for 10")
			})
			must(t, err)
			return looptest.AssertCheckpoint(task, t, func() error {
				return stream.SendAllVectored(task, wrap(a), nil)
			})
		})
	}
}

func TestReaderLimits(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		for _, c := range []struct {
			text  string
			limit int
			line  string
			err   error
		}{
			{"abc\r\n", 3, "abc", nil},
			{"abc\n", 3, "abc", nil},
			{"abcd\n", 3, "", stream.ErrTooLong},
			{"abcd" + strings.Repeat("x", 10), 3, "", stream.ErrTooLong}, // no need to see its end
			{"\r\n", 0, "", nil},
			{"x\n", 0, "", stream.ErrTooLong},
			{"x\n", -1, "", loop.ErrMisuse},
		} {
			r := stream.NewReader(&splitter{data: []byte(c.text)}, make([]byte, 64))
			line, err := r.LineWithin(task, c.limit)
			if string(line) != c.line || !errors.Is(err, c.err) {
				t.Errorf("%q within %d: %q, %v", c.text, c.limit, line, err)
			}
		}
		return nil
	})
}

func TestReaderPeek(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		r := stream.NewReader(&splitter{data: []byte("PROXY TCP4\r\n\r\nrest")}, make([]byte, 32))
		for range 2 {
			b, err := r.Peek(task, 5)
			if err != nil || string(b) != "PROXY" {
				t.Errorf("peeked %q, %v", b, err)
			}
		}
		head, err := r.UntilSequence(task, []byte("\r\n\r\n"))
		if err != nil || string(head) != "PROXY TCP4\r\n\r\n" || string(r.Buffered()) != "rest" {
			t.Errorf("%q, %v; %q is left", head, err, r.Buffered())
		}
		return nil
	})
}
