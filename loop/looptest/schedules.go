package looptest

import (
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
)

// schedulesMax bounds the schedules of one program, and so the runs of a test.
// A program that has more is not small: Seeds takes samples of them.
const schedulesMax = 100_000

// Schedules runs main once for each order in which a loop may run its tasks,
// and returns how many there were. It is for small programs: every pass of two
// tasks or more doubles the number, and a program with too many fails the test.
//
// Every run is one of Run: main fails the test if it fails, hangs or leaves
// something behind, and the test then tells in which passes the order was
// reversed. Time is virtual and jumps. main must start from the same state each
// time, and nothing but the order of tasks may change what it does; what else
// does, goroutines and events of the kernel for example, is noticed as far as
// it changes the number of passes.
func Schedules(
	tb testing.TB, main func(*loop.Task) error, opts ...loop.Option,
) (schedules int) {
	tb.Helper()
	return Config{}.Schedules(tb, main, opts...)
}

// Schedules is the function Schedules with the configuration c.
func (c Config) Schedules(
	tb testing.TB, main func(*loop.Task) error, opts ...loop.Option,
) (schedules int) {
	tb.Helper()
	var s script
	defer func() {
		if tb.Failed() {
			tb.Logf("in schedule %d, in which these passes are reversed: %v", schedules, s.choices)
		}
	}()
	for schedules = 1; schedules <= schedulesMax; schedules++ {
		s.asked = 0
		all := []loop.Option{loop.WithClock(NewAutojumpClock()), loop.WithCoin(s.choose)}
		c.Run(tb, main, append(all, opts...)...)
		switch {
		case tb.Failed():
			tb.FailNow()
		case s.asked < len(s.choices):
			tb.Fatalf("the program is not deterministic: %d passes, and %d before with the same orders",
				s.asked, len(s.choices))
		case !s.advance():
			return schedules
		}
	}
	tb.Fatalf("there are more than %d schedules", schedulesMax)
	return schedulesMax
}

// script is what is chosen in a run: first what was chosen before, and false
// whenever there is a new choice.
type script struct {
	choices []bool
	asked   int
}

func (s *script) choose() bool {
	if s.asked == len(s.choices) {
		s.choices = append(s.choices, false)
	}
	s.asked++
	return s.choices[s.asked-1]
}

// advance goes on to the next script: the last false becomes true, and what
// came after it is open again. It reports whether there is one.
func (s *script) advance() bool {
	for last := len(s.choices) - 1; last >= 0; last-- {
		if !s.choices[last] {
			s.choices[last] = true
			s.choices = slices.Delete(s.choices, last+1, len(s.choices))
			return true
		}
	}
	return false
}
