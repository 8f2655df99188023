package loop_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// stallLimit is the threshold of these tests, and heldTime more than twice it.
const (
	stallLimit = 20 * time.Millisecond
	heldTime   = 5 * stallLimit / 2
)

// reports collects what a watchdog reports.
type reports struct {
	mu  sync.Mutex
	all []loop.Stall
	got chan struct{} // gets a value at each report
}

func newReports() *reports { return &reports{got: make(chan struct{}, 100)} }

func (r *reports) add(s loop.Stall) {
	r.mu.Lock()
	r.all = append(r.all, s)
	r.mu.Unlock()
	r.got <- struct{}{}
}

func (r *reports) only(t *testing.T) loop.Stall {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.all) != 1 {
		t.Fatalf("%d reports: %v", len(r.all), r.all)
	}
	return r.all[0]
}

// holdUntil keeps the loop until the watchdog has reported it.
func holdUntil(r *reports) { <-r.got }

// S441: who holds the loop is reported once, with its name and stack, and
// counted.
func TestS441_TheWatchdogNamesWhoHoldsTheLoop(t *testing.T) {
	r := newReports()
	looptest.Run(t, func(task *loop.Task) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(*loop.Task) error { holdUntil(r); return nil }, loop.WithTaskName("hog"))
		})
		s := task.Statistics()
		wantTrue(t, "it is counted once", s.Stalls == 1 && s.LongestStall >= stallLimit)
		return err
	}, loop.WithWatchdog(stallLimit, r.add))
	s := r.only(t)
	wantTrue(t, "it took as long as the threshold", s.For >= stallLimit)
	wantTrue(t, "it was the second task", s.Task == 2 && s.Name == "hog" && !s.Ignores)
	wantText(t, s.Stack, "loop_test.holdUntil", "watchdog_test.go:")
	wantText(t, s.State, "chan receive")
	wantText(t, s.String(), "has been held for", "by task 2 hog (loop_test.TestS441", "use loop/queue", "holdUntil")
}

// S445: a task that waits for a mutex that a suspended task of its loop holds
// freezes the loop: the watchdog says so.
func TestS445_TheWatchdogSeesAMutexHeldAcrossASuspension(t *testing.T) {
	r := newReports()
	var mu sync.Mutex
	looptest.Run(t, func(task *loop.Task) error {
		mu.Lock()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(*loop.Task) error { mu.Lock(); defer mu.Unlock(); return nil })
			go func() { holdUntil(r); mu.Unlock() }() // or the test would never end
			return nil                                // suspends, with the mutex
		})
	}, loop.WithWatchdog(stallLimit, r.add))
	s := r.only(t)
	wantText(t, s.State, "sync.Mutex.Lock")
	wantText(t, s.Hint, "never hold a sync.Mutex across a call that is given a task")
}

// S441: a callback that holds the loop is reported as such.
func TestS441_TheWatchdogSeesCallbacks(t *testing.T) {
	r := newReports()
	looptest.Run(t, func(task *loop.Task) error {
		task.Loop().CallSoon(func() { holdUntil(r) })
		return loop.Sleep(task, time.Millisecond)
	}, loop.WithWatchdog(stallLimit, r.add))
	s := r.only(t)
	wantTrue(t, "no task is blamed", s.Task == 0)
	wantText(t, s.String(), "by a callback", "holdUntil")
}

// S441: a loop that sleeps, and one that is busy with short turns, are not
// reported, however long it takes; and the watchdog wakes up with the loop. On a
// machine that is busy the loop may be kept waiting for a processor, which counts
// as held: then that is tried again.
func TestS441_TheWatchdogLeavesOthersAlone(t *testing.T) {
	for range 100 {
		r := newReports()
		var longest time.Duration // between two moments when the loop could answer
		looptest.Run(t, func(task *loop.Task) error {
			for began, last := time.Now(), time.Now(); last.Sub(began) < heldTime; {
				loop.Checkpoint(task)
				now := time.Now()
				longest, last = max(longest, now.Sub(last)), now
			}
			began := time.Now()
			loop.Sleep(task, 2*heldTime)
			longest = max(longest, time.Since(began)-2*heldTime)
			r.mu.Lock()
			wantTrue(t, "nothing is reported", len(r.all) == 0 || longest > stallLimit/2)
			r.mu.Unlock()
			holdUntil(r)
			return nil
		}, loop.WithWatchdog(stallLimit, r.add))
		if longest <= stallLimit/2 {
			r.only(t)
			return
		}
	}
	t.Error("the loop was never given a processor in time")
}

// A task that goes on though it is cancelled is reported, once.
func TestTheWatchdogNamesWhoIgnoresItsCancellation(t *testing.T) {
	r := newReports()
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Cancel("enough")
			return n.Spawn(func(t *loop.Task) error {
				for range 3000 {
					loop.Checkpoint(t)
				}
				return nil
			}, loop.WithTaskName("deaf"))
		})
	}, loop.WithWatchdog(time.Minute, r.add))
	s := r.only(t)
	wantTrue(t, "it is deaf", s.Ignores && s.Name == "deaf")
	wantText(t, s.String(), "task 2 deaf (loop_test.", "told 1000 times", "explicit: enough")
}

// Without a function reports are printed; without a sensible threshold there
// is no watchdog.
func TestWatchdogThresholds(t *testing.T) {
	for _, d := range []time.Duration{-1, time.Microsecond} {
		err := loop.Run(nothing, loop.WithWatchdog(d, nil))
		want(t, "a threshold of "+d.String(), err, loop.ErrMisuse)
	}
	looptest.Run(t, nothing, loop.WithWatchdog(0, nil))
	if s := (loop.Stall{Loop: &loop.Loop{}, Missed: 2}).String(); !strings.Contains(s, "2 stalls before that") {
		t.Error(s)
	}
}

// What a watchdog costs a loop that is busy with nothing but turns; compare
// BenchmarkCheckpointRescheduled.
func BenchmarkCheckpointWatched(b *testing.B) {
	inLoop(b, func(t *loop.Task) {
		for b.Loop() {
			loop.Checkpoint(t)
		}
	}, loop.WithAlwaysReschedule(), loop.WithWatchdog(0, nil))
}
