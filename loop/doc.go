// Package loop runs tasks: sequences of ordinary Go code that take turns on
// one goroutine, wait for the kernel through one poller, and can be cancelled
// as a tree.
//
//	err := loop.Run(func(t *loop.Task) error {
//		return loop.Nurse(t, func(n *loop.Nursery) error {
//			n.Spawn(ticker)
//			return loop.Sleep(t, time.Second)
//		})
//	})
//
// # Colour
//
// A function or method may suspend if and only if its first parameter is a
// *Task: it is async-coloured. Everything else, the methods of Task included,
// is sync-coloured: it never blocks and never schedules. So between two calls
// that are given a task, nothing else runs on the loop, and the tasks of one
// loop share data without locks.
//
// # Checkpoints
//
// Every async-coloured function is a checkpoint when it succeeds: it has
// looked for a cancellation before it did anything, and has given the
// scheduler its turn afterwards. The look is never left out. The turn may be:
// a task goes on within a budget of 64 operations or 200 microseconds, the
// clock being looked at every few operations; WithAlwaysReschedule takes the
// budget away. An error that matches Cancelled says that nothing happened;
// success says that it happened, even if a cancellation arrived meanwhile.
// Functions for which that can not hold say so.
//
// # Cancellation
//
// A Scope is a region that can be cancelled, by Cancel or by its deadline.
// Cancellation is a level: every checkpoint inside answers Cancelled until the
// region is left. The outermost visible cancelled scope absorbs the error at
// its exit; nobody else has to do anything but hand errors up.
//
// # Nurseries
//
// A task is spawned in a Nursery, which outlives it: Nurse returns only when
// all children have ended, with a Group of every error. The first failure
// cancels the rest. Panics and Goexit become errors. Nothing is lost.
//
// # Neighbours
//
// Ordinary goroutines reach a loop through Loop.CallSoon and Loop.Do, and the
// tasks of another loop through Call; a Waker is for who has more to hand over
// than one call. Blocking code goes to the package worker, signals come from
// the package signals. Code in a task must not block its goroutine for long: all
// tasks of the loop wait. It must not call runtime.LockOSThread, which is fatal in
// a coroutine, and must not hold a sync.Mutex across a call that is given a task.
//
// # Misuse
//
// What can not mean anything is refused at once with ErrMisuse or a more
// precise error, and changes nothing. The handle of another task, or of one
// that has ended, is refused with ErrWrongTask. From a foreign goroutine that
// is certain only while the task is not running; the race detector sees the
// rest, and WithDebug refuses it. Calls without a task that wake others, such as
// the Set of an event, belong to the loop too: a goroutine that makes one while
// the loop sleeps ends it, with ErrInternal. CallSoon is for that.
package loop
