package queue_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/queue"
)

func newQueue(tb testing.TB, size int) *queue.Queue[int] {
	tb.Helper()
	q, err := queue.New[int](size)
	if err != nil {
		tb.Fatal(err)
	}
	return q
}

// received reports what comes out of ReceiveNowait if it is not the item.
func received(tb testing.TB, r *queue.Receiver[int], item int) {
	tb.Helper()
	got, err := r.ReceiveNowait()
	if err != nil || got != item {
		tb.Errorf("received %v, %v, not %v", got, err, item)
	}
}

func wouldBlock(tb testing.TB, r *queue.Receiver[int]) {
	tb.Helper()
	_, err := r.ReceiveNowait()
	want(tb, "ReceiveNowait", err, loop.ErrWouldBlock)
}

func TestS200Basics(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		_, err := queue.New[int](-1)
		want(t, "a negative size", err, loop.ErrMisuse)
		q := newQueue(t, 2)
		for i := range 2 {
			err := looptest.AssertCheckpoint(task, t, func() error { return q.Send(task, i) })
			want(t, "Send", err, nil)
		}
		looptest.AssertNoCheckpoint(task, t, func() error {
			want(t, "SendNowait when full", q.SendNowait(3), loop.ErrWouldBlock)
			return nil
		})
		q.Sender.Close()
		q.Sender.Close()
		want(t, "Send when closed", q.Send(task, 3), loop.ErrClosed)
		want(t, "SendNowait when closed", q.SendNowait(3), loop.ErrClosed)
		received(t, q.Receiver, 0)
		looptest.AssertCheckpoint(task, t, func() error {
			item, err := q.Receive(task)
			equal(t, "item", item, 1)
			return err
		})
		for range 2 {
			_, err = q.Receive(task)
			want(t, "Receive at the end", err, loop.ErrEnd)
			_, err = q.ReceiveNowait()
			want(t, "ReceiveNowait at the end", err, loop.ErrEnd)
		}
		q.Receiver.Close()
		q.Receiver.Close()
		_, err = q.Receive(task)
		want(t, "Receive when closed", err, loop.ErrClosed)
		_, err = q.ReceiveNowait()
		want(t, "ReceiveNowait when closed", err, loop.ErrClosed)
		empty := newQueue(t, 1)
		wouldBlock(t, empty.Receiver)
		return nil
	})
}

// What goes in comes out in order, while the ring wraps around and grows.
func TestOrder(t *testing.T) {
	for size := 1; size <= 40; size++ {
		q := newQueue(t, size)
		in, out := 0, 0
		for fill := range 3 * size {
			for range fill % (size + 1) {
				if q.SendNowait(in) == nil {
					in++
				}
			}
			for range (fill + 1) % (size + 1) {
				if item, err := q.ReceiveNowait(); err == nil {
					equal(t, "item", item, out)
					out++
				}
			}
		}
		equal(t, "length", q.Statistics().Length, in-out)
		for ; out < in; out++ {
			received(t, q.Receiver, out)
		}
		wouldBlock(t, q.Receiver)
	}
}

func TestS201TimedOutReceiveLeavesNoGhost(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		q := newQueue(t, 1)
		err := loop.MoveOnAfter(task, 10*time.Second, func(*loop.Scope) error {
			_, err := q.Receive(task)
			return err
		})
		want(t, "MoveOnAfter", err, nil)
		want(t, "Send", q.Send(task, 1), nil)
		received(t, q.Receiver, 1)
		return nil
	}, loop.WithClock(looptest.NewAutojumpClock()))
}

// A cancelled send has sent nothing.
func TestCancelledSendLeavesNothing(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		q := newQueue(t, 0)
		s := spawnScoped(task, n, func(task *loop.Task) error { return q.Send(task, 1) })
		equal(t, "waiting", q.Statistics().TasksSending, 1)
		s.Cancel("test")
		equal(t, "waiting after a cancellation", q.Statistics().TasksSending, 0)
		wouldBlock(t, q.Receiver)
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("test")
			full := newQueue(t, 1)
			want(t, "Send", full.Send(task, 1), loop.Cancelled)
			wouldBlock(t, full.Receiver)
			full.SendNowait(1)
			_, err := full.Receive(task)
			want(t, "Receive", err, loop.Cancelled)
			received(t, full.Receiver, 1)
			return nil
		})
	})
}

// A task that has been served and is cancelled in the same step keeps what it
// got, and what it sent is sent.
func TestServedBeatsCancelled(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
			q := newQueue(t, 0)
			got := 0
			s := spawnScoped(task, n, func(task *loop.Task) (err error) {
				got, err = q.Receive(task)
				return err
			})
			q.SendNowait(7)
			s.Cancel("too late")
			settle(task)
			equal(t, "received", got, 7)
			sent := false
			s = spawnScoped(task, n, func(task *loop.Task) error {
				err := q.Send(task, 8)
				sent = err == nil
				return err
			})
			received(t, q.Receiver, 8)
			s.Cancel("too late")
			settle(task)
			equal(t, "sent", sent, true)
			return nil
		})
	})
}

func TestS202ProducersByClones(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		q := newQueue(t, 0)
		for i := range 10 {
			s := must(q.Sender.Clone())
			n.Spawn(func(task *loop.Task) error {
				defer s.Close()
				for j := range 3 {
					if err := s.Send(task, 3*i+j); err != nil {
						return err
					}
				}
				return nil
			})
		}
		equal(t, "open", q.Statistics().OpenSenders, 11)
		q.Sender.Close()
		var got []int
		for item, err := range q.All(task) {
			if err != nil {
				return err
			}
			got = append(got, item)
		}
		slices.Sort(got)
		equal(t, "received", len(slices.Compact(got)), 30)
		_, err := q.Sender.Clone()
		want(t, "a clone of what is closed", err, loop.ErrClosed)
		return nil
	})
}

func TestS203ConsumersShare(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		var got [5][]int
		inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
			q := newQueue(t, 1)
			for i := range got {
				n.Spawn(func(task *loop.Task) error {
					for item, err := range q.All(task) {
						if err != nil {
							return err
						}
						got[i] = append(got[i], item)
					}
					return nil
				})
			}
			settle(task)
			for i := range 10 {
				if err := q.Send(task, i); err != nil {
					return err
				}
			}
			q.Sender.Close()
			return nil
		})
		all := slices.Concat(got[:]...)
		slices.Sort(all)
		equal(t, "received", len(slices.Compact(all)), 10)
		for i := range got {
			if len(got[i]) == 0 {
				t.Errorf("consumer %d got nothing: %v", i, got)
			}
		}
	})
}

func TestS208Statistics(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		q := newQueue(t, 2)
		check := func(what string, wanted queue.Statistics) {
			t.Helper()
			equal(t, what, q.Statistics(), wanted)
			equal(t, what+", by the sender", q.Sender.Statistics(), wanted)
			equal(t, what+", by the receiver", q.Receiver.Statistics(), wanted)
		}
		check("new", queue.Statistics{Size: 2, OpenSenders: 1, OpenReceivers: 1})
		s, r := must(q.Sender.Clone()), must(q.Receiver.Clone())
		q.SendNowait(1)
		q.SendNowait(2)
		waits := spawnScoped(task, n, func(task *loop.Task) error { return s.Send(task, 3) })
		var dump strings.Builder
		task.Loop().Dump(&dump)
		if text := "2 of 2 items, open: 2 senders, 2 receivers"; !strings.Contains(dump.String(), text) {
			t.Errorf("the dump does not say %q:\n%s", text, &dump)
		}
		check("full", queue.Statistics{
			Size: 2, Length: 2, Peak: 2, OpenSenders: 2, OpenReceivers: 2, TasksSending: 1})
		waits.Cancel("test")
		received(t, r, 1)
		received(t, r, 2)
		waits = spawnScoped(task, n, func(task *loop.Task) error { _, err := r.Receive(task); return err })
		check("empty", queue.Statistics{
			Size: 2, Peak: 2, OpenSenders: 2, OpenReceivers: 2, TasksReceiving: 1})
		waits.Cancel("test")
		s.Close()
		r.Close()
		check("closed", queue.Statistics{Size: 2, Peak: 2, OpenSenders: 1, OpenReceivers: 1})
		return nil
	})
}

func TestS209HandOver(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		q := newQueue(t, 1)
		got := 0
		n.Spawn(func(task *loop.Task) (err error) {
			got, err = q.Receive(task)
			return err
		})
		settle(task)
		q.SendNowait(2)
		wouldBlock(t, q.Receiver)
		settle(task)
		equal(t, "the waiter got", got, 2)
		q.SendNowait(1)
		n.Spawn(func(task *loop.Task) error { return q.Send(task, 2) })
		settle(task)
		received(t, q.Receiver, 1)
		want(t, "SendNowait", q.SendNowait(3), loop.ErrWouldBlock)
		spawnScoped(task, n, func(task *loop.Task) error { return q.Send(task, 3) })
		item, err := q.Receive(task)
		equal(t, "received", item, 2)
		want(t, "SendNowait after Receive", q.SendNowait(4), loop.ErrWouldBlock)
		received(t, q.Receiver, 3)
		return err
	})
}

func TestS210Rendezvous(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
			q := newQueue(t, 0)
			want(t, "SendNowait alone", q.SendNowait(1), loop.ErrWouldBlock)
			wouldBlock(t, q.Receiver)
			n.Spawn(func(task *loop.Task) error {
				for i := range 3 {
					err := looptest.AssertCheckpoint(task, t, func() error { return q.Send(task, i) })
					if err != nil {
						return err
					}
				}
				return nil
			})
			for i := range 3 {
				err := looptest.AssertCheckpoint(task, t, func() error {
					item, err := q.Receive(task)
					equal(t, "item", item, i)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func TestS446QueueOfAnotherLoop(t *testing.T) {
	q := newQueue(t, 0)
	parked, tried := make(chan struct{}), make(chan struct{})
	err := looptest.Config{}.RunEach(t, 2, func(task *loop.Task, i int) error {
		if i == 1 {
			<-parked
			defer close(tried)
			want(t, "Send", q.Send(task, 1), loop.ErrWrongTask)
			_, err := q.Receive(task)
			want(t, "Receive", err, loop.ErrWrongTask)
			return nil
		}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error { return q.Send(task, 0) })
			settle(task)
			close(parked)
			<-tried
			received(t, q.Receiver, 0)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A task that somebody unparks without an item hears that.
func TestUnparkedByHand(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		q := newQueue(t, 0)
		var waiter *loop.Task
		var err error
		n.Spawn(func(task *loop.Task) error {
			waiter = task
			_, err = q.Receive(task)
			return nil
		})
		settle(task)
		waiter.Unpark(nil)
		settle(task)
		want(t, "Receive", err, loop.ErrMisuse)
		want(t, "SendNowait", q.SendNowait(1), loop.ErrWouldBlock)
		return nil
	})
}

// Whenever a cancellation comes: what was received is what was sent.
func TestCancelledAnywhere(t *testing.T) {
	for _, size := range []int{0, 1, 3} {
		looptest.CancelEverywhere(t, func(task *loop.Task) error {
			q := newQueue(t, size)
			sent, got := 0, 0
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(task *loop.Task) error {
					for ; sent < 5; sent++ {
						if err := q.Send(task, sent); err != nil {
							return err
						}
					}
					return nil
				})
				for got < 5 {
					item, err := q.Receive(task)
					if err != nil {
						return err
					}
					equal(t, "item", item, got)
					got++
				}
				return nil
			})
			for {
				item, err := q.ReceiveNowait()
				if err != nil {
					break
				}
				equal(t, "item left", item, got)
				got++
			}
			equal(t, "received", got, sent)
			return err
		})
	}
}
