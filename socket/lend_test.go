package socket_test

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// lends has a task lend the sending direction of c to use, which is given an event
// that the interrupt sets, while others do meanwhile.
func lends(
	t *loop.Task, tb testing.TB, c *socket.Conn,
	use func(t *loop.Task, fd sys.FD, stop *locks.Event) (int, error),
	meanwhile func(stop *locks.Event),
) (n int, err error) {
	tb.Helper()
	must(tb, loop.Nurse(t, func(nursery *loop.Nursery) error {
		var stop locks.Event
		must(tb, nursery.Spawn(func(t *loop.Task) error {
			claim, failed := c.ClaimSend(t.Loop())
			must(tb, failed)
			defer claim.Release()
			n, err = claim.Lend(t, "test", stop.Set, func(fd sys.FD) (int, error) {
				return use(t, fd, &stop)
			})
			return nil
		}))
		looptest.WaitAllTasksBlocked(t, tb)
		meanwhile(&stop)
		return nil
	}))
	return n, err
}

// A descriptor that is lent is open until it comes back, whoever closes the
// connection; the number is nobody else's, and what was sent is counted.
func TestLend(t *testing.T) {
	for name, end := range map[string]func(*socket.Conn) error{
		"stays open": nil, "closed": (*socket.Conn).Close, "aborted": (*socket.Conn).Abort,
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				a, b := pair(task, t)
				defer a.Close()
				defer b.Close()
				failed := errors.New("no more")
				var lent sys.FD
				n, err := lends(task, t, a, func(task *loop.Task, fd sys.FD, stop *locks.Event) (int, error) {
					lent = fd
					must(t, stop.Wait(task))
					n, err := sys.Send(fd, []byte("bye"), 0)
					must(t, err)
					return n, failed
				}, func(stop *locks.Event) {
					other, err := a.ClaimReceive(task.Loop())
					must(t, err)
					_, err = other.Lend(task, "test", stop.Set, never(t))
					want(t, "lending it twice", err, loop.ErrBusy)
					other.Release()
					_, err = a.Socket().Detach()
					want(t, "taking it away", err, loop.ErrBusy)
					if end == nil {
						stop.Set()
						return
					}
					must(t, end(a))
					must(t, end(a)) // idempotent
					c, d := pair(task, t)
					if got := c.Socket().FD(); got == lent {
						t.Errorf("another has the descriptor %d", got)
					}
					must(t, errors.Join(c.Close(), d.Close()))
				})
				if n != 3 || a.Statistics().Sent != 3 {
					t.Errorf("%d bytes were sent; the connection counts %d", n, a.Statistics().Sent)
				}
				target := loop.ErrClosed
				if end == nil {
					target = failed
				}
				want(t, "an error of the call", err, target)
				if end == nil {
					must(t, a.SendAll(task, []byte("!")))
					must(t, a.Close())
				}
				if name != "aborted" {
					got := receiveUntilEnd(task, t, b)
					if want := map[bool]string{true: "bye!", false: "bye"}[end == nil]; got != want {
						t.Errorf("%q came, want %q", got, want)
					}
				}
				_, err = lends(task, t, b,
					func(*loop.Task, sys.FD, *locks.Event) (int, error) { return 0, nil },
					func(*locks.Event) {})
				must(t, err)
				return nil
			})
		})
	}
}

// Nothing is lent of what has been closed, or to who is cancelled; and a call that
// panics gives it back.
func TestLendRefused(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := pair(task, t)
		defer a.Close()
		defer b.Close()
		claim, err := a.ClaimSend(task.Loop())
		must(t, err)
		defer claim.Release()
		stop := func() {}
		must(t, loop.MoveOnAfter(task, 0, func(*loop.Scope) error {
			_, err := claim.Lend(task, "test", stop, never(t))
			want(t, "a cancelled task", err, loop.Cancelled)
			return err
		}))
		_, err = claim.Lend(task, "test", nil, never(t))
		want(t, "nothing to interrupt it", err, loop.ErrMisuse)
		_, err = claim.Lend(task, "test", stop, nil)
		want(t, "nothing to use it", err, loop.ErrMisuse)
		must(t, looptest.AssertCheckpoint(task, t, func() error {
			_, err := claim.Lend(task, "test", stop, func(sys.FD) (int, error) { return 0, nil })
			return err
		}))
		func() {
			defer func() { _ = recover() }()
			_, _ = claim.Lend(task, "test", stop, func(sys.FD) (int, error) {
				must(t, a.Close())
				panic("test")
			})
		}()
		if got := receiveUntilEnd(task, t, b); got != "" {
			t.Errorf("%q came", got)
		}
		_, err = claim.Lend(task, "test", stop, never(t))
		want(t, "a closed connection", err, loop.ErrClosed)
		return nil
	})
}

// never is a use that must not be.
func never(tb testing.TB) func(sys.FD) (int, error) {
	return func(sys.FD) (int, error) {
		tb.Error("it was lent")
		return 0, nil
	}
}

// receiveUntilEnd returns all that comes.
func receiveUntilEnd(t *loop.Task, tb testing.TB, c *socket.Conn) string {
	tb.Helper()
	var all []byte
	buf := make([]byte, 100)
	for {
		n, err := c.Receive(t, buf)
		must(tb, err)
		if n == 0 {
			return string(all)
		}
		all = append(all, buf[:n]...)
	}
}
