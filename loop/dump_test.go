package loop_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// mutex is a lock that tells a dump who holds it.
type mutex struct {
	holder *loop.Task
	name   string
}

func (m *mutex) lock(t *loop.Task) error {
	if m.holder == nil {
		m.holder = t
		return nil
	}
	w := &mutexWait{m}
	return loop.Park(t, "lock", w)
}

// mutexWait is how a task waits for a mutex; nobody is ever given it.
type mutexWait struct{ m *mutex }

func (w *mutexWait) Abort(loop.Wait) bool   { return true }
func (w *mutexWait) WaitDetail() string     { return w.m.name }
func (w *mutexWait) WaitHolder() *loop.Task { return w.m.holder }

func waitInDump(t *loop.Task) error { return loop.Sleep(t, time.Hour) }

// dumpOf returns the dump of a loop as a task of it sees it.
func dumpOf(t *loop.Task) string {
	var b bytes.Buffer
	t.Loop().Dump(&b)
	return b.String()
}

// S440: a dump shows the tree, names, reasons, details, holders, ages, scopes
// and stacks; what is alike is folded.
func TestS440_ADumpShowsTheTree(t *testing.T) {
	var text string
	m := &mutex{name: "the ledger"}
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			m.lock(task)
			for range 9 {
				n.Spawn(waitInDump)
			}
			n.Spawn(m.lock, loop.WithTaskName("clerk"))
			n.Spawn(func(t *loop.Task) error {
				return loop.Shield(t, func(*loop.Scope) error {
					return loop.SleepForever(t)
				}, loop.WithTimeout(time.Minute))
			}, loop.WithTaskName("patient"))
			loop.Sleep(task, 5*time.Second)
			text = dumpOf(task)
			return n.Cancel("enough")
		}, loop.WithName("staff"))
	})
	wantText(t, text, "loop ", "12 tasks, 11 of them waiting", "main: 1 task",
		`nursery "staff": 11 tasks`,
		"9 tasks (2, 3, 4, 5, ...) loop_test.waitInDump: waiting for 5s on sleeping, age 5s",
		"task 11 clerk: waiting for 5s on lock held by task 1 (the ledger), age 5s, in loop_test.(*mutex).lock",
		"deadline in 55s, shielded", "loop_test.waitInDump  ", "dump_test.go:", "running")
	if n := strings.Count(text, "loop_test.waitInDump  "); n != 1 {
		t.Errorf("the folded stack is printed %d times:\n%s", n, text)
	}
	if strings.Contains(text, "iter.Pull") || strings.Contains(text, "(*coroutine)") {
		t.Errorf("machinery in the stacks:\n%s", text)
	}
}

// S440: the same as JSON.
func TestS440_ASnapshotIsJSON(t *testing.T) {
	var back loop.Snapshot
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(waitInDump, loop.WithTaskName("waiter"))
			settled(task, t)
			text, err := json.Marshal(loop.Snapshots(loop.Look{}, task.Loop())[0])
			want(t, "writing it", err, nil)
			want(t, "reading it", json.Unmarshal(text, &back), nil)
			return n.Cancel("enough")
		})
	})
	if len(back.Tasks) != 2 {
		t.Fatalf("%d tasks", len(back.Tasks))
	}
	w := back.Tasks[1]
	if w.Name != "waiter" || w.Label != "sleeping" || w.State != "waiting" || w.Parent != 1 || w.Depth != 1 {
		t.Errorf("got %+v", w)
	}
	wantText(t, w.Stack, "waitInDump", "loop.Sleep")
	wantText(t, w.Function, "loop_test.waitInDump")
	wantTrue(t, "three nurseries", len(back.Nurseries) == 3)
}

// S442: two tasks that wait for each other's locks are named, and so is a task
// that waits in a nursery for a child that waits for it.
func TestS442_ADumpNamesDeadlocks(t *testing.T) {
	a, b := &mutex{name: "a"}, &mutex{name: "b"}
	both := func(first, second *mutex) func(*loop.Task) error {
		return func(t *loop.Task) error {
			first.lock(t)
			loop.Checkpoint(t)
			return second.lock(t)
		}
	}
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(both(a, b), loop.WithTaskName("left"))
			n.Spawn(both(b, a), loop.WithTaskName("right"))
			n.Spawn(ownerOfADeadlock, loop.WithTaskName("owner"))
			settled(task, t)
			text := dumpOf(task)
			wantText(t, text, "DEADLOCK: ", "left waits for task", "right waits for task",
				"owner waits for task")
			if n := strings.Count(text, "DEADLOCK"); n != 2 {
				t.Errorf("%d deadlocks:\n%s", n, text)
			}
			return n.Cancel("enough")
		})
	})
}

func ownerOfADeadlock(t *loop.Task) error {
	m := &mutex{name: "own"}
	m.lock(t)
	return loop.Nurse(t, func(n *loop.Nursery) error { return n.Spawn(m.lock) })
}

// No deadlock is seen where there is none: a holder that only sleeps, and an
// owner that is still busy beside its waiting child.
func TestS442_NoDeadlockIsInvented(t *testing.T) {
	m := &mutex{name: "m"}
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			m.lock(task)
			n.Spawn(m.lock)
			settled(task, t)
			if text := dumpOf(task); strings.Contains(text, "DEADLOCK") {
				t.Errorf("there is none:\n%s", text)
			}
			return n.Cancel("enough")
		})
	})
}

// S440, S445: a loop that is stuck in user code does not answer; the dump says
// who holds it, where, and what that means, and shows the other tasks.
func TestS440_ADumpOfALoopThatIsHeld(t *testing.T) {
	var text string
	looptest.Run(t, func(task *loop.Task) error {
		l, release := task.Loop(), make(chan struct{})
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range 3 {
				n.Spawn(waitInDump)
			}
			settled(task, t)
			go func() {
				defer close(release)
				text = heldText(l)
			}()
			waitOnChannel(release)
			return n.Cancel("enough")
		})
	})
	wantText(t, text, "its tasks cannot be read while it does not answer",
		"when it last polled: 4 tasks", "did not answer within", "the task of ",
		"holds it (chan receive", "use loop/queue", "loop_test.waitOnChannel  ",
		"3 of loop_test.waitInDump", "loop.Sleep  ")
}

func waitOnChannel(c chan struct{}) { <-c }

func heldText(l *loop.Loop) string {
	var b bytes.Buffer
	s := loop.Snapshots(loop.Look{Patience: 10 * time.Millisecond}, l)[0]
	s.Dump(&b)
	return b.String()
}

// A loop that is held before it has polled has no numbers to show, not 0 tasks.
func TestS440_ADumpOfALoopThatNeverPolled(t *testing.T) {
	var text string
	looptest.Run(t, func(task *loop.Task) error {
		l, release := task.Loop(), make(chan struct{})
		go func() {
			defer close(release)
			text = heldText(l)
		}()
		waitOnChannel(release)
		return nil
	})
	wantText(t, text, "its tasks cannot be read while it does not answer; when it last polled: never\n",
		"loop_test.waitOnChannel  ")
}

// A callback that holds the loop is named as such.
func TestS440_ADumpOfALoopHeldByACallback(t *testing.T) {
	var text string
	looptest.Run(t, func(task *loop.Task) error {
		l, release := task.Loop(), make(chan struct{})
		l.CallSoon(func() {
			go func() {
				defer close(release)
				text = heldText(l)
			}()
			waitOnChannel(release)
		})
		return loop.Sleep(task, time.Millisecond)
	})
	wantText(t, text, "something that is not a task", "loop_test.waitOnChannel  ")
}

// A dump from an ordinary goroutine of loops that run, and of one that ended;
// ordinary goroutines are listed too.
func TestS440_ADumpOfAllLoops(t *testing.T) {
	var ended *loop.Loop
	looptest.Run(t, func(task *loop.Task) error { ended = task.Loop(); return nil })
	var b bytes.Buffer
	looptest.Run(t, func(task *loop.Task) error {
		done := make(chan struct{})
		wake := task.Loop()
		go func() {
			loop.DumpAll(&b, ended, task.Loop())
			close(done)
			wake.CallSoon(func() { task.Unpark(nil) })
		}()
		return loop.Park(task, "the dump", nil)
	})
	wantText(t, b.String(), fmt.Sprintf("loop %d has ended; it ran 1 task", ended.ID()),
		"on the dump", "other goroutine", "created by")
}

// A description that panics spoils neither the dump nor the task.
func TestADumpSurvivesABadDescription(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t *loop.Task) error { return loop.Park(t, "bad", badWait{}) })
			settled(task, t)
			wantText(t, dumpOf(task), "its description failed", "no words")
			return n.Cancel("enough")
		})
	})
}

type badWait struct{}

func (badWait) Abort(loop.Wait) bool { return true }
func (badWait) WaitDetail() string   { panic("no words") }

// A task that does not mind being cancelled is named.
func TestADumpNamesWhoIgnoresItsCancellation(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			stop := false
			n.Spawn(func(t *loop.Task) error {
				for !stop {
					loop.Sleep(t, time.Second)
				}
				return nil
			}, loop.WithTaskName("deaf"))
			n.Cancel("enough")
			for range 1100 {
				loop.Yield(task)
			}
			wantText(t, dumpOf(task), "deaf: ", "told: loop: cancelled (explicit: enough",
				"IT IGNORES ITS CANCELLATION")
			stop = true
			return nil
		})
	})
}
