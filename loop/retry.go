package loop

import (
	"errors"

	"github.com/lion-go/lion/sys"
)

// This is the one place in the module where a system call that would have to
// wait is waited for and tried again: for sockets, for pipes, and for whatever
// else a descriptor may be. Facts, and hence this code:
//
//   - Cancellation is looked at first, so Cancelled says that nothing was
//     done. After the call has been made the scheduler gets its turn, but a
//     cancellation is not looked at any more: the bytes are ours already.
//   - The call is tried before it is waited for. So true errors are seen
//     without a wait, and edge-triggered readiness is sound: nothing suspends
//     between WouldBlock, MarkDrained and the wait, so whatever comes later
//     makes an event, which clears the mark and wakes the waiter.
//   - While a descriptor is drained the try is left out: it would answer
//     WouldBlock. The mark may be there without a registration, from a short
//     read before the first wait; the wait then registers the descriptor, and
//     registration reports what is there already.
//   - Between the event that wakes a task and its turn another task may close
//     the descriptor, and a third may open one that gets the same number. So
//     it is asked before each try whether it has been forgotten.
//   - An owner may give its descriptor a new registration, which ends the old
//     one and wakes who waits on it (socket.Socket.Shutdown does). So the
//     registration is read anew before each try, and a wait that its end broke
//     off goes on with the new one.

// Retry makes a nonblocking call on a descriptor until it has an answer other
// than sys.WouldBlock, and returns that. d is where the owner keeps the
// registration; want is the direction of the call. The call is not made again
// while the descriptor is drained in that direction.
//
// It is a checkpoint, and allocates nothing: try does not escape. Errors: the
// *CancelledError if the call was not made, ErrClosed if the descriptor was
// forgotten, those of WaitReadable, and those of the call itself as they are.
func Retry[T any](
	t *Task, d **Descriptor, want sys.Interest, try func() (T, error),
) (none T, err error) {
	if err := CheckpointIfCancelled(t); err != nil {
		return none, err
	}
	for {
		now := *d
		if now.closed {
			return none, ErrClosed
		}
		//lion:opt drained-skip a call that is known to answer WouldBlock is not made
		if !now.Drained(want) {
			v, err := try()
			if err != sys.WouldBlock {
				_ = ShieldedCheckpoint(t) // only a wrong task fails, and that was checked
				return v, err
			}
			now.MarkDrained(want)
		}
		err := await(t, now, want)
		if err != nil && (*d == now || !errors.Is(err, ErrClosed)) {
			return none, err
		}
	}
}

func await(t *Task, d *Descriptor, want sys.Interest) error {
	switch want {
	case sys.Readable:
		return WaitReadable(t, d)
	case sys.Priority:
		return WaitPriority(t, d)
	case sys.ErrorQueue:
		return WaitErrorQueue(t, d)
	}
	return WaitWritable(t, d)
}

// RetryNowait is the sync-coloured twin of Retry: the answer of a single try,
// with ErrWouldBlock if the call would have to wait. It never suspends.
func RetryNowait[T any](
	d *Descriptor, want sys.Interest, try func() (T, error),
) (none T, err error) {
	if d.closed {
		return none, ErrClosed
	}
	v, err := try()
	if err == sys.WouldBlock {
		d.MarkDrained(want)
		return none, ErrWouldBlock
	}
	return v, err
}
