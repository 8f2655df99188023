package loop

import (
	"strings"
	"time"
)

// A Look says how Snapshots looks at loops. The zero value is a good one.
type Look struct {
	// Patience is how long to wait for the loops; 0 means SnapshotPatience.
	Patience time.Duration

	// NoStacks leaves the stacks of the tasks out. Taking them stops the whole
	// process for about 4 us a goroutine.
	NoStacks bool
}

// Snapshots returns a picture of each loop, taken from any goroutine, also
// from a task. A loop that does not answer in time is described from outside,
// by its stacks: Snapshot.Held says what holds it. Stacks are taken after the
// answers, so a task may have gone on meanwhile. It blocks its caller while it
// waits; a task waits for other loops than its own only.
func Snapshots(look Look, loops ...*Loop) []*Snapshot {
	found, _ := snapshots(look, loops)
	return found
}

// snapshots also returns the stacks of all goroutines, if it took them.
func snapshots(look Look, loops []*Loop) ([]*Snapshot, []goroutineText) {
	if look.Patience <= 0 {
		look.Patience = SnapshotPatience
	}
	found, held := ask(look.Patience, loops)
	if look.NoStacks && !held {
		return found, nil
	}
	stacks := allStacks()
	for i, s := range found {
		if s.Held != nil {
			s.describeHeld(loops[i], stacks)
		} else if !look.NoStacks {
			s.attach(stacks)
		}
	}
	return found, stacks
}

// ask gets the pictures of all loops that answer.
func ask(patience time.Duration, loops []*Loop) (found []*Snapshot, held bool) {
	began := time.Now()
	here := loopHere()
	answers := make([]<-chan *Snapshot, len(loops))
	found = make([]*Snapshot, len(loops))
	for i, l := range loops {
		if here == l.goroutine.Load() {
			found[i] = l.Snapshot()
			continue
		}
		answer, err := l.ask()
		if err != nil {
			l.unask(answer)
			found[i] = l.endedSnapshot()
			continue
		}
		answers[i] = answer
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for i, l := range loops {
		if answers[i] == nil {
			continue
		}
		if found[i] = wait(l, answers[i], timer); found[i] != nil {
			continue
		}
		held = true
		found[i] = &Snapshot{Loop: l.number, Taken: time.Now(), Statistics: l.Statistics()}
		found[i].Held = &Holding{Waited: time.Since(began)}
	}
	return found, held
}

// wait waits for one answer. The timer serves all loops: once it has fired it
// is fired again for the next.
func wait(l *Loop, answer <-chan *Snapshot, timer *time.Timer) *Snapshot {
	select {
	case s := <-answer:
		return s
	case <-timer.C:
		timer.Reset(0)
	}
	l.unask(answer)
	select {
	case s := <-answer: // it was just in time
		return s
	default:
		return nil
	}
}

// loopHere returns the goroutine of the loop whose task or callback the caller
// is. For a goroutine that is neither it is a number that no loop has.
func loopHere() uint64 {
	g := ownText()
	if g.coroutine != "" {
		return g.parent
	}
	return g.number
}

// attach gives each task its stack.
func (s *Snapshot) attach(stacks []goroutineText) {
	of := map[string]*goroutineText{}
	for i := range stacks {
		if g := &stacks[i]; g.task {
			of[g.coroutine] = g
		}
	}
	for i := range s.Tasks {
		t := &s.Tasks[i]
		if g := of[t.coroutine]; g != nil && t.coroutine != "" {
			t.Stack = g.stack()
		}
	}
}

// describeHeld describes a loop that does not answer. Its own structures
// belong to a goroutine that may be at work on them, so they are not looked
// at: only what the runtime says about the goroutines.
func (s *Snapshot) describeHeld(l *Loop, stacks []goroutineText) {
	home := l.goroutine.Load()
	for i := range stacks {
		g := &stacks[i]
		if g.number == home && s.Held.Stack == "" && !g.suspended() {
			s.Held.fill(g, "")
		}
		if !g.task || g.parent != home {
			continue
		}
		t := TaskSnapshot{Name: g.function(), Function: g.function(), State: "suspended", Stack: g.stack()}
		if !g.suspended() {
			t.State = g.state
			s.Held.fill(g, t.Function)
		}
		s.Tasks = append(s.Tasks, t)
	}
}

func (h *Holding) fill(g *goroutineText, task string) {
	h.Task, h.State, h.Stack, h.Hint = task, g.state, g.stack(), hint(g.state)
	if h.Hint == computeHint { // that taking its stack stopped it says nothing
		h.State = "running"
	}
}

// hints say what the state of a goroutine that holds a loop means, by how the
// runtime's name of the state begins.
var hints = []struct{ state, hint string }{
	{"sync.Mutex.Lock", mutexHint},
	{"sync.RWMutex", mutexHint},
	{"sync.WaitGroup", "it waits for goroutines; wait in a worker, or use a nursery"},
	{"sync.Cond", "it waits for a goroutine to signal; use a condition of the loop"},
	{"semacquire", mutexHint},
	{"chan receive", channelHint},
	{"chan send", channelHint},
	{"select", channelHint},
	{"sleep", "it calls time.Sleep; loop.Sleep lets the others run"},
	{"IO wait", "it waits in Go's own poller, in a net.Conn or os.File; use lion's sockets or a worker"},
	{"syscall", "it is in a system call that blocks, or in cgo; do that in a worker"},
	{"running", computeHint},
	{"runnable", computeHint},
}

const (
	mutexHint = "it waits for a mutex. If a suspended task of this loop holds it, that task can " +
		"never go on: never hold a sync.Mutex across a call that is given a task; use loop/locks"
	channelHint = "it waits for a channel. A task of the same loop that would serve it can not run: " +
		"use loop/queue between tasks, and a worker or CallSoon for goroutines"
	computeHint = "it computes, or goes round without a checkpoint; call loop.Checkpoint now and " +
		"then, or compute in a worker"
)

func hint(state string) string {
	for _, h := range hints {
		if strings.HasPrefix(state, h.state) {
			return h.hint
		}
	}
	return "see its stack"
}
