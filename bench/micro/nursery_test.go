package micro

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lion-go/lion/loop"
)

// BenchmarkNurseryHundred starts a hundred children that do nothing in a group that would
// collect their errors and cancel the others, and waits for them.
func BenchmarkNurseryHundred(b *testing.B) {
	const children = 100
	b.Run("lion", func(b *testing.B) {
		inTask(b, func(t *loop.Task) error {
			child := func(*loop.Task) error { return nil }
			spawn := func(n *loop.Nursery) error {
				for range children {
					n.Spawn(child)
				}
				return nil
			}
			for b.Loop() {
				if err := loop.Nurse(t, spawn); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("errgroup", func(b *testing.B) {
		b.ReportAllocs()
		child := func() error { return nil }
		for b.Loop() {
			g, _ := errgroup.WithContext(context.Background())
			for range children {
				g.Go(child)
			}
			if err := g.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	})
	// Without errors and without cancellation.
	b.Run("waitgroup", func(b *testing.B) {
		b.ReportAllocs()
		child := func() {}
		for b.Loop() {
			var g sync.WaitGroup
			for range children {
				g.Go(child)
			}
			g.Wait()
		}
	})
}

// BenchmarkCancelParked cancels tasks that wait for something that does not come, children
// of one nursery or each in a scope of its own too, and waits for their end; the rivals are
// goroutines that select between it and a context, each one derived from that which is
// cancelled, or all the same. They use all processors that they are given, as the tasks do
// with a loop for each.
func BenchmarkCancelParked(b *testing.B) {
	for _, tasks := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(tasks, "/lion"), func(b *testing.B) {
			inTask(b, func(t *loop.Task) error { return cancelTasks(t, b, tasks, parked) })
		})
		b.Run(fmt.Sprint(tasks, "/lion, a scope each"), func(b *testing.B) {
			inTask(b, func(t *loop.Task) error { return cancelTasks(t, b, tasks, parkedInScope) })
		})
		b.Run(fmt.Sprint(tasks, "/lion, a scope each, a loop for each processor"), func(b *testing.B) {
			cancelOnLoops(b, tasks, runtime.GOMAXPROCS(0))
		})
		b.Run(fmt.Sprint(tasks, "/derived contexts"), func(b *testing.B) {
			cancelContexts(b, tasks, func(ctx context.Context) (context.Context, func()) {
				return context.WithCancel(ctx)
			})
		})
		b.Run(fmt.Sprint(tasks, "/one context"), func(b *testing.B) {
			cancelContexts(b, tasks, func(ctx context.Context) (context.Context, func()) {
				return ctx, func() {}
			})
		})
	}
}

// parked is a task that waits for what does not come.
func parked(t *loop.Task, work *loop.ParkingLot) error { return work.Park(t, "work") }

// parkedInScope waits in a scope of its own.
func parkedInScope(t *loop.Task, work *loop.ParkingLot) error {
	return loop.Scoped(t, func(*loop.Scope) error { return work.Park(t, "work") })
}

func cancelTasks(
	t *loop.Task, b *testing.B, tasks int, wait func(*loop.Task, *loop.ParkingLot) error,
) error {
	b.StopTimer()
	var work loop.ParkingLot
	child := func(t *loop.Task) error { return wait(t, &work) }
	for range b.N {
		err := loop.Nurse(t, func(n *loop.Nursery) error {
			for range tasks {
				n.Spawn(child)
			}
			if err := loop.WaitAllTasksBlocked(t, 0); err != nil {
				return err
			}
			b.StartTimer()
			return n.Cancel("enough")
		})
		b.StopTimer()
		if err != nil {
			return err
		}
	}
	return nil
}

// cancelOnLoops is cancelTasks with the tasks shared out between loops, which the first of
// them commands.
func cancelOnLoops(b *testing.B, tasks, count int) {
	b.ReportAllocs()
	loops, ends := make([]*loop.Loop, count), make([]loop.ParkingLot, count)
	var begun sync.WaitGroup
	begun.Add(count)
	err := loop.RunEach(count, func(t *loop.Task, i int) error {
		loops[i] = t.Loop()
		begun.Done()
		begun.Wait()
		if i > 0 {
			return ends[i].Park(t, "the end")
		}
		b.StopTimer()
		for range b.N {
			if err := cancelShares(t, b, loops, tasks/count); err != nil {
				return err
			}
		}
		return command(loops[1:], ends[1:])
	})
	if err != nil {
		b.Fatal(err)
	}
}

// cancelShares has as many tasks parked on each loop, and cancels them all.
func cancelShares(t *loop.Task, b *testing.B, loops []*loop.Loop, tasks int) error {
	starts, missing := make([]loop.ParkingLot, len(loops)), len(loops)
	var all loop.ParkingLot
	ready := func() error {
		return loops[0].CallSoon(func() {
			if missing--; missing == 0 {
				all.UnparkOne()
			}
		})
	}
	err := loop.Nurse(t, func(n *loop.Nursery) error {
		for i, l := range loops {
			share := func(t *loop.Task) error { return cancelShare(t, tasks, ready, &starts[i]) }
			n.Spawn(func(t *loop.Task) error { return loop.Call(t, l, share) })
		}
		if err := all.Park(t, "all to be ready"); err != nil {
			return err
		}
		b.StartTimer()
		return command(loops, starts)
	})
	b.StopTimer()
	return err
}

func cancelShare(t *loop.Task, tasks int, ready func() error, start *loop.ParkingLot) error {
	var work loop.ParkingLot
	child := func(t *loop.Task) error { return parkedInScope(t, &work) }
	return loop.Nurse(t, func(n *loop.Nursery) error {
		for range tasks {
			n.Spawn(child)
		}
		if err := loop.WaitAllTasksBlocked(t, 0); err != nil {
			return err
		}
		if err := ready(); err != nil {
			return err
		}
		if err := start.Park(t, "the command"); err != nil {
			return err
		}
		return n.Cancel("enough")
	})
}

// command has one task of each loop go on.
func command(loops []*loop.Loop, lots []loop.ParkingLot) error {
	for i, l := range loops {
		if err := l.CallSoon(func() { lots[i].UnparkOne() }); err != nil {
			return err
		}
	}
	return nil
}

func cancelContexts(
	b *testing.B, tasks int, derive func(context.Context) (context.Context, func()),
) {
	b.ReportAllocs()
	b.StopTimer()
	work := make(chan int)
	for range b.N {
		ctx, cancel := context.WithCancel(context.Background())
		var started, ended sync.WaitGroup
		started.Add(tasks)
		for range tasks {
			ended.Go(func() {
				ctx, cancel := derive(ctx)
				defer cancel()
				done := ctx.Done()
				started.Done()
				select {
				case <-done:
				case <-work:
				}
			})
		}
		started.Wait()
		b.StartTimer()
		cancel()
		ended.Wait()
		b.StopTimer()
	}
}

// BenchmarkSleepers starts 100,000 sleepers of 10 to 110 ms and waits for them: the time
// above 110 ms is what they cost.
func BenchmarkSleepers(b *testing.B) {
	const sleepers = 100_000
	nap := func(i int) time.Duration {
		return 10*time.Millisecond + time.Duration(i*7919%sleepers)*time.Microsecond
	}
	b.Run("lion", func(b *testing.B) {
		inTask(b, func(t *loop.Task) error {
			for b.Loop() {
				err := loop.Nurse(t, func(n *loop.Nursery) error {
					for i := range sleepers {
						n.Spawn(func(t *loop.Task) error { return loop.Sleep(t, nap(i)) })
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("goroutines", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var all sync.WaitGroup
			for i := range sleepers {
				all.Go(func() { <-time.NewTimer(nap(i)).C })
			}
			all.Wait()
		}
	})
}

// BenchmarkCancelDeep cancels the outermost of 5,000 nested scopes.
func BenchmarkCancelDeep(b *testing.B) {
	const deep = 5000
	inTask(b, func(t *loop.Task) error {
		b.StopTimer()
		var descend func(level int, outermost *loop.Scope) error
		descend = func(level int, outermost *loop.Scope) error {
			if level == deep {
				b.StartTimer()
				err := outermost.Cancel("enough")
				b.StopTimer()
				return err
			}
			return loop.Scoped(t, func(s *loop.Scope) error {
				if level == 0 {
					outermost = s
				}
				return descend(level+1, outermost)
			})
		}
		for range b.N {
			if err := descend(0, nil); err != nil {
				return err
			}
		}
		return nil
	})
}
