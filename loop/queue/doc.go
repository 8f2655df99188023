// Package queue passes values between the tasks of one loop.
//
// A Queue is what a channel is between goroutines, for tasks: bounded, first
// in, first out, and with an end to send by and one to receive by.
//
//	q, err := queue.New[job](16)
//	n.Spawn(func(t *loop.Task) error {
//		defer q.Sender.Close()
//		return q.Send(t, job{})
//	})
//	for j, err := range q.All(t) {
//		...
//	}
//
// # Bounds
//
// The size is not optional. A queue that is full makes its senders wait, which
// is how a slow consumer slows its producers down instead of filling the
// memory; a size of 0 makes each sender wait for a receiver. How much is queued
// usually is either nothing or the size, so small sizes serve best.
//
// # Ends
//
// Each end is a handle that can be cloned, and an end is closed when all its
// clones are. When the last Sender has been closed, receivers get what is
// queued and then loop.ErrEnd. When the last Receiver has been closed, what is
// queued is dropped, and senders get loop.ErrBroken. Whoever uses a handle that
// was closed, or waits through it at that moment, gets loop.ErrClosed. To close
// never suspends, so it works in a deferred call of a task that is cancelled.
//
// # Nothing is lost
//
// An error says that nothing happened: a send that was cancelled has sent
// nothing, a receive that was cancelled has taken nothing. Tasks are served in
// the order in which they came, and by hand-over: an item for which a receiver
// waits is that receiver's, and room for which a sender waits is that sender's,
// before either runs; nobody can take it away in between.
//
// # From other goroutines
//
// A queue belongs to one loop. An ordinary goroutine sends by Loop.CallSoon, with
// SendNowait in the function that is called, or with an UnboundedQueue.
//
// # Iterators
//
// Receiver.All ranges over a queue, and Generate over what a function yields
// that runs in a task of its own. The guide docs/iterators.md tells when that
// is needed, and what a body of a range loop may do.
package queue
