package loop

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// SnapshotTasksMax bounds the tasks that a snapshot lists: taking it holds the
// loop for about 0.3 us a task. What is beyond is counted.
const SnapshotTasksMax = 100_000

// SnapshotPatience is how long Snapshots waits for a loop to answer unless
// told otherwise: longer than any turn that is worth the name.
const SnapshotPatience = time.Second

// A Snapshot is a picture of a loop at one moment: plain values that may be
// kept, compared, printed (Dump) and written as JSON with encoding/json.
type Snapshot struct {
	Loop       uint64     `json:"loop"`            // Loop.ID
	Taken      time.Time  `json:"taken"`           // real time
	Ended      bool       `json:"ended,omitempty"` // the loop has ended: there is nothing to see
	Held       *Holding   `json:"held,omitempty"`  // the loop did not answer, and why
	Statistics Statistics `json:"statistics"`      // of the moment, or of the last poll

	Tasks     []TaskSnapshot    `json:"tasks"`               // parents before children
	Omitted   int               `json:"omitted,omitempty"`   // tasks beyond SnapshotTasksMax
	Nurseries []NurserySnapshot `json:"nurseries,omitempty"` // numbered from 1

	// Cycles are chains of tasks that wait for each other and so for ever:
	// each for what the next one holds, and the last for the first. Only waits
	// that name their holder (Holder) are known, and nurseries.
	Cycles [][]uint64 `json:"cycles,omitempty"`
}

// A TaskSnapshot describes a task. Of a loop that does not answer only what
// its stack tells is known: Function, State and Stack.
type TaskSnapshot struct {
	ID       uint64 `json:"id,omitempty"`      // Task.ID
	Parent   uint64 `json:"parent,omitempty"`  // the task that owns the nursery
	Nursery  int    `json:"nursery,omitempty"` // NurserySnapshot.ID
	Depth    int    `json:"depth"`             // tasks above it
	Name     string `json:"name"`              // Task.Name
	Function string `json:"function"`          // what it runs, whatever its name

	State  string        `json:"state"`            // new, runnable, running, waiting; or what the runtime says
	Label  string        `json:"label,omitempty"`  // what it waits for
	Detail string        `json:"detail,omitempty"` // and which
	Holder uint64        `json:"holder,omitempty"` // the task that holds what it waits for
	Age    time.Duration `json:"age_ns"`           // since its first turn
	Since  time.Duration `json:"since_ns"`         // since its wait or its turn began

	Cancelled string `json:"cancelled,omitempty"` // the cancellation that it sees
	Refusals  int    `json:"refusals,omitempty"`  // how often it was told so, 65535 at most

	Scopes []ScopeSnapshot `json:"scopes,omitempty"` // its own, outermost first
	Stack  string          `json:"stack,omitempty"`  // functions and places, innermost first

	coroutine string // the address, under which its stack is found
}

// A NurserySnapshot describes a nursery.
type NurserySnapshot struct {
	ID       int           `json:"id"`               // within the snapshot
	Owner    uint64        `json:"owner,omitempty"`  // 0: the root of the loop
	Name     string        `json:"name,omitempty"`   // given by WithName
	Children int           `json:"children"`         // living
	Spawned  uint64        `json:"spawned"`          // so far
	Errors   int           `json:"errors,omitempty"` // collected so far
	Scope    ScopeSnapshot `json:"scope"`            // its own scope
}

// A ScopeSnapshot describes a scope. Scopes without a deadline, a shield and a
// cancellation are left out.
type ScopeSnapshot struct {
	HasDeadline bool          `json:"has_deadline,omitempty"` // there is one
	Deadline    time.Duration `json:"deadline_ns,omitempty"`  // from now; negative: passed
	Shielded    bool          `json:"shielded,omitempty"`     // hides outer cancellation
	Cancelled   string        `json:"cancelled,omitempty"`    // why, if it was cancelled
}

// A Holding says what keeps a loop from answering.
type Holding struct {
	Waited time.Duration `json:"waited_ns"` // how long the loop was asked
	Task   string        `json:"task"`      // the function of the task; "" if it is a callback
	State  string        `json:"state"`     // what its goroutine does: running, sync.Mutex.Lock
	Hint   string        `json:"hint"`      // what that means
	Stack  string        `json:"stack"`     // of who holds it, innermost first
}

// Holder is implemented by an Aborter that knows which task holds
// what is being waited for, so that a dump can name it and find cycles. Like
// WaitDetail it is called only when a dump asks, on the loop; nil means that
// nobody is known.
type Holder interface {
	WaitHolder() *Task
}

// loopNumbers counts the loops of the process.
var loopNumbers atomic.Uint64

// ID returns a number that no other loop of the process has or had.
func (l *Loop) ID() uint64 { return l.number }

// Snapshot returns a picture of the loop, without stacks. It must be called on
// the loop; from elsewhere use Snapshots. Sync-coloured.
func (l *Loop) Snapshot() *Snapshot {
	l.readClock()
	p := photographer{l: l, s: &Snapshot{Loop: l.number, Taken: time.Now(), Statistics: l.statistics()}}
	for _, n := range l.root.Nurseries() {
		p.nursery(n, 0)
	}
	p.s.Cycles = cycles(p.s.Tasks)
	return p.s
}

// photographer walks over the tree of tasks.
type photographer struct {
	l *Loop
	s *Snapshot
}

func (p *photographer) nursery(n *Nursery, depth int) {
	id := len(p.s.Nurseries) + 1
	p.s.Nurseries = append(p.s.Nurseries, NurserySnapshot{
		ID: id, Owner: n.Owner().id, Name: n.Name(),
		Children: int(n.count), Spawned: n.spawned, Errors: len(n.errors()), Scope: n.scope.snapshot(),
	})
	children := n.Children()
	slices.Reverse(children)
	for _, t := range children {
		if len(p.s.Tasks) >= SnapshotTasksMax {
			p.s.Omitted = p.l.living - len(p.s.Tasks)
			return
		}
		p.s.Tasks = append(p.s.Tasks, p.l.describe(t, id, depth))
		for _, inner := range t.Nurseries() {
			p.nursery(inner, depth+1)
		}
	}
}

func (l *Loop) describe(t *Task, nursery, depth int) TaskSnapshot {
	s := TaskSnapshot{
		ID: t.id, Parent: t.Parent().id, Nursery: nursery, Depth: depth,
		Name: t.Name(), Function: functionName(t.pc),
		Label: t.Waiting(), Refusals: int(t.refusals), State: "new",
	}
	if c := t.co; c != nil {
		s.coroutine = fmt.Sprintf("%p", c)
		s.State, s.Age = "runnable", time.Duration(l.cachedNow-c.began)
		switch {
		case t.parked:
			s.State, s.Since = "waiting", time.Duration(l.cachedNow-c.wait.since)
		case l.current == t:
			s.State, s.Since = "running", time.Duration(l.cachedNow-l.turnStart)
		}
		s.Detail, s.Holder = waitDetail(c.wait.aborter)
	}
	if cause := t.pending(); cause != nil {
		s.Cancelled = cause.Error()
	}
	s.Scopes = t.ownScopes()
	return s
}

// waitDetail asks a wait for its description. The code is foreign.
func waitDetail(a Aborter) (detail string, holder uint64) {
	err := guarded("description of a wait", func() {
		if d, ok := a.(Detailer); ok {
			detail = d.WaitDetail()
		}
		if h, ok := a.(Holder); ok {
			holder = taskID(h.WaitHolder())
		}
	})
	if err != nil {
		detail = "its description failed: " + firstLine(err)
	}
	return detail, holder
}

func taskID(t *Task) uint64 {
	if t == nil {
		return 0
	}
	return t.id
}

// ownScopes describes the scopes that the task has entered since it began,
// save those of its nurseries, which are described with them.
func (t *Task) ownScopes() (all []ScopeSnapshot) {
	for s := t.scope; s != nil && s != &t.nursery.scope; s = s.parent {
		if described := s.snapshot(); s.nursery == nil && described != (ScopeSnapshot{}) {
			all = append(all, described)
		}
	}
	slices.Reverse(all)
	return all
}

func (s *Scope) snapshot() ScopeSnapshot {
	described := ScopeSnapshot{Shielded: s.shield, HasDeadline: s.limit != unlimited}
	if described.HasDeadline {
		described.Deadline = time.Duration(s.when - s.loop.cachedNow)
	}
	if s.own != nil {
		described.Cancelled = s.own.Error()
	}
	return described
}

// cycles finds tasks that wait for each other: for what another holds, or, in
// a nursery, for the end of a child.
func cycles(tasks []TaskSnapshot) (found [][]uint64) {
	next := map[uint64][]uint64{}
	held := false
	for i := range tasks {
		t := &tasks[i]
		if t.Holder != 0 && t.State == "waiting" {
			next[t.ID] = append(next[t.ID], t.Holder)
			held = true
		}
	}
	if !held {
		return nil
	}
	for i := range tasks {
		if owner := tasks[i].Parent; owner != 0 {
			next[owner] = append(next[owner], tasks[i].ID)
		}
	}
	onlyWaiting(tasks, next)
	search := cycleSearch{next: next, state: map[uint64]int{}}
	for i := range tasks {
		search.visit(tasks[i].ID)
	}
	return search.found
}

// onlyWaiting drops the children of owners that do something else than wait
// for them.
func onlyWaiting(tasks []TaskSnapshot, next map[uint64][]uint64) {
	for i := range tasks {
		if t := &tasks[i]; t.Label != nurseryLabel && t.Holder == 0 {
			delete(next, t.ID)
		} else if t.Label != nurseryLabel {
			next[t.ID] = []uint64{t.Holder}
		}
	}
}

// cycleSearch is a search in depth. Each task is visited once.
type cycleSearch struct {
	next  map[uint64][]uint64
	state map[uint64]int // 1: on the path, 2: done
	path  []uint64
	found [][]uint64
}

func (c *cycleSearch) visit(id uint64) {
	switch c.state[id] {
	case 1:
		c.found = append(c.found, slices.Clone(c.path[slices.Index(c.path, id):]))
		return
	case 2:
		return
	}
	c.state[id] = 1
	c.path = append(c.path, id)
	for _, n := range c.next[id] {
		c.visit(n)
	}
	c.path = c.path[:len(c.path)-1]
	c.state[id] = 2
}

// snapshotRequests are the goroutines that wait for a picture. One call into
// the loop answers them all.
type snapshotRequests struct {
	mu      sync.Mutex
	waiting []chan *Snapshot
	waker   *Waker // made at the first request
}

// ask asks the loop for a picture of itself. A request that is accepted is
// answered, at the latest when the loop ends.
func (l *Loop) ask() (<-chan *Snapshot, error) {
	answer := make(chan *Snapshot, 1)
	l.asked.mu.Lock()
	l.asked.waiting = append(l.asked.waiting, answer)
	if l.asked.waker == nil {
		l.asked.waker = &Waker{loop: l, fn: l.answer}
	}
	w := l.asked.waker
	l.asked.mu.Unlock()
	return answer, w.Wake()
}

// endedSnapshot describes a loop that is not there any more.
func (l *Loop) endedSnapshot() *Snapshot {
	return &Snapshot{Loop: l.number, Taken: time.Now(), Ended: true, Statistics: l.Statistics()}
}

// unask gives up waiting.
func (l *Loop) unask(answer <-chan *Snapshot) {
	l.asked.mu.Lock()
	defer l.asked.mu.Unlock()
	l.asked.waiting = slices.DeleteFunc(l.asked.waiting, func(w chan *Snapshot) bool {
		return (<-chan *Snapshot)(w) == answer
	})
}

// answer runs on the loop.
func (l *Loop) answer() {
	l.asked.mu.Lock()
	waiting := l.asked.waiting
	l.asked.waiting = nil
	l.asked.mu.Unlock()
	for _, w := range waiting {
		if l.goroutine.Load() == 0 { // it never began
			w <- l.endedSnapshot()
			continue
		}
		w <- l.Snapshot()
	}
}
