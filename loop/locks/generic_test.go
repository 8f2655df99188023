package locks_test

import (
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
)

// exclusion is anything that can let one task in at a time.
type exclusion struct {
	name    string
	acquire func(*loop.Task) error
	nowait  func(*loop.Loop) error
	release func() error
}

// exclusions returns one of each kind, new ones each time. Locks built of
// queues are tested with the queues.
func exclusions() []exclusion {
	var lock locks.Lock
	limiter := must(locks.NewCapacityLimiter(1))
	semaphore := must(locks.NewSemaphore(1, 1))
	return []exclusion{
		{"Lock", lock.Acquire, lock.AcquireNowait, lock.Release},
		{"CapacityLimiter", limiter.Acquire, limiter.AcquireNowait, limiter.Release},
		{"Semaphore", semaphore.Acquire,
			func(*loop.Loop) error { return semaphore.AcquireNowait() }, semaphore.Release},
	}
}

// eachExclusion runs fn with each kind, under many seeds.
func eachExclusion(t *testing.T, fn func(*loop.Task, *loop.Nursery, *testing.T, exclusion) error) {
	for i, kind := range exclusions() {
		t.Run(kind.name, func(t *testing.T) {
			looptest.Seeds(t, 20, func(t *testing.T) {
				x := exclusions()[i]
				inNursery(t, func(task *loop.Task, n *loop.Nursery) error { return fn(task, n, t, x) })
			})
		})
	}
}

func TestS183Exclusion(t *testing.T) {
	eachExclusion(t, func(task *loop.Task, n *loop.Nursery, t *testing.T, x exclusion) error {
		inside, acquired := 0, 0
		for range 5 {
			n.Spawn(func(task *loop.Task) error {
				for range 10 {
					if err := x.acquire(task); err != nil {
						return err
					}
					inside++
					acquired++
					loop.Checkpoint(task)
					loop.Checkpoint(task)
					equal(t, "inside", inside, 1)
					inside--
					if err := x.release(); err != nil {
						return err
					}
				}
				return nil
			})
		}
		for range 1000 {
			loop.Checkpoint(task)
		}
		equal(t, "acquired", acquired, 50)
		return nil
	})
}

func TestS184FirstComeFirstServed(t *testing.T) {
	eachExclusion(t, func(task *loop.Task, n *loop.Nursery, t *testing.T, x exclusion) error {
		const tasks, rounds = 3, 5
		var order []int
		for i := range tasks {
			n.Spawn(func(task *loop.Task) error {
				for range rounds {
					if err := x.acquire(task); err != nil {
						return err
					}
					order = append(order, i)
					if err := x.release(); err != nil {
						return err
					}
				}
				return nil
			})
		}
		settle(task)
		equal(t, "acquired", len(order), tasks*rounds)
		for round := 1; round < rounds; round++ {
			if !slices.Equal(order[round*tasks:][:tasks], order[:tasks]) {
				t.Fatalf("the order was %v", order)
			}
		}
		return nil
	})
}

func TestS185NowaitKeepsOthersOut(t *testing.T) {
	eachExclusion(t, func(task *loop.Task, n *loop.Nursery, t *testing.T, x exclusion) error {
		if err := x.nowait(task.Loop()); err != nil {
			return err
		}
		acquired := false
		n.Spawn(func(task *loop.Task) error {
			want(t, "AcquireNowait of what is held", x.nowait(task.Loop()), loop.ErrWouldBlock)
			if err := x.acquire(task); err != nil {
				return err
			}
			acquired = true
			return x.release()
		})
		settle(task)
		equal(t, "acquired what is held", acquired, false)
		x.release()
		settle(task)
		equal(t, "acquired", acquired, true)
		return nil
	})
}

// Whenever a cancellation comes, nothing stays held and nobody hangs.
func TestCancelledAnywhere(t *testing.T) {
	for i, kind := range exclusions() {
		t.Run(kind.name, func(t *testing.T) {
			looptest.CancelEverywhere(t, func(task *loop.Task) error {
				x := exclusions()[i]
				use := func(task *loop.Task) error {
					if err := x.acquire(task); err != nil {
						return err
					}
					defer x.release()
					return loop.Checkpoint(task)
				}
				err := loop.Nurse(task, func(n *loop.Nursery) error {
					for range 3 {
						n.Spawn(use)
					}
					return use(task)
				})
				want(t, "AcquireNowait in the end", x.nowait(task.Loop()), nil)
				x.release()
				return err
			})
		})
	}
}
