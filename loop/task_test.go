package loop_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

func TestS100NestedNurseriesInOneTask(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		expect := func(what string, open ...*loop.Nursery) {
			t.Helper()
			if !slices.Equal(task.Nurseries(), open) {
				t.Errorf("%s: %d nurseries are open, want %d", what, len(task.Nurseries()), len(open))
			}
		}
		expect("before")
		err := loop.Nurse(task, func(n1 *loop.Nursery) error {
			expect("one", n1)
			failed := loop.Nurse(task, func(n2 *loop.Nursery) error {
				expect("two", n1, n2)
				return errKey
			})
			looptest.AssertError(t, failed, looptest.Group(errKey))
			expect("one again", n1)
			panicked := loop.Nurse(task, func(n3 *loop.Nursery) error {
				expect("another", n1, n3)
				panic("ouch")
			})
			looptest.AssertError(t, panicked, looptest.Group(looptest.As[*loop.PanicError](nil)))
			expect("and one again", n1)
			return loop.Checkpoint(task)
		})
		expect("after")
		return err
	})
}

func TestS101TreeIntrospection(t *testing.T) {
	looptest.Run(t, func(main *loop.Task) error {
		var child, grandchild *loop.Task
		var nursery *loop.Nursery
		err := loop.Nurse(main, func(n *loop.Nursery) error {
			nursery = n
			n.Spawn(func(task *loop.Task) error {
				child = task
				return loop.Nurse(task, func(n *loop.Nursery) error {
					return n.Spawn(func(task *loop.Task) error { grandchild = task; return sleeper(task) })
				})
			})
			n.Spawn(sleeper)
			settled(main, t)
			if all := n.Children(); len(all) != 2 || !slices.Contains(all, child) {
				t.Errorf("the children are %v", all)
			}
			inner := child.Nurseries()
			if len(inner) != 1 || !slices.Equal(inner[0].Children(), []*loop.Task{grandchild}) {
				t.Errorf("the nurseries of the child are %v", inner)
			}
			all := main.Loop().Tasks()
			if len(all) != 4 || all[0] != main ||
				slices.Index(all, child) > slices.Index(all, grandchild) {
				t.Errorf("the tasks are %v", all)
			}
			return n.Cancel("enough")
		})
		for _, c := range []struct{ task, parent *loop.Task }{{child, main}, {grandchild, child}} {
			wantTrue(t, "the way up outlives the end", c.task.Parent() == c.parent && c.task.Ended())
		}
		wantTrue(t, "and so does the nursery", child.Nursery() == nursery && nursery.Owner() == main)
		wantTrue(t, "the children are gone", len(nursery.Children()) == 0 && len(main.Nurseries()) == 0)
		return err
	})
}

func aFunctionWithAName(task *loop.Task) error { return loop.SleepForever(task) }

func TestS102TaskNames(t *testing.T) {
	looptest.Run(t, func(main *loop.Task) error {
		return loop.Nurse(main, func(n *loop.Nursery) error {
			n.Spawn(aFunctionWithAName)
			n.Spawn(aFunctionWithAName, loop.WithTaskName("explicit"))
			n.Spawn(func(task *loop.Task) error { return loop.SleepForever(task) })
			settled(main, t)
			var names, dump []string
			ids := map[uint64]bool{main.ID(): true}
			for _, child := range n.Children() {
				names = append(names, child.Name())
				dump = append(dump, child.String())
				ids[child.ID()] = true
			}
			slices.Reverse(names)
			if names[0] != "loop_test.aFunctionWithAName" || names[1] != "explicit" ||
				!strings.HasPrefix(names[2], "loop_test.TestS102TaskNames.func") {
				t.Errorf("the names are %q", names)
			}
			wantText(t, strings.Join(dump, "\n"), append(names, "(sleeping forever)")...)
			if len(ids) != 4 {
				t.Errorf("%d different numbers for 4 tasks", len(ids))
			}
			return n.Cancel("enough")
		})
	})
}

// S105: ten thousand children that are cancelled at once end in one turn each,
// in one pass, and each abort function is called once. What a turn costs is in
// BenchmarkCancelParked, for a thousand children and for ten thousand.
func TestS105TenThousandChildren(t *testing.T) {
	children := 10_000
	if raceEnabled() {
		children = 5_000 // the detector bears 8128 goroutines
	}
	looptest.Config{Limit: time.Minute}.Run(t, func(task *loop.Task) error {
		var lot loop.ParkingLot
		aborted, ended := 0, 0
		var before loop.Statistics
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			for i := range children {
				n.Spawn(func(task *loop.Task) (err error) {
					if i%2 == 0 {
						err = lot.Park(task, "lot")
					} else {
						err = loop.Park(task, "test", loop.AbortFunc(func(loop.Wait) bool { aborted++; return true }))
					}
					ended++
					return err
				})
			}
			settled(task, t)
			before = task.Statistics()
			return n.Cancel("all")
		})
		after := task.Statistics()
		if err != nil || ended != children || aborted != children/2 || lot.Len() != 0 {
			t.Errorf("%d of %d ended, %d aborted: %v", ended, children, aborted, err)
		}
		turns, points := after.Turns-before.Turns, after.SchedulePoints-before.SchedulePoints
		if passes := after.Passes - before.Passes; passes > 3 || turns != uint64(children)+1 || points > 1 {
			t.Errorf("%d turns in %d passes with %d schedule points", turns, passes, points)
		}
		return nil
	})
}

func TestS106PanicInChild(t *testing.T) {
	var record notes
	err := looptest.RunErr(t, func(task *loop.Task) error {
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				err := loop.SleepForever(task)
				loop.ShieldedCheckpoint(task)
				record.add("the sibling has cleaned up")
				return err
			})
			settled(task, t)
			return n.Spawn(explode, loop.WithTaskName("bomb"))
		})
		record.add("the nursery is closed")
		want(t, "the loop lives", loop.Checkpoint(task), nil)
		return err
	})
	looptest.AssertError(t, err, looptest.Group(looptest.As(func(p *loop.PanicError) bool {
		wantText(t, string(p.Stack), "loop_test.explode")
		wantText(t, p.Error(), "task bomb panicked: ouch", "loop_test.explode")
		return p.Value == errOuch && !p.Goexit && p.Task == "bomb"
	})))
	want(t, "the value of the panic", err, errOuch)
	record.want(t, "the sibling has cleaned up", "the nursery is closed")
}

var errOuch = errors.New("ouch")

//go:noinline
func explode(*loop.Task) error { panic(errOuch) }

// A panic of the body, and of main, is reported the same way.
func TestS106PanicInBodyAndMain(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error { loop.SleepForever(task); return errKey })
			settled(task, t)
			return explode(task)
		})
	})
	looptest.AssertError(t, err, looptest.Group(errKey, looptest.As[*loop.PanicError](nil)))
	err = looptest.RunErr(t, explode)
	looptest.AssertError(t, err, looptest.As(func(p *loop.PanicError) bool { return p.Value == errOuch }))
}

// A panic is reported even if its value is the Cancelled of a scope that
// absorbs it everywhere else.
func TestPanicWithCancelled(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error { panic(loop.SleepForever(task)) })
			settled(task, t)
			return n.Cancel("now")
		})
	})
	looptest.AssertError(t, err, looptest.Group(looptest.As[*loop.PanicError](nil)))
}

// A panic that a task recovers itself is no concern of the loop, even across
// scopes.
func TestRecoveredPanic(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		func() {
			defer func() { wantTrue(t, "it can be recovered", recover() == errOuch) }()
			loop.Shield(task, func(*loop.Scope) error { return explode(task) })
		}()
		return loop.Checkpoint(task)
	})
}

func TestPanicNil(t *testing.T) {
	err := looptest.RunErr(t, func(*loop.Task) error { panic(nil) })
	looptest.AssertError(t, err, looptest.As(func(p *loop.PanicError) bool {
		return !p.Goexit && p.Value != nil
	}))
}

func TestS109StaleTaskHandle(t *testing.T) {
	looptest.Run(t, func(main *loop.Task) error {
		var stale *loop.Task
		err := loop.Nurse(main, func(n *loop.Nursery) error {
			return n.Spawn(func(task *loop.Task) error { stale = task; return nil })
		})
		err2 := loop.Checkpoint(stale)
		want(t, "a task that has ended", err2, loop.ErrWrongTask)
		wantText(t, err2.Error(), "has ended", stale.Name())
		want(t, "waking it", stale.Unpark(nil), loop.ErrNotParked)
		return err
	})
}

// wrong is every function that takes a task, called with one that does not
// run.
func wrong(other *loop.Task, t *testing.T, who string) {
	t.Helper()
	var lot loop.ParkingLot
	ran := func() error { t.Errorf("%s: code ran", who); return nil }
	inScope := func(*loop.Scope) error { return ran() }
	scope, err := loop.NewScope(other.Loop())
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]func() error{
		"Checkpoint":            func() error { return loop.Checkpoint(other) },
		"CheckpointIfCancelled": func() error { return loop.CheckpointIfCancelled(other) },
		"ShieldedCheckpoint":    func() error { return loop.ShieldedCheckpoint(other) },
		"Sleep":                 func() error { return loop.Sleep(other, time.Second) },
		"Sleep 0":               func() error { return loop.Sleep(other, 0) },
		"SleepUntil":            func() error { return loop.SleepUntil(other, time.Time{}) },
		"SleepForever":          func() error { return loop.SleepForever(other) },
		"Park":                  func() error { return loop.Park(other, "test", nil) },
		"ParkingLot.Park":       func() error { return lot.Park(other, "test") },
		"WaitAllTasksBlocked":   func() error { return loop.WaitAllTasksBlocked(other, 0) },
		"WaitReadableFD":        func() error { return loop.WaitReadableFD(other, 0) },
		"Enter":                 func() error { return loop.Enter(other, scope, inScope) },
		"Scoped":                func() error { return loop.Scoped(other, inScope) },
		"MoveOnAfter":           func() error { return loop.MoveOnAfter(other, time.Hour, inScope) },
		"FailAt":                func() error { return loop.FailAt(other, time.Time{}, inScope) },
		"Shield":                func() error { return loop.Shield(other, inScope) },
		"Nurse":                 func() error { return loop.Nurse(other, func(*loop.Nursery) error { return ran() }) },
		"Start": func() error {
			_, err := loop.Start(other, nil, func(*loop.Task, func(any) error) error { return ran() })
			return err
		},
	}
	for name, call := range calls {
		want(t, who+": "+name, call(), loop.ErrWrongTask)
	}
	if lot.Len() != 0 {
		t.Errorf("%s: the lot holds %d", who, lot.Len())
	}
}

func TestS108WrongTask(t *testing.T) {
	looptest.Run(t, func(main *loop.Task) error {
		var parked, ended *loop.Task
		return loop.Nurse(main, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error { parked = task; return sleeper(task) })
			n.Spawn(func(task *loop.Task) error { ended = task; return nil })
			settled(main, t)
			wrong(parked, t, "a parked task")
			wrong(ended, t, "a task that has ended")
			wrong(main.Loop().Root(), t, "the root")
			n.Spawn(func(*loop.Task) error { wrong(main, t, "the owner, by a child"); return nil })
			settled(main, t)
			called := make(chan struct{})
			main.Loop().CallSoon(func() { wrong(main, t, "any task, by a callback"); close(called) })
			for range 2 {
				loop.ShieldedCheckpoint(main)
			}
			<-called
			want(t, "the right task", loop.Checkpoint(main), nil)
			return n.Cancel("enough")
		})
	})
}

// From a goroutine of its own the handle is refused while its task does not
// run.
func TestS109HandleInForeignGoroutine(t *testing.T) {
	looptest.Run(t, func(main *loop.Task) error {
		var ended *loop.Task
		err := loop.Nurse(main, func(n *loop.Nursery) error {
			return n.Spawn(func(task *loop.Task) error { ended = task; return nil })
		})
		done := make(chan struct{})
		go func() { defer close(done); wrong(ended, t, "a goroutine") }()
		<-done
		return err
	})
}

// S446: a task of one loop is refused by another.
func TestS446TaskOfAnotherLoop(t *testing.T) {
	other, release := make(chan *loop.Task), make(chan struct{})
	ended := make(chan error)
	go func() {
		ended <- loop.Run(func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(child *loop.Task) error { other <- task; <-release; return nil })
				return nil
			})
		})
	}()
	task := <-other // its loop is busy with another task until released
	looptest.Run(t, func(*loop.Task) error { wrong(task, t, "a task of another loop"); return nil })
	close(release)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A context is done as soon as its scope sees a cancellation, or is left.
func TestTaskContext(t *testing.T) {
	byHand(t, func(task *loop.Task, clock *looptest.Clock) error {
		root := task.Context()
		wantTrue(t, "one context for a scope", root == task.Context())
		var left context.Context
		err := loop.MoveOnAfter(task, time.Second, func(s *loop.Scope) error {
			ctx := task.Context()
			if when, ok := ctx.Deadline(); !ok || !when.Equal(looptest.Epoch.Add(time.Second)) {
				t.Errorf("its deadline is %v, %v", when, ok)
			}
			derived, stop := context.WithCancel(ctx)
			defer stop()
			want(t, "before", ctx.Err(), nil)
			clock.Advance(time.Second)
			err := loop.Checkpoint(task)
			want(t, "after", ctx.Err(), context.Canceled)
			<-derived.Done()
			want(t, "its cause", context.Cause(derived), loop.Cancelled)
			late := loop.Scoped(task, func(*loop.Scope) error { return context.Cause(task.Context()) })
			want(t, "one made afterwards", late, loop.Cancelled)
			return err
		})
		loop.Scoped(task, func(*loop.Scope) error { left = task.Context(); return nil })
		want(t, "one whose scope was left", left.Err(), context.Canceled)
		wantTrue(t, "that is no Cancelled", !errors.Is(context.Cause(left), loop.Cancelled))
		want(t, "the one outside", root.Err(), nil)
		return err
	})
}

// Buffers go back to the loop when their task ends, and the next task gets
// them.
func TestTaskBuffer(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		seen := map[*byte]bool{}
		for range 3 {
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				return n.Spawn(func(task *loop.Task) error {
					b := task.Buffer()
					if len(b) != 100 || &b[0] != &task.Buffer()[0] {
						return fmt.Errorf("a buffer of %d bytes", len(b))
					}
					seen[&b[0]] = true
					return nil
				})
			})
			if err != nil {
				return err
			}
		}
		if len(seen) != 1 {
			t.Errorf("three tasks, one after the other, used %d buffers", len(seen))
		}
		return nil
	}, loop.WithBufferSize(100))
}
