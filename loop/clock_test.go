package loop_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// Scenarios H: clocks and idleness. S154 is tested with the clock itself.

func TestS155AutojumpSleeps(t *testing.T) {
	clock := looptest.NewAutojumpClock()
	began := time.Now()
	looptest.Run(t, func(task *loop.Task) error {
		var total time.Duration
		for i := range 10 {
			d := time.Duration(i) * 10 * time.Second
			if err := loop.Sleep(task, d); err != nil {
				return err
			}
			total += d
			if clock.Elapsed() != total || task.Now() != looptest.Epoch.Add(total) {
				t.Errorf("virtual time %v, want %v", clock.Elapsed(), total)
			}
		}
		return nil
	}, loop.WithClock(clock))
	if d := time.Since(began); d > time.Second {
		t.Errorf("sleeping in virtual time took %v", d)
	}
}

func TestS156IdleBeatsAutojump(t *testing.T) {
	clock := looptest.NewClock()
	clock.SetThreshold(20 * time.Millisecond)
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error { return loop.Sleep(t2, time.Hour) })
			for _, cushion := range []time.Duration{0, 10 * time.Millisecond} {
				if err := loop.WaitAllTasksBlocked(task, cushion); err != nil {
					return err
				}
				if clock.Elapsed() != 0 {
					t.Errorf("the clock moved by %v", clock.Elapsed())
				}
			}
			clock.SetThreshold(10000 * time.Second)
			if err := loop.WaitAllTasksBlocked(task, 0); err != nil {
				return err
			}
			clock.SetThreshold(0)
			return loop.Sleep(task, 100000*time.Second)
		})
	}, loop.WithClock(clock))
}

func TestS158PresetThreshold(t *testing.T) {
	clock := looptest.NewAutojumpClock()
	looptest.Run(t, func(task *loop.Task) error { return loop.Sleep(task, time.Hour) },
		loop.WithClock(clock))
	if clock.Elapsed() != time.Hour {
		t.Errorf("%v have passed", clock.Elapsed())
	}
}

// With a threshold of zero the clock jumps only where no shorter cushion is
// waited for (S159), and a longer one lets it jump first (S160).
func TestS159S160CushionsAgainstAutojump(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var order []string
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				err := loop.Sleep(t2, time.Hour)
				order = append(order, "yawn")
				return err
			})
			n.Spawn(func(t2 *loop.Task) error {
				err := loop.WaitAllTasksBlocked(t2, time.Millisecond)
				order = append(order, "waiter done")
				return err
			})
			return nil
		})
		if !slices.Equal(order, []string{"waiter done", "yawn"}) {
			t.Errorf("order: %v", order)
		}
		return err
	}, loop.WithClock(looptest.NewAutojumpClock()))
}

func TestS161WaitAllTasksBlocked(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var order []string
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				for range 10 {
					if err := loop.Checkpoint(t2); err != nil {
						return err
					}
				}
				order = append(order, "busy")
				return nil
			})
			for range 2 {
				n.Spawn(func(t2 *loop.Task) error {
					err := loop.WaitAllTasksBlocked(t2, 0)
					order = append(order, "waiter")
					return err
				})
			}
			return nil
		})
		if !slices.Equal(order, []string{"busy", "waiter", "waiter"}) {
			t.Errorf("order: %v", order)
		}
		if err != nil {
			return err
		}
		return loop.MoveOnAfter(task, 0, func(*loop.Scope) error {
			err := loop.WaitAllTasksBlocked(task, time.Hour)
			if !errors.Is(err, loop.Cancelled) {
				t.Errorf("a cancelled wait returned %v", err)
			}
			return err
		})
	})
}

func TestS162BlockedInTimeouts(t *testing.T) {
	clock := looptest.NewClock()
	looptest.Run(t, func(task *loop.Task) error {
		var finished bool
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				err := loop.Sleep(t2, 5*time.Second)
				finished = true
				return err
			})
			settle(task)
			if finished {
				t.Error("the sleep ended early")
			}
			clock.Advance(10 * time.Second)
			settle(task)
			if !finished {
				t.Error("the sleep did not end")
			}
			return nil
		})
	}, loop.WithClock(clock))
}

// Shorter cushions come first, equal ones together.
func TestS163Cushions(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var order []time.Duration
		wait := func(cushion time.Duration) func(*loop.Task) error {
			return func(t2 *loop.Task) error {
				err := loop.WaitAllTasksBlocked(t2, cushion)
				order = append(order, cushion)
				return err
			}
		}
		const ms = time.Millisecond
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			for _, cushion := range []time.Duration{30 * ms, 20 * ms, 0, 20 * ms} {
				n.Spawn(wait(cushion))
			}
			return nil
		})
		if !slices.Equal(order, []time.Duration{0, 20 * ms, 20 * ms, 30 * ms}) {
			t.Errorf("order: %v", order)
		}
		return err
	})
}

// Deadlines centuries away neither overflow nor fire.
func TestS164FarDeadlines(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		far := time.Now().AddDate(500, 0, 0)
		return loop.MoveOnAt(task, far, func(s *loop.Scope) error {
			for _, d := range []time.Duration{1<<63 - 1, 10 * 365 * 24 * time.Hour} {
				err := loop.MoveOnAfter(task, d, func(inner *loop.Scope) error {
					return loop.Sleep(task, time.Millisecond)
				})
				if err != nil {
					return err
				}
			}
			return loop.MoveOnAfter(task, time.Millisecond, func(*loop.Scope) error {
				return loop.Sleep(task, 1<<63-1)
			})
		})
	})
}

// A sleep never ends early, and does not spin towards its end.
func TestS165Rounding(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		for range 20 {
			const d = 300 * time.Microsecond
			before, began := task.Statistics().Polls, time.Now()
			if err := loop.Sleep(task, d); err != nil {
				return err
			}
			if took := time.Since(began); took < d {
				t.Errorf("a sleep of %v took %v", d, took)
			}
			if polls := task.Statistics().Polls - before; polls > 20 {
				t.Errorf("%d polls for one sleep", polls)
			}
		}
		return nil
	})
}

func TestS166NowFollowsTheClock(t *testing.T) {
	clock := looptest.NewClock()
	looptest.Run(t, func(task *loop.Task) error {
		for range 2 {
			if !task.Now().Equal(clock.Now()) {
				t.Errorf("the task has %v, the clock %v", task.Now(), clock.Now())
			}
			clock.Advance(10 * time.Second)
		}
		return nil
	}, loop.WithClock(clock))
}

// failingClock can not start.
type failingClock struct{ *looptest.Clock }

var errClock = errors.New("no time")

func (failingClock) Start() error { return errClock }

type panickingClock struct{ *looptest.Clock }

func (panickingClock) Sleep(time.Time) time.Duration { panic(errClock) }

func TestS019ClockFails(t *testing.T) {
	ran := false
	err := looptest.RunErr(t, func(*loop.Task) error { ran = true; return nil },
		loop.WithClock(failingClock{looptest.NewClock()}))
	if !errors.Is(err, loop.ErrInternal) || !errors.Is(err, errClock) || ran {
		t.Errorf("Run returned %v, main ran: %v", err, ran)
	}
	err = looptest.RunErr(t, func(task *loop.Task) error { return loop.Sleep(task, time.Second) },
		loop.WithClock(panickingClock{looptest.NewClock()}))
	if !errors.Is(err, loop.ErrInternal) || !errors.Is(err, errClock) {
		t.Errorf("Run with a clock that fails later returned %v", err)
	}
}
