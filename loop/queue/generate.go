package queue

import (
	"errors"
	"fmt"
	"iter"

	"github.com/lion-go/lion/loop"
)

// Generate ranges over what produce yields. Unlike in an iterator that is a
// plain function, produce runs in a task of its own, a child of n: it may keep
// nurseries, scopes and deadlines open across a yield, and they hold for itself
// only and never for the body of the loop.
//
//	words := queue.Generate(t, n, func(t *loop.Task, yield func(*loop.Task, string) error) error {
//		...
//		return yield(t, word)
//	})
//	for word, err := range words { ... }
//
// The two take turns: produce goes on from a yield when the body asks for the
// next item, and never runs ahead. Each step of the loop is a checkpoint of t
// that suspends it until there is an item.
//
// However the loop is left, produce has ended before the program goes on behind
// it: it is cancelled, and t waits, shielded, as it would for a nursery. Then
// yield returns Cancelled, and so does whatever else produce waits for.
//
// The error of produce is reported once. If the loop waits for an item, its
// body gets the error, with no item, and the loop ends. If the loop has been
// left it goes to n, and so does a panic at any time; the body gets ErrBroken
// then, and ErrBroken too if n was cancelled. A nil n or produce
// is ErrMisuse for the body. Each loop over the result calls
// produce anew.
func Generate[T any](
	t *loop.Task, n *loop.Nursery, produce func(t *loop.Task, yield func(*loop.Task, T) error) error,
) iter.Seq2[T, error] {
	return func(body func(T, error) bool) {
		g := &generator[T]{produce: produce, err: errGeneratorEnded}
		var none T
		if n == nil || produce == nil {
			body(none, fmt.Errorf("%w: a generator needs a nursery and a function", loop.ErrMisuse))
			return
		}
		if err := n.Spawn(g.run, loop.WithTaskName("generator")); err != nil {
			body(none, err)
			return
		}
		defer g.leave(t)
		for {
			item, more, err := g.next(t)
			if err != nil {
				body(none, err)
				return
			}
			if !more || !body(item, nil) {
				return
			}
		}
	}
}

var errGeneratorEnded = fmt.Errorf("a generator was cancelled, or panicked: %w", loop.ErrBroken)

// generator is the meeting of a producing task and the task that ranges.
type generator[T any] struct {
	produce  func(*loop.Task, func(*loop.Task, T) error) error
	scope    *loop.Scope // around produce, once it runs
	item     T
	full     bool            // item is there to be taken
	left     bool            // nobody will take another item
	ended    bool            // produce has returned
	err      error           // how, for the consumer
	consumer loop.ParkingLot // the ranging task, waiting for an item or the end
	producer loop.ParkingLot // the producing task, waiting to be asked
}

// run is the producing task.
func (g *generator[T]) run(t *loop.Task) error {
	defer g.finish()
	if g.left {
		return nil
	}
	err := loop.Scoped(t, func(s *loop.Scope) error {
		g.scope = s
		return g.produce(t, g.yield)
	})
	switch {
	case g.left:
		return err
	case errors.Is(err, loop.Cancelled):
		return err // of n, and for n; what remains of it beside goes there too
	case g.consumer.Len() == 0 && err != nil:
		return err
	}
	g.err = err
	return nil
}

// finish tells the consumer, however the producing task ends.
func (g *generator[T]) finish() {
	g.ended = true
	g.consumer.UnparkOne()
}

// yield hands an item over and waits until the next is asked for.
func (g *generator[T]) yield(t *loop.Task, item T) error {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	if g.full || g.left {
		return fmt.Errorf("%w: a generator yields again before its last yield returned, or behind its loop",
			loop.ErrMisuse)
	}
	g.item, g.full = item, true
	g.consumer.UnparkOne()
	return g.producer.Park(t, "generator, to be asked")
}

// next asks for an item and takes it, or returns how produce ended.
func (g *generator[T]) next(t *loop.Task) (item T, more bool, err error) {
	var none T
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return none, false, err
	}
	g.producer.UnparkOne()
	if g.full || g.ended { // it did not wait to be asked
		err = loop.ShieldedCheckpoint(t)
	} else {
		err = g.consumer.Park(t, "generator")
	}
	switch {
	case err != nil:
		return none, false, err
	case g.full:
		item, g.item, g.full = g.item, none, false
		return item, true, nil
	}
	return none, false, g.err
}

// leave ends the producing task and waits for it, whatever else happens to t.
func (g *generator[T]) leave(t *loop.Task) {
	g.left = true
	if g.scope != nil {
		g.scope.Cancel("the loop over the generator was left")
	}
	for !g.ended {
		if g.consumer.ParkWith(t, "end of a generator", nil) != nil {
			return // the loop of t is broken
		}
	}
}
