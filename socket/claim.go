package socket

import (
	"errors"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// A Claim holds one direction of a connection, for a sequence of calls that
// nobody else may get in between: others get loop.ErrBusy. With it system calls
// that lion has no method for can be made on a connection; package sendfile is
// built on it. It has to be released.
type Claim struct {
	c    *Conn
	want sys.Interest
}

// ClaimReceive holds the receiving direction. Errors: loop.ErrBusy, ErrClosed,
// ErrWrongTask. Sync-coloured.
func (c *Conn) ClaimReceive(l *loop.Loop) (Claim, error) {
	if err := c.s.hold(l, &c.s.receiving); err != nil {
		return Claim{}, c.failed("recv", err)
	}
	return Claim{c, sys.Readable}, nil
}

// ClaimSend holds the sending direction; see ClaimReceive. Sync-coloured.
func (c *Conn) ClaimSend(l *loop.Loop) (Claim, error) {
	if c.s.sentEOF {
		return Claim{}, c.failed("send", loop.ErrClosed)
	}
	if err := c.s.hold(l, &c.s.sending); err != nil {
		return Claim{}, c.failed("send", err)
	}
	return Claim{c, sys.Writable}, nil
}

// Release gives the direction back. Sync-coloured.
func (k Claim) Release() {
	if k.want == sys.Readable {
		k.c.s.receiving = false
	} else {
		k.c.s.sending = false
	}
}

// Call makes a nonblocking call on the descriptor, which moves bytes in the
// direction of the claim, and waits and makes it again while it answers
// sys.WouldBlock. op is its name for errors. It is a checkpoint; after Cancelled
// the call has not been made, or has moved nothing.
func (k Claim) Call(
	t *loop.Task, op string, call func(fd sys.FD) (int, error),
) (int, error) {
	s := &k.c.s
	n, err := retry(t, s, k.want, func() (int, error) { return call(s.d.FD()) })
	if n > 0 && k.want == sys.Readable {
		s.received += uint64(n)
	} else if n > 0 {
		s.sent += uint64(n)
	}
	if err != nil {
		return n, k.c.failed(op, err)
	}
	return n, nil
}

// Lend is Call for what does not wait by the loop: use may have a worker block on
// the descriptor, or the system carry out an operation of its own. When it returns
// nobody may have the descriptor any more; the bytes that it moved count also with an
// error. If the connection is closed meanwhile, interrupt is called, on the loop: it
// should have use return soon. The descriptor is closed only then, so that its number
// does not become another's.
//
// It is a checkpoint. Errors: loop.ErrClosed, also if use fails after a close;
// loop.ErrBusy if the descriptor is lent already; loop.ErrMisuse without a function;
// those of use.
func (k Claim) Lend(
	t *loop.Task, op string, interrupt func(), use func(fd sys.FD) (int, error),
) (int, error) {
	s := &k.c.s
	err := loop.CheckpointIfCancelled(t)
	switch {
	case err != nil:
	case interrupt == nil || use == nil:
		err = misuse("lending without a function")
	case s.closed:
		err = loop.ErrClosed
	case s.lent != nil:
		err = loop.ErrBusy
	}
	if err != nil {
		return 0, k.c.failed(op, err)
	}
	n, err := s.lend(interrupt, use)
	if k.want == sys.Readable {
		s.received += uint64(n)
	} else {
		s.sent += uint64(n)
	}
	switch {
	case err == nil:
		return n, loop.ShieldedCheckpoint(t)
	case s.closed && !errors.Is(err, loop.Cancelled) && !errors.Is(err, loop.ErrInterrupt):
		err = loop.ErrClosed
	}
	return n, k.c.failed(op, err)
}

func (s *Socket) lend(interrupt func(), use func(fd sys.FD) (int, error)) (int, error) {
	s.lent = interrupt
	defer func() {
		s.lent = nil
		if s.closed {
			_ = s.closeNow() // Close has answered already
		}
	}()
	return use(s.d.FD())
}

// Receive is Conn.Receive under the claim. It is a checkpoint.
func (k Claim) Receive(t *loop.Task, b []byte) (int, error) {
	if len(b) == 0 {
		return 0, misuse("receiving into an empty buffer")
	}
	n, err := retry(t, &k.c.s, sys.Readable, func() (int, error) { return k.c.s.tryRecv(b, 0) })
	if err != nil {
		return n, k.c.failed("recv", err)
	}
	return n, nil
}

// ReceiveLent is Receive into a buffer that is borrowed: lend is called when there
// may be something to receive, and giveBack, before anything else happens, if there
// is nothing, or an error. So who waits holds no buffer. It is a checkpoint.
func (k Claim) ReceiveLent(t *loop.Task, lend func() []byte, giveBack func()) (int, error) {
	n, err := retry(t, &k.c.s, sys.Readable, func() (int, error) {
		n, err := k.c.s.tryRecv(lend(), 0)
		if err != nil {
			giveBack()
		}
		return n, err
	})
	if err != nil {
		return n, k.c.failed("recv", err)
	}
	return n, nil
}

// Send sends some of b under the claim, with flags such as sys.MSG_MORE, and
// returns how much went. It is a checkpoint.
func (k Claim) Send(t *loop.Task, b []byte, flags int) (int, error) {
	n, err := retry(t, &k.c.s, sys.Writable, func() (int, error) { return k.c.s.trySend(b, flags) })
	if err != nil {
		return n, k.c.failed("send", err)
	}
	return n, nil
}
