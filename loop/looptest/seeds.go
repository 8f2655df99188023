package looptest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

var seedFlag = flag.Uint64("lion.seed", 0,
	"run tests of tasks with this seed instead of a seed drawn by lot")

var seedsFlag = flag.Int("lion.seeds", 0,
	"let tests that go through seeds go through so many, instead of as many as they ask for")

// seeds maps the names of running tests to their seeds.
var seeds sync.Map

// Seed returns the seed of the test: the one that Seeds chose, or that of the
// flag -lion.seed, or one drawn by lot. It is the same during the whole test,
// and printed if the test fails, with how to run it again.
func Seed(tb testing.TB) uint64 {
	drawn := *seedFlag
	if drawn == 0 {
		drawn = rand.Uint64()
	}
	seed, known := seeds.LoadOrStore(tb.Name(), drawn)
	if !known {
		announce(tb, drawn)
	}
	return seed.(uint64)
}

func announce(tb testing.TB, seed uint64) {
	tb.Cleanup(func() {
		seeds.Delete(tb.Name())
		if tb.Failed() {
			tb.Logf("again with the same schedule: -run '^%s$' -lion.seed=%d", tb.Name(), seed)
		}
	})
}

// Seeds runs fn n times, each time as a subtest with another seed; or as often
// as the flag -lion.seeds says; or once with that of the flag -lion.seed. It is
// for tests of what must hold in every order.
func Seeds(t *testing.T, n int, fn func(t *testing.T)) {
	t.Helper()
	if *seedsFlag > 0 {
		n = *seedsFlag
	}
	first, last := uint64(1), uint64(n)
	if *seedFlag != 0 {
		first, last = *seedFlag, *seedFlag
	}
	for seed := first; seed <= last; seed++ {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			seeds.Store(t.Name(), seed)
			announce(t, seed)
			fn(t)
		})
	}
}
