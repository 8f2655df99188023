package loop

import (
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// corruptions break a loop in ways in which only a bug could.
var corruptions = map[string]func(*Task){
	"a nil task is runnable": func(t *Task) { t.loop.ready = append(t.loop.ready, nil) },
	"a foreign task is runnable": func(t *Task) {
		other := newCoroutine()
		other.stop()
		t.loop.ready = append(t.loop.ready, &Task{loop: t.loop, co: other})
	},
	"the poller is closed": func(t *Task) { t.loop.poller.Close() },
	"the timers are corrupt": func(t *Task) {
		t.loop.timers = append(t.loop.timers, alarm{when: -1, timer: &timer{pos: 1, when: -1}})
	},
}

// S018, S447: a broken loop says so, ends, and unwinds every task.
func TestS018LoopCorruptionIsLoud(t *testing.T) {
	for name, corrupt := range corruptions {
		before := runtime.NumGoroutine()
		unwound, parked, leaf := 0, error(nil), error(nil)
		var l *Loop
		err := Run(func(t *Task) error {
			l = t.loop
			defer func() { unwound++ }()
			return Nurse(t, func(n *Nursery) error {
				n.Spawn(func(t *Task) error {
					defer func() { unwound++ }()
					return Nurse(t, func(n *Nursery) error {
						return n.Spawn(func(t *Task) error {
							defer func() { unwound++ }()
							leaf = SleepForever(t)
							return leaf
						})
					})
				})
				n.Spawn(func(t *Task) error {
					defer func() { unwound++ }()
					parked = Park(t, "test", nil)
					return parked
				})
				if err := WaitAllTasksBlocked(t, 0); err != nil {
					return err
				}
				n.Spawn(func(t *Task) error { return Checkpoint(t) }) // may never begin
				corrupt(t)
				return SleepForever(t)
			})
		})
		if !errors.Is(err, ErrInternal) {
			t.Errorf("%s: Run returned %v", name, err)
		}
		if unwound != 4 || !errors.Is(parked, ErrInternal) || !errors.Is(leaf, ErrInternal) {
			t.Errorf("%s: %d tasks were unwound, with %v, %v", name, unwound, parked, leaf)
		}
		if s := l.Statistics(); s.TasksLiving+s.TasksRunnable+s.TasksParked != 0 {
			t.Errorf("%s: it ended with %+v", name, s)
		}
		if n := settledGoroutines(before); n > before {
			t.Errorf("%s: %d goroutines before, %d after", name, before, n)
		}
	}
}

// settledGoroutines gives goroutines that are ending a second to be gone.
func settledGoroutines(n int) int {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range 1000 {
		if runtime.NumGoroutine() <= n {
			break
		}
		<-tick.C
	}
	return runtime.NumGoroutine()
}

// A task that never gives up is ended all the same.
func TestBrokenLoopEndsStubbornTask(t *testing.T) {
	before := runtime.NumGoroutine()
	deferred := false
	err := Run(func(t *Task) error {
		return Nurse(t, func(n *Nursery) error {
			n.Spawn(func(t *Task) error {
				defer func() { deferred = true }()
				for {
					Checkpoint(t)
				}
			})
			if err := Checkpoint(t); err != nil {
				return err
			}
			t.loop.ready = append(t.loop.ready, nil)
			return SleepForever(t)
		})
	}, WithAlwaysReschedule())
	if !errors.Is(err, ErrInternal) || !deferred {
		t.Errorf("Run returned %v; deferred calls ran: %v", err, deferred)
	}
	if n := settledGoroutines(before); n > before {
		t.Errorf("%d goroutines before, %d after", before, n)
	}
}

// A task that calls Goexit or panics while it is unwound, as a test does that
// meets an unexpected error, does not take Run along.
func TestBrokenLoopSurvivesGoexit(t *testing.T) {
	ends := map[string]func(){"goexit": runtime.Goexit, "panic": func() { panic("ouch") }}
	for name, end := range ends {
		err := Run(func(t *Task) error {
			return Nurse(t, func(n *Nursery) error {
				n.Spawn(func(t *Task) error {
					if err := SleepForever(t); err != nil {
						end()
					}
					return nil
				})
				if err := WaitAllTasksBlocked(t, 0); err != nil {
					return err
				}
				t.loop.ready = append(t.loop.ready, nil)
				return SleepForever(t)
			})
		})
		if !errors.Is(err, ErrInternal) {
			t.Errorf("%s: Run returned %v", name, err)
		}
	}
}

// What unwinding tasks answer, and what they do to a broken loop, is bounded:
// they can not spawn, start or queue.
func TestBrokenLoopRefuses(t *testing.T) {
	var refused []error
	err := Run(func(t *Task) error {
		return Nurse(t, func(n *Nursery) error {
			t.loop.ready = append(t.loop.ready, nil)
			sleep := SleepForever(t)
			_, start := Start(t, n, func(*Task, func(any) error) error { return nil })
			nurse := Nurse(t, func(n *Nursery) error { return n.Spawn(func(*Task) error { return nil }) })
			refused = []error{sleep, Checkpoint(t), Sleep(t, 1), start, nurse,
				n.Spawn(func(*Task) error { return nil })}
			system := t.loop.SpawnSystem(func(*Task) error { return nil })
			if !errors.Is(system, ErrLoopClosed) {
				refused = append(refused, system)
			}
			return errors.New("the task's own")
		})
	})
	for i, err := range refused {
		if !errors.Is(err, ErrInternal) {
			t.Errorf("refused %d: %v", i, err)
		}
	}
	if !errors.Is(err, ErrInternal) || !strings.Contains(err.Error(), "a pass failed") {
		t.Errorf("Run returned %v", err)
	}
}

// A task that is woken by an ordinary goroutine would be left lying until
// something else happens: the loop ends, and says so, instead.
func TestS446WokenFromOutside(t *testing.T) {
	var lot ParkingLot
	for name, wake := range map[string]func(*Task){
		"Unpark":            func(t *Task) { _ = t.Unpark(nil) },
		"ParkingLot.Unpark": func(*Task) { lot.UnparkOne() },
	} {
		var goroutine sync.WaitGroup
		err := Run(func(t *Task) error {
			goroutine.Go(func() {
				for !t.loop.sleeping.Load() {
					runtime.Gosched()
				}
				wake(t)
			})
			if name == "Unpark" {
				return Park(t, "test", nil)
			}
			return lot.Park(t, "test")
		})
		goroutine.Wait()
		if !errors.Is(err, ErrInternal) || !errors.Is(err, ErrWrongTask) {
			t.Errorf("%s: Run returned %v", name, err)
		}
	}
}
