package socket

import (
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
