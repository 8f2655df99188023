package loop

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// The error vocabulary. Every error that lion makes matches one of these with
// errors.Is, or one of the types below with errors.As.
var (
	// Cancelled matches every *CancelledError: the scope around the caller,
	// or one further out, has been cancelled and nothing happened. Hand it
	// up; the scope that was cancelled absorbs it. Only the loop makes such
	// errors.
	Cancelled error = sentinel("cancelled")

	// ErrTimeout is what FailAfter and FailAt return when their own time ran
	// out. It is a net.Error whose Timeout is true, and it matches
	// os.ErrDeadlineExceeded and context.DeadlineExceeded.
	ErrTimeout error = timeoutError{}

	// ErrBusy says that another task is using the object in this way now.
	ErrBusy error = sentinel("another task is using it")

	// ErrClosed says that the object was closed on this side, perhaps while
	// the caller was waiting on it.
	ErrClosed error = sentinel("closed")

	// ErrBroken says that something else broke the object: the peer, or the
	// end of the task that owned it.
	ErrBroken error = sentinel("broken")

	// ErrEnd is the orderly end of a queue or another sequence.
	ErrEnd error = sentinel("end")

	// ErrWouldBlock comes only from functions whose name ends in Nowait.
	ErrWouldBlock error = sentinel("would block")

	// ErrFull says that a bounded queue has no room.
	ErrFull error = sentinel("queue is full")

	// ErrLoopClosed says that the loop has ended, or no longer takes calls.
	ErrLoopClosed error = sentinel("loop has ended")

	// ErrWrongTask says that a function was given a task that is not the one
	// running: another task's handle, that of a task that has ended, or one
	// used from a foreign goroutine, which is noticed unless the task happens
	// to be on turn; the race detector sees that. Nothing happened.
	ErrWrongTask error = sentinel("not the running task of this loop")

	// ErrNotParked says that Unpark was called on a task that is not parked,
	// or has been woken already. Nothing happened.
	ErrNotParked error = sentinel("task is not parked")

	// ErrMisuse says that the call cannot mean anything: a scope entered
	// twice, a negative duration, a Run inside a task. Nothing happened.
	ErrMisuse error = sentinel("misuse")

	// ErrInterrupt is an interrupt from the keyboard or a request to
	// terminate, delivered to the main task at a checkpoint.
	ErrInterrupt error = sentinel("interrupted")

	// ErrInternal says that the loop itself broke: a system task or an entry
	// callback failed, the clock failed, or an invariant did not hold.
	ErrInternal error = sentinel("internal error")
)

// sentinel is the type of the plain error values.
type sentinel string

func (s sentinel) Error() string { return "loop: " + string(s) }

type timeoutError struct{}

func (timeoutError) Error() string   { return "loop: timeout" }
func (timeoutError) Timeout() bool   { return true }
func (timeoutError) Temporary() bool { return true }
func (timeoutError) Is(target error) bool {
	return target == os.ErrDeadlineExceeded || target == context.DeadlineExceeded
}

// Source tells what cancelled a scope.
type Source uint8

const (
	SourceExplicit  Source = iota // a call of Cancel
	SourceDeadline                // its deadline passed
	SourceNursery                 // a child or the body of the nursery failed
	SourceInterrupt               // the main task was interrupted
	SourceShutdown                // the loop is ending
	SourceStop                    // a call of Stop, or the end of its grace period
)

// String returns the source in a word.
func (s Source) String() string {
	return [...]string{"explicit", "deadline", "nursery", "interrupt", "shutdown", "stop"}[s]
}

// CancelledError is the error of a cancelled checkpoint. It matches Cancelled
// and carries the first reason for which the outermost visible cancelled
// scope was cancelled. All tasks under that scope share one value.
type CancelledError struct {
	source Source
	reason string
	by     string
}

// Source tells what kind of event cancelled the scope.
func (e *CancelledError) Source() Source { return e.source }

// Reason is the text given to Cancel, or made by the nursery.
func (e *CancelledError) Reason() string { return e.reason }

// By names the task that cancelled the scope, or is empty where no task did.
func (e *CancelledError) By() string { return e.by }

// Error describes the cancellation.
func (e *CancelledError) Error() string {
	var b strings.Builder
	b.WriteString("loop: cancelled (")
	b.WriteString(e.source.String())
	if e.reason != "" {
		b.WriteString(": " + e.reason)
	}
	if e.by != "" {
		b.WriteString(", by task " + e.by)
	}
	b.WriteString(")")
	return b.String()
}

// Is reports whether target is Cancelled.
func (e *CancelledError) Is(target error) bool { return target == Cancelled }

// PanicError is a panic, or a runtime.Goexit, of a task. The nursery of the
// task reports it after all siblings have ended.
type PanicError struct {
	Value  any    // what was given to panic; nil for Goexit
	Goexit bool   // the task called runtime.Goexit, perhaps through testing's FailNow
	Stack  []byte // the stack of the origin, as debug.Stack prints it
	Task   string // the name of the task, or of the part of the loop that is not in one
	part   bool   // it was not in a task
}

// Error describes the panic and prints the stack of its origin.
func (e *PanicError) Error() string {
	who := "task " + e.Task
	if e.part {
		who = e.Task
	}
	if e.Goexit {
		return fmt.Sprintf("loop: %s called runtime.Goexit\n%s", who, e.Stack)
	}
	return fmt.Sprintf("loop: %s panicked: %v\n%s", who, e.Value, e.Stack)
}

// Unwrap returns the panic value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Group is the error tree of a nursery: its own error and those of its
// children, each once, in the order in which they came. A group of one is
// still a group, and nested groups keep their nesting; errors.Is and errors.As
// look into all of them.
type Group struct {
	errs []error
}

// newGroup returns a group of errs, or nil if there are none.
func newGroup(errs []error) error {
	if len(errs) == 0 {
		return nil
	}
	return &Group{errs: errs}
}

// Unwrap returns the members.
func (g *Group) Unwrap() []error { return g.errs }

// Error lists the members, indented by depth.
func (g *Group) Error() string {
	var b strings.Builder
	g.write(&b, "\n")
	return b.String()
}

// title is the first line of the text.
func (g *Group) title() string {
	if len(g.errs) == 1 {
		return "1 error:"
	}
	return fmt.Sprintf("%d errors:", len(g.errs))
}

// write writes the text with lineEnd, which holds the indentation, before every
// further line. Groups in groups are not made into text first: nested by the
// thousand, that would take for ever.
func (g *Group) write(b *strings.Builder, lineEnd string) {
	b.WriteString(g.title())
	inner := lineEnd + "    "
	for _, err := range g.errs {
		b.WriteString(lineEnd + "  - ")
		if group, ok := err.(*Group); ok {
			group.write(b, inner)
			continue
		}
		b.WriteString(strings.ReplaceAll(err.Error(), "\n", inner))
	}
}

// internal wraps causes as a loud failure of the loop.
func internal(what string, cause error) error {
	if cause == nil {
		return fmt.Errorf("%w: %s", ErrInternal, what)
	}
	return fmt.Errorf("%w: %s: %w", ErrInternal, what, cause)
}

// misuse reports a call that cannot mean anything.
func misuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMisuse, fmt.Sprintf(format, args...))
}

// onlyInterrupts reports whether every leaf of err is ErrInterrupt. It follows a
// chain without recursion: nurseries ask at each level, in tasks whose stacks
// would grow.
func onlyInterrupts(err error) bool {
	for {
		switch e := err.(type) {
		case *PanicError:
			return false
		case interface{ Unwrap() error }:
			err = e.Unwrap()
			continue
		case interface{ Unwrap() []error }:
			all := e.Unwrap()
			if len(all) != 1 {
				return allInterrupts(all)
			}
			err = all[0]
			continue
		}
		return err == ErrInterrupt
	}
}

func allInterrupts(errs []error) bool {
	for _, err := range errs {
		if !onlyInterrupts(err) {
			return false
		}
	}
	return len(errs) > 0
}
