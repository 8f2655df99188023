package micro

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// BenchmarkCheckpoint is a checkpoint within the budget, with and without a deadline around
// it, which has the clock read each time; and what a yield costs if there is no budget.
func BenchmarkCheckpoint(b *testing.B) {
	run := func(b *testing.B, opts ...loop.Option) {
		inTask(b, func(t *loop.Task) error {
			for b.Loop() {
				if err := loop.Checkpoint(t); err != nil {
					return err
				}
			}
			return nil
		}, opts...)
	}
	b.Run("lion", func(b *testing.B) { run(b) })
	b.Run("lion, always reschedule", func(b *testing.B) { run(b, loop.WithAlwaysReschedule()) })
	b.Run("lion, below a deadline", func(b *testing.B) {
		inTask(b, func(t *loop.Task) error {
			return loop.FailAfter(t, time.Hour, func(*loop.Scope) error {
				for b.Loop() {
					if err := loop.Checkpoint(t); err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

// BenchmarkBudget is a load of real system calls that could all go on at once: tasks that
// send 16 messages of 64 bytes over a socket and receive them at its other end. The time is
// that of a message, sent and received.
func BenchmarkBudget(b *testing.B) {
	b.Run("lion", func(b *testing.B) { exchange(b) })
	b.Run("always reschedule", func(b *testing.B) { exchange(b, loop.WithAlwaysReschedule()) })
}

func exchange(b *testing.B, opts ...loop.Option) {
	const tasks, batch = 16, 16
	rounds := b.N/(tasks*batch) + 1
	inTask(b, func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			for range tasks {
				n.Spawn(func(t *loop.Task) error { return exchangeOne(t, rounds, batch) })
			}
			return nil
		})
	}, opts...)
}

func exchangeOne(t *loop.Task, rounds, batch int) error {
	x, y, err := socket.Pair(t.Loop(), sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer x.Close()
	defer y.Close()
	var message [64]byte
	for range rounds {
		for range batch {
			if _, err := x.Send(t, message[:], 0); err != nil {
				return err
			}
		}
		for range batch {
			if _, err := y.Recv(t, message[:], 0); err != nil {
				return err
			}
		}
	}
	return nil
}

// Work that takes 10 ms every 200 ms, in pieces of 100 us, beside somebody who is to wake
// every 500 us.
const (
	heavyEvery = 200 * time.Millisecond
	heavyWork  = 10 * time.Millisecond
	heavyPiece = 100 * time.Microsecond
	lightEvery = 500 * time.Microsecond
	lightTicks = 800

	// A round takes 400 ms, and what else runs on the machine disturbs some of
	// them: the figures are those of the middle one of so many.
	heavyRounds = 15
)

// compute keeps the processor busy.
func compute(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
	}
}

// BenchmarkHeavyBesideLight reports how late a light task wakes beside one that computes, at
// the median and the 99th percentile: with a checkpoint after every piece, without any, and
// among goroutines, which the runtime preempts. Both are the median of rounds.
func BenchmarkHeavyBesideLight(b *testing.B) {
	for _, checkpoints := range []bool{true, false} {
		name := map[bool]string{true: "lion", false: "without checkpoints"}[checkpoints]
		b.Run(name, func(b *testing.B) {
			var late lateness
			inTask(b, func(t *loop.Task) error {
				for range b.N * heavyRounds {
					if err := heavyTasks(t, checkpoints, &late); err != nil {
						return err
					}
				}
				return nil
			})
			late.report(b)
		})
	}
	b.Run("goroutines", func(b *testing.B) {
		var late lateness
		for range b.N * heavyRounds {
			heavyGoroutines(&late)
		}
		late.report(b)
	})
}

// lateness is how late somebody woke, in the rounds that are over and in the
// one that is not.
type lateness struct {
	middle, high, now []time.Duration
}

func (l *lateness) note(d time.Duration) { l.now = append(l.now, d) }

func (l *lateness) endRound() {
	slices.Sort(l.now)
	l.middle = append(l.middle, l.now[len(l.now)/2])
	l.high = append(l.high, l.now[len(l.now)*99/100])
	l.now = l.now[:0]
}

func (l *lateness) report(b *testing.B) {
	slices.Sort(l.middle)
	slices.Sort(l.high)
	b.ReportMetric(float64(l.middle[len(l.middle)/2]), "ns-late-p50")
	b.ReportMetric(float64(l.high[len(l.high)/2]), "ns-late-p99")
}

func heavyTasks(t *loop.Task, checkpoints bool, late *lateness) error {
	return loop.Nurse(t, func(n *loop.Nursery) error {
		n.Spawn(func(t *loop.Task) error {
			for {
				for range heavyWork / heavyPiece {
					compute(heavyPiece)
					if !checkpoints {
						continue
					}
					if err := loop.Checkpoint(t); err != nil {
						return err
					}
				}
				if err := loop.Sleep(t, heavyEvery-heavyWork); err != nil {
					return err
				}
			}
		})
		next := time.Now()
		for range lightTicks {
			next = next.Add(lightEvery)
			if err := loop.SleepUntil(t, next); err != nil {
				return err
			}
			late.note(time.Since(next))
		}
		late.endRound()
		return n.Cancel("measured")
	})
}

func heavyGoroutines(late *lateness) {
	var heavy sync.WaitGroup
	stop := make(chan struct{})
	heavy.Go(func() {
		tick := time.NewTicker(heavyEvery)
		defer tick.Stop()
		for {
			compute(heavyWork)
			select {
			case <-tick.C:
			case <-stop:
				return
			}
		}
	})
	next := time.Now()
	for range lightTicks {
		next = next.Add(lightEvery)
		<-time.NewTimer(time.Until(next)).C
		late.note(time.Since(next))
	}
	late.endRound()
	close(stop)
	heavy.Wait()
}
