package locks

import (
	"fmt"
	"math"

	"github.com/lion-go/lion/loop"
)

// Unlimited stands for no limit: to the value of a Semaphore, and to the
// tokens of a CapacityLimiter.
const Unlimited = math.MaxInt

// A Semaphore is a number that tasks take from and add to, and wait for while
// it is zero. It does not know who took: anybody may release. Where that can
// be known a CapacityLimiter finds mistakes that a Semaphore does not.
type Semaphore struct {
	value   int
	limit   int
	waiting loop.ParkingLot
}

// NewSemaphore makes a semaphore that starts with value and never goes above
// limit, which may be Unlimited. A negative value, or one above the limit, is
// refused with ErrMisuse.
func NewSemaphore(value, limit int) (*Semaphore, error) {
	if value < 0 || value > limit {
		return nil, fmt.Errorf("%w: a semaphore of %d with a limit of %d", loop.ErrMisuse, value, limit)
	}
	return &Semaphore{value: value, limit: limit}, nil
}

// Acquire takes one from the value, and suspends t until there is one to take.
// It is a checkpoint.
func (s *Semaphore) Acquire(t *loop.Task) error {
	if s.value == 0 {
		return s.waiting.Park(t, "semaphore")
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	s.value--
	return loop.ShieldedCheckpoint(t)
}

// AcquireNowait takes one from the value. It never suspends, and answers
// ErrWouldBlock if the value is zero.
func (s *Semaphore) AcquireNowait() error {
	if s.value == 0 {
		return loop.ErrWouldBlock
	}
	s.value--
	return nil
}

// Release adds one to the value or, if tasks wait, gives it to the first of
// them: the value is still zero then. Above the limit it answers ErrMisuse
// and adds nothing.
func (s *Semaphore) Release() error {
	if s.value == s.limit {
		return fmt.Errorf("%w: a semaphore released above its limit of %d", loop.ErrMisuse, s.limit)
	}
	if s.waiting.UnparkOne() == nil {
		s.value++
	}
	return nil
}

// SemaphoreStatistics describes a semaphore at one moment.
type SemaphoreStatistics struct {
	Value        int // what there is to take
	Limit        int // what the value can not go above
	TasksWaiting int // tasks that wait to take
}

// Statistics returns the present numbers.
func (s *Semaphore) Statistics() SemaphoreStatistics {
	return SemaphoreStatistics{s.value, s.limit, s.waiting.Len()}
}
