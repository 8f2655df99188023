package loop

import (
	"fmt"
	"time"
)

// A Scope is a region of a task's execution, and of the tasks spawned in
// nurseries inside it, that can be cancelled as a whole: by Cancel, or by its
// deadline. Cancellation is a level, not an edge: once a scope is cancelled,
// every checkpoint inside answers Cancelled, until the region has been left.
//
// A scope may be made, cancelled, shielded and handed around before it is
// entered; it is entered once. All its methods are sync-coloured. A scope that
// has been entered belongs to its loop: from elsewhere, use Loop.CallSoon.
type Scope struct {
	loop    *Loop
	parent  *Scope
	first   *Scope // children
	next    *Scope // siblings
	prev    *Scope
	task    *Task    // who entered it
	nursery *Nursery // whose scope it is; its children are inside too

	own   *CancelledError // why this scope was cancelled; nil if it was not
	cause *CancelledError // the visible cancellation: an outer one's, or own

	timer  *timer // nil while there has been no use for one
	when   int64  // the deadline on the loop's clock; before entry perhaps a timeout
	rare   *scopeRare
	state  scopeState
	limit  limitKind
	shield bool
	caught bool

	untilStop bool // it is cancelled when a scope around it is told to stop
}

// timedScope is a scope that is made with a deadline. Others do without the room
// for a timer, a quarter of their size.
//
//lion:opt timed-scope
type timedScope struct {
	Scope
	alarm timer
}

// newTimedScope makes a scope that will have a deadline.
func newTimedScope(l *Loop) *Scope {
	s := &timedScope{}
	s.loop, s.timer = l, &s.alarm
	return &s.Scope
}

// scopeRare is what few scopes have, apart to keep the others small.
type scopeRare struct {
	context *scopeContext
	stop    *stopRequest
}

func (s *Scope) rarely() *scopeRare {
	if s.rare == nil {
		s.rare = &scopeRare{}
	}
	return s.rare
}

// context is the context bound to the scope, or nil.
func (s *Scope) context() *scopeContext {
	if s.rare == nil {
		return nil
	}
	return s.rare.context
}

type scopeState uint8

const (
	scopeUnentered scopeState = iota
	scopeActive
	scopeExited
)

type limitKind uint8

const (
	unlimited limitKind = iota
	absoluteLimit
	relativeLimit
)

// ScopeOption sets up a scope.
type ScopeOption func(*Scope) error

// WithDeadline gives the scope an absolute deadline on the loop's clock. A
// deadline in the past takes effect at the first checkpoint.
func WithDeadline(when time.Time) ScopeOption {
	return func(s *Scope) error { return s.setBefore(absoluteLimit, s.loop.clockTime(when)) }
}

// WithTimeout gives the scope a deadline that counts from its entry. A
// negative d is refused with ErrMisuse.
func WithTimeout(d time.Duration) ScopeOption {
	return func(s *Scope) error { return s.setBefore(relativeLimit, int64(d)) }
}

// WithShield hides outer cancellation from the inside of the scope. Its own
// Cancel and deadline still work, and so does an interrupt.
func WithShield() ScopeOption {
	return func(s *Scope) error { s.shield = true; return nil }
}

// NewScope makes a scope of loop l for Enter. A nil loop and contradicting
// options are refused with ErrMisuse.
func NewScope(l *Loop, opts ...ScopeOption) (*Scope, error) {
	if l == nil {
		return nil, misuse("a scope without a loop")
	}
	if len(opts) == 0 {
		return &Scope{loop: l}, nil
	}
	s := newTimedScope(l) // deadlines are the usual option
	if err := apply(s, opts); err != nil {
		return nil, err
	}
	return s, nil
}

// apply has options set up what they are for.
func apply[T any, O ~func(*T) error](to *T, opts []O) error {
	for _, opt := range opts {
		if opt == nil {
			return errNilOption
		}
		if err := opt(to); err != nil {
			return err
		}
	}
	return nil
}

var errNilOption = misuse("a nil option")

func (s *Scope) setBefore(kind limitKind, when int64) error {
	if s.limit != unlimited && s.limit != kind {
		return misuse("a scope has either a deadline or a timeout")
	}
	if kind == relativeLimit && when < 0 {
		return misuse("negative timeout %v", time.Duration(when))
	}
	s.limit, s.when = kind, when
	return nil
}

// Cancel cancels the scope. It is sync-coloured, idempotent and sticky; the
// first reason stays. Every task below that sleeps at a checkpoint and is not
// shielded wakes with Cancelled. Before entry the scope is marked; after exit
// only CancelCalled changes.
//
// Cancel belongs to the loop of the scope. It returns ErrWrongTask, and does
// nothing, when called on an entered scope from a goroutine that runs no loop,
// or while that loop sleeps; use Loop.CallSoon there.
func (s *Scope) Cancel(reason string) error {
	if s.foreign() {
		return fmt.Errorf("cancelling a scope from outside its loop: %w", ErrWrongTask)
	}
	s.cancel(SourceExplicit, reason)
	return nil
}

// foreign reports whether the scope is active and the caller outside its loop. An
// iterator that is pulled is taken for one of the task that has its turn.
func (s *Scope) foreign() bool {
	if s.state != scopeActive {
		return false
	}
	if s.loop.sleeping.Load() {
		return true
	}
	caller := callerIs()
	return caller == outside || caller == onCoroutine && s.loop.current == nil
}

func (s *Scope) cancel(source Source, reason string) {
	s.notePassedDeadline()
	if s.own != nil {
		return
	}
	e := &CancelledError{source: source, reason: reason}
	if s.loop.current != nil && source != SourceDeadline {
		e.by = s.loop.current.Name()
	}
	s.cancelWith(e)
}

func (s *Scope) cancelWith(e *CancelledError) {
	s.own = e
	if s.state == scopeActive {
		s.timer.stop(s.loop)
		s.loop.propagate(s)
	}
}

// notePassedDeadline makes a deadline that has passed count, even if nobody
// has come to a checkpoint since.
func (s *Scope) notePassedDeadline() {
	switch {
	case s.own != nil:
	case s.state == scopeActive:
		if s.timer.armed() && s.loop.readClock() >= s.timer.when {
			s.expire()
		}
	case s.state == scopeUnentered && s.limit == absoluteLimit:
		if s.when <= s.loop.readClock() {
			s.expire()
		}
	}
}

func (s *Scope) expire() {
	if s.own == nil {
		s.cancelWith(s.overdue())
	}
}

// CancelCalled reports whether the scope was cancelled or its deadline has
// passed; once true it stays true.
func (s *Scope) CancelCalled() bool {
	s.notePassedDeadline()
	return s.own != nil
}

// CancelledCaught reports whether the scope has absorbed a Cancelled.
func (s *Scope) CancelledCaught() bool { return s.caught }

// Shielded reports whether outer cancellation is hidden.
func (s *Scope) Shielded() bool { return s.shield }

// SetShield hides outer cancellation from the inside of the scope, or shows
// it. Showing it wakes the sleepers inside at once if an outer scope has been
// cancelled.
func (s *Scope) SetShield(on bool) {
	if s.shield == on {
		return
	}
	s.shield = on
	if s.state == scopeActive {
		s.loop.propagate(s)
		s.tellBelow()
	}
}

// Deadline returns the absolute deadline, and whether there is one. A timeout
// becomes a deadline when the scope is entered; until then it is refused with
// ErrMisuse.
func (s *Scope) Deadline() (when time.Time, ok bool, err error) {
	switch {
	case s.limit == unlimited:
		return time.Time{}, false, nil
	case s.limit == relativeLimit && s.state == scopeUnentered:
		return time.Time{}, false, misuse("a timeout has no deadline before the scope is entered")
	}
	return s.loop.timeAt(s.when), true, nil
}

// Timeout returns the time from now to the deadline or, before entry, the time
// that it will be given, and whether there is one. Before entry an absolute
// deadline is refused with ErrMisuse.
func (s *Scope) Timeout() (d time.Duration, ok bool, err error) {
	switch {
	case s.limit == unlimited:
		return 0, false, nil
	case s.state == scopeUnentered && s.limit == absoluteLimit:
		return 0, false, misuse("a deadline has no timeout before the scope is entered")
	case s.state == scopeUnentered:
		return time.Duration(s.when), true, nil
	}
	return time.Duration(s.when - s.loop.cachedNow), true, nil
}

// SetDeadline moves the deadline. A scope whose deadline has passed stays
// cancelled; a deadline in the past takes effect at the next checkpoint.
// Before entry it is refused with ErrMisuse on a scope that has a timeout.
func (s *Scope) SetDeadline(when time.Time) error {
	if s.state == scopeUnentered {
		s.notePassedDeadline()
		return s.setBefore(absoluteLimit, s.loop.clockTime(when))
	}
	s.loop.readClock()
	s.move(s.loop.clockTime(when))
	return nil
}

// move moves the deadline of a scope that has been entered; the clock has just
// been read.
func (s *Scope) move(when int64) {
	if s.timer.armed() && s.timer.when <= s.loop.cachedNow {
		s.expire()
	}
	s.limit, s.when = absoluteLimit, when
	s.armTimer()
}

// SetTimeout moves the deadline to d from now or, before entry, from entry on.
// A negative d is refused with ErrMisuse, and so is a timeout before entry on
// a scope that has a deadline.
func (s *Scope) SetTimeout(d time.Duration) error {
	switch {
	case d < 0:
		return misuse("negative timeout %v", d)
	case s.state == scopeUnentered:
		return s.setBefore(relativeLimit, int64(d))
	}
	s.move(s.loop.after(d))
	return nil
}

// ClearDeadline removes the deadline or timeout. A scope whose deadline has
// passed stays cancelled.
func (s *Scope) ClearDeadline() {
	s.notePassedDeadline()
	s.limit = unlimited
	s.armTimer()
}

// armTimer starts the timer, or cancels the scope if its time has come. The
// clock has just been read.
func (s *Scope) armTimer() {
	if s.state != scopeActive {
		return
	}
	s.timer.stop(s.loop)
	if at, limited := s.due(); limited && s.own == nil {
		if s.timer == nil {
			s.timer = new(timer)
		}
		s.timer.scope = s
		s.timer.start(s.loop, at)
		if s.timer.when <= s.loop.cachedNow {
			s.expire()
		}
	}
}

// String names the state of the scope and its deadline.
func (s *Scope) String() string {
	state := [...]string{"unentered", "active", "exited"}[s.state]
	if s.own != nil {
		state += ", " + s.own.source.String() + " cancel"
	}
	switch {
	case s.limit == unlimited:
	case s.limit == relativeLimit && s.state == scopeUnentered:
		state += fmt.Sprintf(", timeout %v", time.Duration(s.when))
	default:
		if d := time.Duration(s.when - s.loop.cachedNow); d >= 0 {
			state += fmt.Sprintf(", deadline in %v", d)
		} else {
			state += fmt.Sprintf(", deadline %v ago", -d)
		}
	}
	return "scope(" + state + ")"
}
