package loop_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// tracers spawns tasks that note their name and a count, steps times, with a
// checkpoint after each note.
func tracers(n *loop.Nursery, record *notes, steps int, names ...string) {
	for _, name := range names {
		n.Spawn(func(task *loop.Task) error {
			for i := range steps {
				record.add(fmt.Sprint(name, i))
				if err := loop.Checkpoint(task); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func TestS004FairInterleave(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		var record notes
		looptest.Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				tracers(n, &record, 3, "a", "b")
				return nil
			})
		})
		for i := range 3 {
			pair := slices.Clone(record[2*i : 2*i+2])
			slices.Sort(pair)
			pair.want(t, fmt.Sprint("a", i), fmt.Sprint("b", i))
		}
	})
}

// What becomes runnable during a pass waits for the next: even a task that
// hands on and on can not keep the others from their turns.
func TestS005OnePassOneTurn(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		rounds, generation := 0, 0
		looptest.Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				var heir func(*loop.Task) error
				heir = func(*loop.Task) error {
					generation++
					if rounds < 50 {
						return n.Spawn(heir)
					}
					return nil
				}
				n.Spawn(heir)
				for rounds = range 51 {
					if err := loop.Checkpoint(task); err != nil {
						return err
					}
					if d := generation - rounds; d < 0 || d > 2 {
						t.Fatalf("%d generations in %d turns", generation, rounds)
					}
				}
				return nil
			})
		})
	})
}

func TestS006BusyTaskCannotStarveIO(t *testing.T) {
	a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close(a)
	defer sys.Close(b)
	looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
		busy, err := loop.NewScope(task.Loop())
		if err != nil {
			return err
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				return loop.Enter(task, busy, func(*loop.Scope) error {
					for {
						if err := loop.Checkpoint(task); err != nil {
							return err
						}
					}
				})
			})
			n.Spawn(func(task *loop.Task) error { return loop.WaitReadableFD(task, a) })
			n.Spawn(func(task *loop.Task) error { return loop.Sleep(task, 20*time.Millisecond) })
			if err := loop.Sleep(task, 10*time.Millisecond); err != nil {
				return err
			}
			if _, err := sys.Send(b, []byte{1}, 0); err != nil {
				return err
			}
			for n.Statistics().Children > 1 {
				if err := loop.Checkpoint(task); err != nil {
					return err
				}
			}
			return busy.Cancel("the others have ended")
		})
	})
}

// traceOf runs five tracers and returns what they noted.
func traceOf(opts ...loop.Option) (string, error) {
	var record notes
	err := loop.Run(func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			tracers(n, &record, 50, "a", "b", "c", "d", "e")
			return nil
		})
	}, append(opts, loop.WithAlwaysReschedule())...)
	return strings.Join(record, " "), err
}

// Without a seed, ten runs give ten traces: two of them being equal by chance
// is as likely as guessing the fall of fifty coins.
func TestS007BatchOrderIsShuffled(t *testing.T) {
	traces := map[string]bool{}
	for range 10 {
		trace, err := traceOf()
		if err != nil {
			t.Fatal(err)
		}
		traces[trace] = true
	}
	if len(traces) != 10 {
		t.Errorf("ten runs gave %d traces", len(traces))
	}
}

func TestS008SeedFixesOrder(t *testing.T) {
	for seed := range uint64(orders) {
		first, err1 := traceOf(loop.WithSeed(seed))
		second, err2 := traceOf(loop.WithSeed(seed))
		if err1 != nil || err2 != nil || first != second {
			t.Errorf("seed %d: two traces, or %v, %v", seed, err1, err2)
		}
	}
}

// Two busy tasks run at worst as ABBA: never three turns apart.
func TestBusyPairIsFair(t *testing.T) {
	looptest.Seeds(t, orders, func(t *testing.T) {
		var record notes
		looptest.Run(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				tracers(n, &record, 200, "a", "b")
				return nil
			})
		})
		run := 0
		for i := range record {
			if i > 0 && record[i][0] == record[i-1][0] {
				run++
			} else {
				run = 1
			}
			if run > 2 {
				t.Fatalf("three turns in a row at %d: %v", i, record[i-2:i+1])
			}
		}
	})
}

// turns counts how many turns a lonely task takes for some checkpoints.
func turns(t *testing.T, budgeted bool, checkpoints int, step func()) (n uint64) {
	looptest.Config{Budgeted: budgeted}.Run(t, func(task *loop.Task) error {
		before := task.Statistics().Turns
		for range checkpoints {
			step()
			if err := loop.Checkpoint(task); err != nil {
				return err
			}
		}
		n = task.Statistics().Turns - before
		return nil
	})
	return n
}

// S444: a task goes on for 64 operations or 200 microseconds, and no longer.
func TestS444BudgetInOperations(t *testing.T) {
	const budget, operations = 64, 64_000
	got := turns(t, true, operations, func() {})
	if got < operations/budget {
		t.Errorf("%d operations took %d turns: more than %d in one", operations, got, budget)
	}
	if got > operations/budget*2 {
		t.Errorf("%d operations took %d turns: the budget is hardly used", operations, got)
	}
	if got := turns(t, false, 1000, func() {}); got != 1000 {
		t.Errorf("1000 operations without a budget took %d turns", got)
	}
}

func TestS444BudgetInTime(t *testing.T) {
	const operations, each = 200, 50 * time.Microsecond
	got := turns(t, true, operations, func() {
		for end := time.Now().Add(each); time.Now().Before(end); {
		}
	})
	// 200 microseconds hold 4 of these operations; the clock may be looked at
	// up to 4 operations late until the loop knows that they are slow.
	if got < operations/8 {
		t.Errorf("%d operations of %v took %d turns", operations, each, got)
	}
}

// The cancel check is never left out, however much of the budget is left.
// S444: quick operations that become slow all of a sudden are noticed within
// the stride of quick ones.
func TestS444BudgetOfSuddenlySlow(t *testing.T) {
	const quick, slow, stride = 4, 500 * time.Microsecond, 12
	looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range 5 {
				others := task.Statistics().Turns
				for i := range quick + stride + 1 {
					if i >= quick {
						for end := time.Now().Add(slow); time.Now().Before(end); {
						}
					}
					if err := loop.Checkpoint(task); err != nil {
						return err
					}
				}
				if task.Statistics().Turns == others {
					t.Errorf("%d slow operations were one turn", stride+1)
				}
				for range quick * stride { // and quick again
					if err := loop.Checkpoint(task); err != nil {
						return err
					}
				}
			}
			return nil
		})
	})
}

func TestS444CancelCheckInBudget(t *testing.T) {
	looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
		for i := range 100 {
			err := loop.Scoped(task, func(s *loop.Scope) error {
				if err := loop.Checkpoint(task); err != nil {
					t.Errorf("round %d: %v before the cancel", i, err)
				}
				s.Cancel("now")
				err := loop.Checkpoint(task)
				want(t, "the next checkpoint", err, loop.Cancelled)
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}
