package locks

import "github.com/lion-go/lion/loop"

// An Event tells tasks that something has happened, once and for all: there
// is no way back, since whoever saw the event might miss that. For another
// round make another Event. The zero value has not happened and is ready to
// use.
type Event struct {
	set     bool
	waiting loop.ParkingLot
}

// Set makes the event happen and wakes all who wait for it. It may be called
// again, to no effect.
func (e *Event) Set() {
	e.set = true
	for e.waiting.UnparkOne() != nil {
	}
}

// IsSet reports whether the event has happened.
func (e *Event) IsSet() bool { return e.set }

// Wait suspends t until the event has happened. It is a checkpoint, also if it
// has happened already.
func (e *Event) Wait(t *loop.Task) error {
	if !e.set {
		return e.waiting.Park(t, "event")
	}
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	return loop.ShieldedCheckpoint(t)
}

// EventStatistics describes an event at one moment.
type EventStatistics struct {
	Set          bool // it has happened
	TasksWaiting int  // tasks that wait for it
}

// Statistics returns the present numbers.
func (e *Event) Statistics() EventStatistics {
	return EventStatistics{Set: e.set, TasksWaiting: e.waiting.Len()}
}
