package loop

import (
	"fmt"

	"github.com/lion-go/lion/sys"
)

// Descriptors that lion did not make: their owners may close them without a
// word, and may have given copies away. So nothing is kept about them between
// waits; each wait registers anew, one-shot and level-triggered, and a wait is
// always real.

// WaitReadableFD suspends t until fd, any descriptor that the system can
// poll, is readable, in error or hung up; it may also return early. At most
// one task waits in each direction: ErrBusy. Before fd is closed, call
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

// settle drops what is not waited for: after an error at registration, say.
func (d *Descriptor) settle(err error) error {
	if !d.closed && d.reader == nil && d.writer == nil && d.priority == nil {
		d.Forget()
	}
	return err
}
