package looptest

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// crowd is a program in which order matters: tasks that spawn, sleep until the
// same moments, talk through streams and cancel each other.
func crowd(task *loop.Task) error {
	a, b := stream.NewMemory(8)
	defer a.Close()
	defer b.Close()
	return loop.Nurse(task, func(n *loop.Nursery) error {
		for i := range 5 {
			_ = n.Spawn(func(task *loop.Task) error {
				for k := range 4 {
					if err := loop.Sleep(task, time.Duration(i*k%3)*time.Second); err != nil {
						return err
					}
					_ = n.Spawn(loop.Checkpoint)
				}
				return nil
			})
		}
		_ = n.Spawn(func(task *loop.Task) error {
			err := a.SendAll(task, pattern(100))
			_ = a.Close()
			return err
		})
		_, err := receiveAll(task, b, 3)
		return err
	})
}

// The same seed gives the same trace, and others give others. With
// -lion.seeds=1000 it goes through a thousand.
func TestSeedReplays(t *testing.T) {
	different := map[uint64]bool{}
	runs := 0
	Seeds(t, 20, func(t *testing.T) {
		different[Replays(t, crowd)] = true
		runs++
	})
	if runs > 1 && len(different) < runs*9/10 {
		t.Errorf("%d seeds gave %d schedules", runs, len(different))
	}
}

// What the seed does not decide is found.
func TestReplaysFindsChance(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	r := record(func(r *recorder) {
		Replays(r, func(task *loop.Task) error {
			for range chance.IntN(1000) {
				if err := loop.Checkpoint(task); err != nil {
					return err
				}
			}
			return nil
		})
	})
	wantFailure(t, r, "one seed, two schedules", "they part at step ")
}

// A trace tells apart who had its turn, what it waited for and how it ended.
func TestTraceTellsApart(t *testing.T) {
	hashes := map[uint64]string{}
	for name, main := range map[string]func(*loop.Task) error{
		"nothing":       func(*loop.Task) error { return nil },
		"a checkpoint":  loop.Checkpoint,
		"a sleep":       func(task *loop.Task) error { return loop.Sleep(task, time.Second) },
		"another label": func(task *loop.Task) error { return loop.WaitAllTasksBlocked(task, 0) },
		"a child":       func(task *loop.Task) error { return together(task, loop.Checkpoint) },
		"a child, others": func(task *loop.Task) error {
			return together(task, func(*loop.Task) error { return nil })
		},
	} {
		hash := Replays(t, main)
		if other, known := hashes[hash]; known {
			t.Errorf("%s and %s have the same trace", name, other)
		}
		hashes[hash] = name
	}
}
