package loop_test

import (
	"runtime"
	"testing"
	"time"
	"weak"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS021LoopStatistics(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		settled(task, t)
		expect := func(what string, living, runnable, parked, queue int) {
			t.Helper()
			s := task.Statistics()
			if s.TasksLiving != living || s.TasksRunnable != runnable ||
				s.TasksParked != parked || s.EntryQueue != queue {
				t.Errorf("%s: %d living, %d runnable, %d parked, %d queued; want %d, %d, %d, %d", what,
					s.TasksLiving, s.TasksRunnable, s.TasksParked, s.EntryQueue,
					living, runnable, parked, queue)
			}
		}
		expect("alone", 1, 0, 0, 0)
		wantTrue(t, "no deadline", !task.Statistics().HasDeadline)
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(sleeper)
			expect("spawned", 2, 1, 0, 0)
			settled(task, t)
			task.Loop().CallSoon(func() {})
			task.Loop().CallSoonOnce("key", func() {})
			expect("beside a sleeper", 2, 0, 1, 2)
			n.Cancel("enough")
			expect("cancelled", 2, 1, 0, 2)
			return nil
		})
		if err != nil {
			return err
		}
		expect("alone again", 1, 0, 0, 0)
		err = loop.MoveOnAfter(task, 5*time.Second, func(*loop.Scope) error {
			s := task.Statistics()
			if !s.HasDeadline || s.NextDeadline != 5*time.Second || s.Timers != 1 {
				t.Errorf("the next deadline is in %v (%v)", s.NextDeadline, s.HasDeadline)
			}
			clock.Advance(2 * time.Second)
			if d := task.Statistics().NextDeadline; d != 3*time.Second {
				t.Errorf("2 s later it is in %v", d)
			}
			return nil
		})
		s := task.Statistics()
		wantTrue(t, "no deadline after the exit", !s.HasDeadline && s.Timers == 0)
		return err
	})
}

func TestStatisticsFromOutside(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(sleeper)
			settled(task, t) // the loop has polled, with the sleeper parked
			got := make(chan loop.Statistics)
			go func() { got <- task.Loop().Statistics() }()
			if s := <-got; s.TasksLiving != 2 || s.TasksParked != 2 {
				t.Errorf("%d living, %d parked", s.TasksLiving, s.TasksParked)
			}
			return n.Cancel("enough")
		})
	})
}

func TestCountersGrow(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		before := task.Statistics()
		task.Loop().CallSoon(func() {})
		err := loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(nothing) })
		after := task.Statistics()
		if after.Spawned != before.Spawned+1 || after.Turns != before.Turns+2 ||
			after.EntryCalls != before.EntryCalls+1 || after.Passes <= before.Passes {
			t.Errorf("from %+v to %+v", before, after)
		}
		return err
	})
}

// large is big enough that nothing else shares its memory.
type large [1 << 16]byte

func collected(p weak.Pointer[large]) bool {
	runtime.GC()
	return p.Value() == nil
}

func TestS023NoReferencesAfterExit(t *testing.T) {
	ends := map[string]func(*loop.Task) error{
		"returned":  nothing,
		"cancelled": sleeper,
		"failed":    failing(errKey),
		"panicked":  func(*loop.Task) error { panic("ouch") },
	}
	for name, end := range ends {
		looptest.Run(t, func(task *loop.Task) error {
			p := spawnLarge(task, end)
			if err := loop.Checkpoint(task); err != nil {
				return err
			}
			wantTrue(t, name+": what the child held is collected", collected(p))
			return nil
		})
	}
}

// spawnLarge runs a child that closes over a large object and ends as end.
func spawnLarge(task *loop.Task, end func(*loop.Task) error) weak.Pointer[large] {
	object := new(large)
	loop.Nurse(task, func(n *loop.Nursery) error {
		n.Spawn(func(task *loop.Task) error {
			err := end(task)
			object[0]++
			return err
		})
		if err := loop.WaitAllTasksBlocked(task, 0); err != nil {
			return err // the child has failed
		}
		return n.Cancel("enough")
	})
	return weak.Make(object)
}

func TestS023NurseryIsCollected(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var nursery weak.Pointer[loop.Nursery]
		var scope weak.Pointer[loop.Scope]
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			nursery = weak.Make(n)
			n.Spawn(sleeper)
			settled(task, t)
			return loop.MoveOnAfter(task, time.Hour, func(s *loop.Scope) error {
				scope = weak.Make(s)
				return n.Cancel("enough")
			})
		})
		if err != nil {
			return err
		}
		if err := loop.Checkpoint(task); err != nil {
			return err
		}
		runtime.GC()
		wantTrue(t, "the nursery is collected", nursery.Value() == nil)
		wantTrue(t, "the scope is collected", scope.Value() == nil)
		return nil
	})
}

// A value in a local is let go with the task that set it.
func TestS023LocalsAreCollected(t *testing.T) {
	local := loop.NewLocal[*large]("large", nil)
	looptest.Run(t, func(task *loop.Task) error {
		var p weak.Pointer[large]
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(task *loop.Task) error {
				object := new(large)
				p = weak.Make(object)
				task.SetLocals(local.With(task.Locals(), object))
				return nil
			})
		})
		wantTrue(t, "the value is collected", collected(p))
		return err
	})
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func TestS024SpawnChurn(t *testing.T) {
	const batch, batches = 100, 2000
	looptest.Config{Limit: time.Minute}.Run(t, func(task *loop.Task) error {
		churn := func(batches int) error {
			for range batches {
				err := loop.Nurse(task, func(n *loop.Nursery) error {
					for range batch {
						n.Spawn(func(task *loop.Task) error {
							return loop.MoveOnAfter(task, time.Hour, func(*loop.Scope) error {
								return loop.Checkpoint(task)
							})
						})
					}
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		}
		if err := churn(10); err != nil { // fills the pool of coroutines
			return err
		}
		heap, goroutines := heapInUse(), runtime.NumGoroutine()
		if err := churn(batches); err != nil {
			return err
		}
		if n := runtime.NumGoroutine(); n > goroutines {
			t.Errorf("%d goroutines before, %d after", goroutines, n)
		}
		const slack = 256 << 10
		if now := heapInUse(); now > heap+slack {
			t.Errorf("%d bytes before, %d after", heap, now)
		}
		if s := task.Statistics(); s.Timers != 0 || s.TasksLiving != 1 || s.Spawned < batch*batches {
			t.Errorf("%d timers, %d tasks, %d spawned", s.Timers, s.TasksLiving, s.Spawned)
		}
		return nil
	})
}
