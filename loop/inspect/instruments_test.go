package inspect_test

import (
	"bytes"
	"errors"
	"expvar"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/inspect"
	"github.com/lion-go/lion/loop/looptest"
)

var errWorn = errors.New("worn out")

// Goroutine profiles tell tasks apart, and a coroutine that is used again
// carries the labels of its new task.
func TestLabels(t *testing.T) {
	withWaiter(t, func(task *loop.Task) {
		var b bytes.Buffer
		pprof.Lookup("goroutine").WriteTo(&b, 1)
		wantText(t, b.String(), `"name":"<b>waiter</b>"`, `"task":"2"`, `"loop":"`)
	}, loop.WithInstrument(inspect.Labels()))
}

// Lives of tasks go to a logger: failures as warnings, the rest if asked for.
func TestEvents(t *testing.T) {
	run := func(level slog.Level) string {
		var b bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level}))
		err := looptest.RunErr(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(*loop.Task) error { return errWorn }, loop.WithTaskName("old"))
				n.Spawn(waiter, loop.WithTaskName("young"))
				return nil
			})
		}, loop.WithInstrument(inspect.Events(logger)))
		if !errors.Is(err, errWorn) {
			t.Error(err)
		}
		return b.String()
	}
	all := run(slog.LevelDebug)
	wantText(t, all, `msg="task spawned"`, "name=young parent=1", `level=WARN msg="task ended"`,
		`name=old error="worn out"`, `level=DEBUG msg="task ended"`)
	few := run(slog.LevelWarn)
	wantText(t, few, "name=old")
	if bytes.Contains([]byte(few), []byte("young")) {
		t.Errorf("too much is logged: %s", few)
	}
}

// Stalls are logged.
func TestStalls(t *testing.T) {
	var b bytes.Buffer
	reported := make(chan struct{})
	log := inspect.Stalls(slog.New(slog.NewTextHandler(&b, nil)))
	looptest.Run(t, func(*loop.Task) error {
		<-reported // holds the loop
		return nil
	}, loop.WithWatchdog(10*time.Millisecond, func(s loop.Stall) { log(s); close(reported) }))
	wantText(t, b.String(), "level=WARN", "loop stalled", "task=1", "chan receive")
}

// The statistics are variables for expvar, while the loop runs.
func TestPublish(t *testing.T) {
	page := inspect.NewPage()
	name := fmt.Sprintf("lion-test-%p", page) // a variable stays for good
	if err := page.Publish(name); err != nil {
		t.Fatal(err)
	}
	if err := page.Publish(name); !errors.Is(err, loop.ErrMisuse) {
		t.Errorf("publishing again: %v", err)
	}
	withWaiter(t, func(task *loop.Task) {
		wantText(t, expvar.Get(name).String(), `"TasksLiving"`)
	}, page.Watch)
	if s := expvar.Get(name).String(); s != "{}" {
		t.Errorf("after the end: %s", s)
	}
}
