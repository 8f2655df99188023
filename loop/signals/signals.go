// Package signals makes a queue of the signals that a program gets, for a task
// to read.
//
//	err := signals.Receive(t, []os.Signal{sys.Hangup}, func(q *signals.Queue) error {
//		for {
//			if _, err := q.Next(t); err != nil {
//				return err
//			}
//			reload()
//		}
//	})
//
// While Receive runs, the queue is the owner of its signals: with SIGINT in it
// loop.Main does not stop at Ctrl-C. Receive inside Receive works in the same
// way, the inner one has what both name.
//
// A signal is a note that something happened, not a count: one that comes again
// before it was read is reported once. Different signals are reported in the
// order in which they came, so that one which comes all the time does not hide
// another. What has not been read at the end goes to who owned the signals
// before, or is raised again: a SIGTERM that came while a program was reading
// SIGTERM for the last time ends it after all.
//
// On Windows the signals are os.Interrupt, for Ctrl-C and Ctrl-Break, and
// SIGTERM, for the closing of the console, a logoff and a shutdown; Windows
// ends the process a few seconds after the latter, whatever it does.
package signals

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/lion-go/lion/loop"
)

// A Queue holds the signals that have come and have not been read. It belongs
// to the loop of the task that called Receive.
type Queue struct {
	waker   *loop.Waker
	pending []os.Signal // each once, in the order in which they came
	reader  *loop.Task  // is in Next, until it has its turn
	closed  bool
	stats   Statistics

	mu      sync.Mutex
	arrived []os.Signal // not noticed by the loop yet, each once
	merged  uint64      // came while it was in arrived
}

// Receive runs fn with a queue of the signals sigs, and gives them back when
// fn returns, panics or ends its goroutine. A signal that no program can
// handle, or none at all, is refused with loop.ErrMisuse, and then nothing has
// happened; one that is named twice counts once. It suspends only where fn
// does. An error of giving back is joined to that of fn.
func Receive(t *loop.Task, sigs []os.Signal, fn func(*Queue) error) (err error) {
	if fn == nil {
		return fmt.Errorf("%w: receiving signals for a nil function", loop.ErrMisuse)
	}
	q := &Queue{}
	if q.waker, err = loop.NewWaker(t.Loop(), q.collect); err != nil {
		return err
	}
	giveBack, err := loop.TakeSignals(q.put, sigs...)
	if err != nil {
		return err
	}
	defer func() {
		if failed := giveBack(q.close); failed != nil {
			err = errors.Join(err, failed)
		}
	}()
	return fn(q)
}

// put is called on a goroutine of the loop package.
func (q *Queue) put(s os.Signal) {
	q.mu.Lock()
	if slices.Contains(q.arrived, s) {
		q.merged++
	} else {
		q.arrived = append(q.arrived, s)
	}
	q.mu.Unlock()
	_ = q.waker.Wake() // Receive returns before its loop ends
}

// collect takes what has arrived. It runs on the loop.
func (q *Queue) collect() {
	q.mu.Lock()
	arrived, merged := q.arrived, q.merged
	q.arrived, q.merged = nil, 0
	q.mu.Unlock()
	q.stats.Coalesced += merged
	for _, s := range arrived {
		if slices.Contains(q.pending, s) {
			q.stats.Coalesced++
		} else {
			q.pending = append(q.pending, s)
		}
	}
	if len(q.pending) > 0 {
		q.wake(nil)
	}
}

func (q *Queue) wake(err error) {
	if q.reader != nil {
		_ = q.reader.Unpark(err) // it may have been woken already
	}
}

// close ends the queue and returns what is left.
func (q *Queue) close() []os.Signal {
	q.collect()
	q.closed = true
	q.wake(errClosed)
	left := q.pending
	q.pending = nil
	return left
}

var errClosed = fmt.Errorf("the queue of signals: %w", loop.ErrClosed)

// Next suspends t until there is a signal, and takes the one that has waited
// longest. It is a checkpoint; one that is cancelled has taken nothing. One
// task waits at a time: loop.ErrBusy. After Receive has ended the answer
// matches loop.ErrClosed.
func (q *Queue) Next(t *loop.Task) (os.Signal, error) {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return nil, err
	}
	if q.reader != nil {
		return nil, fmt.Errorf("reading signals: %w", loop.ErrBusy)
	}
	q.collect()
	if len(q.pending) > 0 {
		return q.take(), loop.ShieldedCheckpoint(t)
	}
	for len(q.pending) == 0 {
		if q.closed { // perhaps after a signal has woken t, and before its turn
			return nil, errClosed
		}
		q.reader = t
		err := loop.Park(t, "signal", (*waiter)(q))
		q.reader = nil
		if err != nil {
			return nil, err
		}
	}
	return q.take(), nil
}

func (q *Queue) take() os.Signal {
	s := q.pending[0]
	q.pending = q.pending[1:]
	q.stats.Received++
	return s
}

// waiter is a task in Next.
type waiter Queue

// Abort agrees: the task itself takes itself out.
func (w *waiter) Abort(loop.Wait) bool { return true }

// Pending returns how many signals wait to be read.
func (q *Queue) Pending() int {
	q.collect()
	return len(q.pending)
}

// Statistics describes a queue at one moment.
type Statistics struct {
	Pending   int    // signals that wait to be read
	Received  uint64 // signals that were read
	Coalesced uint64 // signals that came again before they were read
}

// Statistics returns the present numbers.
func (q *Queue) Statistics() Statistics {
	q.collect()
	s := q.stats
	s.Pending = len(q.pending)
	return s
}
