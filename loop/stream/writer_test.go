package stream_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// onWriter runs fn with a Writer in front of a memory stream that holds little,
// and the stream's other end.
func onWriter(
	t *testing.T, opts []stream.WriterOption,
	fn func(task *loop.Task, w *stream.Writer, peer *stream.Memory),
) {
	t.Helper()
	looptest.Run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(8)
		defer b.Close()
		defer a.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			w, err := stream.NewWriter(n, a, opts...)
			if err != nil {
				return err
			}
			fn(task, w, b)
			return n.Cancel("the test is over")
		})
	})
}

func receiveN(task *loop.Task, t *testing.T, from stream.Receiver, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := stream.ReceiveExactly(task, from, b); err != nil {
		t.Error(err)
	}
	return string(b)
}

// What is put within a turn goes out in one batch, in order; without anything
// to send there is no task.
func TestWriterGathers(t *testing.T) {
	onWriter(t, nil, func(task *loop.Task, w *stream.Writer, peer *stream.Memory) {
		for i := range 10 {
			if err := w.Put([]byte{'0' + byte(i)}); err != nil {
				t.Error(err)
			}
		}
		if got := receiveN(task, t, peer, 10); got != "0123456789" {
			t.Errorf("received %q", got)
		}
		if err := w.Flush(task); err != nil {
			t.Error(err)
		}
		got := w.Statistics()
		if got.Batches != 1 || got.Sent != 10 || got.SentBytes != 10 || got.Queued != 0 {
			t.Errorf("%+v", got)
		}
		if children := len(task.Nurseries()[0].Children()); children != 0 {
			t.Errorf("%d tasks of an idle writer", children)
		}
	})
}

// stuck has a send of 9 bytes under way, of which the stream holds 8.
func stuck(task *loop.Task, t *testing.T, w *stream.Writer) {
	t.Helper()
	if err := w.Put([]byte("123456789")); err != nil {
		t.Error(err)
	}
	looptest.WaitAllTasksBlocked(task, t)
}

func TestWriterPolicies(t *testing.T) {
	for _, c := range []struct {
		policy  stream.Policy
		err     error
		arrives string
		dropped uint64
	}{
		{stream.Refuse, loop.ErrFull, "123456789abcd", 0},
		{stream.DropOldest, nil, "123456789bcde", 1},
		{stream.DropNewest, nil, "123456789abcd", 1},
		{stream.CloseSlow, stream.ErrSlow, "", 4},
	} {
		t.Run(fmt.Sprint(c.policy), func(t *testing.T) {
			var failed error
			opts := []stream.WriterOption{
				stream.WithBound(4, 100), stream.WithPolicy(c.policy),
				stream.WithFailure(func(err error) { failed = err }),
			}
			onWriter(t, opts, func(task *loop.Task, w *stream.Writer, peer *stream.Memory) {
				stuck(task, t, w)
				for _, text := range []string{"a", "b", "c", "d"} {
					if err := w.Put([]byte(text)); err != nil {
						t.Errorf("with room: %v", err)
					}
				}
				if err := w.Put([]byte("e")); !errors.Is(err, c.err) {
					t.Errorf("without room: %v, want %v", err, c.err)
				}
				if c.arrives == "" {
					if _, err := peer.Receive(task, make([]byte, 1)); !errors.Is(err, loop.ErrBroken) {
						t.Errorf("the peer of a closed stream: %v", err)
					}
					for _, err := range []error{w.Err(), failed, w.Put([]byte("x")), w.Flush(task)} {
						if !errors.Is(err, stream.ErrSlow) || !errors.Is(err, loop.ErrBroken) {
							t.Errorf("afterwards: %v", err)
						}
					}
				} else if got := receiveN(task, t, peer, 13); got != c.arrives {
					t.Errorf("%q arrived, want %q", got, c.arrives)
				}
				if got := w.Statistics().Dropped; got != c.dropped {
					t.Errorf("%d dropped, want %d", got, c.dropped)
				}
			})
		})
	}
}

// Send waits for room, in the order of arrival, and nobody gets in before those
// who wait; a cancelled one has queued nothing.
func TestWriterSendWaits(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		onWriter(t, []stream.WriterOption{stream.WithBound(4, 1)},
			func(task *loop.Task, w *stream.Writer, peer *stream.Memory) {
				stuck(task, t, w)
				gone, err := loop.NewScope(task.Loop())
				if err != nil {
					t.Error(err)
				}
				err = loop.Nurse(task, func(n *loop.Nursery) error {
					for _, text := range []string{"a", "b", "never", "c"} {
						err := n.Spawn(func(task *loop.Task) error {
							if text != "never" {
								return w.Send(task, []byte(text))
							}
							return loop.Enter(task, gone, func(*loop.Scope) error {
								return w.Send(task, []byte(text))
							})
						})
						if err != nil {
							return err
						}
						looptest.WaitAllTasksBlocked(task, t)
					}
					if got := w.Statistics().Queued; got != 1 {
						t.Errorf("%d messages in a queue of one", got)
					}
					if err := w.Put([]byte("x")); !errors.Is(err, loop.ErrFull) {
						t.Errorf("put while others wait: %v", err)
					}
					if err := gone.Cancel("test"); err != nil {
						return err
					}
					if got := receiveN(task, t, peer, 12); got != "123456789abc" {
						t.Errorf("received %q", got)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
				}
				if err := w.Flush(task); err != nil {
					t.Error(err)
				}
				if got := w.Statistics(); got.Sent != 4 {
					t.Errorf("%+v", got)
				}
			})
	})
}

// An error of the stream is the Writer's, and is told; it does not end the
// nursery.
func TestWriterStreamFails(t *testing.T) {
	var told error
	tell := stream.WithFailure(func(err error) { told = err })
	onWriter(t, []stream.WriterOption{tell},
		func(task *loop.Task, w *stream.Writer, peer *stream.Memory) {
			_ = peer.Close()
			if err := w.Put([]byte("x")); err != nil {
				t.Error(err)
			}
			err := w.Flush(task)
			if !errors.Is(err, loop.ErrBroken) || told != err || w.Put([]byte("y")) != err {
				t.Errorf("flush: %v; told: %v", err, told)
			}
		})
}

func TestWriterClose(t *testing.T) {
	onWriter(t, nil, func(task *loop.Task, w *stream.Writer, peer *stream.Memory) {
		stuck(task, t, w)
		_ = w.Put([]byte("never"))
		if err := errors.Join(w.Close(), w.Close()); err != nil {
			t.Error(err)
		}
		if err := w.Put([]byte("x")); !errors.Is(err, loop.ErrClosed) {
			t.Errorf("put: %v", err)
		}
		if got := receiveN(task, t, peer, 9); got != "123456789" {
			t.Errorf("received %q", got)
		}
		if got := w.Statistics(); got.Dropped != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestWriterMisuse(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(0)
		defer a.Close()
		defer b.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for _, opt := range []stream.WriterOption{
				stream.WithBound(0, 1), stream.WithBound(1, 0), stream.WithPolicy(99),
			} {
				if _, err := stream.NewWriter(n, a, opt); !errors.Is(err, loop.ErrMisuse) {
					t.Errorf("got %v", err)
				}
			}
			if _, err := stream.NewWriter(nil, a); !errors.Is(err, loop.ErrMisuse) {
				t.Errorf("no nursery: %v", err)
			}
			return nil
		})
	})
}

// One message for many, of which one never reads: the others get everything,
// the message is not copied, and the slow one costs no more than its bound.
func TestWriterBroadcast(t *testing.T) {
	looptest.Seeds(t, 10, func(t *testing.T) {
		looptest.Run(t, func(task *loop.Task) error {
			const clients, rounds = 20, 100
			message := bytes.Repeat([]byte("m"), 100)
			var writers []*stream.Writer
			var ends []*stream.Memory
			var all []interface{ Close() error }
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				for i := range clients {
					a, b := stream.NewMemory(0)
					ends, all = append(ends, b), append(all, a, b)
					policy := stream.Refuse
					if i == 0 {
						policy = stream.DropOldest
					}
					w, err := stream.NewWriter(n, a, stream.WithBound(1000, 100), stream.WithPolicy(policy))
					if err != nil {
						return err
					}
					writers = append(writers, w)
				}
				err := loop.Nurse(task, func(n *loop.Nursery) error {
					for _, b := range ends[1:] {
						err := n.Spawn(func(task *loop.Task) error {
							got := receiveN(task, t, b, rounds*len(message))
							if want := bytes.Repeat(message, rounds); got != string(want) {
								t.Error("a client got something else")
							}
							return nil
						})
						if err != nil {
							return err
						}
					}
					for range rounds {
						if err := writers[0].Put(message); err != nil {
							return err
						}
						for _, w := range writers[1:] {
							if err := w.Send(task, message); err != nil {
								return err
							}
						}
					}
					return nil
				})
				slow := writers[0].Statistics()
				if slow.Dropped == 0 || slow.QueuedBytes > 1000 {
					t.Errorf("the slow one: %+v", slow)
				}
				return errors.Join(err, n.Cancel("done"))
			})
			for _, c := range slices.Backward(all) {
				_ = c.Close()
			}
			return err
		})
	})
}
