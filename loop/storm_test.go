package loop_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// everything is a program that uses all of the package; it checks that what
// was begun is ended, however it ends.
func everything(t *testing.T) func(*loop.Task) error {
	return func(task *loop.Task) error {
		begun, ended := 0, 0
		var lot loop.ParkingLot
		track := func(fn func(*loop.Task) error) func(*loop.Task) error {
			return func(task *loop.Task) error {
				begun++
				defer func() { ended++ }()
				return fn(task)
			}
		}
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(track(func(task *loop.Task) error { return lot.Park(task, "test") }))
			value, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
				begun++
				defer func() { ended++ }()
				if err := loop.Sleep(task, time.Second); err != nil {
					return err
				}
				if err := started("up"); err != nil {
					return err
				}
				return loop.Sleep(task, time.Second)
			})
			if (value == "up") != (err == nil) {
				t.Errorf("Start returned %v, %v", value, err)
			}
			if err != nil {
				return err
			}
			timeout := loop.FailAfter(task, time.Second, func(*loop.Scope) error {
				return loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(track(sleeper)) })
			})
			if !errors.Is(timeout, loop.ErrTimeout) {
				return timeout
			}
			cleaned := loop.Shield(task, func(*loop.Scope) error { return loop.Sleep(task, time.Second) })
			want(t, "the clean-up", cleaned, nil)
			lot.UnparkAll()
			return loop.Checkpoint(task)
		})
		if begun != ended || lot.Len() != 0 {
			t.Errorf("%d begun, %d ended, %d parked", begun, ended, lot.Len())
		}
		return err
	}
}

func TestCancelEverywhere(t *testing.T) {
	moments := looptest.CancelEverywhere(t, everything(t))
	if moments < 10 {
		t.Errorf("it was cancelled at %d moments only", moments)
	}
}

func TestEverythingInAllOrders(t *testing.T) {
	looptest.Seeds(t, 5*orders, func(t *testing.T) {
		virtually(t, func(task *loop.Task, _ *looptest.Clock) error { return everything(t)(task) })
	})
}

// S443: each wait is aborted once, however often it is cancelled, and each
// task woken once.
func TestS443CancelStorm(t *testing.T) {
	const many = 1000
	looptest.Run(t, func(task *loop.Task) error {
		aborted, woken := 0, 0
		var turns uint64
		err := loop.Scoped(task, func(outer *loop.Scope) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				for range many {
					n.Spawn(func(task *loop.Task) error {
						err := loop.Park(task, "test", loop.AbortFunc(func(loop.Wait) bool {
							aborted++
							return true
						}))
						woken++
						return err
					})
				}
				settled(task, t)
				turns = task.Statistics().Turns
				for range 10 {
					n.Cancel("again and again")
					outer.Cancel("and from outside")
				}
				if runnable := task.Statistics().TasksRunnable; runnable != many {
					t.Errorf("%d tasks are runnable", runnable)
				}
				return nil
			})
		})
		if aborted != many || woken != many {
			t.Errorf("%d aborted, %d woken, of %d", aborted, woken, many)
		}
		if more := task.Statistics().Turns - turns; more != many+1 {
			t.Errorf("%d turns for %d tasks and their owner", more, many)
		}
		return err
	})
}

// An abort that refuses is not asked again, by whatever scope.
func TestRefusedAbortIsAskedOnce(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(outer *loop.Scope) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				asked := 0
				var parked *loop.Task
				n.Spawn(func(task *loop.Task) error {
					parked = task
					err := loop.Park(task, "test", loop.AbortFunc(func(loop.Wait) bool {
						asked++
						return false
					}))
					want(t, "the wait", err, nil)
					return loop.Checkpoint(task)
				})
				settled(task, t)
				n.Cancel("inner")
				outer.Cancel("outer")
				want(t, "waking it", parked.Unpark(nil), nil)
				someTurns(task)
				if asked != 1 || !parked.Ended() {
					t.Errorf("asked %d times, ended: %v", asked, parked.Ended())
				}
				return nil
			})
		})
	})
}

// Statistics may be read from anywhere while the loop works.
func TestStatisticsWhileBusy(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l, stop := task.Loop(), make(chan struct{})
		var readers sync.WaitGroup
		for range 3 {
			readers.Go(func() {
				var last uint64
				for {
					select {
					case <-stop:
						return
					default:
					}
					s := l.Statistics()
					if s.Turns < last {
						t.Errorf("%d turns after %d", s.Turns, last)
					}
					last = s.Turns
				}
			})
		}
		for range 2000 {
			err := loop.Nurse(task, func(n *loop.Nursery) error { return n.Spawn(loop.Checkpoint) })
			if err != nil {
				return err
			}
		}
		close(stop)
		readers.Wait()
		return nil
	})
}
