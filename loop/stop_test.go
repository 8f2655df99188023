package loop_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

const grace = 5 * time.Second

// S434: a stop is seen at once by waits that may be given up and by those who
// ask; what is under way is cancelled when the grace is over.
func TestS434GraceThenCancel(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		var seen notes
		note := func(what string, err error) {
			r := reasonOf(t, err)
			if r.Source() != loop.SourceStop || r.By() != "stopper" {
				t.Errorf("%s: %v", what, r)
			}
			seen.add(fmt.Sprint(what, " at ", clock.Elapsed()))
		}
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error { // waits for work, gives up, ends well
				return loop.UntilStop(task, func(*loop.Scope) error {
					err := loop.SleepForever(task)
					note("idle", err)
					wantText(t, err.Error(), "stop: maintenance, by task stopper")
					return err
				})
			})
			n.Spawn(func(task *loop.Task) error { // has the time that it needs
				err := loop.Sleep(task, 4*time.Second)
				seen.add(fmt.Sprint("worker, stopping: ", task.Stopping(), " at ", clock.Elapsed()))
				return err
			})
			n.Spawn(func(task *loop.Task) error { // does not come to an end
				err := loop.SleepForever(task)
				note("stubborn", err)
				wantText(t, err.Error(), "grace period is over: maintenance")
				return err
			})
			n.Spawn(func(task *loop.Task) error {
				if err := loop.Sleep(task, time.Second); err != nil || task.Stopping() {
					t.Errorf("before: %v, stopping: %v", err, task.Stopping())
				}
				return n.Scope().Stop(grace, "maintenance")
			}, loop.WithTaskName("stopper"))
			return loop.SleepForever(task)
		})
		seen.want(t, "idle at 1s", "worker, stopping: true at 4s", "stubborn at 6s")
		return err
	})
}

// The scope absorbs what the stop has caused, and nobody else has to care.
func TestStopIsAbsorbed(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		err := loop.Scoped(task, func(s *loop.Scope) error {
			wantTrue(t, "not stopped yet", !s.StopCalled())
			want(t, "Stop", s.Stop(grace, "a"), nil)
			when, ok := task.Deadline()
			if left := when.Sub(task.Now()); !ok || left != grace || !s.StopCalled() {
				t.Errorf("deadline in %v, %v", left, ok)
			}
			soft, err := loop.NewScope(task.Loop())
			want(t, "NewScope", err, nil)
			err = loop.Enter(task, soft, func(*loop.Scope) error { return loop.Checkpoint(task) })
			want(t, "a plain scope inside", err, nil)
			err = loop.UntilStop(task, func(s *loop.Scope) error {
				wantTrue(t, "cancelled at entry", s.CancelCalled())
				return loop.Checkpoint(task)
			})
			want(t, "UntilStop begun after the stop", err, nil)
			want(t, "a checkpoint outside of it", loop.Checkpoint(task), nil)
			return loop.SleepForever(task)
		})
		if err != nil || clock.Elapsed() != grace || task.Stopping() {
			t.Errorf("the scope returned %v after %v", err, clock.Elapsed())
		}
		return nil
	})
}

// A second stop shortens the grace and never lengthens it; a deadline of the
// scope's own comes first if it is earlier, and may be moved or cleared.
func TestStopAgain(t *testing.T) {
	cases := map[string]struct {
		change func(*loop.Scope)
		took   time.Duration
		source loop.Source
	}{
		"shorter": {func(s *loop.Scope) { s.Stop(2*time.Second, "b") }, 2 * time.Second, loop.SourceStop},
		"longer":  {func(s *loop.Scope) { s.Stop(time.Hour, "b") }, grace, loop.SourceStop},
		"at once": {func(s *loop.Scope) { s.Stop(0, "b") }, 0, loop.SourceStop},
		"deadline before": {func(s *loop.Scope) { s.SetTimeout(time.Second) }, time.Second,
			loop.SourceDeadline},
		"deadline after":   {func(s *loop.Scope) { s.SetTimeout(time.Hour) }, grace, loop.SourceStop},
		"deadline cleared": {func(s *loop.Scope) { s.SetTimeout(1); s.ClearDeadline() }, grace, loop.SourceStop},
		"cancelled":        {func(s *loop.Scope) { s.Cancel("c") }, 0, loop.SourceExplicit},
	}
	for name, c := range cases {
		virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
			return loop.Scoped(task, func(s *loop.Scope) error {
				s.Stop(grace, "a")
				c.change(s)
				err := loop.SleepForever(task)
				r := reasonOf(t, err)
				if clock.Elapsed() != c.took || r.Source() != c.source {
					t.Errorf("%s: %v after %v", name, r, clock.Elapsed())
				}
				if c.source == loop.SourceStop {
					wantText(t, r.Reason(), "is over: a")
				}
				return err
			})
		})
	}
}

// A shield hides a stop, and shows it when it is dropped.
func TestStopBehindShield(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				var shield *loop.Scope
				n.Spawn(func(task *loop.Task) error {
					return loop.Shield(task, func(s *loop.Scope) error {
						shield = s
						return loop.UntilStop(task, func(*loop.Scope) error {
							err := loop.SleepForever(task)
							want(t, "the wait behind the shield", err, loop.Cancelled)
							return err
						})
					})
				})
				settled(task, t)
				outer.Stop(grace, "stop")
				child := n.Children()[0]
				settled(task, t)
				if child.Ended() || child.Stopping() || !task.Stopping() {
					t.Errorf("shown through the shield: %v", child)
				}
				shield.SetShield(false)
				settled(task, t)
				wantTrue(t, "it has ended in the grace period", child.Ended() && clock.Elapsed() == 0)
				return nil
			})
		})
	})
}

// A stop before the entry counts from the call; one after the exit does
// nothing; a task that Start hands over sees the stop of its new home.
func TestStopBeforeAndAfter(t *testing.T) {
	virtually(t, func(task *loop.Task, clock *looptest.Clock) error {
		s, err := loop.NewScope(task.Loop())
		want(t, "NewScope", err, nil)
		want(t, "a negative grace", s.Stop(-1, "x"), loop.ErrMisuse)
		wantTrue(t, "nothing happened", !s.StopCalled())
		want(t, "Stop before the entry", s.Stop(grace, "x"), nil)
		want(t, "Sleep", loop.Sleep(task, time.Second), nil)
		err = loop.Enter(task, s, func(*loop.Scope) error {
			wantTrue(t, "stopping", task.Stopping())
			return loop.SleepForever(task)
		})
		if err != nil || clock.Elapsed() != grace {
			t.Errorf("%v after %v", err, clock.Elapsed())
		}
		want(t, "Stop after the exit", s.Stop(grace, "y"), nil)
		return nil
	})
}

// A task that Start hands over sees the stop of its new home.
func TestStopSeenAfterHandOver(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			var home *loop.Nursery
			n.Spawn(func(task *loop.Task) error {
				return loop.Nurse(task, func(n *loop.Nursery) error {
					home = n
					return loop.UntilStop(task, func(*loop.Scope) error { return loop.SleepForever(task) })
				})
			})
			settled(task, t)
			_, err := loop.Start(task, home, func(task *loop.Task, started func(any) error) error {
				return loop.UntilStop(task, func(s *loop.Scope) error {
					home.Scope().Stop(grace, "home")
					wantTrue(t, "not before the hand-over", !task.Stopping() && !s.CancelCalled())
					err := started(nil)
					wantTrue(t, "after the hand-over", task.Stopping() && s.CancelCalled())
					return errors.Join(err, loop.Checkpoint(task))
				})
			})
			return err
		})
	})
}

func TestStopIsLoopConfined(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			answer := make(chan error)
			go func() { answer <- s.Stop(grace, "foreign") }()
			want(t, "Stop in a foreign goroutine", <-answer, loop.ErrWrongTask)
			wantTrue(t, "nothing happened", !s.StopCalled())
			return nil
		})
	})
}

func ExampleScope_Stop() {
	jobs := []string{"first", "second", "third"}
	worker := func(t *loop.Task) error {
		for !t.Stopping() {
			var job string
			err := loop.UntilStop(t, func(*loop.Scope) error { // waits for a job: may be given up
				job, jobs = jobs[0], jobs[1:]
				return loop.Sleep(t, time.Millisecond)
			})
			if err != nil {
				return err
			}
			if err := loop.Sleep(t, time.Millisecond); err != nil { // works: has the grace period
				return err
			}
			fmt.Println("done:", job)
			if job == "second" {
				t.Nursery().Scope().Stop(time.Minute, "enough") // as a handler of interrupts may do
			}
		}
		return nil
	}
	err := loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error { return n.Spawn(worker) })
	})
	fmt.Println(err)
	// Output:
	// done: first
	// done: second
	// <nil>
}

// Whenever it is cancelled, a scope that is coming to an end does so.
func TestStopCancelledAnywhere(t *testing.T) {
	moments := looptest.CancelEverywhere(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for i := range 3 {
				n.Spawn(func(task *loop.Task) error {
					err := loop.UntilStop(task, func(*loop.Scope) error { return loop.SleepForever(task) })
					if err != nil {
						return err
					}
					return loop.Sleep(task, time.Duration(i)*3*time.Second)
				})
			}
			if err := loop.Sleep(task, time.Second); err != nil {
				return err
			}
			return n.Scope().Stop(grace, "enough")
		})
	})
	if moments < 10 {
		t.Errorf("cancelled at %d moments only", moments)
	}
}
