package stream_test

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// The nursery of a Writer is cancelled: nobody else is, so nobody else is told
// Cancelled, which a scope around them might absorb.
func TestWriterCancelledByItsNursery(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(8)
		defer a.Close()
		defer b.Close()
		var w *stream.Writer
		err := loop.Nurse(task, func(others *loop.Nursery) error {
			return loop.Nurse(task, func(n *loop.Nursery) (err error) {
				w, err = stream.NewWriter(n, a, stream.WithBound(1, 1))
				if err != nil {
					return err
				}
				stuck(task, t, w)
				put := w.Put([]byte("x"))
				for _, wait := range []func(*loop.Task) error{
					w.Flush,
					func(task *loop.Task) error { return w.Send(task, []byte("y")) },
				} {
					err := others.Spawn(func(task *loop.Task) error {
						err := wait(task)
						if !errors.Is(err, loop.ErrClosed) || errors.Is(err, loop.Cancelled) {
							t.Errorf("who waited got %v", err)
						}
						return nil
					})
					put = errors.Join(put, err)
				}
				looptest.WaitAllTasksBlocked(task, t)
				return errors.Join(put, n.Cancel("enough"))
			})
		})
		if err := w.Put([]byte("z")); !errors.Is(err, loop.ErrClosed) || errors.Is(err, loop.Cancelled) {
			t.Errorf("put: %v", err)
		}
		if s := w.Statistics(); s.FlyingBytes != 0 || s.Dropped != 2 {
			t.Errorf("%+v", s)
		}
		return err
	})
}

// panicker is a stream that panics, or ends its goroutine, when it sends.
type panicker struct{ do func() }

func (p panicker) SendAll(t *loop.Task, _ []byte) error {
	if err := loop.Yield(t); err != nil {
		return err
	}
	p.do()
	return nil
}

// A stream that panics takes its Writer along, and leaves nobody waiting.
func TestWriterOfAStreamThatPanics(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var told error
		w := (*stream.Writer)(nil)
		err := loop.Nurse(task, func(n *loop.Nursery) (err error) {
			w, err = stream.NewWriter(n, panicker{func() { panic("oops") }},
				stream.WithBound(1, 1), stream.WithFailure(func(err error) { told = err }))
			if err != nil {
				return err
			}
			return loop.Shield(task, func(*loop.Scope) error {
				if err := w.Send(task, []byte("a")); err != nil {
					return err
				}
				err := w.Flush(task)
				if !errors.Is(err, loop.ErrBroken) || told != err {
					t.Errorf("flush: %v, told: %v", err, told)
				}
				return nil
			})
		})
		var p *loop.PanicError
		if !errors.As(err, &p) || p.Value != "oops" {
			t.Errorf("the nursery has %v", err)
		}
		if err := w.Put([]byte("b")); !errors.Is(err, loop.ErrBroken) {
			t.Errorf("put: %v", err)
		}
		return nil
	})
}

// A Send that somebody wakes by hand has sent nothing, now or later.
func TestWriterSendUnparkedByHand(t *testing.T) {
	onWriter(t, []stream.WriterOption{stream.WithBound(1, 1)},
		func(task *loop.Task, w *stream.Writer, peer *stream.Memory) {
			stuck(task, t, w)
			if err := w.Put([]byte("x")); err != nil {
				t.Error(err)
			}
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				h, err := loop.Go(n, func(task *loop.Task) (int, error) {
					if err := w.Send(task, []byte("never")); !errors.Is(err, loop.ErrMisuse) {
						t.Errorf("got %v", err)
					}
					return 0, nil
				})
				looptest.WaitAllTasksBlocked(task, t)
				return errors.Join(err, h.Task().Unpark(nil))
			})
			if got := receiveN(task, t, peer, 10); got != "123456789x" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			if err := w.Flush(task); err != nil || w.Statistics().Sent != 2 {
				t.Errorf("%v, %+v", err, w.Statistics())
			}
		})
}
