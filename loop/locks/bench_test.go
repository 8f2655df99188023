package locks_test

import (
	"runtime"
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
)

// contenders is how many want the lock at any time.
const contenders = 100

// benchContended lets tasks fight for something, and counts how often it
// changes hands; each holder is suspended once while it holds it.
func benchContended(b *testing.B, acquire func(*loop.Task) error, release func() error) {
	b.ReportAllocs()
	err := loop.Run(func(task *loop.Task) error {
		left := b.N
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range contenders {
				n.Spawn(func(task *loop.Task) error {
					for left > 0 {
						if err := acquire(task); err != nil {
							return err
						}
						left--
						loop.Yield(task)
						if err := release(); err != nil {
							return err
						}
					}
					return nil
				})
			}
			return nil
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkLockContended(b *testing.B) {
	var l locks.Lock
	benchContended(b, l.Acquire, l.Release)
}

func BenchmarkSemaphoreContended(b *testing.B) {
	s := must(locks.NewSemaphore(1, 1))
	benchContended(b, s.Acquire, s.Release)
}

func BenchmarkLimiterContended(b *testing.B) {
	c := must(locks.NewCapacityLimiter(1))
	benchContended(b, c.Acquire, c.Release)
}

// The rival: goroutines that fight for a mutex. What is counted is that one of
// them got it. As a mutex prefers who runs to who waits that is mostly the one
// that had it: how often it really changed hands is reported beside.
func BenchmarkMutexContended(b *testing.B) {
	b.ReportAllocs()
	var m sync.Mutex
	var all sync.WaitGroup
	left, last, hands := b.N, -1, 0
	for i := range contenders {
		all.Go(func() {
			for {
				m.Lock()
				if left <= 0 {
					m.Unlock()
					return
				}
				left--
				if last != i {
					hands++
					last = i
				}
				runtime.Gosched()
				m.Unlock()
			}
		})
	}
	all.Wait()
	b.ReportMetric(float64(hands)/float64(b.N), "hands/op")
}

// The rival of the semaphore: a channel of one token.
func BenchmarkTokenChannelContended(b *testing.B) {
	b.ReportAllocs()
	tokens := make(chan struct{}, 1)
	var all sync.WaitGroup
	left := b.N
	for range contenders {
		all.Go(func() {
			for {
				tokens <- struct{}{}
				if left <= 0 {
					<-tokens
					return
				}
				left--
				runtime.Gosched()
				<-tokens
			}
		})
	}
	all.Wait()
}

func benchAlone(b *testing.B, use func(*loop.Task) error) {
	b.ReportAllocs()
	err := loop.Run(func(task *loop.Task) error {
		for b.Loop() {
			if err := use(task); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkLockAlone(b *testing.B) {
	var l locks.Lock
	benchAlone(b, func(task *loop.Task) error {
		if err := l.Acquire(task); err != nil {
			return err
		}
		return l.Release()
	})
}

func BenchmarkMutexAlone(b *testing.B) {
	var m sync.Mutex
	for b.Loop() {
		m.Lock()
		//lint:ignore SA2001 the lock is what is measured
		m.Unlock()
	}
}

func BenchmarkSemaphoreAlone(b *testing.B) {
	s := must(locks.NewSemaphore(1, 1))
	benchAlone(b, func(task *loop.Task) error {
		if err := s.Acquire(task); err != nil {
			return err
		}
		return s.Release()
	})
}

func BenchmarkLimiterAlone(b *testing.B) {
	c := must(locks.NewCapacityLimiter(1))
	benchAlone(b, func(task *loop.Task) error {
		if err := c.Acquire(task); err != nil {
			return err
		}
		return c.Release()
	})
}

// An event that a hundred tasks wait for, and the rival: a channel that is
// closed. What is counted is one event, with its waiters.
func BenchmarkEventHundred(b *testing.B) {
	b.ReportAllocs()
	err := loop.Run(func(task *loop.Task) error {
		var e *locks.Event
		var again loop.ParkingLot
		return loop.Nurse(task, func(n *loop.Nursery) error {
			e = new(locks.Event)
			waiter := func(task *loop.Task) error {
				for {
					if err := e.Wait(task); err != nil {
						return err
					}
					if err := again.Park(task, "next round"); err != nil {
						return err
					}
				}
			}
			for range contenders {
				n.Spawn(waiter)
			}
			for b.Loop() {
				for e.Statistics().TasksWaiting < contenders {
					loop.Yield(task)
				}
				e.Set()
				for again.Len() < contenders {
					loop.Yield(task)
				}
				e = new(locks.Event)
				for again.UnparkOne() != nil {
				}
			}
			return n.Cancel("enough")
		})
	})
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkClosedChannelHundred(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		set := make(chan struct{})
		var ready, woken sync.WaitGroup
		ready.Add(contenders)
		for range contenders {
			woken.Go(func() { ready.Done(); <-set })
		}
		ready.Wait()
		close(set)
		woken.Wait()
	}
}
