package queue_test

import (
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/queue"
)

// benchQueue passes b.N items through a queue, from some tasks to others.
func benchQueue(b *testing.B, size, senders, receivers int) {
	b.ReportAllocs()
	q, err := queue.New[int](size)
	if err != nil {
		b.Fatal(err)
	}
	left := b.N
	err = loop.Run(func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range senders {
				s, err := q.Sender.Clone()
				if err != nil {
					return err
				}
				n.Spawn(func(task *loop.Task) error {
					defer s.Close()
					for left > 0 {
						left--
						if err := s.Send(task, left); err != nil {
							return err
						}
					}
					return nil
				})
			}
			q.Sender.Close()
			for range receivers {
				n.Spawn(func(task *loop.Task) error {
					for {
						if _, err := q.Receive(task); err == loop.ErrEnd {
							return nil
						} else if err != nil {
							return err
						}
					}
				})
			}
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}

// benchChannel is the rival: a channel between goroutines.
func benchChannel(b *testing.B, size, senders, receivers int) {
	b.ReportAllocs()
	items := make(chan int, size)
	var sending, all sync.WaitGroup
	for range senders {
		sending.Go(func() {
			for i := range b.N / senders {
				items <- i
			}
		})
	}
	for range receivers {
		all.Go(func() {
			for range items {
			}
		})
	}
	sending.Wait()
	close(items)
	all.Wait()
}

func BenchmarkQueue64(b *testing.B)         { benchQueue(b, 64, 1, 1) }
func BenchmarkChannel64(b *testing.B)       { benchChannel(b, 64, 1, 1) }
func BenchmarkQueue1(b *testing.B)          { benchQueue(b, 1, 1, 1) }
func BenchmarkChannel1(b *testing.B)        { benchChannel(b, 1, 1, 1) }
func BenchmarkQueue0(b *testing.B)          { benchQueue(b, 0, 1, 1) }
func BenchmarkChannel0(b *testing.B)        { benchChannel(b, 0, 1, 1) }
func BenchmarkQueueManyToMany(b *testing.B) { benchQueue(b, 64, 10, 10) }
func BenchmarkChannelManyToMany(b *testing.B) {
	benchChannel(b, 64, 10, 10)
}

// An unbounded queue whose consumer hands its memory back, and the rival: a
// slice under a mutex with a condition.
func BenchmarkUnboundedBatches(b *testing.B) {
	b.ReportAllocs()
	var u queue.UnboundedQueue[int]
	err := loop.Run(func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				var batch []int
				for got := 0; got < b.N; got += len(batch) {
					var err error
					if batch, err = u.GetAll(task, batch); err != nil {
						return err
					}
				}
				return nil
			})
			for i := range b.N {
				u.PutNowait(i)
				if err := loop.Checkpoint(task); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkUnboundedRival(b *testing.B) {
	b.ReportAllocs()
	var m sync.Mutex
	nonEmpty := sync.NewCond(&m)
	var items []int
	var consumer sync.WaitGroup
	consumer.Go(func() {
		var batch []int
		for got := 0; got < b.N; got += len(batch) {
			m.Lock()
			for len(items) == 0 {
				nonEmpty.Wait()
			}
			batch, items = items, batch[:0]
			m.Unlock()
		}
	})
	for i := range b.N {
		m.Lock()
		items = append(items, i)
		m.Unlock()
		nonEmpty.Signal()
	}
	consumer.Wait()
}
