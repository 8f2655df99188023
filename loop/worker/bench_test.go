package worker_test

import (
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/worker"
)

// BenchmarkRun is an empty job.
func BenchmarkRun(b *testing.B) {
	b.ReportAllocs()
	loop.Run(func(task *loop.Task) error {
		for b.Loop() {
			worker.Run(task, nothing)
		}
		return nil
	})
}

// BenchmarkRunDeep is a job that needs more stack than a new goroutine has.
func BenchmarkRunDeep(b *testing.B) {
	loop.Run(func(task *loop.Task) error {
		for b.Loop() {
			worker.Run(task, func(*worker.Job) error { deep(8); return nil })
		}
		return nil
	})
}

//go:noinline
func deep(n int) byte {
	var local [1 << 10]byte
	if n > 0 {
		local[n] = deep(n - 1)
	}
	return local[n]
}

// BenchmarkCallback is a callback from a job into the loop and back.
func BenchmarkCallback(b *testing.B) {
	loop.Run(func(task *loop.Task) error {
		return worker.Run(task, func(j *worker.Job) error {
			for b.Loop() {
				j.Do(func(*loop.Task) error { return nil })
			}
			return nil
		})
	})
}

// BenchmarkManyJobs is a hundred tasks that run empty jobs at once, per job.
func BenchmarkManyJobs(b *testing.B) {
	const tasks = 100
	loop.Run(func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range tasks {
				n.Spawn(func(t2 *loop.Task) error {
					for range b.N/tasks + 1 {
						worker.Run(t2, nothing)
					}
					return nil
				})
			}
			return nil
		})
	})
}
