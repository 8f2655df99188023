package loop

import (
	"fmt"
	"time"
)

// A graceful end has two steps. Stop tells what runs inside a scope that it
// should come to an end, and cancels it when the grace period is over. What
// may end at once, such as a wait for the next request, says so by UntilStop;
// what is under way goes on, and may look at Task.Stopping.
//
//	for {
//		var job Job
//		err := loop.UntilStop(t, func(*loop.Scope) (err error) {
//			job, err = next(t) // ends at once when the scope is told to stop
//			return err
//		})
//		if err != nil || t.Stopping() {
//			return err
//		}
//		if err := work(t, job); err != nil { // has the grace period to end
//			return err
//		}
//	}

// stopRequest is what Stop has asked of a scope.
type stopRequest struct {
	reason string
	by     string
	at     int64 // when the grace is over
}

func (r *stopRequest) cancelled(what string) *CancelledError {
	return &CancelledError{source: SourceStop, reason: what + r.reason, by: r.by}
}

// Stop asks what runs inside the scope to come to an end: regions of UntilStop
// inside are cancelled at once, Task.Stopping becomes true, and when grace has
// passed on the loop's clock the whole scope is cancelled, with SourceStop.
// Shields inside hide all that. It is sync-coloured and sticky; a second Stop
// may only shorten the grace, and the first reason stays. Before entry the
// grace counts from the call; after exit only StopCalled changes. A negative
// grace is refused with ErrMisuse. From outside the loop see Cancel.
func (s *Scope) Stop(grace time.Duration, reason string) error {
	switch {
	case grace < 0:
		return misuse("a negative grace %v", grace)
	case s.foreign():
		return fmt.Errorf("stopping a scope from outside its loop: %w", ErrWrongTask)
	}
	s.notePassedDeadline()
	if s.stop() == nil {
		r := &stopRequest{reason: reason, at: never}
		if s.loop.current != nil {
			r.by = s.loop.current.Name()
		}
		s.rarely().stop = r
	}
	r := s.stop()
	r.at = min(r.at, s.loop.after(grace))
	if s.state == scopeActive {
		s.armTimer()
		s.tellBelow()
	}
	return nil
}

// stop is what was asked of this scope, or nil.
func (s *Scope) stop() *stopRequest {
	if s.rare == nil {
		return nil
	}
	return s.rare.stop
}

// StopCalled reports whether Stop has been called on this scope.
func (s *Scope) StopCalled() bool { return s.stop() != nil }

// Stopping reports whether a scope around the task, up to the nearest shield,
// has been told to stop: then the task should begin nothing new.
func (t *Task) Stopping() bool { return t.scope != nil && t.scope.told() != nil }

// UntilStop runs fn in a scope that is cancelled as soon as a scope around it
// is told to stop, or at its entry if one has been: for waits that may be given
// up at any time. The scope absorbs what that causes, and its CancelledCaught,
// or Task.Stopping, tells. It suspends only where fn does.
func UntilStop(t *Task, fn func(*Scope) error, opts ...ScopeOption) error {
	s, err := newScopeFor(t, opts)
	if err != nil {
		return err
	}
	s.untilStop = true
	return Enter(t, s, fn)
}

// told returns what the nearest scope from s outwards was asked, as far as
// shields let see, or nil.
func (s *Scope) told() *stopRequest {
	for ; s != nil; s = s.parent {
		if r := s.stop(); r != nil {
			return r
		}
		if s.shield {
			break
		}
	}
	return nil
}

// tellBelow cancels the regions of UntilStop in s and below, if what s sees was
// told to stop.
func (s *Scope) tellBelow() {
	told := s.told()
	if told == nil {
		return
	}
	var ending []*Scope
	for inner, open := s, true; inner != nil; inner = inner.after(s, open) {
		if open = inner == s || !inner.shield; !open {
			continue
		}
		if inner.untilStop && inner.own == nil {
			ending = append(ending, inner)
		}
	}
	cause := told.cancelled("")
	// Abort functions are foreign code and may leave the tree changed.
	for _, inner := range ending {
		if inner.state == scopeActive && inner.own == nil {
			inner.cancelWith(cause)
		}
	}
}

// due returns when the scope will be cancelled by the clock, if it will: at
// its deadline, or when the grace after a Stop is over.
func (s *Scope) due() (at int64, ok bool) {
	if s.limit != unlimited {
		at, ok = s.when, true
	}
	if r := s.stop(); r != nil && (!ok || r.at < at) {
		at, ok = r.at, true
	}
	return at, ok
}

// overdue is the cancellation of a scope whose time has come.
func (s *Scope) overdue() *CancelledError {
	if r := s.stop(); r != nil && (s.limit == unlimited || r.at < s.when) {
		return r.cancelled("the grace period is over: ")
	}
	return &CancelledError{source: SourceDeadline}
}
