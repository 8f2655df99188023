package looptest

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
)

// S449: every order comes, each once.
func TestS449AllSchedules(t *testing.T) {
	var seen []string
	schedules := Schedules(t, func(task *loop.Task) error {
		order := ""
		step := func(name string) func(*loop.Task) error {
			return func(task *loop.Task) error {
				order += name
				err := loop.Checkpoint(task)
				order += name
				return err
			}
		}
		err := together(task, step("a"), step("b"))
		seen = append(seen, order)
		return err
	})
	slices.Sort(seen)
	if want := []string{"abab", "abba", "baab", "baba"}; schedules != 4 || !slices.Equal(seen, want) {
		t.Errorf("%d schedules: %q, want %q", schedules, seen, want)
	}
}

// S449: a bug that shows in one order of very many is found, and told how.
func TestS449FindsTheOneSchedule(t *testing.T) {
	program := func(task *loop.Task) error {
		state := 0
		step := func(from int) func(*loop.Task) error {
			return func(task *loop.Task) error {
				for range 3 { // the bug needs the other order each time
					if state%2 == from {
						state++
					}
					if err := loop.Checkpoint(task); err != nil {
						return err
					}
				}
				return nil
			}
		}
		err := together(task, step(1), step(0))
		if state == 6 {
			return errTest
		}
		return err
	}
	r := record(func(r *recorder) { Schedules(r, program) })
	wantFailure(t, r, "the run failed", "test", "in which these passes are reversed: [")
}

// Timers that are due together are no choice of the loop, but the turns of
// those they wake are.
func TestSchedulesOfSleepers(t *testing.T) {
	sleep := func(task *loop.Task) error { return loop.Sleep(task, time.Hour) }
	schedules := Schedules(t, func(task *loop.Task) error { return together(task, sleep, sleep) })
	if schedules != 4 {
		t.Errorf("%d schedules of two passes", schedules)
	}
}

// S448: what depends on something else than the order is noticed.
func TestS448SchedulesOfChance(t *testing.T) {
	runs := 0
	r := record(func(r *recorder) {
		Schedules(r, func(task *loop.Task) error {
			runs++
			yield := func(task *loop.Task) error {
				if runs > 1 {
					return nil
				}
				return loop.Checkpoint(task)
			}
			return together(task, yield, yield)
		})
	})
	wantFailure(t, r, "not deterministic")
}

func TestTooManySchedules(t *testing.T) {
	var s script
	for range 3 {
		s.choose()
	}
	scripts := 1
	for s.advance() {
		scripts++
		for s.asked = 0; s.asked < 3; {
			s.choose()
		}
	}
	if scripts != 8 {
		t.Errorf("%d scripts of three choices", scripts)
	}
	err := loop.Run(func(*loop.Task) error { return nil }, loop.WithCoin(nil))
	if !errors.Is(err, loop.ErrMisuse) {
		t.Errorf("no coin: %v", err)
	}
}
