package loop

import "testing"

// Coroutines that more tasks than usual have left behind serve the next ones
// while the loop is busy, and are gone before it waits.
func TestSurplusCoroutinesEndBeforeTheLoopWaits(t *testing.T) {
	const tasks = coroutinePoolMax + 3*surplusBatch + 1
	err := Run(func(task *Task) error {
		var lot ParkingLot
		for range 2 {
			err := Nurse(task, func(n *Nursery) error {
				for range tasks {
					n.Spawn(func(t *Task) error { return lot.Park(t, "test") })
				}
				if err := WaitAllTasksBlocked(task, 0); err != nil {
					return err
				}
				if n := len(task.loop.idle); n != 0 {
					t.Errorf("%d coroutines are idle though all tasks need new ones", n)
				}
				lot.UnparkAll()
				return nil
			})
			if err != nil {
				return err
			}
			if n := len(task.loop.idle); n != tasks {
				t.Errorf("%d coroutines are idle after %d tasks have ended together", n, tasks)
			}
		}
		if err := WaitAllTasksBlocked(task, 0); err != nil {
			return err
		}
		if n := len(task.loop.idle); n != coroutinePoolMax {
			t.Errorf("a loop that has nothing to do keeps %d coroutines, not %d", n, coroutinePoolMax)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
