package locks

import (
	"testing"

	"github.com/lion-go/lion/loop"
)

// S190, in what no statistics show: a wait that was cancelled is forgotten in the
// same step, and keeps neither its task nor its borrower alive.
func TestS190LimiterForgetsACancelledWait(t *testing.T) {
	c, err := NewCapacityLimiter(0)
	if err != nil {
		t.Fatal(err)
	}
	err = loop.Run(func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range 3 {
				n.Spawn(c.Acquire)
			}
			if err := loop.WaitAllTasksBlocked(task, 0); err != nil {
				return err
			}
			if len(c.pending) != 3 || len(c.borrowers) != 3 {
				t.Errorf("%d wait, for %d borrowers", len(c.pending), len(c.borrowers))
			}
			n.Cancel("test")
			if len(c.pending) != 0 || len(c.borrowers) != 0 {
				t.Errorf("cancelled: %d wait, for %d borrowers", len(c.pending), len(c.borrowers))
			}
			return nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}
