package loop

import (
	"errors"
	"fmt"
	"time"

	"github.com/lion-go/lion/sys"
)

// poller is what a loop asks of the kernel. Its contract is in sys.
type poller interface {
	Arm(fd sys.FD, key uint64, want sys.Interest) error
	Forget(fd sys.FD, key uint64)
	ForgetClosing(fd sys.FD, key uint64)
	Wait(ev []sys.Event, d time.Duration) (int, error)
	Wake()
	Close() error
	Statistics() sys.PollerStatistics
}

// WithoutKernel makes a loop that never asks the kernel: tasks, time and calls
// from outside work, and waiting for a descriptor answers
// errors.ErrUnsupported. It is for bubbles of testing/synctest, in which time
// stands still as long as anybody waits for the kernel; looptest.Bubble sets
// it. In a bubble the loop goes by the bubble's time.
func WithoutKernel() Option {
	return func(l *Loop) error { l.poller = newNoKernel(); return nil }
}

// noKernel is a poller for loops without a kernel. It waits for a channel and a
// timer, which is what synctest understands.
type noKernel struct {
	wake  chan struct{} // full: the next Wait returns at once
	timer *time.Timer   // made by the first wait
	count sys.PollerStatistics
}

func newNoKernel() *noKernel { return &noKernel{wake: make(chan struct{}, 1)} }

var errNoKernel = fmt.Errorf("loop: this loop is without a kernel: %w", errors.ErrUnsupported)

func (k *noKernel) Arm(sys.FD, uint64, sys.Interest) error { return errNoKernel }
func (k *noKernel) Forget(sys.FD, uint64)                  {}
func (k *noKernel) ForgetClosing(sys.FD, uint64)           {}
func (k *noKernel) Close() error                           { return nil }
func (k *noKernel) Statistics() sys.PollerStatistics       { return k.count }

// Wake ends the current Wait, or the next one. Only it may be called from
// other goroutines.
func (k *noKernel) Wake() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Wait sleeps for d, or until Wake.
func (k *noKernel) Wait(_ []sys.Event, d time.Duration) (int, error) {
	k.count.Waits++
	if d <= 0 {
		select {
		case <-k.wake:
		default:
		}
		return 0, nil
	}
	if k.timer == nil {
		k.timer = time.NewTimer(d)
	} else {
		k.timer.Reset(d)
	}
	defer k.timer.Stop()
	select {
	case <-k.wake:
	case <-k.timer.C:
	}
	return 0, nil
}
