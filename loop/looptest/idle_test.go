package looptest

import (
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
)

// Scenarios H, what loop/clock_test.go does not have: in a bubble cushions,
// which are real time, take none.

// TestS157UninstalledClock changes a clock that no loop uses.
func TestS157UninstalledClock(t *testing.T) {
	used, unused := NewAutojumpClock(), NewClock()
	Run(t, func(task *loop.Task) error {
		unused.SetThreshold(0)
		if err := unused.Advance(time.Hour); err != nil {
			return err
		}
		if err := loop.Sleep(task, time.Minute); err != nil {
			return err
		}
		if used.Elapsed() != time.Minute || unused.Elapsed() != time.Hour {
			t.Errorf("the clocks show %v and %v", used.Elapsed(), unused.Elapsed())
		}
		return nil
	}, loop.WithClock(used))
}

// TestS163WakeRestartsCushions: whoever wakes restarts the time of those who
// wait until all is quiet.
func TestS163WakeRestartsCushions(t *testing.T) {
	const ms = time.Millisecond
	Bubble(t, func(task *loop.Task) error {
		var order []string
		note := func(what string) { order = append(order, what) }
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				note("blink start")
				for range 3 {
					if err := loop.Sleep(task, 10*ms); err != nil {
						return err
					}
				}
				note("blink end")
				return nil
			}))
			for name, cushion := range map[string]time.Duration{
				"none": 0, "small": 20 * ms, "small too": 20 * ms, "big": 30 * ms,
			} {
				must(t, n.Spawn(func(task *loop.Task) error {
					err := loop.WaitAllTasksBlocked(task, cushion)
					if name == "small too" {
						name = "small"
					}
					note(name)
					return err
				}))
			}
			return nil
		})
		want := []string{"blink start", "none", "blink end", "small", "small", "big"}
		if !slices.Equal(order, want) {
			t.Errorf("order %q, want %q", order, want)
		}
		return err
	})
}

// TestS160CushionAgainstAutojump: one who waits for quiet comes before a jump,
// however long that takes in real time.
func TestS160CushionAgainstAutojump(t *testing.T) {
	clock := NewAutojumpClock()
	Bubble(t, func(task *loop.Task) error {
		var order []string
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error {
				err := loop.Sleep(task, time.Hour)
				order = append(order, "yawn")
				return err
			}))
			return n.Spawn(func(task *loop.Task) error {
				err := loop.WaitAllTasksBlocked(task, time.Second)
				order = append(order, "waiter done")
				return err
			})
		})
		if !slices.Equal(order, []string{"waiter done", "yawn"}) {
			t.Errorf("order %q", order)
		}
		return err
	}, loop.WithClock(clock))
	if clock.Elapsed() != time.Hour {
		t.Errorf("the clock shows %v", clock.Elapsed())
	}
}
