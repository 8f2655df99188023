package stream_test

import (
	"errors"
	"os"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sys"
)

// Scenarios U: pipes and other descriptors.

func pipe(t *loop.Task, tb testing.TB) (*stream.PipeReader, *stream.PipeWriter) {
	tb.Helper()
	r, w, err := stream.Pipe(t.Loop())
	if errors.Is(err, errors.ErrUnsupported) {
		tb.Skip("this system has no readiness for pipes")
	}
	must(tb, err)
	return r, w
}

// TestS385Pipe puts pipes through the stream kit: one way, and two of them
// stapled together.
func TestS385Pipe(t *testing.T) {
	looptest.EachKernel(t, func(t *testing.T) {
		t.Run("one way", func(t *testing.T) {
			type s = stream.SendCloser
			type r = stream.ReceiveCloser
			looptest.TestOneWay(t, func(t *loop.Task, tb testing.TB) (s, r) {
				r, w := pipe(t, tb)
				return w, r
			})
		})
		t.Run("stapled", func(t *testing.T) {
			looptest.TestStream(t, func(t *loop.Task, tb testing.TB) (a, b stream.Stream) {
				r1, w1 := pipe(t, tb)
				r2, w2 := pipe(t, tb)
				return stream.Staple(r1, w2), stream.Staple(r2, w1)
			})
		})
	})
}

func TestPipeStatistics(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		r, w := pipe(task, t)
		must(t, w.SendAll(task, []byte("four")))
		_, err := r.Receive(task, make([]byte, 3))
		must(t, err)
		if got := w.Statistics(); got != (stream.PipeStatistics{Bytes: 4}) {
			t.Errorf("of the writer: %+v", got)
		}
		must(t, r.Close())
		if got := r.Statistics(); got != (stream.PipeStatistics{Bytes: 3, Closed: true}) {
			t.Errorf("of the reader: %+v", got)
		}
		err = w.SendAll(task, []byte("x"))
		want(t, "the reason of the system", err, sys.EPIPE)
		var e *stream.PipeError
		if !errors.As(err, &e) || e.Op != "write" {
			t.Errorf("writing to who has closed: %v", err)
		}
		return w.Close()
	})
}

// TestS388NoPipe reads what can not be read: that is no end, and no silence.
func TestS388NoPipe(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		r, w := pipe(task, t) // or the test is skipped
		defer r.Close()
		dir, err := os.Open(t.TempDir())
		must(t, err)
		defer dir.Close()
		fd, err := sys.Dup(sys.FD(dir.Fd()))
		must(t, err)
		d, err := stream.AdoptReader(task.Loop(), fd)
		must(t, err)
		_, err = d.Receive(task, make([]byte, 1))
		want(t, "reading a directory", err, loop.ErrBroken)
		var errno sys.Errno
		if !errors.As(err, &errno) {
			t.Errorf("the reason of the system is missing: %v", err)
		}
		must(t, d.Close())
		closed, err := w.Detach()
		must(t, err)
		must(t, sys.Close(closed))
		_, err = stream.AdoptReader(task.Loop(), closed)
		want(t, "adopting what is closed", err, loop.ErrClosed)
		_, err = w.Detach()
		want(t, "detaching again", err, loop.ErrClosed)
		want(t, "writing after that", w.SendAll(task, nil), loop.ErrClosed)
		return nil
	})
}

// TestS389NonblockIsRestored adopts descriptors whose open file others share.
func TestS389NonblockIsRestored(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		pr, pw := pipe(task, t)
		r, err := pr.Detach()
		must(t, err)
		w, err := pw.Detach()
		must(t, err)
		shared, err := sys.Dup(r) // what a child would have
		must(t, err)
		must(t, sys.SetNonblock(r, false))
		must(t, sys.SetNonblock(w, false))
		modes := func(what string, reader, writer bool) {
			t.Helper()
			gotR, err := sys.Nonblocking(shared)
			must(t, err)
			gotW, err := sys.Nonblocking(w)
			must(t, err)
			if gotR != reader || gotW != writer {
				t.Errorf("%s: nonblocking = %v, %v; want %v, %v", what, gotR, gotW, reader, writer)
			}
		}
		ar, err := stream.AdoptReader(task.Loop(), r)
		must(t, err)
		aw, err := stream.AdoptWriter(task.Loop(), w)
		must(t, err)
		modes("adopted", true, true)
		must(t, aw.SendAll(task, []byte("x")))
		_, err = ar.Receive(task, make([]byte, 1))
		must(t, err)
		must(t, ar.Close())
		_, err = aw.Detach()
		must(t, err)
		modes("given back", false, false)
		must(t, sys.SetNonblock(w, true))
		aw, err = stream.AdoptWriter(task.Loop(), w)
		must(t, err)
		_, err = aw.Detach()
		must(t, err)
		modes("what was nonblocking stays so", false, true)
		return errors.Join(sys.Close(w), sys.Close(shared))
	})
}

// A task of another loop is refused, also by a call that need not wait.
func TestPipeWrongTask(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		r, w := pipe(task, t)
		defer r.Close()
		defer w.Close()
		done := make(chan error)
		go func() {
			done <- loop.Run(func(other *loop.Task) error { return w.SendAll(other, []byte("x")) })
		}()
		want(t, "a task of another loop", <-done, loop.ErrWrongTask)
		return nil
	})
}

func TestPipeAllocations(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		r, w := pipe(task, t)
		defer r.Close()
		defer w.Close()
		b := []byte("ping")
		n := testing.AllocsPerRun(100, func() {
			if err := w.SendAll(task, b); err != nil {
				t.Error(err)
			}
			if _, err := r.Receive(task, b); err != nil {
				t.Error(err)
			}
		})
		if n != 0 {
			t.Errorf("%v allocations for a send and a receive", n)
		}
		return nil
	})
}
