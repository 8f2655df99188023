package loop

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTimerHeapAgainstModel compares the heap with a list that is sorted, over
// many random operations.
func TestTimerHeapAgainstModel(t *testing.T) {
	const seeds, operations, timers, times = 20, 5000, 64, 200
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, seed))
		l, err := newLoop([]Option{WithSeed(seed)})
		if err != nil {
			t.Fatal(err)
		}
		all := make([]timer, timers)
		var model []*timer
		for range operations {
			m := &all[rng.IntN(timers)]
			switch rng.IntN(3) {
			case 0:
				if !m.armed() {
					m.start(l, int64(rng.IntN(times)))
					model = append(model, m)
				}
			case 1:
				m.stop(l)
				model = slices.DeleteFunc(model, func(o *timer) bool { return o == m })
			case 2:
				if len(model) > 0 {
					first := slices.MinFunc(model, l.timers.compare)
					if l.timers.next() != first.when || l.timers[0].timer != first {
						t.Fatalf("seed %d: the first is %v, want %v", seed, l.timers[0], first)
					}
					l.timers.remove(0)
					model = slices.DeleteFunc(model, func(o *timer) bool { return o == first })
				}
			}
			checkHeap(t, l, model)
		}
	}
}

func (h timerHeap) compare(a, b *timer) int {
	if h[a.pos-1].before(&h[b.pos-1]) {
		return -1
	}
	return 1
}

func checkHeap(t *testing.T, l *Loop, model []*timer) {
	t.Helper()
	if len(l.timers) != len(model) {
		t.Fatalf("%d timers in the heap, want %d", len(l.timers), len(model))
	}
	for i, a := range l.timers {
		if a.timer.pos != i+1 || a.timer.when != a.when {
			t.Fatalf("the timer at %d believes to be at %d", i, a.timer.pos-1)
		}
		if i > 0 && a.before(&l.timers[(i-1)/4]) {
			t.Fatalf("the timer at %d is before its parent", i)
		}
	}
}
