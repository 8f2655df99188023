package loop_test

import (
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// skipCosts skips tests of memory where the race detector adds its own.
func skipCosts(t *testing.T) {
	t.Helper()
	if raceEnabled() {
		t.Skip("the race detector allocates too")
	}
}

// TestHotPathsAllocateNothing counts the allocations of a task that runs
// beside a partner who wakes it.
func TestHotPathsAllocateNothing(t *testing.T) {
	skipCosts(t)
	looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		var lot, back loop.ParkingLot
		agree := loop.AbortFunc(func(loop.Wait) bool { return true })
		wake := func() { task.Unpark(nil) }
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				for {
					if err := back.Park(task, "test"); err != nil {
						return err
					}
					lot.UnparkOne()
				}
			})
			settled(task, t)
			paths := map[string]func() error{
				"Checkpoint":            func() error { return loop.Checkpoint(task) },
				"CheckpointIfCancelled": func() error { return loop.CheckpointIfCancelled(task) },
				"ShieldedCheckpoint":    func() error { return loop.ShieldedCheckpoint(task) },
				"Sleep 0":               func() error { return loop.Sleep(task, 0) },
				"Sleep":                 func() error { return loop.Sleep(task, time.Nanosecond) },
				"ParkingLot, there and back": func() error {
					back.UnparkOne()
					return lot.Park(task, "test")
				},
				"Park and CallSoon": func() error {
					l.CallSoon(wake)
					return loop.Park(task, "test", agree)
				},
				"Buffer": func() error { task.Buffer(); return nil },
				"Now":    func() error { task.Now(); return nil },
			}
			for name, path := range paths {
				for range 100 {
					path() // queues and heaps grow to their size
				}
				if got := testing.AllocsPerRun(1000, func() { path() }); got != 0 {
					t.Errorf("%s allocates %v times", name, got)
				}
			}
			return n.Cancel("enough")
		})
	})
}

// A task that waits takes at most 768 bytes more than a goroutine that waits, for
// which the runtime takes a stack of 2 KiB on most systems and one of 8 KiB on
// Windows.
func TestParkedTaskIsSmall(t *testing.T) {
	skipCosts(t)
	const tasks, more = 10_000, 768
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			park := func() {
				for range tasks {
					n.Spawn(sleeper)
				}
				settled(task, t)
			}
			// The runtime sizes new stacks by those that it saw at the last
			// collection: let that be stacks of tasks, not of earlier tests.
			park()
			before := memory()
			park()
			each := (memory() - before) / tasks
			goroutine := idleGoroutine(tasks)
			t.Logf("a parked task takes %d bytes, a goroutine %d", each, goroutine)
			if each > goroutine+more {
				t.Errorf("that is more than %d bytes in addition", more)
			}
			return n.Cancel("enough")
		})
	})
}

// memory is what heap and stacks take after a collection.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

// idleGoroutine is what each of n waiting goroutines takes.
func idleGoroutine(n int) uint64 {
	release := make(chan struct{})
	var started, ended sync.WaitGroup
	before := memory()
	started.Add(n)
	for range n {
		ended.Go(func() {
			started.Done()
			<-release
		})
	}
	started.Wait()
	each := (memory() - before) / uint64(n)
	close(release)
	ended.Wait()
	return each
}
