package measure

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/bench/internal/host"
	"github.com/lion-go/lion/bench/internal/load"
	"github.com/lion-go/lion/bench/internal/report"
)

func TestMain(m *testing.M) {
	load.Main()
	os.Exit(m.Run())
}

// quiet is a progress that only counts.
type quiet struct{ done int }

func (*quiet) Doing(string) {}
func (q *quiet) Done()      { q.done++ }

func newLab(t *testing.T, o Options) (*Lab, *quiet) {
	t.Helper()
	if err := host.Supported(); err != nil {
		t.Skip(err)
	}
	o.Log = t.Logf
	q := &quiet{}
	l, err := NewLab(t.Context(), o, q)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l, q
}

// nets returns the raw server on net, twice.
func nets(t *testing.T, l *Lab, flags ...string) []contender {
	t.Helper()
	list, err := l.rawContenders(t.Context(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	again := list[1]
	again.name = twin
	return []contender{list[1], again}
}

// children lists the processes that this one started and that still run.
func children(t *testing.T) (pids []string) {
	t.Helper()
	paths, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil {
			pids = append(pids, strings.Fields(string(text))...)
		}
	}
	return pids
}

func TestServingEndToEnd(t *testing.T) {
	for name, rate := range map[string]float64{"closed": 0, "open": 1000} {
		l, progress := newLab(t, Options{Rounds: 2, Slice: 60 * time.Millisecond, Seed: 1})
		w := &report.Workload{
			Name: name, Metrics: servingMetrics, Pairs: []report.Pair{{A: twin, B: net}},
		}
		s := &serving{result: w, contenders: nets(t, l), place: l.apart(), rate: rate}
		if err := l.runServing(t.Context(), s); err != nil {
			t.Fatal(err)
		}
		if len(w.Slices) != 2*2*groupsPerRound || progress.done != 2 {
			t.Errorf("%s: %d slices, %d steps", name, len(w.Slices), progress.done)
		}
		for _, slice := range w.Slices {
			for _, metric := range servingMetrics {
				if value := slice.Values[metric]; !report.Finite(value) || value <= 0 {
					t.Errorf("%s: %s is %v", name, metric, value)
				}
			}
		}
		// An open loop sends no more than it was told to; a busy machine, fewer.
		if got := w.Slices[0].Values[report.Rate]; rate > 0 && got > 1.2*rate {
			t.Errorf("%s: %v requests per second instead of %v", name, got, rate)
		}
		if len(w.Ratios) == 0 || len(w.Contenders[0].Curve) < 5 {
			t.Errorf("%s: no summary: %+v", name, w.Contenders)
		}
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func TestBesideEndToEnd(t *testing.T) {
	l, _ := newLab(t, Options{Rounds: 1, Slice: 100 * time.Millisecond, Seed: 1})
	w := &report.Workload{Name: "beside", Metrics: []string{report.HandOffP99, report.Busy}}
	list := nets(t, l, "-beside", "-work", workPerRequest)
	if err := l.besideRound(t.Context(), w, list, 0); err != nil {
		t.Fatal(err)
	}
	for _, slice := range w.Slices {
		if slice.Values[report.HandOffP99] <= 0 || slice.Values[report.SleepP99] <= 0 {
			t.Errorf("no delays: %v", slice.Values)
		}
	}
}

func TestIdleEndToEnd(t *testing.T) {
	l, _ := newLab(t, Options{Rounds: 1, Slice: 50 * time.Millisecond, Seed: 1, Idle: 500})
	memory, err := l.idleMemory(t.Context(), nets(t, l, "-debug-free")[0], 500)
	if err != nil {
		t.Fatal(err)
	}
	// A goroutine and a buffer of 4 KiB are the least.
	if memory < 4096 || memory > 64<<10 {
		t.Errorf("an idle connection of net takes %.0f bytes", memory)
	}
}

func TestServerThatDoesNotStart(t *testing.T) {
	l, _ := newLab(t, Options{Rounds: 1, Slice: 50 * time.Millisecond})
	list := nets(t, l)
	list[1].args = []string{"-impl", "pigeon"}
	_, err := l.newRound(t.Context(), list, l.apart())
	if err == nil || !strings.Contains(err.Error(), "pigeon") {
		t.Errorf("error %v, want the server's own words", err)
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func TestCancelledRunLeavesNothing(t *testing.T) {
	l, _ := newLab(t, Options{Rounds: 100, Slice: 100 * time.Millisecond, Seed: 1})
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupt := errors.New("interrupted")
	w := &report.Workload{Metrics: servingMetrics}
	s := &serving{result: w, contenders: nets(t, l), place: l.apart()}
	time.AfterFunc(300*time.Millisecond, func() { cancel(interrupt) })
	if err := l.runServing(ctx, s); !errors.Is(err, interrupt) {
		t.Errorf("error %v, want the cause", err)
	}
	if left := children(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
}

func TestSelect(t *testing.T) {
	selected, err := Select([]string{"raw", "hello"})
	if err != nil || len(selected) != 2 || selected[0].Name != "hello" {
		t.Errorf("%v (%v), want the order of the catalogue", selected, err)
	}
	if _, err := Select([]string{"hello", "helo"}); err == nil {
		t.Error("a workload that does not exist was selected")
	}
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		rounds, idle int
		wanted       time.Duration
	}{{6, 2000, 20 * time.Second}, {9, 10_000, time.Minute}, {25, 10_000, 10 * time.Minute}} {
		steps, slice := Plan(Catalogue, Options{Rounds: c.rounds, Idle: c.idle}, c.wanted)
		var planned time.Duration
		for _, w := range Catalogue {
			n := time.Duration(w.limit(c.rounds))
			planned += n * (w.extra + time.Duration(c.idle)*w.perIdle)
			planned += n * time.Duration(w.slices*float64(slice))
		}
		off := float64(planned-c.wanted) / float64(c.wanted)
		if off < -0.05 || off > 0.05 {
			t.Errorf("%v planned for %v in %d steps", planned, c.wanted, steps)
		}
	}
	steps, slice := Plan(Catalogue, Options{Rounds: 1}, 0)
	if slice != shortestSlice || steps != len(Catalogue) {
		t.Errorf("no time: %d steps with slices of %v", steps, slice)
	}
}

func TestCatalogue(t *testing.T) {
	names := Names()
	slices.Sort(names)
	if len(slices.Compact(names)) != len(Catalogue) {
		t.Error("two workloads have one name")
	}
	for _, w := range Catalogue {
		for _, metric := range w.metrics {
			if _, known := report.Metrics[metric]; !known {
				t.Errorf("%s: metric %q is not described", w.Name, metric)
			}
		}
		for _, bar := range w.bars {
			if !slices.Contains(w.metrics, bar.Metric) {
				t.Errorf("%s has a bar for %s, which it does not measure", w.Name, bar.Metric)
			}
		}
	}
}

func TestNoise(t *testing.T) {
	var n noise
	if len(n.warnings()) != 0 {
		t.Error("nothing measured, but a warning")
	}
	n.add(host.Times{Busy: 150, Steal: 1, Total: 200}, 145)
	if texts := n.warnings(); len(texts) != 0 {
		t.Errorf("a quiet machine: %q", texts)
	}
	n.add(host.Times{Busy: 100, Steal: 10, Total: 200}, 50)
	if texts := n.warnings(); len(texts) != 2 {
		t.Errorf("a noisy machine: %q", texts)
	}
}
