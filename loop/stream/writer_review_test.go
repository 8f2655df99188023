package stream_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// Who waits for room behind a larger message gets it when that one is given up:
// nothing has to be sent first.
func TestWriterSendBehindOneThatLeaves(t *testing.T) {
	onWriter(t, []stream.WriterOption{stream.WithBound(4, 100)},
		func(task *loop.Task, w *stream.Writer, peer *stream.Memory) {
			stuck(task, t, w)
			if err := w.Put([]byte("abc")); err != nil {
				t.Error(err)
			}
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				large, err := loop.NewScope(task.Loop())
				if err != nil {
					return err
				}
				sent := false
				err = errors.Join(n.Spawn(func(task *loop.Task) error {
					return loop.Enter(task, large, func(*loop.Scope) error {
						return w.Send(task, []byte("too large"))
					})
				}), n.Spawn(func(task *loop.Task) error {
					if err := loop.Yield(task); err != nil {
						return err
					}
					err := w.Send(task, []byte("d"))
					sent = err == nil
					return err
				}))
				looptest.WaitAllTasksBlocked(task, t)
				if sent {
					t.Error("a small message got in before a larger one that was first")
				}
				err = errors.Join(err, large.Cancel("test"))
				looptest.WaitAllTasksBlocked(task, t)
				if !sent {
					t.Error("there is room, and a Send waits for it")
				}
				return errors.Join(err, n.Cancel("done"))
			})
			if err != nil {
				t.Error(err)
			}
			if got := receiveN(task, t, peer, 13); got != "123456789abcd" {
				t.Errorf("received %q", got)
			}
		})
}

// A Writer that had a full queue once and has nothing to do now is small.
func TestWriterIdleIsSmall(t *testing.T) {
	const writers, each = 20, 4 << 10
	looptest.Run(t, func(task *loop.Task) error {
		var all []*stream.Writer
		return loop.Nurse(task, func(n *loop.Nursery) error {
			before := heapInUse()
			for range writers {
				w, err := stream.NewWriter(n, sink{})
				for i := 0; i < 2*stream.DefaultQueuedMessages && err == nil; i++ {
					if err = w.Put([]byte("x")); errors.Is(err, loop.ErrFull) {
						err = w.Flush(task)
					}
				}
				if err = errors.Join(err, w.Flush(task)); err != nil {
					return err
				}
				all = append(all, w)
			}
			if grown := heapInUse() - before; grown > writers*each {
				t.Errorf("%d bytes for an idle writer", grown/writers)
			}
			runtime.KeepAlive(all)
			return nil
		})
	})
}

// sink takes everything at once.
type sink struct{}

func (sink) SendAll(t *loop.Task, _ []byte) error { return loop.Checkpoint(t) }

func heapInUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A stream that cannot be closed cannot be given up for being slow.
func TestWriterCloseSlowNeedsAClose(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			_, err := stream.NewWriter(n, sink{}, stream.WithPolicy(stream.CloseSlow))
			if !errors.Is(err, loop.ErrMisuse) {
				t.Errorf("got %v", err)
			}
			return nil
		})
	})
}

// A message that cannot be sent since the nursery has been left is refused, and
// so not counted as dropped.
func TestWriterOfANurseryThatWasLeft(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var w *stream.Writer
		var told error
		err := loop.Nurse(task, func(n *loop.Nursery) (err error) {
			w, err = stream.NewWriter(n, sink{}, stream.WithFailure(func(err error) { told = err }))
			return err
		})
		if err := w.Put([]byte("x")); !errors.Is(err, loop.ErrClosed) || told != err || w.Err() != err {
			t.Errorf("put: %v, told: %v", err, told)
		}
		if s := w.Statistics(); s.Dropped != 0 || s.Queued != 0 {
			t.Errorf("%+v", s)
		}
		return err
	})
}

// A cancellation in the midst of a message leaves a stream on which nothing else
// can be sent, and the Writer tells; between two messages it does not.
func TestWriterTellsOfATornMessage(t *testing.T) {
	for _, c := range []struct {
		messages []string
		torn     bool
	}{
		{[]string{"123456789"}, true},
		{[]string{"12345678", "9"}, false},
	} {
		looptest.Run(t, func(task *loop.Task) error {
			a, b := stream.NewMemory(8)
			defer a.Close()
			defer b.Close()
			var w *stream.Writer
			err := loop.Nurse(task, func(n *loop.Nursery) (err error) {
				w, err = stream.NewWriter(n, a)
				for _, text := range c.messages {
					err = errors.Join(err, w.Put([]byte(text)))
				}
				looptest.WaitAllTasksBlocked(task, t)
				return errors.Join(err, n.Cancel("test"))
			})
			if s := w.Statistics(); s.Torn != c.torn || s.Dropped != 1 {
				t.Errorf("%q: %+v", c.messages, s)
			}
			return err
		})
	}
}
