package loop_test

import (
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
)

// inLoop runs a benchmark body as the main task of a loop.
func inLoop(b *testing.B, body func(t *loop.Task), opts ...loop.Option) {
	b.ReportAllocs()
	err := loop.Run(func(t *loop.Task) error { body(t); return nil }, opts...)
	if err != nil {
		b.Fatal(err)
	}
}

func nothing(*loop.Task) error { return nil }

// A child that is spawned and waited for, in a nursery of its own.
func BenchmarkSpawnJoin(b *testing.B) {
	inLoop(b, func(t *loop.Task) {
		for b.Loop() {
			loop.Nurse(t, func(n *loop.Nursery) error { return n.Spawn(nothing) })
		}
	})
}

// A child that is spawned in an open nursery and waited for.
func BenchmarkSpawnJoinOpen(b *testing.B) {
	inLoop(b, func(t *loop.Task) {
		loop.Nurse(t, func(n *loop.Nursery) error {
			var ended loop.ParkingLot
			child := func(*loop.Task) error { ended.UnparkOne(); return nil }
			for b.Loop() {
				n.Spawn(child)
				ended.Park(t, "join")
			}
			return nil
		})
	})
}

// The rival: a goroutine that is started and waited for.
func BenchmarkSpawnJoinGoroutine(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var wg sync.WaitGroup
		wg.Add(1)
		go func() { wg.Done() }()
		wg.Wait()
	}
}

// Children that are spawned in one nursery, a hundred at a time.
func BenchmarkSpawnHundred(b *testing.B) {
	inLoop(b, func(t *loop.Task) {
		for b.Loop() {
			loop.Nurse(t, func(n *loop.Nursery) error {
				for range 100 {
					n.Spawn(nothing)
				}
				return nil
			})
		}
	})
}

// A checkpoint within the budget.
func BenchmarkCheckpoint(b *testing.B) {
	inLoop(b, func(t *loop.Task) {
		for b.Loop() {
			loop.Checkpoint(t)
		}
	})
}

// A checkpoint that ends the turn, with nobody else to run.
func BenchmarkCheckpointRescheduled(b *testing.B) {
	inLoop(b, func(t *loop.Task) {
		for b.Loop() {
			loop.Checkpoint(t)
		}
	}, loop.WithAlwaysReschedule())
}
