package looptest

import (
	"fmt"
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
	keep  bool   // the steps, for Replays
	steps []step // up to stepsMax
}

// stepsMax bounds the steps that Replays can compare: some megabytes.
const stepsMax = 100_000

// step is what has happened to a task.
type step struct {
	what  byte
	task  uint64
	label string // what it waits for
}

func (s step) String() string {
	text := fmt.Sprintf("task %d %s", s.task, [...]string{
		traceSpawned: "is spawned", traceTurn: "has its turn",
		traceWaits: "waits", traceEnded: "ends",
	}[s.what])
	if s.label != "" {
		text += " for " + s.label
	}
	return text
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
			tr.note(traceSpawned, t.ID(), "")
			if p := t.Parent(); p != nil {
				tr.number(p.ID())
			}
		},
		BeforeTurn: func(t *loop.Task) {
			tr.turns++
			tr.note(traceTurn, t.ID(), "")
		},
		AfterTurn: func(t *loop.Task) {
			if t.Ended() {
				tr.note(traceEnded, t.ID(), "")
				return
			}
			tr.note(traceWaits, t.ID(), t.Waiting())
		},
	})
}

// Hash returns the hash of what has happened so far.
func (tr *Trace) Hash() uint64 { return tr.hash }

// Turns returns how many turns there were.
func (tr *Trace) Turns() int { return tr.turns }

func (tr *Trace) note(what byte, task uint64, label string) {
	tr.byte(what)
	tr.number(task)
	for _, b := range []byte(label) {
		tr.byte(b)
	}
	if tr.keep && len(tr.steps) < stepsMax {
		tr.steps = append(tr.steps, step{what, task, label})
	}
}

// parting says where two traces part, as far as their steps have been kept.
func (tr *Trace) parting(other *Trace) string {
	for i := range max(len(tr.steps), len(other.steps)) {
		was, is := tr.at(i), other.at(i)
		if was != is {
			return fmt.Sprintf("they part at step %d: %s, then %s", i+1, was, is)
		}
	}
	return fmt.Sprintf("they part after step %d", stepsMax)
}

func (tr *Trace) at(i int) string {
	if i < len(tr.steps) {
		return tr.steps[i].String()
	}
	return "the end"
}

func (tr *Trace) number(n uint64) {
	for range 8 {
		tr.byte(byte(n))
		n >>= 8
	}
}

func (tr *Trace) byte(b byte) { tr.hash = (tr.hash ^ uint64(b)) * fnvPrime }

// Replays runs main twice with the seed of the test and fails the test unless
// both runs have the same trace, whose hash it returns; the failure tells where
// they part. main must start from
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
		traces[i].keep = true
		all := []loop.Option{loop.WithClock(NewAutojumpClock()), traces[i].Option()}
		c.Run(tb, main, append(all, opts...)...)
	}
	if a, b := &traces[0], &traces[1]; a.hash != b.hash || a.turns != b.turns {
		tb.Errorf("one seed, two schedules: %d turns with the hash %016x, then %d turns with %016x; %s",
			a.turns, a.hash, b.turns, b.hash, a.parting(b))
	}
	return traces[0].hash
}
