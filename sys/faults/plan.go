package faults

import (
	"sync"
	"sync/atomic"

	"github.com/lion-go/lion/sys/internal/seam"
)

// A plan is in force for the whole process, since calls of the kernel come from
// workers and ordinary goroutines as well as from loops. Calls are counted
// while it is in force; the one with the number Call is hit. So a body that is
// run with the numbers 1, 2, 3 and so on, until none is hit, meets a failure
// of each of its calls.

// A Kind is what happens to the call that is hit.
type Kind uint8

const (
	// None hits no call; the plan may still change how events come.
	None Kind = iota
	// Fail answers an error in place of the call. What closes a descriptor
	// closes it first, as kernels do.
	Fail
	// Cut has one transfer of bytes or messages move fewer than it could. Only
	// such transfers count as calls.
	Cut
	// CutAll does so with each of them.
	CutAll
	// Late calls After when the call has been made.
	Late
)

// Wakes is how events come.
type Wakes uint8

const (
	// Honest events are those of the kernel.
	Honest Wakes = iota
	// Spurious events come for every descriptor, once between any two waits
	// that are real ones.
	Spurious
	// Merged events are held back for one wait, which reports none, and come
	// together with those of the next.
	Merged
	// Single events come one at a time.
	Single
)

// A Plan says what goes wrong. Its methods may be called from everywhere.
type Plan struct {
	Kind  Kind                       // what happens
	Call  int                        // which call is hit, counted from 1
	Nth   int                        // Fail: which of its errors, from 0. Cut: how much it moves
	After func()                     // Late: called after the call, on its goroutine
	Wakes Wakes                      // how events come, in any case
	Spare func(function string) bool // calls that never fail, and do not count; nil: none

	mu     sync.Mutex
	calls  int
	report Report
	nudged map[seam.FD]bool // they get an event that has no other cause
}

// A Report is what a plan did.
type Report struct {
	Calls    int    // made while it was in force
	Hit      bool   // something went wrong
	Function string // the function whose turn it was, hit or not
	Err      error  // what it answered, if that was the plan's
}

// plan is the one in force.
var plan atomic.Pointer[Plan]

// Begin puts p in force until End. There can be one at a time; a second is
// refused (false).
func Begin(p *Plan) bool { return plan.CompareAndSwap(nil, p) }

// End ends p, if it is in force. It is idempotent.
func End(p *Plan) { plan.CompareAndSwap(p, nil) }

// Report returns what p has done so far.
func (p *Plan) Report() Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.report
}

// A Call is one call of a function of sys. It is for the generated code.
type Call struct {
	Err  error // to be answered in place of the call; nil: go on
	plan *Plan
	fds  [2]seam.FD
	late bool
}

// Enter says that a function is called, on up to two descriptors.
func Enter(function string, fds ...seam.FD) Call {
	p := plan.Load()
	if p == nil {
		return Call{}
	}
	c := Call{plan: p, fds: [2]seam.FD{-1, -1}}
	copy(c.fds[:], fds)
	p.mu.Lock()
	defer p.mu.Unlock()
	errs := table()[function]
	if p.Kind == Cut || p.Kind == CutAll || p.Kind == Fail && len(errs) == 0 ||
		p.Spare != nil && p.Spare(function) {
		return c
	}
	p.calls++
	p.report.Calls = p.calls
	if p.calls != p.Call || p.Kind == None {
		return c
	}
	p.report.Function = function
	switch {
	case p.Kind == Late:
		p.report.Hit, c.late = true, true
	case p.Nth < len(errs):
		c.Err = errs[p.Nth]
		p.report.Hit, p.report.Err = true, c.Err
		if c.Err == seam.WouldBlock {
			p.nudge(c.fds)
		}
	}
	return c
}

// nudge has an event reported for the descriptors: the kernel promises one
// after it has said that a call would have to wait.
func (p *Plan) nudge(fds [2]seam.FD) {
	if p.nudged == nil {
		p.nudged = map[seam.FD]bool{}
	}
	for _, fd := range fds {
		if fd >= 0 {
			p.nudged[fd] = true
		}
	}
}

// Cutting reports whether transfers may be cut, so that it is worth to ask what
// a descriptor is.
func (c Call) Cutting() bool {
	return c.plan != nil && (c.plan.Kind == Cut || c.plan.Kind == CutAll)
}

// Cut returns how much of n is to be moved. What is left stays where it is, and
// is announced by an event: as if it came later.
func (c Call) Cut(n int) int {
	if !c.Cutting() || n < 2 {
		return n
	}
	p := c.plan
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls++
	p.report.Calls = p.calls
	if p.Kind == Cut && p.calls != p.Call || p.Nth >= n {
		return n
	}
	p.report.Hit = true
	p.nudge(c.fds)
	return max(1, p.Nth)
}

// Leave says that the call has been made.
func (c Call) Leave() {
	if c.late {
		c.plan.After()
	}
}

// How returns how events come, for the poller.
func How() Wakes {
	if p := plan.Load(); p != nil {
		return p.Wakes
	}
	return Honest
}

// Nudged reports whether an event for the descriptor is due, and takes note that
// it is given.
func Nudged(fd seam.FD) bool {
	p := plan.Load()
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	due := p.nudged[fd]
	delete(p.nudged, fd)
	return due
}
