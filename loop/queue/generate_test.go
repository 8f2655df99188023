package queue_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/queue"
)

// counter yields the numbers from 0, and notes what it did.
type counter struct {
	limit   int
	notes   string
	cleaned bool
	result  error
}

func (c *counter) run(task *loop.Task, yield func(*loop.Task, int) error) error {
	defer func() { c.cleaned = true }()
	for i := range c.limit {
		c.notes += fmt.Sprint("<", i)
		if err := yield(task, i); err != nil {
			return err
		}
		c.notes += fmt.Sprint(i, ">")
	}
	return c.result
}

func TestS213Generate(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
			c := &counter{limit: 3}
			numbers := queue.Generate(task, n, c.run)
			for range 2 { // each loop runs it anew
				c.notes, c.cleaned = "", false
				for i, err := range numbers {
					want(t, "a step", err, nil)
					c.notes += fmt.Sprint("(", i)
					settle(task) // it does not run ahead
					c.notes += ")"
				}
				equal(t, "notes", c.notes, "<0(0)0><1(1)1><2(2)2>")
				equal(t, "cleaned up", c.cleaned, true)
			}
			return nil
		})
	})
}

// Behind the loop, however it was left, the generator has ended.
func TestS213GenerateLeftEarly(t *testing.T) {
	ways := map[string]func(*loop.Task, func(func(int, error) bool)){
		"break": func(task *loop.Task, numbers func(func(int, error) bool)) {
			for range numbers {
				break
			}
		},
		"return": func(task *loop.Task, numbers func(func(int, error) bool)) {
			func() int {
				for i := range numbers {
					return i
				}
				return -1
			}()
		},
		"panic": func(task *loop.Task, numbers func(func(int, error) bool)) {
			defer func() { equal(t, "the panic", recover(), any("in the body")) }()
			for range numbers {
				panic("in the body")
			}
		},
		"cancel": func(task *loop.Task, numbers func(func(int, error) bool)) {
			var last error
			err := loop.Scoped(task, func(s *loop.Scope) error {
				for _, err := range numbers {
					last = err
					s.Cancel("test")
				}
				return last
			})
			want(t, "the last step", last, loop.Cancelled)
			want(t, "the scope", err, nil)
		},
	}
	for name, leave := range ways {
		t.Run(name, func(t *testing.T) {
			inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
				c := &counter{limit: 3}
				leave(task, queue.Generate(task, n, c.run))
				equal(t, "notes", c.notes, "<0")
				equal(t, "cleaned up", c.cleaned, true)
				equal(t, "children", n.Statistics().Children, 0)
				return loop.CheckpointIfCancelled(task)
			})
		})
	}
}

var errTest = errors.New("the error of the test")

func TestS213GenerateFails(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		c := &counter{limit: 2, result: errTest}
		steps, last := 0, error(nil)
		for _, err := range queue.Generate(task, n, c.run) {
			steps++
			last = err
		}
		equal(t, "steps", steps, 3)
		equal(t, "the last error", last, errTest)
		return loop.CheckpointIfCancelled(task) // n has not failed
	})
}

// What the clean-up of a generator reports behind the loop, and a panic, goes
// to the nursery.
func TestS213GenerateFailsInCleanUp(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range queue.Generate(task, n, func(task *loop.Task, yield func(*loop.Task, int) error) error {
				return errors.Join(yield(task, 1), errTest)
			}) {
				break
			}
			return nil
		})
	})
	want(t, "the nursery", err, errTest)
	var last error
	err = looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for _, err := range queue.Generate(task, n, func(*loop.Task, func(*loop.Task, int) error) error {
				panic(errTest)
			}) {
				last = err
			}
			return nil
		})
	})
	want(t, "the nursery", err, errTest)
	want(t, "the last step", last, loop.ErrBroken)
}

// A deadline of the generator is over when it yields, and is not the body's.
func TestS213GenerateScopesStayInside(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		timedOut := 0
		for _, err := range queue.Generate(task, n,
			func(task *loop.Task, yield func(*loop.Task, int) error) error {
				return loop.MoveOnAfter(task, time.Second, func(*loop.Scope) error {
					return yield(task, 1)
				})
			}) {
			if err != nil {
				return err
			}
			want(t, "a sleep in the body", loop.Sleep(task, time.Minute), nil)
			timedOut++
		}
		equal(t, "steps", timedOut, 1)
		return nil
	}, loop.WithClock(looptest.NewAutojumpClock()))
}

// The nursery of the generator ends: the consumer, elsewhere, hears that the
// items are not all.
func TestGenerateOfACancelledNursery(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var last error
		var inner *loop.Nursery
		ended := false
		n.Spawn(func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				inner = n
				return loop.SleepForever(task)
			})
		})
		settle(task)
		n.Spawn(func(task *loop.Task) error {
			for _, last = range queue.Generate(task, inner,
				func(task *loop.Task, yield func(*loop.Task, int) error) error {
					return loop.SleepForever(task)
				}) {
			}
			ended = true
			return nil
		})
		settle(task)
		inner.Cancel("test")
		settle(task)
		want(t, "the last step", last, loop.ErrBroken)
		equal(t, "ended", ended, true)
		return nil
	})
}

// A closed nursery takes no generator; the body hears it.
func TestGenerateInAClosedNursery(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var closed *loop.Nursery
		loop.Nurse(task, func(n *loop.Nursery) error { closed = n; return nil })
		steps := 0
		for _, err := range queue.Generate(task, closed, new(counter).run) {
			want(t, "the step", err, loop.ErrClosed)
			steps++
		}
		equal(t, "steps", steps, 1)
		return nil
	})
}

// Misuse: yielding twice at once, and behind the loop.
func TestGenerateYieldTwice(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		var second error
		for range queue.Generate(task, n, func(task *loop.Task, yield func(*loop.Task, int) error) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(task *loop.Task) error { return yield(task, 1) })
				settle(task)
				return nil
			})
		}) {
		}
		for range queue.Generate(task, n, func(task *loop.Task, yield func(*loop.Task, int) error) error {
			yield(task, 1)
			return loop.Shield(task, func(*loop.Scope) error {
				second = yield(task, 2)
				return nil
			})
		}) {
			break
		}
		want(t, "a yield behind the loop", second, loop.ErrMisuse)
		return nil
	})
}

// A child of the generator fails while the body is busy: nobody asks for an
// item then, so the error is the nursery's.
func TestGenerateFailsBehindTheBody(t *testing.T) {
	var last error
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for _, err := range queue.Generate(task, n, func(task *loop.Task, yield func(*loop.Task, int) error) error {
				return loop.Nurse(task, func(n *loop.Nursery) error {
					n.Spawn(func(task *loop.Task) error {
						if err := loop.Sleep(task, time.Second); err != nil {
							return err
						}
						return errTest
					})
					return yield(task, 1)
				})
			}) {
				if last = err; err == nil {
					loop.Sleep(task, time.Minute)
				}
			}
			return nil
		})
	}, loop.WithClock(looptest.NewAutojumpClock()))
	want(t, "the nursery", err, errTest)
	want(t, "the last step", last, loop.Cancelled)
}

// Without a nursery or a function there is nothing to range over but the error.
func TestGenerateNothing(t *testing.T) {
	inNursery(t, func(task *loop.Task, n *loop.Nursery) error {
		for item, err := range queue.Generate[int](task, n, nil) {
			want(t, "no function", err, loop.ErrMisuse)
			equal(t, "the item", item, 0)
		}
		produce := func(*loop.Task, func(*loop.Task, int) error) error { return nil }
		for item, err := range queue.Generate(task, nil, produce) {
			want(t, "no nursery", err, loop.ErrMisuse)
			equal(t, "the item", item, 0)
		}
		return nil
	})
}
