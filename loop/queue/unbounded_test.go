package queue_test

import (
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/queue"
)

func wantBatch(tb testing.TB, batch []int, err error, items ...int) {
	tb.Helper()
	if err != nil || !slices.Equal(batch, items) {
		tb.Errorf("the batch is %v, %v, not %v", batch, err, items)
	}
}

func TestS215Batch(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var u queue.UnboundedQueue[int]
		_, err := u.GetAllNowait(nil)
		want(t, "GetAllNowait", err, loop.ErrWouldBlock)
		for i := 1; i <= 3; i++ {
			u.PutNowait(i)
		}
		equal(t, "statistics", u.Statistics(), queue.UnboundedStatistics{Length: 3})
		var batch []int
		looptest.AssertCheckpoint(task, t, func() error {
			batch, err = u.GetAll(task, nil)
			return err
		})
		wantBatch(t, batch, err, 1, 2, 3)
		u.PutNowait(4)
		next, err := u.GetAllNowait(batch)
		wantBatch(t, next, err, 4)
		equal(t, "statistics", u.Statistics(), queue.UnboundedStatistics{})
		return loop.Scoped(task, func(s *loop.Scope) error {
			u.PutNowait(5)
			s.Cancel("test")
			_, err := u.GetAll(task, nil)
			want(t, "GetAll", err, loop.Cancelled)
			equal(t, "kept", u.Statistics().Length, 1)
			return nil
		})
	})
}

// S207: the queue without a bound never makes who puts wait.
func TestS207Unbounded(t *testing.T) {
	var u queue.UnboundedQueue[int]
	for i := range 10 {
		u.PutNowait(i)
	}
	batch, err := u.GetAllNowait(nil)
	wantBatch(t, batch, err, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
}

func TestS216Waiting(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var u queue.UnboundedQueue[int]
		var batches [][]int
		n.Spawn(func(task *loop.Task) error {
			for range 2 {
				batch, err := u.GetAll(task, nil)
				if err != nil {
					return err
				}
				batches = append(batches, batch)
			}
			return nil
		})
		settle(task)
		equal(t, "waiting", u.Statistics().TasksWaiting, 1)
		u.PutNowait(10)
		u.PutNowait(11)
		settle(task)
		u.PutNowait(12)
		settle(task)
		equal(t, "batches", len(batches), 2)
		wantBatch(t, batches[0], nil, 10, 11)
		wantBatch(t, batches[1], nil, 12)
		return nil
	})
}

func TestS217Fairness(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
			var u queue.UnboundedQueue[int]
			var got []int
			n.Spawn(func(task *loop.Task) (err error) {
				got, err = u.GetAll(task, nil)
				return err
			})
			settle(task)
			u.PutNowait(3)
			u.PutNowait(4)
			_, err := u.GetAllNowait(nil)
			want(t, "GetAllNowait beside a waiter", err, loop.ErrWouldBlock)
			second := spawnScoped(task, n, func(task *loop.Task) error {
				_, err := u.GetAll(task, nil)
				return err
			})
			wantBatch(t, got, nil, 3, 4)
			equal(t, "the second waits", u.Statistics().TasksWaiting, 1)
			second.Cancel("not needed any more")
			settle(task)

			var order []int
			for i := range 2 {
				n.Spawn(func(task *loop.Task) error {
					for range 10 {
						if _, err := u.GetAll(task, nil); err != nil {
							return err
						}
						order = append(order, i)
					}
					return nil
				})
			}
			settle(task)
			for i := range 20 {
				u.PutNowait(i)
				settle(task)
			}
			for i := 2; i < 20; i++ {
				equal(t, "reader", order[i], order[i-2])
			}
			equal(t, "two readers", order[0]+order[1], 1)
			return nil
		})
	})
}

func TestS218NoSpuriousWakeUps(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var u queue.UnboundedQueue[int]
		var got [][]int
		for range 2 {
			spawnScoped(task, n, func(task *loop.Task) error {
				batch, err := u.GetAll(task, nil)
				got = append(got, batch)
				return err
			})
		}
		for i := range 10 {
			u.PutNowait(i)
		}
		settle(task)
		equal(t, "batches", len(got), 1)
		equal(t, "items", len(got[0]), 10)
		equal(t, "waiting", u.Statistics().TasksWaiting, 1)
		u.PutNowait(10)
		return nil
	})
}
