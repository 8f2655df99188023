package socket

import (
	"errors"
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// ErrSelfConnect says that a TCP socket was connected to itself: a connect to
// a local port in the ephemeral range, on which nobody listens, can be given
// that very port as its own, and the two ends meet (RFC 9293, simultaneous
// open). The socket has been closed.
var ErrSelfConnect = errors.New("socket: connected to itself")

// OpError is the error of an operation on a socket. With errors.Is it matches
// the errno of the system; loop.ErrClosed if the socket had been closed on
// this side; and loop.ErrBroken if something else broke a connection.
type OpError struct {
	Op   string // the system call that failed, in the words of its man page
	Addr Addr   // of the peer, or the one that was to be bound; may be invalid
	Err  error  // an errno, as a rule

	kind error   // ErrClosed, ErrBroken or nil
	from *Socket // whose receive or send it was, for KindOf; nil for the rest
}

// Error tells the operation, the address and the reason.
func (e *OpError) Error() string {
	if e.Addr.IsValid() {
		return fmt.Sprintf("socket: %s %v: %v", e.Op, e.Addr, e.Err)
	}
	return fmt.Sprintf("socket: %s: %v", e.Op, e.Err)
}

// Unwrap returns the reason.
func (e *OpError) Unwrap() error { return e.Err }

// Is reports whether target is the kind of the error.
func (e *OpError) Is(target error) bool { return e.kind != nil && target == e.kind }

// Timeout reports whether the system gave up after a time, ETIMEDOUT, or a
// deadline of a stdnet.TaskConn passed, as net.Error has it.
func (e *OpError) Timeout() bool {
	return errors.Is(e.Err, sys.ETIMEDOUT) || errors.Is(e.Err, loop.ErrTimeout)
}

// Temporary reports whether descriptors or memory had run out. It completes
// net.Error.
func (e *OpError) Temporary() bool { return sys.Exhausted(e.Err) }

// opError wraps err once. What comes from the loop and not from the socket
// passes as it is: a cancellation, an interrupt, a wrong task.
func opError(op string, addr Addr, err error) error {
	if err == nil || err == loop.ErrWouldBlock {
		return err // without the allocation that errors.As takes
	}
	var wrapped *OpError
	switch {
	case errors.As(err, &wrapped),
		errors.Is(err, loop.Cancelled), errors.Is(err, loop.ErrInterrupt),
		errors.Is(err, loop.ErrWrongTask), errors.Is(err, loop.ErrInternal):
		return err
	case errors.Is(err, loop.ErrClosed):
		return &OpError{Op: op, Addr: addr, Err: loop.ErrClosed}
	case errors.Is(err, sys.EBADF), errors.Is(err, sys.ENOTSOCK):
		return &OpError{Op: op, Addr: addr, Err: err, kind: loop.ErrClosed}
	}
	return &OpError{Op: op, Addr: addr, Err: err}
}

// dataError is opError for receives and sends: an error of the system on a
// connection breaks it, unless it is about the arguments.
func (s *Socket) dataError(op string, addr Addr, err error) error {
	err = opError(op, addr, err)
	e, ok := err.(*OpError)
	if ok && e.from == nil {
		e.from = s
	}
	if !ok || e.kind != nil || s.typ != sys.SOCK_STREAM && s.typ != sys.SOCK_SEQPACKET {
		return err
	}
	errno, ok := e.Err.(sys.Errno)
	if ok && errno != sys.EINVAL && errno != sys.EFAULT && errno != sys.EOPNOTSUPP &&
		errno != sys.EMSGSIZE {
		e.kind = loop.ErrBroken
	}
	return err
}

// misuse reports a call that cannot mean anything.
func misuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", loop.ErrMisuse, fmt.Sprintf(format, args...))
}

// String names the kind in a word.
func (k ErrorKind) String() string {
	names := [errorKinds]string{"other", "broken", "timeout", "cancelled", "closed", "panic"}
	if k < errorKinds {
		return names[k]
	}
	return fmt.Sprintf("ErrorKind(%d)", uint8(k))
}
