package looptest

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// A mutant is a memory stream that breaks one promise.
type mutant struct {
	stream.Stream
	receive func(t *loop.Task, b []byte) (int, error)
	sendAll func(t *loop.Task, b []byte) error
	sendEOF func(t *loop.Task) error
	close   func() error
}

func (m *mutant) Receive(t *loop.Task, b []byte) (int, error) {
	if m.receive != nil {
		return m.receive(t, b)
	}
	return m.Stream.Receive(t, b)
}

func (m *mutant) SendAll(t *loop.Task, b []byte) error {
	if m.sendAll != nil {
		return m.sendAll(t, b)
	}
	return m.Stream.SendAll(t, b)
}

func (m *mutant) SendEOF(t *loop.Task) error {
	if m.sendEOF != nil {
		return m.sendEOF(t)
	}
	return m.Stream.SendEOF(t)
}

func (m *mutant) Close() error {
	if m.close != nil {
		return m.close()
	}
	return m.Stream.Close()
}

// mutants are ways to get it wrong, with the checks that must notice.
var mutants = []struct {
	name   string
	checks []string
	alter  func(m *mutant)
}{
	{"an error for the end", []string{"S365-close-delivers", "S374-end-then-close"}, func(m *mutant) {
		m.receive = func(t *loop.Task, b []byte) (int, error) {
			n, err := m.Stream.Receive(t, b)
			if n == 0 && err == nil {
				err = io.EOF
			}
			return n, err
		}
	}},
	{"a receive that takes before it looks", []string{"S368-cancelled"}, func(m *mutant) {
		m.receive = func(t *loop.Task, b []byte) (n int, err error) {
			_ = loop.MoveOnAfter(t, time.Millisecond, func(*loop.Scope) error {
				n, err = m.Stream.Receive(t, b)
				return err
			}, loop.WithShield())
			if cancelled := loop.CheckpointIfCancelled(t); cancelled != nil {
				return 0, cancelled
			}
			return n, err
		}
	}},
	{"an empty send that does nothing", []string{"S359-empty-send"}, func(m *mutant) {
		m.sendAll = func(t *loop.Task, b []byte) error {
			if len(b) == 0 {
				return nil
			}
			return m.Stream.SendAll(t, b)
		}
	}},
	{"nothing for an empty buffer", []string{"S360-arguments"}, func(m *mutant) {
		m.receive = func(t *loop.Task, b []byte) (int, error) {
			if len(b) == 0 {
				return 0, loop.Checkpoint(t)
			}
			return m.Stream.Receive(t, b)
		}
	}},
	{"a queue of its own", []string{"S361-busy-sender", "S363-peer-closed"}, func(m *mutant) {
		calls := 0
		m.sendAll = func(t *loop.Task, b []byte) error {
			if calls++; calls > 10 {
				return loop.SleepForever(t)
			}
			return loop.Checkpoint(t)
		}
	}},
	{"no count", []string{"S380-counts-what-went", "bounded"}, func(m *mutant) {
		m.sendAll = func(t *loop.Task, b []byte) error {
			var partial *stream.SendError
			err := m.Stream.SendAll(t, b)
			if errors.As(err, &partial) {
				return partial.Err
			}
			return err
		}
	}},
	{"bytes that come twice", []string{"S373-random-pieces"}, func(m *mutant) {
		m.sendAll = func(t *loop.Task, b []byte) error {
			return m.Stream.SendAll(t, append(b[:len(b):len(b)], b...))
		}
	}},
	{"a close that fails the second time", []string{"S364-closed-locally"}, func(m *mutant) {
		closed := false
		m.close = func() error {
			if closed {
				return errTest
			}
			closed = true
			return m.Stream.Close()
		}
	}},
}

// Every promise that is broken is noticed: otherwise the kit would prove
// nothing.
func TestStreamKitNotices(t *testing.T) {
	for _, mut := range mutants {
		for _, name := range mut.checks {
			check := oneWayNamed(t, name)
			r := record(func(r *recorder) {
				Run(r, func(task *loop.Task) error {
					a, b := stream.NewMemory(100)
					s, d := &mutant{Stream: a}, &mutant{Stream: b}
					mut.alter(s)
					mut.alter(d)
					defer closeBoth(s, d)
					return loop.FailAfter(task, time.Second, func(*loop.Scope) error {
						check.fn(task, r, s, d)
						return nil
					})
				}, loop.WithClock(NewAutojumpClock()))
			})
			if !r.failed {
				t.Errorf("%s does not notice %s", name, mut.name)
			}
		}
	}
}

func oneWayNamed(t *testing.T, name string) oneWayCheck {
	for _, check := range oneWayChecks {
		if check.name == name {
			return check
		}
	}
	t.Fatalf("there is no check %s", name)
	return oneWayCheck{}
}

// A half-close that closes, and a cancelled one that ends, are noticed.
func TestStreamKitNoticesEnds(t *testing.T) {
	ends := map[string]func(t *loop.Task, m *mutant) error{
		"S375-half-close": func(t *loop.Task, m *mutant) error {
			_ = m.Close()
			return loop.Checkpoint(t)
		},
		"S375-end-cancelled": func(t *loop.Task, m *mutant) error {
			_ = loop.Shield(t, func(*loop.Scope) error { return m.Stream.SendEOF(t) })
			return loop.Checkpoint(t)
		},
	}
	for _, check := range twoWayChecks {
		wrong := ends[check.name]
		if wrong == nil {
			continue
		}
		r := record(func(r *recorder) {
			Run(r, func(task *loop.Task) error {
				a, b := stream.NewMemory(100)
				m := &mutant{Stream: a}
				m.sendEOF = func(t *loop.Task) error { return wrong(t, m) }
				defer closeBoth(m, b)
				check.fn(task, r, m, b)
				return nil
			})
		})
		if !r.failed {
			t.Errorf("%s does not notice", check.name)
		}
	}
}

// A cancelled receive that takes something loses it.
func TestStreamKitNoticesLoss(t *testing.T) {
	r := record(func(r *recorder) {
		Config{}.cancelStream(r, func(*loop.Task, testing.TB) (stream.SendCloser, stream.ReceiveCloser) {
			a, b := stream.NewMemory(1000)
			m := &mutant{Stream: b}
			m.receive = func(t *loop.Task, into []byte) (int, error) {
				n, err := m.Stream.Receive(t, into)
				if cancelled := loop.CheckpointIfCancelled(t); cancelled != nil {
					return 0, cancelled
				}
				return n, err
			}
			return a, m
		})
	})
	wantFailure(t, r, "bytes came and", "does harm")
}
