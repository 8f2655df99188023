package loop

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"
)

// A Call that gives up while it waits for room leaves nothing behind in the
// other loop, which may be stuck for long.
func TestCallThatGivesUpWaitingForRoom(t *testing.T) {
	held, release := make(chan struct{}), make(chan struct{})
	err := RunEach(2, func(task *Task, i int) error {
		if i == 1 { // takes nothing from its queue from now on
			close(held)
			<-release
			return nil
		}
		defer close(release)
		<-held
		other := task.loop.team[1]
		for other.CallSoon(func() {}) == nil { // until it is full
		}
		for range 100 {
			err := MoveOnAfter(task, time.Microsecond, func(*Scope) error {
				return Call(task, other, func(*Task) error { return nil })
			})
			if err != nil {
				return err
			}
		}
		other.entry.mu.Lock()
		defer other.entry.mu.Unlock()
		if n := len(other.entry.rooms); n != 0 {
			t.Errorf("%d calls are waiting for room", n)
		}
		return nil
	}, WithEntryQueueSize(4))
	if err != nil {
		t.Error(err)
	}
}

// A Do that finds the queue full waits until the loop has emptied it.
func TestDoThatFindsTheQueueFull(t *testing.T) {
	var doing sync.WaitGroup
	ran := false
	err := Run(func(task *Task) error {
		l := task.loop
		for l.CallSoon(func() {}) == nil { // until it is full
		}
		doing.Go(func() {
			if err := l.Do(context.Background(), func(*Task) error { ran = true; return nil }); err != nil {
				t.Error(err)
			}
		})
		for waiting := false; !waiting; runtime.Gosched() { // takes nothing from its queue meanwhile
			l.entry.mu.Lock()
			waiting = l.entry.room != nil
			l.entry.mu.Unlock()
		}
		for !ran {
			if err := Yield(task); err != nil {
				return err
			}
		}
		return nil
	}, WithEntryQueueSize(4))
	doing.Wait()
	if err != nil || !ran {
		t.Errorf("%v, it ran: %v", err, ran)
	}
}
