package loop

import (
	"errors"
	"fmt"
	"time"

	"github.com/lion-go/lion/sys"
)

// What Windows can wait for beyond the readiness of sockets: operations that
// complete later, on files, named pipes and the like, and packets that anybody
// posts to the completion port. Elsewhere these calls answer
// errors.ErrUnsupported.
//
// Such an operation cannot be taken back. A cancellation asks the system to end
// it early, and the task goes on waiting until it has ended, one way or the
// other: until then the system may read and write the memory it was given. If it
// ended by itself before the system heard of the cancellation, its result
// counts, and the cancellation is seen by the next checkpoint.

// scarcePause is how long an operation that the system had no room for waits
// before it is tried again: some others have ended by then, and trying more
// often would only cost time.
const scarcePause = 10 * time.Millisecond

// maxCompletions bounds the packets that a monitor keeps for a task that does
// not take them; more are counted and dropped.
const maxCompletions = 1024

var errUnsupportedCompletions = fmt.Errorf("completion ports: %w", errors.ErrUnsupported)

// RegisterHandle has the operations of a handle complete at this loop. The
// handle must have been opened for overlapped operations; it belongs to one
// loop for life. Call ForgetHandle before it is closed. Sync-coloured.
func (l *Loop) RegisterHandle(h sys.FD) error {
	p, err := l.systemPoller()
	if err != nil {
		return err
	}
	if err := p.kernel.RegisterHandle(h); err != nil {
		return fmt.Errorf("registering handle %d: %w", h, err)
	}
	return nil
}

// ForgetHandle is to be called before a registered handle is closed.
// Sync-coloured.
func (l *Loop) ForgetHandle(h sys.FD) {
	if l.power != nil {
		l.power.kernel.ForgetHandle(h)
	}
}

// overlappedWait is a task that waits for the end of an operation.
type overlappedWait struct {
	power *power
	task  *Task
	o     *sys.Overlapped
	cause error // why it was cancelled
}

func (w *overlappedWait) ended() { w.task.loop.wake(w.task, nil) }

// Abort asks for an early end, and has the wait go on until it comes.
func (w *overlappedWait) Abort(a Wait) bool {
	w.cause = a.Cause
	_ = w.power.kernel.Cancel(w.o) // whatever it says, the packet comes
	return false
}

// WaitOverlapped begins an operation on a registered handle by calling begin,
// and suspends t until it has ended; it returns the number of bytes. begin makes
// the system call with o.Pointer, and gives memory that the operation uses to
// o.Keep. If begin fails because too many operations are under way or memory is
// short, it is called again after a while. It is a checkpoint.
//
// A handle that was not registered is refused with ErrMisuse, since nothing
// would ever tell of the end. If the operation was cancelled in time the error is
// the *CancelledError; bytes may have been transferred nevertheless, and their
// number is returned beside it.
func WaitOverlapped(t *Task, h sys.FD, begin func(o *sys.Overlapped) error) (int, error) {
	if err := CheckpointIfCancelled(t); err != nil {
		return 0, err
	}
	p, err := t.loop.systemPoller()
	if err != nil {
		return 0, err
	}
	for {
		w := &overlappedWait{power: p, task: t}
		if w.o, err = p.kernel.Begin(h); err != nil {
			return 0, notRegistered(t, h, err)
		}
		err = begin(w.o)
		switch {
		case err == nil || err == sys.OverlappedPending:
			p.overlaps[w.o] = w
			if err := t.park("overlapped operation", w); err != nil {
				return 0, err
			}
			return w.result()
		case !sys.OverlappedScarce(err):
			p.kernel.Abandon(w.o)
			return 0, fmt.Errorf("an overlapped operation on handle %d: %w", h, err)
		}
		p.kernel.Abandon(w.o)
		if err := Sleep(t, scarcePause); err != nil {
			return 0, err
		}
	}
}

func notRegistered(t *Task, h sys.FD, err error) error {
	if sys.OverlappedPending == nil {
		return err // this system has no such thing
	}
	return fmt.Errorf("%w: task %s: an overlapped operation on handle %d, which was not "+
		"registered with RegisterHandle: %w", ErrMisuse, t.Name(), h, err)
}

func (w *overlappedWait) result() (int, error) {
	n, err := w.o.Result()
	switch {
	case err == nil:
		return n, nil
	case w.cause != nil && w.o.Aborted():
		if w.cause == ErrInterrupt {
			w.task.loop.interrupted = false // it is delivered
		}
		return n, w.cause
	}
	return n, fmt.Errorf("an overlapped operation: %w", err)
}

// ReadOverlapped reads a registered file or pipe at an offset into b, as
// ReadFile does; the end of a file is the system's error. It is a checkpoint,
// see WaitOverlapped.
func ReadOverlapped(t *Task, h sys.FD, b []byte, offset int64) (int, error) {
	return WaitOverlapped(t, h, func(o *sys.Overlapped) error { return o.Read(b, offset) })
}

// WriteOverlapped writes b to a registered file or pipe at an offset, as
// WriteFile does. It is a checkpoint, see WaitOverlapped.
func WriteOverlapped(t *Task, h sys.FD, b []byte, offset int64) (int, error) {
	return WaitOverlapped(t, h, func(o *sys.Overlapped) error { return o.Write(b, offset) })
}

// CompletionMonitor collects the packets that are posted under one key.
type CompletionMonitor struct {
	power   *power
	key     uint64
	packets []sys.Completion
	dropped uint64
	lot     ParkingLot
	closed  bool
}

// MonitorCompletions makes a monitor with a key of its own. Sync-coloured.
func MonitorCompletions(l *Loop) (*CompletionMonitor, error) {
	if sys.OverlappedPending == nil {
		return nil, errUnsupportedCompletions
	}
	p, err := l.systemPoller()
	if err != nil {
		return nil, err
	}
	p.nextKey++
	m := &CompletionMonitor{power: p, key: p.nextKey}
	p.monitors[m.key] = m
	return m, nil
}

// Post puts a packet into the queue of the loop; number comes with it. It may be
// called from any goroutine, as a callback of the system would, while the loop
// lives.
func (m *CompletionMonitor) Post(number uint32) error {
	return m.power.kernel.PostCompletion(sys.Completion{Key: m.key, Bytes: number})
}

func (m *CompletionMonitor) happened(c sys.Completion) {
	if len(m.packets) == maxCompletions {
		m.dropped++
		return
	}
	m.packets = append(m.packets, c)
	m.lot.UnparkOne()
}

// Wait returns the packets that came since the last call, in order, waiting
// until there is one. It is a checkpoint; after an error none has been taken.
// ErrClosed: the monitor was closed.
func (m *CompletionMonitor) Wait(t *Task) ([]sys.Completion, error) {
	if err := CheckpointIfCancelled(t); err != nil {
		return nil, err
	}
	for len(m.packets) == 0 && !m.closed {
		if err := m.lot.Park(t, "completions"); err != nil {
			return nil, err
		}
	}
	if m.closed {
		return nil, fmt.Errorf("waiting for packets of a monitor: %w", ErrClosed)
	}
	came := m.packets
	m.packets = nil
	return came, ShieldedCheckpoint(t)
}

// Dropped is how many packets came while 1,024 others had not been taken.
func (m *CompletionMonitor) Dropped() uint64 { return m.dropped }

// Close ends the monitor; a task that waits gets ErrClosed. Idempotent and
// sync-coloured.
func (m *CompletionMonitor) Close() {
	if m.closed {
		return
	}
	m.closed = true
	delete(m.power.monitors, m.key)
	m.lot.UnparkAll()
}
