package looptest

import (
	"testing"

	"github.com/lion-go/lion/loop"
)

// A Trace follows the schedule of a run: which task had its turn when, what it
// waited for afterwards, whom it spawned. Two runs with equal hashes did the
// same in the same order. The zero value is ready; it is for one run of one
// loop, see Option.
type Trace struct {
	hash  uint64
	turns int
}

// The 64-bit FNV-1a hash, which is enough to tell two schedules apart.
const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// What a Trace is told, as it goes into the hash.
const (
	traceSpawned = iota + 1
	traceTurn
	traceWaits
	traceEnded
)

// Option makes a loop tell the trace.
func (tr *Trace) Option() loop.Option {
	tr.hash = fnvOffset
	return loop.WithInstrument(&loop.Instrument{
		Name: "looptest.Trace",
		Spawned: func(t *loop.Task) {
			tr.note(traceSpawned, t.ID())
			if p := t.Parent(); p != nil {
				tr.number(p.ID())
			}
		},
		BeforeTurn: func(t *loop.Task) {
			tr.turns++
			tr.note(traceTurn, t.ID())
		},
		AfterTurn: func(t *loop.Task) {
			if t.Ended() {
				tr.note(traceEnded, t.ID())
				return
			}
			tr.note(traceWaits, t.ID())
			for _, b := range []byte(t.Waiting()) {
				tr.byte(b)
			}
		},
	})
}

// Hash returns the hash of what has happened so far.
func (tr *Trace) Hash() uint64 { return tr.hash }

// Turns returns how many turns there were.
func (tr *Trace) Turns() int { return tr.turns }

func (tr *Trace) note(what byte, task uint64) {
	tr.byte(what)
	tr.number(task)
}

func (tr *Trace) number(n uint64) {
	for range 8 {
		tr.byte(byte(n))
		n >>= 8
	}
}

func (tr *Trace) byte(b byte) { tr.hash = (tr.hash ^ uint64(b)) * fnvPrime }

// Replays runs main twice with the seed of the test and fails the test unless
// both runs have the same trace, whose hash it returns. main must start from
// the same state both times. Time is virtual and jumps. What the seed does not
// decide must not decide anything either: real time, goroutines, the order in
// which a map is walked, or when the kernel reports an event.
func Replays(tb testing.TB, main func(*loop.Task) error, opts ...loop.Option) uint64 {
	tb.Helper()
	return Config{}.Replays(tb, main, opts...)
}

// Replays is the function Replays with the configuration c.
func (c Config) Replays(
	tb testing.TB, main func(*loop.Task) error, opts ...loop.Option,
) uint64 {
	tb.Helper()
	var traces [2]Trace
	for i := range traces {
		all := []loop.Option{loop.WithClock(NewAutojumpClock()), traces[i].Option()}
		c.Run(tb, main, append(all, opts...)...)
	}
	if traces[0] != traces[1] {
		tb.Errorf("one seed, two schedules: %d turns with the hash %016x, then %d turns with %016x",
			traces[0].turns, traces[0].hash, traces[1].turns, traces[1].hash)
	}
	return traces[0].hash
}
