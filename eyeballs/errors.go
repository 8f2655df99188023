package eyeballs

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// ErrNoAddresses says that there was nothing to connect to.
var ErrNoAddresses = errors.New("eyeballs: no addresses")

// ErrNoAnswer says that a lookup ended without an answer for a family.
var ErrNoAnswer = errors.New("no answer")

// ErrNoLocalAddress says that attempts were to be bound to local addresses, and
// that there is none for the family of an address.
var ErrNoLocalAddress = errors.New("no local address of this family was given")

// Error is the error of a race that nobody won. It names every attempt, in the
// order in which they started, and every lookup that failed; errors.Is and
// errors.As find each of them: the errno of an attempt, an *AttemptError.
type Error struct {
	Address string        // what was to be connected to
	Elapsed time.Duration // how long the race took
	Errs    []error       // *AttemptError and *LookupError; or ErrNoAddresses
	Late    bool          // the time of WithTimeout ended the race

	lookup error // of all lookups, the error that says most
}

// Error describes the race in one line.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "eyeballs: connect %s: ", e.Address)
	switch n := e.attempts(); {
	case e.Late:
		fmt.Fprintf(&b, "timeout after %v", round(e.Elapsed))
	case n == 0:
		fmt.Fprintf(&b, "no attempt in %v", round(e.Elapsed))
	case n == 1:
		fmt.Fprintf(&b, "the only attempt failed in %v", round(e.Elapsed))
	default:
		fmt.Fprintf(&b, "%d attempts failed in %v", n, round(e.Elapsed))
	}
	for i, err := range e.Errs {
		b.WriteString([...]string{": ", "; "}[min(i, 1)])
		b.WriteString(err.Error())
	}
	return b.String()
}

func (e *Error) attempts() (n int) {
	for _, err := range e.Errs {
		if _, ok := err.(*AttemptError); ok {
			n++
		}
	}
	return n
}

// Unwrap returns the errors of the attempts and lookups, and loop.ErrTimeout if
// time ran out.
func (e *Error) Unwrap() []error {
	if e.Late {
		return append(e.Errs[:len(e.Errs):len(e.Errs)], loop.ErrTimeout)
	}
	return e.Errs
}

// Timeout reports whether the time of WithTimeout ended the race. With
// Temporary it makes the error a net.Error.
func (e *Error) Timeout() bool { return e.Late }

// Temporary reports whether time ran out, or nothing could be tried since a
// lookup failed in a way that may pass.
func (e *Error) Temporary() bool {
	return e.Late || e.attempts() == 0 && isTemporary(e.lookup)
}

// NotFound reports whether the name does not exist: some lookup said so, and
// none said otherwise or failed in a way that may pass.
func (e *Error) NotFound() bool { return !e.Late && e.attempts() == 0 && isNotFound(e.lookup) }

// AttemptError is the error of one attempt.
type AttemptError struct {
	Attempt Attempt // as the trace has it
}

// Error tells the address, the reason and the time.
func (e *AttemptError) Error() string {
	a := &e.Attempt
	took := round(a.Took())
	switch {
	case a.Outcome == Failed && a.Stage == StageConnect:
		return fmt.Sprintf("%v %v after %v", a.Addr, reason(a.Err), took)
	case a.Outcome == Failed:
		return fmt.Sprintf("%v %v: %v after %v", a.Addr, a.Stage, reason(a.Err), took)
	case a.Outcome == Dropped:
		return fmt.Sprintf("%v no answer after %v, dropped", a.Addr, took)
	case a.Stage == StageHandshake:
		return fmt.Sprintf("%v still shaking hands after %v", a.Addr, took)
	}
	return fmt.Sprintf("%v still connecting after %v", a.Addr, took)
}

// reason is the text of an error without what the context says already: the
// errno of a socket's error.
func reason(err error) string {
	var op *socket.OpError
	if errors.As(err, &op) && op.Err != nil {
		return strings.TrimSuffix(op.Err.Error(), ".") // Windows speaks in sentences
	}
	return err.Error()
}

// Unwrap returns the reason, or loop.ErrTimeout if the attempt had not ended.
func (e *AttemptError) Unwrap() error {
	if e.Attempt.Err == nil {
		return loop.ErrTimeout
	}
	return e.Attempt.Err
}

// Timeout reports whether no answer came in time.
func (e *AttemptError) Timeout() bool {
	var late interface{ Timeout() bool }
	return errors.As(e.Unwrap(), &late) && late.Timeout()
}

// LookupError is the failure of a lookup of one family.
type LookupError struct {
	Type string // "A" or "AAAA"
	Err  error  // in the words of the resolver
}

// Error tells the type and the reason.
func (e *LookupError) Error() string { return e.Type + ": " + e.Err.Error() }

// Unwrap returns the reason.
func (e *LookupError) Unwrap() error { return e.Err }

// failure is the error of the race as it is now: late if time ran out.
func (e *engine) failure(address string, late bool) error {
	err := &Error{Address: address, Elapsed: e.now, Late: late, lookup: e.lookupError()}
	for i := range e.attempts {
		if a := &e.attempts[i]; a.Outcome != Lost {
			err.Errs = append(err.Errs, &AttemptError{Attempt: a.Attempt})
		}
	}
	for _, f := range []family{ipv6, ipv4} {
		switch l := &e.lookups[f]; {
		case l.state == lookupNegative:
			err.Errs = append(err.Errs, &LookupError{Type: f.String(), Err: l.err})
		case l.state == lookupPending:
			err.Errs = append(err.Errs, &LookupError{Type: f.String(), Err: ErrNoAnswer})
		}
	}
	if len(err.Errs) == 0 {
		err.Errs = []error{ErrNoAddresses}
	}
	return err
}

// round keeps times readable.
func round(d time.Duration) time.Duration {
	switch {
	case d < 10*time.Microsecond:
		return d
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
