package locks_test

import (
	"math"
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
)

func lent(tb testing.TB, c *locks.CapacityLimiter, borrowed, waiting int) {
	tb.Helper()
	s := c.Statistics()
	if s.Borrowed != borrowed || s.TasksWaiting != waiting || len(s.Borrowers) != borrowed {
		tb.Errorf("%+v, but %d should be lent and %d tasks waiting", s, borrowed, waiting)
	}
}

func TestS187LimiterBasics(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		c := must(locks.NewCapacityLimiter(2))
		if err := looptest.AssertCheckpoint(task, t, func() error { return c.Acquire(task) }); err != nil {
			return err
		}
		want(t, "a second acquisition", c.Acquire(task), loop.ErrMisuse)
		want(t, "one without waiting", c.AcquireNowait(task.Loop()), loop.ErrMisuse)
		want(t, "one for itself", c.AcquireForNowait(task), loop.ErrMisuse)
		lent(t, c, 1, 0)
		want(t, "one on behalf", c.AcquireFor(task, "job"), nil)
		want(t, "no borrower", c.AcquireFor(task, nil), loop.ErrMisuse)
		want(t, "a nil task", c.AcquireFor(task, (*loop.Task)(nil)), loop.ErrMisuse)
		want(t, "not a number", c.AcquireForNowait(math.NaN()), loop.ErrMisuse)
		want(t, "no loop", c.AcquireNowait(nil), loop.ErrMisuse)
		want(t, "a slice", c.AcquireForNowait([]int{1}), loop.ErrMisuse)
		want(t, "a struct with a slice", c.ReleaseFor([1]any{[]int{1}}), loop.ErrMisuse)
		want(t, "the release of a stranger", c.ReleaseFor("other"), loop.ErrMisuse)
		want(t, "a full limiter", c.AcquireForNowait("other"), loop.ErrWouldBlock)
		if who := c.Statistics().Borrowers; !slices.Equal(who, []any{task, "job"}) {
			t.Errorf("borrowers: %v", who)
		}
		n.Spawn(func(task *loop.Task) error {
			want(t, "the release of who has none", c.Release(), loop.ErrMisuse)
			if err := c.AcquireFor(task, "third"); err != nil {
				return err
			}
			return c.ReleaseFor("third")
		})
		settle(task)
		want(t, "a borrower that waits", c.AcquireForNowait("third"), loop.ErrMisuse)
		want(t, "a release of it", c.ReleaseFor("third"), loop.ErrMisuse)
		looptest.AssertNoCheckpoint(task, t, func() error { return c.ReleaseFor("job") })
		lent(t, c, 2, 0)
		want(t, "AcquireForNowait after a hand-over", c.AcquireForNowait("x"), loop.ErrWouldBlock)
		settle(task)
		want(t, "Release", c.Release(), nil)
		lent(t, c, 0, 0)
		want(t, "AcquireNowait", c.AcquireNowait(task.Loop()), nil)
		return c.Release()
	})
}

func TestS187LimiterUnlimited(t *testing.T) {
	c := must(locks.NewCapacityLimiter(locks.Unlimited))
	for i := range 100 {
		want(t, "AcquireForNowait", c.AcquireForNowait(i), nil)
	}
	lent(t, c, 100, 0)
	equal(t, "Total", c.Total(), locks.Unlimited)
}

func TestS189LimiterOfNone(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		c := must(locks.NewCapacityLimiter(0))
		want(t, "AcquireNowait", c.AcquireNowait(task.Loop()), loop.ErrWouldBlock)
		inside := 0
		var leave locks.Event
		enter := func(task *loop.Task) error {
			if err := c.Acquire(task); err != nil {
				return err
			}
			defer c.Release()
			inside++
			return leave.Wait(task)
		}
		for range 5 {
			n.Spawn(enter)
		}
		settle(task)
		lent(t, c, 0, 5)
		want(t, "a negative total", c.SetTotal(-1), loop.ErrMisuse)
		c.SetTotal(1)
		settle(task)
		equal(t, "inside with one token", inside, 1)
		c.SetTotal(5)
		settle(task)
		equal(t, "inside with five", inside, 5)
		c.SetTotal(0)
		lent(t, c, 5, 0)
		late := spawnScoped(task, n, enter)
		lent(t, c, 5, 1)
		late.Cancel("test")
		settle(task)
		lent(t, c, 5, 0)
		leave.Set()
		settle(task)
		lent(t, c, 0, 0)
		equal(t, "inside in the end", inside, 5)
		return nil
	})
}

func TestS190LimiterCancelLeavesNoTrace(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		c := must(locks.NewCapacityLimiter(0))
		wait := func(task *loop.Task) error { return c.AcquireFor(task, "job") }
		for range 3 {
			s := spawnScoped(task, n, wait)
			lent(t, c, 0, 1)
			s.Cancel("test")
			lent(t, c, 0, 0)
			settle(task)
		}
		c.SetTotal(1)
		want(t, "the same borrower", c.AcquireForNowait("job"), nil)
		return nil
	})
}

func TestS191LimiterLendsNoMoreThanItHas(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		c := must(locks.NewCapacityLimiter(1))
		c.AcquireForNowait("A")
		b := spawnScoped(task, n, func(task *loop.Task) error { return c.AcquireFor(task, "B") })
		c.ReleaseFor("A")
		want(t, "C in the same step", c.AcquireForNowait("C"), loop.ErrWouldBlock)
		lent(t, c, 1, 0)
		b.Cancel("S193: too late")
		settle(task)
		lent(t, c, 1, 0)
		c.ReleaseFor("B")
		lent(t, c, 0, 0)
		return nil
	})
}

func TestS192LimiterResizedWhileOversubscribed(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		c := must(locks.NewCapacityLimiter(3))
		for i := range 3 {
			c.AcquireForNowait(i)
		}
		n.Spawn(func(task *loop.Task) error { return c.Acquire(task) })
		settle(task)
		c.SetTotal(1)
		c.SetTotal(2)
		lent(t, c, 3, 1)
		c.ReleaseFor(0)
		lent(t, c, 2, 1)
		c.ReleaseFor(1)
		lent(t, c, 2, 0)
		return nil
	})
}

// B is handed the token and cancelled in the same step: its body runs, and
// gives the token back.
func TestS193LimiterTokenSurvivesCancel(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
			c := must(locks.NewCapacityLimiter(1))
			c.AcquireForNowait("A")
			ran := false
			b := spawnScoped(task, n, func(task *loop.Task) error {
				if err := c.Acquire(task); err != nil {
					return err
				}
				defer c.Release()
				ran = true
				return loop.Checkpoint(task)
			})
			c.ReleaseFor("A")
			b.Cancel("test")
			settle(task)
			equal(t, "the body ran", ran, true)
			lent(t, c, 0, 0)
			return c.AcquireForNowait("D")
		})
	})
}

func TestLimiterOfAnotherLoop(t *testing.T) {
	c := must(locks.NewCapacityLimiter(2))
	looptest.Run(t, func(task *loop.Task) error { return c.AcquireFor(task, "left") })
	looptest.Run(t, func(task *loop.Task) error {
		want(t, "Acquire", c.Acquire(task), loop.ErrWrongTask)
		want(t, "ReleaseFor", c.ReleaseFor("left"), nil)
		want(t, "Acquire when nothing is lent", c.Acquire(task), nil)
		return c.Release()
	})
}

// A token that went with its task stays lent, and can be given back in its place.
func TestLimiterTokenOfAnEndedTask(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		c := must(locks.NewCapacityLimiter(1))
		h := must(loop.Go(n, func(task *loop.Task) (int, error) { return 0, c.Acquire(task) }))
		if err := h.Wait(task); err != nil {
			return err
		}
		want(t, "another", c.AcquireNowait(task.Loop()), loop.ErrWouldBlock)
		if who := c.Statistics().Borrowers; !slices.Equal(who, []any{h.Task()}) {
			t.Errorf("borrowers: %v", who)
		}
		want(t, "the release in its place", c.ReleaseFor(h.Task()), nil)
		lent(t, c, 0, 0)
		return nil
	})
}
