package micro

import (
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
)

// BenchmarkSpawnJoin starts one child that does nothing, and waits for its end. lion
// opens a nursery each time, as programs do; the rival is the cheapest form that Go has.
func BenchmarkSpawnJoin(b *testing.B) {
	b.Run("lion", func(b *testing.B) {
		inTask(b, func(t *loop.Task) error {
			child := func(*loop.Task) error { return nil }
			spawn := func(n *loop.Nursery) error { n.Spawn(child); return nil }
			for b.Loop() {
				if err := loop.Nurse(t, spawn); err != nil {
					return err
				}
			}
			return nil
		})
	})
	b.Run("goroutine", func(b *testing.B) {
		b.ReportAllocs()
		var children sync.WaitGroup
		for b.Loop() {
			children.Add(1)
			go func() { defer children.Done() }()
			children.Wait()
		}
	})
	// The method Go of WaitGroup costs a closure more.
	b.Run("goroutine by Go", func(b *testing.B) {
		b.ReportAllocs()
		var children sync.WaitGroup
		child := func() {}
		for b.Loop() {
			children.Go(child)
			children.Wait()
		}
	})
}

// inTask runs a benchmark as the main task of a loop.
func inTask(b *testing.B, run func(*loop.Task) error, opts ...loop.Option) {
	b.Helper()
	b.ReportAllocs()
	if err := loop.Run(run, opts...); err != nil {
		b.Fatal(err)
	}
}
