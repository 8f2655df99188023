package looptest

import (
	"errors"
	"fmt"

	"github.com/lion-go/lion/loop"
)

// A Sequencer makes pieces of code in different tasks run in a fixed order.
// The zero value is ready to use.
type Sequencer struct {
	claimed  map[int]bool
	waiting  map[int]*loop.ParkingLot
	finished map[int]bool
	broken   bool
}

// Do waits until the piece before position has ended, runs fn, and lets the
// next piece begin. Positions count from 0, and each is used once:
// loop.ErrMisuse. It is a checkpoint. If one participant is cancelled before
// its turn the sequence can not be kept: then all others, the late ones too,
// get an error that matches loop.ErrBroken.
func (s *Sequencer) Do(t *loop.Task, position int, fn func() error) error {
	if position < 0 || s.claimed[position] {
		return fmt.Errorf("%w: position %d of a sequence was taken", loop.ErrMisuse, position)
	}
	if err := s.await(t, position); err != nil {
		return err
	}
	defer s.finish(position)
	return fn()
}

func (s *Sequencer) await(t *loop.Task, position int) error {
	if s.broken {
		return s.breakage(position)
	}
	if s.claimed == nil {
		s.claimed, s.finished = map[int]bool{}, map[int]bool{}
		s.waiting = map[int]*loop.ParkingLot{}
	}
	s.claimed[position] = true
	err := s.park(t, position)
	switch {
	case errors.Is(err, loop.Cancelled):
		s.broken = true
		for _, lot := range s.waiting {
			lot.UnparkAll()
		}
		return err
	case s.broken:
		return s.breakage(position)
	}
	return err
}

func (s *Sequencer) park(t *loop.Task, position int) error {
	if position == 0 || s.finished[position-1] {
		if err := loop.CheckpointIfCancelled(t); err != nil {
			return err
		}
		return loop.ShieldedCheckpoint(t)
	}
	lot := &loop.ParkingLot{}
	s.waiting[position] = lot
	defer delete(s.waiting, position)
	return lot.Park(t, "sequencer")
}

func (s *Sequencer) breakage(position int) error {
	return fmt.Errorf("position %d: another participant of the sequence was cancelled: %w",
		position, loop.ErrBroken)
}

func (s *Sequencer) finish(position int) {
	s.finished[position] = true
	if lot := s.waiting[position+1]; lot != nil {
		lot.UnparkOne()
	}
}
