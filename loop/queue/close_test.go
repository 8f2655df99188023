package queue_test

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/queue"
)

// waiting runs use in a task until it waits, then act, and returns the error
// of use.
func waiting(task *loop.Task, act func(), use func(*loop.Task) error) (result error) {
	err := loop.Nurse(task, func(n *loop.Nursery) error {
		n.Spawn(func(task *loop.Task) error {
			result = use(task)
			return nil
		})
		settle(task)
		act()
		return nil
	})
	return errors.Join(result, err)
}

func TestS204CloseUnderWaiters(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		q := newQueue(t, 0)
		send := func(task *loop.Task) error { return q.Send(task, 1) }
		receive := func(task *loop.Task) error { _, err := q.Receive(task); return err }
		looptest.AssertNoCheckpoint(task, t, func() error {
			newQueue(t, 0).Sender.Close()
			newQueue(t, 0).Receiver.Close()
			return nil
		})

		want(t, "Send, its handle closed", waiting(task, q.Sender.Close, send), loop.ErrClosed)
		want(t, "Send after that", send(task), loop.ErrClosed)
		want(t, "Receive after that", receive(task), loop.ErrEnd)

		q = newQueue(t, 0)
		want(t, "Send, the last receiver closed", waiting(task, q.Receiver.Close, send), loop.ErrBroken)
		want(t, "Send after that", send(task), loop.ErrBroken)
		want(t, "SendNowait after that", q.SendNowait(1), loop.ErrBroken)

		q = newQueue(t, 0)
		want(t, "Receive, its handle closed", waiting(task, q.Receiver.Close, receive), loop.ErrClosed)
		want(t, "Receive after that", receive(task), loop.ErrClosed)

		q = newQueue(t, 0)
		want(t, "Receive, the last sender closed", waiting(task, q.Sender.Close, receive), loop.ErrEnd)
		return nil
	})
}

// Only who waits through the handle that is closed hears of it.
func TestS204CloseOfOneClone(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		q := newQueue(t, 0)
		s, r := must(q.Sender.Clone()), must(q.Receiver.Clone())
		closed := 0
		for _, handle := range []*queue.Receiver[int]{r, q.Receiver, r} {
			n.Spawn(func(task *loop.Task) error {
				if _, err := handle.Receive(task); errors.Is(err, loop.ErrClosed) {
					closed++
				}
				return nil
			})
			settle(task)
		}
		r.Close()
		settle(task)
		equal(t, "closed", closed, 2)
		equal(t, "left", q.Statistics().TasksReceiving, 1)
		s.SendNowait(1)
		settle(task)
		for _, handle := range []*queue.Sender[int]{q.Sender, s} {
			n.Spawn(func(task *loop.Task) error {
				if err := handle.Send(task, 1); errors.Is(err, loop.ErrClosed) {
					closed++
				}
				return nil
			})
			settle(task)
		}
		s.Close()
		settle(task)
		equal(t, "closed", closed, 3)
		roomy := newQueue(t, 2)
		other := must(roomy.Sender.Clone())
		other.SendNowait(1)
		other.Close()
		want(t, "Send by a closed clone", other.Send(task, 2), loop.ErrClosed)
		received(t, q.Receiver, 1)
		return nil
	})
}

func TestS205CloneAfterClose(t *testing.T) {
	q := newQueue(t, 1)
	r := must(q.Receiver.Clone())
	q.Receiver.Close()
	_, err := q.Receiver.Clone()
	want(t, "a clone of what is closed", err, loop.ErrClosed)
	want(t, "SendNowait with a receiver left", q.SendNowait(1), nil)
	again := must(r.Clone())
	r.Close()
	received(t, again, 1)
	again.Close()
	want(t, "SendNowait with none left", q.SendNowait(1), loop.ErrBroken)
}

func TestS211LastReceiverDropsItems(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		q := newQueue(t, 2)
		q.SendNowait(1)
		q.SendNowait(2)
		var err error
		n.Spawn(func(task *loop.Task) error { err = q.Send(task, 3); return nil })
		settle(task)
		q.Receiver.Close()
		equal(t, "length", q.Statistics().Length, 0)
		settle(task)
		want(t, "the sender that waited", err, loop.ErrBroken)
		return nil
	})
}

// Close works in the deferred call of a task that is cancelled.
func TestS214CloseWhileCancelled(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		q := newQueue(t, 0)
		producer := spawnScoped(task, n, func(task *loop.Task) error {
			defer q.Sender.Close()
			return loop.SleepForever(task)
		})
		producer.Cancel("test")
		_, err := q.Receive(task)
		want(t, "Receive", err, loop.ErrEnd)
		return nil
	})
}
