package queue_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/queue"
)

// Random programs: tasks that open scopes and nurseries inside each other, start
// and race tasks, wait for locks, queues and time, fail and panic, and cancel,
// shield and stop each other's scopes at any moment. Of each it is checked that it
// ends, that every error that was raised is in its result once and no Cancelled is,
// that checkpoints answer what the scopes around them say, and that every lock,
// token and item is where it should be.

// place is where an operation runs: a scope, and what is around it. A nil place is
// one of which no more is known.
type place struct {
	scope   *loop.Scope
	around  *place
	nursery *loop.Nursery // whose scope it is
}

// cancelled says what a checkpoint has to answer at p.
func (p *place) cancelled() bool {
	for ; p != nil; p = p.around {
		if p.scope.CancelCalled() {
			return true
		}
		if p.scope.Shielded() {
			break
		}
	}
	return false
}

type program struct {
	*testing.T
	*rand.Rand
	steps  int      // that are left
	places []*place // all that there have been

	lock      locks.Lock
	changed   *locks.Condition
	limiter   *locks.CapacityLimiter
	semaphore *locks.Semaphore
	queue     *queue.Queue[int]

	raised  map[error]bool
	inside  map[string]int // how many tasks hold something
	balance int            // items sent and not received
	exits   bool           // tasks may call Goexit
}

func newProgram(t *testing.T, seed uint64) *program {
	const steps, tokens, size = 400, 2, 2
	p := &program{T: t, Rand: rand.New(rand.NewPCG(seed, 1)), steps: steps}
	p.raised, p.inside = map[error]bool{}, map[string]int{}
	p.changed = must(locks.NewCondition(&p.lock))
	p.limiter = must(locks.NewCapacityLimiter(tokens))
	p.semaphore = must(locks.NewSemaphore(1, 1))
	p.queue = must(queue.New[int](size))
	return p
}

// raise makes an error that must not be lost.
func (p *program) raise() error {
	err := fmt.Errorf("error %d", len(p.raised))
	p.raised[err] = true
	return err
}

// time is one of few, so that many things happen at once.
func (p *program) time() time.Duration { return time.Duration(p.IntN(20)) * time.Second }

// in is a new place, inside another.
func (p *program) in(around *place, s *loop.Scope, n *loop.Nursery) *place {
	inner := &place{s, around, n}
	p.places = append(p.places, inner)
	return inner
}

// any is the scope of some place.
func (p *program) any() *loop.Scope { return p.places[p.IntN(len(p.places))].scope }

// run does a few operations.
func (p *program) run(task *loop.Task, at *place, depth int) error {
	all := []func(*loop.Task, *place, int) error{
		p.wait, p.hold, p.pass, p.change, p.fail, p.enter, p.nurse, p.start, p.generate,
	}
	const leaves = 5 // of those operations do not nest
	for range p.IntN(5) + 1 {
		if p.steps--; p.steps < 0 {
			return nil
		}
		i := p.IntN(len(all))
		if depth <= 0 {
			i = p.IntN(leaves)
		}
		if err := all[i](task, at, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// wait waits, and checks the answer against the scopes.
func (p *program) wait(task *loop.Task, at *place, _ int) (err error) {
	before := at.cancelled()
	d := p.time() + 1
	switch p.IntN(4) {
	case 0:
		err = loop.Sleep(task, d)
	case 1:
		err = loop.CheckpointIfCancelled(task)
	case 2:
		sleep := func(task *loop.Task) (int, error) { return 0, loop.Sleep(task, d) }
		_, err = loop.Race(task, nil, sleep, sleep)
	default: // its turn of the others may change the scopes
		err = loop.Checkpoint(task)
		before = before && at.cancelled()
	}
	if err == nil && before {
		p.Error("a wait in a cancelled scope returned nil")
	}
	return err
}

// hold has a lock, a token or a semaphore for a while.
func (p *program) hold(task *loop.Task, _ *place, _ int) error {
	who := new(int)
	what := []struct {
		name    string
		most    int
		acquire func() error
		release func() error
	}{
		{"lock", 1, func() error { return p.lock.Acquire(task) }, p.lock.Release},
		{"limiter", 2, func() error { return p.limiter.AcquireFor(task, who) },
			func() error { return p.limiter.ReleaseFor(who) }},
		{"semaphore", 1, func() error { return p.semaphore.Acquire(task) }, p.semaphore.Release},
	}[p.IntN(3)]
	if err := what.acquire(); err != nil {
		return err
	}
	p.enters(what.name, what.most)
	var err error
	switch {
	case what.name != "lock" || p.IntN(3) == 0:
		err = loop.Sleep(task, p.time())
	case p.IntN(2) == 0:
		want(p, "Notify", p.changed.Notify(p.IntN(3)), nil)
	default:
		err = loop.MoveOnAfter(task, p.time(), func(*loop.Scope) error {
			p.inside[what.name]--
			defer p.enters(what.name, what.most)
			return p.changed.Wait(task)
		})
	}
	p.inside[what.name]--
	want(p, "the release of a "+what.name, what.release(), nil)
	return err
}

func (p *program) enters(what string, most int) {
	if p.inside[what]++; p.inside[what] > most {
		p.Errorf("%d tasks have the %s", p.inside[what], what)
	}
}

// pass sends or receives. It does not wait for ever: there may be nobody else.
func (p *program) pass(task *loop.Task, _ *place, _ int) error {
	return loop.MoveOnAfter(task, p.time(), func(*loop.Scope) error {
		if p.IntN(2) == 0 {
			err := p.queue.Send(task, 1)
			if err == nil {
				p.balance++
			}
			return err
		}
		_, err := p.queue.Receive(task)
		if err == nil {
			p.balance--
		}
		return err
	})
}

// change does something to a scope, of whatever task, that may have been left.
func (p *program) change(task *loop.Task, _ *place, _ int) error {
	s := p.any()
	switch p.IntN(5) {
	case 0, 1:
		return s.Cancel("random")
	case 2:
		s.SetShield(p.IntN(2) == 0)
		return nil
	case 3:
		return s.SetDeadline(task.Now().Add(p.time() - 3*time.Second))
	}
	return s.Stop(p.time(), "random")
}

// fail fails, now and then.
func (p *program) fail(*loop.Task, *place, int) error {
	switch p.IntN(10) {
	case 0, 1:
		return p.raise()
	case 2:
		panic(p.raise())
	case 3:
		if p.exits {
			runtime.Goexit()
		}
	}
	return nil
}

// enter goes on inside a scope.
func (p *program) enter(task *loop.Task, at *place, depth int) error {
	inside := func(s *loop.Scope) error { return p.run(task, p.in(at, s, nil), depth) }
	switch p.IntN(5) {
	case 0:
		return loop.Scoped(task, inside)
	case 1:
		return loop.Shield(task, inside, loop.WithTimeout(p.time()))
	case 2:
		return loop.UntilStop(task, inside)
	case 3:
		return loop.MoveOnAfter(task, p.time(), inside)
	}
	err := loop.FailAfter(task, p.time(), inside)
	if err == loop.ErrTimeout {
		err = p.raise()
	}
	return err
}

// nurse goes on inside a nursery with children.
func (p *program) nurse(task *loop.Task, at *place, depth int) error {
	return loop.Nurse(task, func(n *loop.Nursery) error {
		inner := p.in(at, n.Scope(), n)
		for range p.IntN(4) {
			want(p, "Spawn", n.Spawn(func(task *loop.Task) error { return p.run(task, inner, depth) }), nil)
		}
		return p.run(task, inner, depth)
	})
}

// start starts a task in a nursery, and goes on inside that.
func (p *program) start(task *loop.Task, at *place, depth int) error {
	return loop.Nurse(task, func(n *loop.Nursery) error {
		inner := p.in(at, n.Scope(), n)
		_, err := loop.Start(task, n, func(task *loop.Task, started func(any) error) error {
			if err := p.run(task, nil, depth); err != nil {
				return err
			}
			return loop.Scoped(task, func(s *loop.Scope) error {
				if err := started(nil); err != nil {
					return err
				}
				return p.run(task, p.in(inner, s, nil), depth)
			})
		})
		switch {
		case errors.Is(err, loop.ErrClosed) && !p.holdsRaised(err): // n was cancelled
			return nil
		case err != nil:
			return err
		}
		return p.run(task, inner, depth)
	})
}

// generate ranges over a generator in the nursery around it, if one is known.
func (p *program) generate(task *loop.Task, at *place, depth int) error {
	n := at
	for n != nil && n.nursery == nil {
		n = n.around
	}
	if n == nil {
		return nil
	}
	items := queue.Generate(task, n.nursery, func(task *loop.Task, yield func(*loop.Task, int) error) error {
		for i := range 5 {
			if err := yield(task, i); err != nil {
				return err
			}
			if err := p.run(task, nil, depth); err != nil {
				return err
			}
		}
		return nil
	})
	last := p.IntN(5)
	for i, err := range items {
		switch {
		case errors.Is(err, loop.ErrBroken) && !p.holdsRaised(err): // n has its error
			return nil
		case err != nil:
			return err
		case i == last:
			return nil
		}
		if err := p.run(task, at, depth); err != nil {
			return err
		}
	}
	return nil
}

// errorsIn counts the errors in a tree.
func errorsIn(err error, count map[error]int) map[error]int {
	count[err]++
	switch e := err.(type) {
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			errorsIn(inner, count)
		}
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			errorsIn(inner, count)
		}
	}
	return count
}

// holdsRaised reports whether an error that must not be lost is in err.
func (p *program) holdsRaised(err error) bool {
	for e := range errorsIn(err, map[error]int{}) {
		if p.raised[e] {
			return true
		}
	}
	return false
}

// check looks at what a program has left behind.
func (p *program) check(err error) {
	if errors.Is(err, loop.ErrMisuse) || errors.Is(err, loop.ErrInternal) {
		p.Errorf("it was refused: %v", err)
	}
	for e, times := range errorsIn(err, map[error]int{}) {
		if _, cancelled := e.(*loop.CancelledError); cancelled || p.raised[e] && times != 1 {
			p.Errorf("%d times in the result: %v", times, e)
		}
		delete(p.raised, e)
	}
	for lost := range p.raised {
		if !p.exits { // a Goexit drops what the functions that it ends would have returned
			p.Errorf("%v was lost", lost)
		}
	}
	queued, limiter := p.queue.Statistics(), p.limiter.Statistics()
	if p.lock.Held() || limiter.Borrowed != 0 || limiter.TasksWaiting != 0 || p.semaphore.Statistics().Value != 1 {
		p.Errorf("lock %v, limiter %+v, semaphore %+v", &p.lock, limiter, p.semaphore.Statistics())
	}
	if queued.Length != p.balance || queued.TasksSending != 0 || queued.TasksReceiving != 0 {
		p.Errorf("%d items are left of %d: %+v", queued.Length, p.balance, queued)
	}
}

func TestRandomPrograms(t *testing.T) {
	const programs, tasks, depth = 1000, 6, 6
	for seed := range uint64(programs) {
		p := newProgram(t, seed)
		p.exits = seed%2 == 0
		p.check(looptest.RunErr(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				top := p.in(nil, n.Scope(), n)
				for range tasks {
					want(t, "Spawn", n.Spawn(func(task *loop.Task) error { return p.run(task, top, depth) }), nil)
				}
				return p.run(task, top, depth)
			}, loop.WithKeepGoing(nil))
		}, loop.WithClock(looptest.NewAutojumpClock()), loop.WithSeed(seed)))
		if t.Failed() {
			t.Fatalf("program %d", seed)
		}
	}
}
