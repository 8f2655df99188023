package loop_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// recording is an instrument that notes everything about tasks.
func recording(record *notes) *loop.Instrument {
	task := func(what string) func(*loop.Task) {
		return func(t *loop.Task) { record.add(what) }
	}
	return &loop.Instrument{
		Name:      "recording",
		BeforeRun: func(*loop.Loop) { record.add("before run") },
		AfterRun:  func(*loop.Loop) { record.add("after run") },
		Spawned:   task("spawned"), Scheduled: task("scheduled"), Started: task("started"),
		BeforeTurn: task("before"), AfterTurn: task("after"),
		Exited: func(_ *loop.Task, err error) { record.add(fmt.Sprint("exited ", err)) },
	}
}

// S416, S419: an instrument sees everything, in order; adding it again changes
// nothing.
func TestS416_InstrumentsSeeEverything(t *testing.T) {
	var record notes
	in := recording(&record)
	looptest.Run(t, func(task *loop.Task) error {
		want(t, "adding it again", task.Loop().AddInstrument(in), nil)
		for range 5 {
			loop.Checkpoint(task)
		}
		return nil
	}, loop.WithInstrument(in))
	all := []string{"before run", "spawned", "scheduled", "before", "started"}
	for range 5 {
		all = append(all, "scheduled", "after", "before")
	}
	record.want(t, append(all, "exited <nil>", "after", "after run")...)
}

// S416: a task that ends and the next one, which takes over its coroutine, each
// have a turn of their own.
func TestS416_InstrumentsSeeEachTurn(t *testing.T) {
	open, turns := 0, 0
	in := &loop.Instrument{
		BeforeTurn: func(*loop.Task) { open++ },
		AfterTurn: func(task *loop.Task) {
			open--
			turns++
			wantTrue(t, "only one turn at a time", open == 0)
			wantTrue(t, "a task ended or waits", task.Ended() || task.Waiting() != "")
		},
	}
	looptest.Config{Budgeted: true}.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range 10 {
				n.Spawn(nothing)
			}
			return nil
		})
	}, loop.WithInstrument(in))
	wantTrue(t, fmt.Sprintf("12 turns; there were %d", turns), turns == 12)
}

// S416, S418: an instrument can be removed and replaced during the run; the
// functions are those of the moment in which it was added.
func TestS418_InstrumentsAreTakenAsTheyAre(t *testing.T) {
	var record notes
	in := &loop.Instrument{Spawned: func(*loop.Task) { record.add("old") }}
	looptest.Run(t, func(task *loop.Task) error {
		l := task.Loop()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			want(t, "removing an unknown one", l.RemoveInstrument(in), loop.ErrMisuse)
			want(t, "adding none", l.AddInstrument(nil), loop.ErrMisuse)
			l.AddInstrument(in)
			in.Spawned = func(*loop.Task) { record.add("new") }
			n.Spawn(nothing)
			want(t, "removing it", l.RemoveInstrument(in), nil)
			n.Spawn(nothing)
			l.AddInstrument(in)
			n.Spawn(nothing)
			want(t, "removing it again", l.RemoveInstrument(in), nil)
			return nil
		})
	})
	record.want(t, "old", "new")
}

// S417: an instrument that panics is removed, loudly, even before there is a
// task; the others and the run go on.
func TestS417_AnInstrumentThatPanicsIsRemoved(t *testing.T) {
	fail := func(*loop.Loop) { panic("out of ink") }
	failTask := func(*loop.Task) { panic("out of ink") }
	bad := map[string]*loop.Instrument{
		"BeforeRun": {Name: "bad", BeforeRun: fail}, "AfterRun": {Name: "bad", AfterRun: fail},
		"BeforePoll": {Name: "bad", BeforePoll: func(*loop.Loop, time.Duration) { panic("out of ink") }},
		"AfterPoll":  {Name: "bad", AfterPoll: func(*loop.Loop, int) { panic("out of ink") }},
		"Spawned":    {Name: "bad", Spawned: failTask}, "Scheduled": {Name: "bad", Scheduled: failTask},
		"Started": {Name: "bad", Started: failTask}, "BeforeTurn": {Name: "bad", BeforeTurn: failTask},
		"AfterTurn": {Name: "bad", AfterTurn: failTask},
		"Exited":    {Name: "bad", Exited: func(*loop.Task, error) { panic("out of ink") }},
	}
	for hook, in := range bad {
		turns, text := 0, ""
		in.Failed = func(err error) { text += err.Error() }
		good := &loop.Instrument{AfterTurn: func(*loop.Task) { turns++ }}
		looptest.Run(t, func(task *loop.Task) error {
			return loop.Sleep(task, time.Second)
		}, loop.WithInstrument(in), loop.WithInstrument(good), loop.WithClock(looptest.NewAutojumpClock()))
		wantTrue(t, fmt.Sprintf("%s: the other sees two turns, not %d", hook, turns), turns == 2)
		wantText(t, text, `instrument "bad" failed and was removed`, "out of ink", "instrument_test.go")
		if n := strings.Count(text, "out of ink"); n != 1 {
			t.Errorf("%s: %d reports", hook, n)
		}
	}
}

// An exit is told with its error, while the task still has its name.
func TestS419_ExitsAreToldWithTheirError(t *testing.T) {
	var record notes
	in := &loop.Instrument{Exited: func(task *loop.Task, err error) {
		record.add(fmt.Sprint(task.Name(), ": ", err))
	}}
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(failing(errKey), loop.WithTaskName("child"))
			return loop.SleepForever(task)
		}, loop.WithName("n"))
	}, loop.WithInstrument(in))
	wantTrue(t, "the run failed", errors.Is(err, errKey))
	wantText(t, record[0], "child: key")
	wantTrue(t, "main ended last", len(record) == 2)
}

// What an instrument costs: the functions that it has, and no allocation.
func TestInstrumentsAllocateNothing(t *testing.T) {
	skipCosts(t)
	in := &loop.Instrument{BeforeTurn: func(*loop.Task) {}, AfterTurn: func(*loop.Task) {}}
	looptest.Run(t, func(task *loop.Task) error {
		loop.Checkpoint(task)
		if n := testing.AllocsPerRun(100, func() { loop.Checkpoint(task) }); n != 0 {
			t.Errorf("a turn allocates %v times", n)
		}
		return nil
	}, loop.WithInstrument(in))
}

// A checkpoint that ends the turn, watched; compare
// BenchmarkCheckpointRescheduled.
func BenchmarkCheckpointInstrumented(b *testing.B) {
	in := &loop.Instrument{BeforeTurn: func(*loop.Task) {}, AfterTurn: func(*loop.Task) {}}
	inLoop(b, func(t *loop.Task) {
		for b.Loop() {
			loop.Checkpoint(t)
		}
	}, loop.WithAlwaysReschedule(), loop.WithInstrument(in))
}
