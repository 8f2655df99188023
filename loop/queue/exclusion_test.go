package queue_test

import (
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// exclusion is a lock made of a queue, see the tests of package locks.
type exclusion struct {
	name    string
	acquire func(*loop.Task) error
	nowait  func() error
	release func() error
}

func exclusions(t *testing.T) []exclusion {
	room, token, many := newQueue(t, 1), newQueue(t, 1), newQueue(t, 10)
	token.SendNowait(0)
	many.SendNowait(0)
	return []exclusion{
		{"put a token", func(task *loop.Task) error { return room.Send(task, 0) },
			func() error { return room.SendNowait(0) },
			func() error { _, err := room.ReceiveNowait(); return err }},
		{"take the token", func(task *loop.Task) error { _, err := token.Receive(task); return err },
			func() error { _, err := token.ReceiveNowait(); return err },
			func() error { return token.SendNowait(0) }},
		{"take it from a large queue", func(task *loop.Task) error { _, err := many.Receive(task); return err },
			func() error { _, err := many.ReceiveNowait(); return err },
			func() error { return many.SendNowait(0) }},
	}
}

func eachExclusion(t *testing.T, fn func(*loop.Task, *loop.Nursery, *testing.T, exclusion) error) {
	for i, kind := range exclusions(t) {
		t.Run(kind.name, func(t *testing.T) {
			looptest.Seeds(t, 20, func(t *testing.T) {
				x := exclusions(t)[i]
				inNursery(t, func(task *loop.Task, n *loop.Nursery) error { return fn(task, n, t, x) })
			})
		})
	}
}

func TestS183QueueExclusion(t *testing.T) {
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
		settle(task)
		equal(t, "acquired", acquired, 50)
		return nil
	})
}

func TestS184QueueFirstComeFirstServed(t *testing.T) {
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

func TestS185QueueNowaitKeepsOthersOut(t *testing.T) {
	eachExclusion(t, func(task *loop.Task, n *loop.Nursery, t *testing.T, x exclusion) error {
		if err := x.nowait(); err != nil {
			return err
		}
		acquired := false
		n.Spawn(func(task *loop.Task) error {
			want(t, "nowait", x.nowait(), loop.ErrWouldBlock)
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
