package inspect

import (
	"context"
	"errors"
	"expvar"
	"fmt"
	"log/slog"
	"runtime/pprof"
	"strconv"

	"github.com/lion-go/lion/loop"
)

// Labels returns an instrument that labels the goroutine of each task for
// profiles, with its loop, number and name: "loop", "task" and "name". CPU and
// goroutine profiles can then be taken apart by task, and goroutines that a
// task starts inherit its labels. It costs about a microsecond a task.
func Labels() *loop.Instrument {
	return &loop.Instrument{
		Name: "inspect.Labels",
		Started: func(t *loop.Task) {
			labels := pprof.Labels("loop", strconv.FormatUint(t.Loop().ID(), 10),
				"task", strconv.FormatUint(t.ID(), 10), "name", t.Name())
			pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), labels))
		},
		Exited: func(*loop.Task, error) { pprof.SetGoroutineLabels(context.Background()) },
	}
}

// Events returns an instrument that logs the life of each task to logger: its
// spawn and its end at the debug level, and an end with an error, other than
// Cancelled, at the level warn. A logger that blocks holds the loop.
func Events(logger *slog.Logger) *loop.Instrument {
	ctx := context.Background()
	return &loop.Instrument{
		Name: "inspect.Events",
		Spawned: func(t *loop.Task) {
			if logger.Enabled(ctx, slog.LevelDebug) {
				logger.LogAttrs(ctx, slog.LevelDebug, "task spawned", append(about(t),
					slog.Uint64("parent", t.Parent().ID()))...)
			}
		},
		Exited: func(t *loop.Task, err error) {
			level := slog.LevelDebug
			if err != nil && !errors.Is(err, loop.Cancelled) {
				level = slog.LevelWarn
			}
			if !logger.Enabled(ctx, level) {
				return
			}
			attrs := about(t)
			if err != nil {
				attrs = append(attrs, slog.Any("error", err))
			}
			logger.LogAttrs(ctx, level, "task ended", attrs...)
		},
	}
}

func about(t *loop.Task) []slog.Attr {
	return []slog.Attr{
		slog.Uint64("loop", t.Loop().ID()), slog.Uint64("task", t.ID()), slog.String("name", t.Name()),
	}
}

// Stalls returns a function for loop.WithWatchdog that logs each report to
// logger at the level warn.
func Stalls(logger *slog.Logger) func(loop.Stall) {
	return func(s loop.Stall) {
		logger.Warn("loop stalled", "loop", s.Loop.ID(), "task", s.Task, "name", s.Name, "for", s.For,
			"state", s.State, "hint", s.Hint, "stack", s.Stack, "missed", s.Missed, "ignores", s.Ignores)
	}
}

// Publish makes the statistics of the loops that the page shows an expvar
// variable: an object with the number of each loop as the key. A name that is
// taken already is refused with loop.ErrMisuse.
func (p *Page) Publish(name string) error {
	if expvar.Get(name) != nil {
		return fmt.Errorf("publishing %q: the name is taken: %w", name, loop.ErrMisuse)
	}
	expvar.Publish(name, expvar.Func(func() any {
		all := map[string]loop.Statistics{}
		for _, l := range p.Loops() {
			all[strconv.FormatUint(l.ID(), 10)] = l.Statistics()
		}
		return all
	}))
	return nil
}
