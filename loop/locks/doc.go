// Package locks has the primitives by which the tasks of one loop wait for
// each other: Event, Lock, Semaphore, CapacityLimiter and Condition.
//
// Tasks of one loop take turns and are suspended only in calls that are given
// a task, so data that they share needs no lock. A Lock is for work that spans
// such calls: two requests that must not mix on one connection. An Event tells
// that something has happened, a Semaphore counts, a CapacityLimiter knows who
// holds its tokens and can be resized, and a Condition waits for a change of
// what a Lock protects.
//
//	var writing locks.Lock
//
//	func send(t *loop.Task, m message) error {
//		if err := writing.Acquire(t); err != nil {
//			return err
//		}
//		defer writing.Release()
//		return conn.SendAll(t, m.encode())
//	}
//
// # What all of them promise
//
// Who waits longest is served first, and is served by hand-over: a release
// gives the lock or the token to the first in the line before that task runs,
// and nobody who comes meanwhile can take it. A wait that is cancelled leaves
// no trace, and its error says that nothing was acquired; a wait that has been
// served returns nil, even if a cancellation arrived since. What is acquired
// with a defer to release it is released, however the task ends.
//
// Everything that may suspend takes a task first and is a checkpoint. The
// others never suspend: to set, to release and to notify, and the twins whose
// name ends in Nowait, which answer loop.ErrWouldBlock where the first would
// wait. Calls that mean nothing, such as the release of a lock by somebody who
// does not hold it, are refused with loop.ErrMisuse and change nothing.
//
// All of it belongs to one loop. Who would wait among tasks of another one is
// refused with loop.ErrWrongTask. A goroutine sets an event, say, through
// Loop.CallSoon(event.Set). Nothing here allocates once it is in use.
//
// They are made of the public API of package loop, a ParkingLot each: the
// guide docs/primitives.md shows how to write one's own.
package locks
