package queue

import "github.com/lion-go/lion/loop"

// An UnboundedQueue takes everything, and gives everything that it has at
// once. It is for what must not wait and can not be refused, where the number
// of items is bounded by something else: the ends of supervised tasks, say. It
// has no bound of its own, so where producers can outrun the consumer it will
// fill the memory: use a Queue there. The zero value is empty and ready to use.
type UnboundedQueue[T any] struct {
	items    []T
	promised bool // the items are for a task that was woken and has not run yet
	waiting  loop.ParkingLot
}

// PutNowait adds an item. If a task waits, the first of them is woken, and gets
// this item with all that follow until it runs. It never suspends.
func (u *UnboundedQueue[T]) PutNowait(item T) {
	u.items = append(u.items, item)
	if !u.promised {
		u.promised = u.waiting.UnparkOne() != nil
	}
}

// GetAll takes all items, in the order in which they were put, and suspends t
// until there are some. It is a checkpoint. The queue goes on with the memory
// of spare, which may be nil or a batch that has been dealt with: who hands in
// the last batch each time allocates nothing in the long run.
func (u *UnboundedQueue[T]) GetAll(t *loop.Task, spare []T) ([]T, error) {
	if len(u.items) > 0 && !u.promised {
		if err := loop.CheckpointIfCancelled(t); err != nil {
			return nil, err
		}
		batch := u.take(spare)
		return batch, loop.ShieldedCheckpoint(t)
	}
	if err := u.waiting.Park(t, "unbounded queue"); err != nil {
		return nil, err
	}
	u.promised = false
	return u.take(spare), nil
}

// GetAllNowait takes all items as GetAll does. It never suspends, and answers
// ErrWouldBlock if there are none, or if they are for a task that waited.
func (u *UnboundedQueue[T]) GetAllNowait(spare []T) ([]T, error) {
	if len(u.items) == 0 || u.promised {
		return nil, loop.ErrWouldBlock
	}
	return u.take(spare), nil
}

func (u *UnboundedQueue[T]) take(spare []T) []T {
	clear(spare)
	batch := u.items
	u.items = spare[:0]
	return batch
}

// UnboundedStatistics describes an UnboundedQueue at one moment.
type UnboundedStatistics struct {
	Length       int // items
	TasksWaiting int // tasks that wait for some
}

// Statistics returns the present numbers.
func (u *UnboundedQueue[T]) Statistics() UnboundedStatistics {
	return UnboundedStatistics{len(u.items), u.waiting.Len()}
}
