package loop_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// Scenarios I: the parking lot.

// parked runs act beside n tasks that have parked in lot, in the order of
// their numbers, and returns the numbers in the order in which they woke with
// nil, and how many woke with Broken.
type parked struct {
	lot     loop.ParkingLot
	tasks   []*loop.Task
	scopes  []*loop.Scope
	woken   []int
	broken  []int
	stopped []int
}

func withParked(t *loop.Task, n int, act func(p *parked) error) (*parked, error) {
	p := &parked{tasks: make([]*loop.Task, n), scopes: make([]*loop.Scope, n)}
	err := loop.Nurse(t, func(nursery *loop.Nursery) error {
		for i := range n {
			nursery.Spawn(func(t *loop.Task) error { return p.park(t, i) })
			if err := loop.WaitAllTasksBlocked(t, 0); err != nil {
				return err
			}
		}
		return act(p)
	})
	return p, err
}

func (p *parked) park(t *loop.Task, i int) error {
	p.tasks[i] = t
	return loop.Scoped(t, func(s *loop.Scope) error {
		p.scopes[i] = s
		err := p.lot.Park(t, "test")
		switch {
		case err == nil:
			p.woken = append(p.woken, i)
		case errors.Is(err, loop.ErrBroken):
			p.broken = append(p.broken, i)
		default:
			p.stopped = append(p.stopped, i)
			return err
		}
		return nil
	})
}

func settle(t *loop.Task) { loop.WaitAllTasksBlocked(t, 0) }

func TestS167S169Unpark(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		p, err := withParked(task, 3, func(p *parked) error {
			if p.lot.Len() != 3 || p.lot.Statistics().TasksWaiting != 3 {
				t.Errorf("%d parked, statistics %+v", p.lot.Len(), p.lot.Statistics())
			}
			woken := p.lot.UnparkAll()
			if p.lot.Statistics().TasksWaiting != 0 || !slices.Equal(woken, p.tasks) {
				t.Errorf("S177: unparked %v of %v", woken, p.tasks)
			}
			if again, err := p.lot.Unpark(1); again != nil || err != nil {
				t.Errorf("unparking nobody returned %v, %v", again, err)
			}
			if _, err := p.lot.Unpark(-1); !errors.Is(err, loop.ErrMisuse) {
				t.Errorf("unparking -1 tasks returned %v", err)
			}
			return nil
		})
		if len(p.woken) != 3 {
			t.Errorf("woken: %v", p.woken)
		}
		return err
	})
}

func TestS168S169StrictFIFO(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		p, err := withParked(task, 5, func(p *parked) error {
			for range 3 {
				p.lot.UnparkOne()
				settle(task)
			}
			if !slices.Equal(p.woken, []int{0, 1, 2}) {
				t.Errorf("woken: %v", p.woken)
			}
			p.lot.Unpark(2)
			return nil
		})
		if len(p.woken) != 5 {
			t.Errorf("woken: %v", p.woken)
		}
		return err
	})
}

func TestS170CancelMiddle(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		p, err := withParked(task, 3, func(p *parked) error {
			p.scopes[1].Cancel("test")
			if p.lot.Len() != 2 {
				t.Errorf("%d parked after a cancellation", p.lot.Len())
			}
			p.lot.UnparkAll()
			return nil
		})
		slices.Sort(p.woken)
		if !slices.Equal(p.woken, []int{0, 2}) || !slices.Equal(p.stopped, []int{1}) {
			t.Errorf("woken: %v, cancelled: %v", p.woken, p.stopped)
		}
		return err
	})
}

// Reparked tasks keep their order, go behind those who were there, and are
// cancelled out of the lot in which they are now.
func TestS171S172Repark(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		p, err := withParked(task, 4, func(p *parked) error {
			var second loop.ParkingLot
			if err := p.lot.Repark(&second, 3); err != nil {
				return err
			}
			if p.lot.Len() != 1 || second.Len() != 3 {
				t.Errorf("%d and %d parked", p.lot.Len(), second.Len())
			}
			p.scopes[1].Cancel("test")
			if p.lot.Len() != 1 || second.Len() != 2 {
				t.Errorf("%d and %d parked after a cancellation", p.lot.Len(), second.Len())
			}
			if err := p.lot.ReparkAll(&second); err != nil {
				return err
			}
			for second.UnparkOne() != nil {
				settle(task)
			}
			if err := p.lot.Repark(&second, -1); !errors.Is(err, loop.ErrMisuse) {
				t.Errorf("reparking -1 tasks returned %v", err)
			}
			return nil
		})
		if !slices.Equal(p.woken, []int{0, 2, 3}) {
			t.Errorf("woken: %v", p.woken)
		}
		return err
	})
}

func TestS173Break(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		p, err := withParked(task, 2, func(p *parked) error {
			task.Break(&p.lot)
			return nil
		})
		if len(p.broken) != 2 {
			t.Errorf("broken: %v", p.broken)
		}
		if err := p.lot.Park(task, "test"); !errors.Is(err, loop.ErrBroken) {
			t.Errorf("parking in a broken lot returned %v", err)
		}
		task.Break(&p.lot)
		if by := p.lot.BrokenBy(); len(by) != 2 || by[0] != task || by[1] != task {
			t.Errorf("broken by %v", by)
		}
		return err
	})
}

func TestS174BreakerExits(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		p, err := withParked(task, 2, func(p *parked) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				return n.Spawn(func(t2 *loop.Task) error { return t2.AddBreak(&p.lot) })
			})
		})
		if len(p.broken) != 2 || len(p.lot.BrokenBy()) != 1 {
			t.Errorf("broken: %v by %v", p.broken, p.lot.BrokenBy())
		}
		return err
	})
}

func TestS175BreakerRegistration(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var lot loop.ParkingLot
		var ended *loop.Task
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			return n.Spawn(func(t2 *loop.Task) error {
				ended = t2
				t2.AddBreak(&lot)
				t2.AddBreak(&lot)
				for range 2 {
					if err := t2.RemoveBreak(&lot); err != nil {
						t.Error(err)
					}
				}
				if err := t2.RemoveBreak(&lot); !errors.Is(err, loop.ErrMisuse) {
					t.Errorf("the third removal returned %v", err)
				}
				return nil
			})
		})
		if len(lot.BrokenBy()) != 0 {
			t.Errorf("broken by %v", lot.BrokenBy())
		}
		if err := ended.AddBreak(&lot); !errors.Is(err, loop.ErrBroken) {
			t.Errorf("a breaker that has ended returned %v", err)
		}
		return err
	})
}

func TestS176BreakSelf(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		p, err := withParked(task, 1, func(p *parked) error {
			p.tasks[0].Break(&p.lot)
			return nil
		})
		if len(p.broken) != 1 {
			t.Errorf("broken: %v", p.broken)
		}
		return err
	})
}

// A cancelled scope keeps its tasks out of the lot.
func TestParkCancelledBefore(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Scoped(task, func(s *loop.Scope) error {
			s.Cancel("before")
			var lot loop.ParkingLot
			err := lot.Park(task, "test")
			if !errors.Is(err, loop.Cancelled) || lot.Len() != 0 {
				t.Errorf("Park returned %v with %d parked", err, lot.Len())
			}
			return err
		})
	})
}

// refusal is an Aborter that refuses, and notes where it was asked.
type refusal struct{ asked []*loop.ParkingLot }

func (r *refusal) Abort(w loop.Wait) bool {
	r.asked = append(r.asked, w.Lot)
	return false
}

// An Aborter of one's own hears in which lot the task is, also after a Repark
// and before the wait has begun, and may refuse.
func TestParkWithRefusal(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var first, second loop.ParkingLot
		var scope *loop.Scope
		early, late := &refusal{}, &refusal{}
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(t2 *loop.Task) error {
				return loop.Scoped(t2, func(s *loop.Scope) error {
					scope = s
					if err := first.ParkWith(t2, "test", late); err != nil {
						t.Errorf("a wait that refused returned %v", err)
					}
					return first.ParkWith(t2, "test", early)
				})
			})
			settle(task)
			first.ReparkAll(&second)
			scope.Cancel("test")
			if len(late.asked) != 1 || late.asked[0] != &second {
				t.Errorf("asked in %v", late.asked)
			}
			second.UnparkOne()
			settle(task)
			if len(early.asked) != 1 || early.asked[0] != &first || first.Len() != 1 {
				t.Errorf("asked in %v, %d parked", early.asked, first.Len())
			}
			first.UnparkOne()
			return nil
		})
	})
}

func TestCurrent(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		between := task
		task.Loop().CallSoon(func() { between = task.Loop().Current() })
		settle(task)
		if between != nil || task.Loop().Current() != task {
			t.Errorf("between turns %v, now %v", between, task.Loop().Current())
		}
		return nil
	})
}
