package loop_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// Waits by number and Descriptors of the same number: the Descriptor has it,
// and neither hangs for what the other does.

func wantOwned(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, loop.ErrBusy) ||
		!strings.Contains(err.Error(), "wait on its socket or Descriptor instead") {
		t.Errorf("the wait by number returned %v", err)
	}
}

// drained registers fd, of which nothing can be read now.
func drained(task *loop.Task, fd sys.FD) *loop.Descriptor {
	d := task.Loop().Register(fd)
	d.MarkDrained(sys.Readable)
	return d
}

// A number that is waited for is closed without notice, and comes back as a
// Descriptor that is waited for too. However the old wait ends, the new one
// gets its event.
func TestForeignWaitOutlivesItsDescriptor(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		old, err := loop.NewScope(task.Loop())
		if err != nil {
			return err
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				return loop.Enter(t2, old, func(*loop.Scope) error {
					ignoreClosed(loop.WaitReadableFD(t2, a))
					return nil
				})
			})
			settle(task)
			closeAll(t, a, b)
			c, d := pair(t)
			if d == a {
				c, d = d, c
			}
			if c != a {
				t.Logf("the number %d did not come back", a)
			}
			own := drained(task, c)
			n.Spawn(func(t2 *loop.Task) error {
				err := loop.WaitReadable(t2, own)
				own.Forget()
				closeAll(t, c, d)
				return err
			})
			settle(task)
			old.Cancel("enough")
			settle(task)
			send(t, d, "x")
			return nil
		})
	})
}

// Both for one live descriptor, in either order and in different directions.
func TestForeignWaitBesideADescriptor(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		defer closeAll(t, a, b)
		own := drained(task, a)
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				wantOwned(t, loop.WaitReadableFD(t2, a)) // comes first, and has to go
				return nil
			})
			settle(task)
			n.Spawn(func(t2 *loop.Task) error { return loop.WaitReadable(t2, own) })
			settle(task)
			wantOwned(t, loop.WaitWritableFD(task, a))
			wantOwned(t, loop.WaitReadableFD(task, a))
			settle(task)
			send(t, b, "x")
			return nil
		})
		wantOwned(t, loop.WaitReadableFD(task, a)) // nobody waits, but it is registered
		own.Forget()
		if err := loop.WaitReadableFD(task, a); err != nil {
			t.Errorf("forgotten, the descriptor answers %v", err)
		}
		return err
	})
}

// A connection that goes idle has the number as well.
func TestForeignWaitBesideAnIdleDescriptor(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pair(t)
		defer closeAll(t, a, b)
		own := drained(task, a)
		defer own.Forget()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				wantOwned(t, loop.WaitReadableFD(t2, a))
				return nil
			})
			settle(task)
			r := &readyOnce{task: task}
			if err := own.NotifyReadable(r); err != nil {
				return err
			}
			settle(task)
			wantOwned(t, loop.WaitWritableFD(task, a))
			send(t, b, "x")
			return loop.Park(task, "test", nil)
		})
	})
}
