package loop_test

import (
	"math"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// What a sceptical reader has tried against this package, and what broke.

// the entry queue, and none that cannot be told from others.
func TestOnceWithStrangeKeys(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		fired, called := 0, 0
		w, err := loop.NewWaker(l, func() { fired++ })
		want(t, "NewWaker", err, nil)
		for range 3 {
			want(t, "CallSoonOnce", l.CallSoonOnce(w, func() { called++ }), nil)
			if err := loop.Yield(task); err != nil {
				return err
			}
			if err := loop.Yield(task); err != nil {
				return err
			}
		}
		if fired != 0 || called != 3 {
			t.Errorf("the key was called %d times, the function %d times", fired, called)
		}
		for _, key := range []any{[]int{1}, func() {}, [1]any{map[int]int{}}, math.NaN()} {
			want(t, "a key without a comparison", l.CallSoonOnce(key, func() {}), loop.ErrMisuse)
		}
		return nil
	})
}
