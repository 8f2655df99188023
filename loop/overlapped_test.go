package loop_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// hasCompletions skips a test where operations do not complete later, after
// having seen the honest answers.
func hasCompletions(task *loop.Task, t *testing.T) {
	t.Helper()
	if sys.OverlappedPending != nil {
		return
	}
	_, err := loop.ReadOverlapped(task, 1, make([]byte, 1), 0)
	_, err2 := loop.MonitorCompletions(task.Loop())
	for _, err := range []error{err, err2, task.Loop().RegisterHandle(1)} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
	}
	t.Skip("only Windows has completion ports")
}

// handle closes an open handle at the end.
func handle(t *testing.T, fd sys.FD) sys.FD {
	t.Cleanup(func() {
		if err := sys.CloseHandle(fd); err != nil {
			t.Error(err)
		}
	})
	return fd
}

// overlappedFile makes a file with data and opens it for overlapped reads.
func overlappedFile(t *testing.T, data []byte) sys.FD {
	f, err := os.CreateTemp("", "lion")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(f.Name()) })
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	fd, err := sys.OpenOverlapped(f.Name(), false)
	if err != nil {
		t.Fatal(err)
	}
	return handle(t, fd)
}

// Ten packets arrive in order, in batches. S426.
func TestMonitorCompletions(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		hasCompletions(task, t)
		m, err := loop.MonitorCompletions(task.Loop())
		if err != nil {
			return err
		}
		go func() {
			for i := range uint32(10) {
				if err := m.Post(i); err != nil {
					t.Error(err)
				}
			}
		}()
		for next := uint32(0); next < 10; {
			packets, err := m.Wait(task)
			if err != nil {
				return err
			}
			for _, p := range packets {
				if p.Bytes != next {
					t.Errorf("packet %d came as number %d", p.Bytes, next)
				}
				next++
			}
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				if _, err := m.Wait(task); !errors.Is(err, loop.ErrClosed) {
					t.Errorf("after closing: %v", err)
				}
				return nil
			})
			settle(task)
			m.Close()
			return nil
		})
	})
}

// Packets come although a task never stops running.
func TestCompletionsBesideABusyTask(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		hasCompletions(task, t)
		m, err := loop.MonitorCompletions(task.Loop())
		if err != nil {
			return err
		}
		defer m.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			came := false
			n.Spawn(func(task *loop.Task) error {
				_, err := m.Wait(task)
				came = true
				return err
			})
			if err := m.Post(1); err != nil {
				return err
			}
			for !came {
				if err := loop.Yield(task); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Eight reads at a time put a file together, from memory that belongs to the
// system until each has ended; a handle that is not registered is refused at
// once. S427, S428, S432.
func TestOverlappedReads(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		hasCompletions(task, t)
		data := bytes.Repeat([]byte("01234567"), 512)
		h := overlappedFile(t, data)
		room := make([]byte, len(data))
		_, err := loop.ReadOverlapped(task, h, room, 0)
		if !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("a handle that is not registered: %v", err)
		}
		if err := task.Loop().RegisterHandle(h); err != nil {
			return err
		}
		defer task.Loop().ForgetHandle(h)
		err = loop.Nurse(task, func(n *loop.Nursery) error {
			for at := 0; at < len(room); at += 512 {
				n.Spawn(func(task *loop.Task) error {
					got, err := loop.ReadOverlapped(task, h, room[at:at+512], int64(at))
					if got != 512 {
						t.Errorf("%d bytes at %d, %v", got, at, err)
					}
					return err
				})
			}
			return nil
		})
		if !bytes.Equal(room, data) {
			t.Error("the file came out otherwise")
		}
		if _, err := loop.ReadOverlapped(task, h, room, 1<<20); err == nil {
			t.Error("a read beyond the end succeeded")
		}
		if n, err := loop.WriteOverlapped(task, h, []byte("x"), 0); err == nil {
			t.Errorf("a write to a file open for reading: %d", n)
		}
		return err
	})
}

// The system has no room for an operation a few times: it is tried again, not
// reported. S431.
func TestOverlappedScarce(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		hasCompletions(task, t)
		data := []byte("data")
		h := overlappedFile(t, data)
		if err := task.Loop().RegisterHandle(h); err != nil {
			return err
		}
		defer task.Loop().ForgetHandle(h)
		room, tries := make([]byte, 4), 0
		n, err := loop.WaitOverlapped(task, h, func(o *sys.Overlapped) error {
			if tries++; tries < 3 {
				return sys.WouldBlock
			}
			return o.Read(room, 0)
		})
		if n != 4 || err != nil || tries != 3 || !bytes.Equal(room, data) {
			t.Errorf("%d, %v after %d tries: %q", n, err, tries, room)
		}
		return nil
	})
}

// A read of a pipe that brings nothing is cancelled: the task goes on when the
// system has let go of the memory, and data that come later are not lost. S429,
// S432.
func TestOverlappedCancel(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		hasCompletions(task, t)
		r, w, err := sys.OverlappedPipe()
		if err != nil {
			return err
		}
		handle(t, r)
		handle(t, w)
		for _, h := range []sys.FD{r, w} {
			if err := task.Loop().RegisterHandle(h); err != nil {
				return err
			}
			defer task.Loop().ForgetHandle(h)
		}
		scope, err := loop.NewScope(task.Loop())
		if err != nil {
			return err
		}
		room := make([]byte, 9)
		err = loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				return loop.Enter(task, scope, func(*loop.Scope) error {
					n, err := loop.ReadOverlapped(task, r, room, 0)
					if !errors.Is(err, loop.Cancelled) || n != 0 {
						t.Errorf("cancelled: %d, %v", n, err)
					}
					return err
				})
			})
			settle(task)
			scope.Cancel("test")
			return nil
		})
		if err != nil {
			return err
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				n, err := loop.ReadOverlapped(task, r, room, 0)
				if err != nil || string(room[:n]) != "late" {
					t.Errorf("after the cancelled read: %q, %v", room[:n], err)
				}
				return nil
			})
			settle(task)
			n2, err := loop.WriteOverlapped(task, w, []byte("late"), 0)
			if n2 != 4 {
				t.Errorf("wrote %d, %v", n2, err)
			}
			return err
		})
	})
}

// TestOverlappedInterrupt interrupts the main task in an operation: the
// interrupt ends that, and is not delivered once more.
func TestOverlappedInterrupt(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		hasCompletions(task, t)
		r, w, err := sys.OverlappedPipe()
		if err != nil {
			return err
		}
		handle(t, r)
		handle(t, w)
		if err := task.Loop().RegisterHandle(r); err != nil {
			return err
		}
		defer task.Loop().ForgetHandle(r)
		if err := task.Loop().CallSoon(func() { _ = task.Loop().Interrupt() }); err != nil {
			return err
		}
		_, err = loop.ReadOverlapped(task, r, make([]byte, 1), 0)
		if !errors.Is(err, loop.ErrInterrupt) {
			t.Errorf("interrupted: %v", err)
		}
		return loop.Checkpoint(task)
	})
}
