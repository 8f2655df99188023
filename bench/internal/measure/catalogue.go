package measure

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lion-go/lion/bench/internal/host"
	"github.com/lion-go/lion/bench/internal/report"
)

// lowRate is the load of a server that mostly waits, in requests per second.
const lowRate = 2000

// Workload is an entry of the catalogue.
type Workload struct {
	Name    string
	Title   string
	setup   string
	metrics []string
	pairs   []report.Pair
	bars    []report.Bar
	servers bool // Whether it needs what host.Supported says.
	rounds  int  // At most; 0: no limit.

	// What a round takes, to plan by: slices, something fixed, something per idle connection.
	slices  float64
	extra   time.Duration
	perIdle time.Duration
	run     func(*Lab, context.Context, *report.Workload) error
}

var lionNet = []report.Pair{{A: lion, B: net}}

// Catalogue lists all workloads. The bars are lion's own goals.
var Catalogue = []Workload{{
	Name:    "hello",
	Title:   "realapps/httpd on lion and on net, saturated",
	setup:   "closed loop, 64 keep-alive connections; server and load on one core each",
	metrics: servingMetrics,
	pairs:   lionNet,
	bars:    []report.Bar{{Metric: report.CPU, A: lion, B: net, Limit: 0.90}},
	servers: true,
	slices:  2 * (groupsPerRound + warmUp),
	extra:   150 * time.Millisecond,
	run: func(l *Lab, ctx context.Context, w *report.Workload) error {
		return l.runHello(ctx, w, 0)
	},
}, {
	Name:  "hello-2000",
	Title: "realapps/httpd on lion and on net, mostly waiting",
	setup: "open loop, 2,000 requests per second over 64 connections, latency from when a " +
		"request was due; two cores shared by server and load",
	metrics: servingMetrics,
	pairs:   lionNet,
	bars:    []report.Bar{{Metric: report.CPU, A: lion, B: net, Limit: 0.50}},
	servers: true,
	slices:  2 * (groupsPerRound + warmUp),
	extra:   150 * time.Millisecond,
	run: func(l *Lab, ctx context.Context, w *report.Workload) error {
		return l.runHello(ctx, w, lowRate)
	},
}, {
	Name:  "raw",
	Title: "the same answer without an HTTP library, with a floor in C",
	setup: "closed loop, 64 keep-alive connections; server and load on one core each; " +
		"the same minimal scanner of requests on all sides",
	metrics: servingMetrics,
	pairs:   lionNet,
	bars:    []report.Bar{{Metric: report.CPU, A: lion, B: net, Limit: 0.85}},
	servers: true,
	slices:  3 * (groupsPerRound + warmUp),
	extra:   200 * time.Millisecond,
	run: func(l *Lab, ctx context.Context, w *report.Workload) error {
		return l.runRaw(ctx, w)
	},
}, {
	Name:  "idle",
	Title: "memory of idle keep-alive connections",
	setup: "growth of resident memory over %d connections that had one request each, " +
		"after a collection",
	metrics: []string{report.Memory},
	pairs:   []report.Pair{{A: "httpd lion", B: "httpd net"}, {A: "raw lion", B: "raw net"}},
	bars: []report.Bar{
		{Metric: report.Memory, A: "httpd lion", Limit: 512},
		{Metric: report.Memory, A: "raw lion", Limit: 512},
	},
	servers: true,
	extra:   time.Second,
	perIdle: 4 * 50 * time.Microsecond,
	rounds:  idleRounds,
	run:     (*Lab).runIdle,
}, {
	Name:  "beside",
	Title: "ordinary goroutines beside a saturated raw server on the same core",
	setup: "closed loop, 64 connections, " + workPerRequest + " of work per request, " +
		"GOMAXPROCS=1; waiting for a turn after a hand-off by the server and after a timer",
	metrics: []string{
		report.HandOffP50, report.HandOffP99, report.SleepP50, report.SleepP99,
		report.Rate, report.Busy,
	},
	pairs: lionNet,
	bars: []report.Bar{
		{Metric: report.HandOffP99, A: lion, Limit: 2e6},
		{Metric: report.SleepP99, A: lion, Limit: 2e6},
	},
	servers: true,
	slices:  2,
	extra:   150 * time.Millisecond,
	run:     (*Lab).runBeside,
}, {
	Name:    "micro-spawn",
	Title:   "spawn and join of a child",
	setup:   "a task in a nursery against a goroutine with a WaitGroup; GOMAXPROCS=1",
	metrics: []string{report.Time},
	pairs:   []report.Pair{{A: lion, B: "goroutine"}},
	bars:    []report.Bar{{Metric: report.Time, A: lion, B: "goroutine", Limit: 1.15}},
	slices:  2 * pairsPerRound,
	extra:   100 * time.Millisecond,
	run: func(l *Lab, ctx context.Context, w *report.Workload) error {
		return l.runMicro(ctx, w, "SpawnJoin", "goroutine")
	},
}}

// Names returns the names of all workloads.
func Names() (names []string) {
	for _, w := range Catalogue {
		names = append(names, w.Name)
	}
	return names
}

// Select returns the workloads with the given names, in the order of the catalogue.
func Select(names []string) (selected []Workload, err error) {
	for _, name := range names {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("no workload %q; there are %s",
				name, strings.Join(Names(), ", "))
		}
	}
	for _, w := range Catalogue {
		if slices.Contains(names, w.Name) {
			selected = append(selected, w)
		}
	}
	return selected, nil
}

// Bounds of a slice. In less than the shortest a few thousand requests remain; more than the
// longest tells nothing that more rounds would not tell better.
const (
	shortestSlice = 50 * time.Millisecond
	longestSlice  = 2 * time.Second
)

// Plan returns how many steps the workloads take and how long a slice may be for the
// measurements to take about as long as wanted.
func Plan(selected []Workload, o Options, wanted time.Duration) (steps int, slice time.Duration) {
	var slices float64
	var fixed time.Duration
	for _, w := range selected {
		n := w.limit(o.Rounds)
		steps += n
		slices += float64(n) * w.slices
		fixed += time.Duration(n) * (w.extra + time.Duration(o.Idle)*w.perIdle)
	}
	if slices == 0 {
		return steps, shortestSlice
	}
	slice = time.Duration(float64(wanted-fixed) / slices)
	return steps, min(max(slice, shortestSlice), longestSlice).Truncate(time.Millisecond)
}

func (w Workload) limit(rounds int) int {
	if w.rounds > 0 {
		return min(w.rounds, rounds)
	}
	return rounds
}

// Run runs the workloads one after the other. A workload that fails says so in its result, and
// the others go on; only the end of ctx ends the run early, with its cause. The results that
// exist by then are returned in any case.
func (l *Lab) Run(ctx context.Context) ([]*report.Workload, error) {
	selected, err := Select(l.Workloads)
	if err != nil {
		return nil, err
	}
	var results []*report.Workload
	for _, w := range selected {
		result := &report.Workload{
			Name: w.Name, Title: w.Title, Setup: w.setup, Metrics: w.metrics,
			Pairs: slices.Clone(w.pairs), Bars: slices.Clone(w.bars),
		}
		results = append(results, result)
		if err := l.runOne(ctx, w, result); err != nil {
			if errors.Is(err, errElsewhere) {
				result.Skipped = err.Error()
				continue
			}
			result.Failure = err.Error()
			if ctx.Err() != nil {
				return results, context.Cause(ctx)
			}
		}
	}
	return results, nil
}

// errElsewhere tells why a workload cannot run here.
var errElsewhere = errors.New("this workload runs on Linux only")

func (l *Lab) runOne(ctx context.Context, w Workload, result *report.Workload) error {
	if err := host.Supported(); err != nil && w.servers {
		return fmt.Errorf("%w: %w", errElsewhere, err)
	}
	return w.run(l, ctx, result)
}
