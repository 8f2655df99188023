package measure

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/lion-go/lion/bench/internal/load"
	"github.com/lion-go/lion/bench/internal/report"
)

const (
	// loadConns is the number of keep-alive connections under load.
	loadConns = 64
	// groupsPerRound is how many slices each contender gets in a round. The median of their
	// ratios is the round's; more slices help less than more rounds.
	groupsPerRound = 2
	// warmUp is the share of a slice that is spent on each contender before a round counts.
	warmUp = 0.5
)

// serving is a workload in which servers answer requests.
type serving struct {
	result     *report.Workload
	contenders []contender
	place      placement
	rate       float64 // Requests per second; 0: closed loop.
	latencies  map[string]*hdrhistogram.Histogram
}

func (l *Lab) runServing(ctx context.Context, s *serving) error {
	s.latencies = map[string]*hdrhistogram.Histogram{}
	var names []string
	for _, c := range s.contenders {
		names = append(names, c.name)
		s.latencies[c.name] = load.NewHistogram()
	}
	defer func() {
		s.result.Summarize(names)
		for i := range s.result.Contenders {
			c := &s.result.Contenders[i]
			c.Curve = curve(s.latencies[c.Name])
		}
	}()
	for number := range l.Rounds {
		l.progress.Doing(fmt.Sprintf("%s, round %d of %d", s.result.Name, number+1, l.Rounds))
		if err := l.servingRound(ctx, s, number); err != nil {
			return err
		}
		l.progress.Done()
	}
	return nil
}

func (l *Lab) servingRound(ctx context.Context, s *serving, number int) error {
	r, err := l.newRound(ctx, s.contenders, s.place)
	if err != nil {
		return err
	}
	defer r.kill()
	if err := r.connect(ctx, loadConns); err != nil {
		return err
	}
	order := slices.Clone(r.servers)
	for group := -1; group < groupsPerRound; group++ {
		// All contenders of a group get the same schedule of requests.
		c := load.Command{Duration: l.Slice, Rate: s.rate, Seed: l.random.Uint64()}
		if group < 0 {
			c.Duration = time.Duration(warmUp * float64(l.Slice))
		}
		l.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, server := range order {
			got, err := r.slice(ctx, server, c)
			if err != nil {
				return err
			}
			if group >= 0 {
				s.add(l, number, group, server.name, got)
			}
		}
	}
	return nil
}

func (s *serving) add(l *Lab, number, group int, name string, got *loaded) {
	s.latencies[name].Merge(got.latency)
	s.result.Slices = append(s.result.Slices, report.Slice{
		Round: number, Group: group, Contender: name, Values: got.values,
	})
	l.Log("%s round %d group %d %-8s CPU %s, %s/s, p99 %s", s.result.Name, number, group, name,
		report.Format(report.CPU, got.values[report.CPU]),
		report.Format(report.Rate, got.values[report.Rate]),
		report.Format(report.P99, got.values[report.P99]))
}

// curve samples a distribution densely towards its tail, as far as there are values.
func curve(h *hdrhistogram.Histogram) (points []report.Point) {
	count := float64(h.TotalCount())
	if count == 0 {
		return nil
	}
	add := func(quantile float64) {
		value := float64(h.ValueAtQuantile(100 * quantile))
		points = append(points, report.Point{Quantile: quantile, Value: value})
	}
	const step = 0.84 // About four points each time the share of slower requests halves.
	for slower := 1.0; slower*count > 1; slower *= step {
		add(1 - slower)
	}
	add(1)
	return points
}

// servingMetrics are the columns of a serving workload.
var servingMetrics = []string{
	report.CPU, report.Rate, report.P50, report.P99, report.P999, report.LoaderCPU,
}

// httpdContenders are realapps/httpd on lion and on net.
func (l *Lab) httpdContenders(ctx context.Context, flags ...string) ([]contender, error) {
	program, err := l.build(ctx, "realapps", "./httpd")
	if err != nil {
		return nil, err
	}
	variant := func(name, transport string) contender {
		return contender{name: name, path: program, args: append([]string{
			"-transport", transport, "-addr", "127.0.0.1:0", "-loops", "1", "-root", l.dir,
		}, flags...)}
	}
	return []contender{variant(lion, "lion"), variant(net, "net")}, nil
}

// rawContenders are the raw servers on lion and on net.
func (l *Lab) rawContenders(ctx context.Context, flags ...string) ([]contender, error) {
	program, err := l.build(ctx, "bench", "./rawserver")
	if err != nil {
		return nil, err
	}
	variant := func(name, impl string) contender {
		return contender{name: name, path: program, args: append([]string{
			"-impl", impl, "-addr", "127.0.0.1:0",
		}, flags...)}
	}
	return []contender{variant(lion, "lion"), variant(net, "net")}, nil
}

// The contenders' names in every report.
const (
	lion  = "lion"
	net   = "net"
	twin  = "net again"
	floor = "C epoll"
)

// withTwin adds a second copy of the rival if an A/A comparison was asked for.
func (l *Lab) withTwin(w *report.Workload, list []contender) []contender {
	if !l.Twin {
		return list
	}
	for _, c := range list {
		if c.name == net {
			c.name = twin
			w.Pairs = append(w.Pairs, report.Pair{A: twin, B: net})
			w.Notes = append(w.Notes,
				"net again runs the same program: its bounds should hold 1")
			return append(list, c)
		}
	}
	return list
}

func (l *Lab) runHello(ctx context.Context, w *report.Workload, rate float64) error {
	list, err := l.httpdContenders(ctx)
	if err != nil {
		return err
	}
	s := &serving{result: w, contenders: l.withTwin(w, list), place: l.apart(), rate: rate}
	if rate > 0 {
		s.place = l.shared()
	}
	return l.runServing(ctx, s)
}

func (l *Lab) runRaw(ctx context.Context, w *report.Workload) error {
	list, err := l.rawContenders(ctx)
	if err != nil {
		return err
	}
	if program, err := l.buildFloor(ctx); err != nil {
		w.Notes = append(w.Notes, firstLine(err.Error()))
	} else {
		list = append(list, contender{name: floor, path: program, args: []string{"0"}})
		w.Pairs = append(w.Pairs, report.Pair{A: lion, B: floor})
		w.Bars = append(w.Bars, report.Bar{Metric: report.CPU, A: lion, B: floor, Limit: 1.2})
	}
	s := &serving{result: w, contenders: l.withTwin(w, list), place: l.apart()}
	return l.runServing(ctx, s)
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
