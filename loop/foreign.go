package loop

import (
	"errors"
	"fmt"

	"github.com/lion-go/lion/sys"
)

// Descriptors that lion did not make: their owners may close them without a
// word, and may have given copies away. So nothing is kept about them between
// waits; each wait registers anew, one-shot and level-triggered, and a wait is
// always real.
//
// A poller has one registration for a number. So a number that is waited for
// as a Descriptor, that of a socket for example, cannot be waited for by number
// as well, in whatever direction. If both are tried, the Descriptor has it: the
// other wait may be for an earlier bearer of the number, closed without a word.

// WaitReadableFD suspends t until fd, any descriptor that the system can
// poll, is readable, in error or hung up; it may also return early. At most
// one task waits in each direction: ErrBusy. That is the answer as well, now
// or during the wait, if fd is a socket or Descriptor of this loop and has been
// waited for as such: wait on that one instead. Before fd is closed, call
// NotifyClosing; if it is closed without that, the wait may end, fail or go on
// until it is cancelled. It is a checkpoint. A descriptor that cannot be
// polled, such as a regular file, answers the error of the system.
func WaitReadableFD(t *Task, fd sys.FD) error {
	d, err := t.loop.adopt(t, fd)
	if err != nil {
		return err
	}
	return d.settle(WaitReadable(t, d))
}

// WaitWritableFD is WaitReadableFD for the other direction, and a checkpoint.
func WaitWritableFD(t *Task, fd sys.FD) error {
	d, err := t.loop.adopt(t, fd)
	if err != nil {
		return err
	}
	return d.settle(WaitWritable(t, d))
}

// WaitPriorityFD is WaitReadableFD for exceptional conditions (POLLPRI): urgent
// data, and what files of /proc and /sys announce that way on Linux. It is a
// checkpoint.
func WaitPriorityFD(t *Task, fd sys.FD) error {
	d, err := t.loop.adopt(t, fd)
	if err != nil {
		return err
	}
	return d.settle(WaitPriority(t, d))
}

// NotifyClosing wakes every task of the loop that waits for fd with ErrClosed.
// Call it before closing a descriptor that is waited for by number.
// Sync-coloured; it must be called on the loop.
func (l *Loop) NotifyClosing(fd sys.FD) {
	if d := l.foreign[fd]; d != nil {
		d.Forget()
	}
}

func (l *Loop) adopt(t *Task, fd sys.FD) (*Descriptor, error) {
	if err := t.check(); err != nil {
		return nil, err
	}
	if fd < 0 {
		return nil, fmt.Errorf("waiting for descriptor %d: %w", fd, sys.EBADF)
	}
	d := l.foreign[fd]
	if d == nil {
		d = l.Register(fd)
		d.foreign = true
		l.foreign[fd] = d
	}
	return d, nil
}

// errOwned is for waits by number that a Descriptor of the same number rules
// out. It is made once, as errForgotten is.
var errOwned = fmt.Errorf(
	"the descriptor is registered; wait on its socket or Descriptor instead: %w", ErrBusy)

func (d *Descriptor) armForeign(want sys.Interest) error {
	err := d.armPoller(want | sys.Once)
	if errors.Is(err, sys.EEXIST) {
		return errOwned
	}
	return err
}

// evict ends the waits by number for fd, whose registration a Descriptor of
// that number has taken: nothing would wake them any more.
func (l *Loop) evict(fd sys.FD) {
	if d := l.foreign[fd]; d != nil {
		d.forget(errOwned, false)
	}
}

// settle drops what is not waited for: after an error at registration, say.
func (d *Descriptor) settle(err error) error {
	if !d.closed && d.deserted() {
		d.Forget()
	}
	return err
}
