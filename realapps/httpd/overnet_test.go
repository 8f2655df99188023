package main

import (
	"runtime"
	"testing"
)

// TestLimitProcessors has -loops limit the processors, and an environment that
// says otherwise win.
func TestLimitProcessors(t *testing.T) {
	before := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(before)
	for _, c := range []struct {
		environment string
		want        int
	}{
		{"", before + 2},
		{"1", before + 1},
	} {
		runtime.GOMAXPROCS(before + 1)
		t.Setenv("GOMAXPROCS", c.environment)
		limitProcessors(before + 2)
		if got := runtime.GOMAXPROCS(0); got != c.want {
			t.Errorf("GOMAXPROCS=%q: %d processors, want %d", c.environment, got, c.want)
		}
	}
}
