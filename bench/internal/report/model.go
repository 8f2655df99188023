// Package report is what a benchmark found: the raw values of every slice, the summaries that
// follow from them, and their forms as text, JSON and HTML.
//
// The summaries are a pure function of the slices, so a reader of the JSON can check them.
package report

import (
	"encoding/json"
	"io"
	"math"
	"time"

	"github.com/lion-go/lion/bench/internal/host"
	"github.com/lion-go/lion/bench/internal/stats"
)

// Schema names the form of the JSON. It changes when a field changes its meaning.
const Schema = "lion-bench/1"

// Report is the outcome of one run of the tool.
type Report struct {
	Schema    string        `json:"schema"`
	Started   time.Time     `json:"started"`
	Took      time.Duration `json:"tookNanoseconds"`
	Command   string        `json:"command"`
	Seed      uint64        `json:"seed"`
	Rounds    int           `json:"rounds"`
	Slice     time.Duration `json:"sliceNanoseconds"`
	Machine   host.Machine  `json:"machine"`
	Warnings  []string      `json:"warnings,omitempty"`
	Workloads []*Workload   `json:"workloads"`
}

// Workload is one task, done by several contenders under the same load.
type Workload struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Setup   string   `json:"setup"`
	Failure string   `json:"failure,omitempty"` // Why it could not run, or not to its end.
	Skipped string   `json:"skipped,omitempty"` // Why it cannot run on this system.
	Notes   []string `json:"notes,omitempty"`
	Metrics []string `json:"metrics"` // Keys, in the order of the table.
	Pairs   []Pair   `json:"pairs"`
	Bars    []Bar    `json:"bars,omitempty"`
	Slices  []Slice  `json:"slices"`

	Contenders []Contender `json:"contenders"`
	Ratios     []Ratio     `json:"ratios"`
	Judgements []Judgement `json:"judgements,omitempty"`
}

// Pair names two contenders whose ratio is of interest.
type Pair struct {
	A string `json:"a"`
	B string `json:"b"`
}

// Bar is a goal: the ratio A/B of a metric, or the metric of A if B is empty, is at most Limit.
type Bar struct {
	Metric string  `json:"metric"`
	A      string  `json:"a"`
	B      string  `json:"b,omitempty"`
	Limit  float64 `json:"limit"`
}

// Slice is one measurement of one contender. Slices of the same round ran against the same
// processes; those of the same group ran directly after each other, in random order.
type Slice struct {
	Round     int                `json:"round"`
	Group     int                `json:"group"`
	Contender string             `json:"contender"`
	Values    map[string]float64 `json:"values"`
}

// Contender sums up one contender: for each metric the median over the rounds, with bounds.
type Contender struct {
	Name   string                    `json:"name"`
	Values map[string]stats.Interval `json:"values"`
	Curve  []Point                   `json:"curve,omitempty"`
}

// Point is a point of a latency distribution over all slices.
type Point struct {
	Quantile float64 `json:"quantile"` // 0 to 1.
	Value    float64 `json:"value"`    // Nanoseconds.
}

// Ratio is a ratio of two contenders, from pairs of slices of one group.
type Ratio struct {
	Pair
	Metric string `json:"metric"`
	stats.Interval
}

// Judgement is the answer to a bar.
type Judgement struct {
	Bar
	stats.Interval
	Verdict stats.Verdict `json:"verdict"`
}

// WriteJSON writes the whole report.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "\t")
	return encoder.Encode(r)
}

// Summarize fills in what follows from the slices: contenders (in the order given), ratios and
// judgements.
func (w *Workload) Summarize(names []string) {
	w.Contenders, w.Ratios, w.Judgements = nil, nil, nil
	for _, name := range names {
		c := Contender{Name: name, Values: map[string]stats.Interval{}}
		for _, metric := range w.Metrics {
			if values := w.rounds(name, metric); len(values) > 0 {
				c.Values[metric] = stats.MedianInterval(values)
			}
		}
		w.Contenders = append(w.Contenders, c)
	}
	for _, pair := range w.Pairs {
		for _, metric := range w.Metrics {
			if ratio := w.ratio(pair, metric); ratio.N > 0 {
				w.Ratios = append(w.Ratios, Ratio{pair, metric, ratio})
			}
		}
	}
	for _, bar := range w.Bars {
		if interval := w.interval(bar); interval.N > 0 {
			w.Judgements = append(w.Judgements,
				Judgement{bar, interval, interval.AtMost(bar.Limit)})
		}
	}
}

func (w *Workload) interval(bar Bar) stats.Interval {
	if bar.B == "" {
		return stats.MedianInterval(w.rounds(bar.A, bar.Metric))
	}
	return w.ratio(Pair{bar.A, bar.B}, bar.Metric)
}

// rounds returns the median of each round's slices.
func (w *Workload) rounds(contender, metric string) []float64 {
	var medians []float64
	for _, values := range w.blocks(contender, metric) {
		medians = append(medians, stats.Median(values))
	}
	return medians
}

// blocks returns the values of a contender by round, in order of their groups.
func (w *Workload) blocks(contender, metric string) (blocks [][]float64) {
	last := -1
	for _, s := range w.Slices {
		value, ok := s.Values[metric]
		if s.Contender != contender || !ok {
			continue
		}
		if s.Round != last {
			blocks = append(blocks, nil)
			last = s.Round
		}
		blocks[len(blocks)-1] = append(blocks[len(blocks)-1], value)
	}
	return blocks
}

// ratio pairs the slices of two contenders by round and group. A slice without a partner (its
// run was interrupted) is left out.
func (w *Workload) ratio(p Pair, metric string) stats.Interval {
	type place struct{ round, group int }
	partner := map[place]float64{}
	for _, s := range w.Slices {
		if value, ok := s.Values[metric]; ok && s.Contender == p.B {
			partner[place{s.Round, s.Group}] = value
		}
	}
	var a, b [][]float64
	last := -1
	for _, s := range w.Slices {
		value, ok := s.Values[metric]
		other, found := partner[place{s.Round, s.Group}]
		if s.Contender != p.A || !ok || !found {
			continue
		}
		if s.Round != last {
			a, b = append(a, nil), append(b, nil)
			last = s.Round
		}
		a[len(a)-1] = append(a[len(a)-1], value)
		b[len(b)-1] = append(b[len(b)-1], other)
	}
	return stats.RatioOfBlocks(a, b)
}

// Finite reports whether a value can be shown and stored.
func Finite(value float64) bool { return !math.IsNaN(value) && !math.IsInf(value, 0) }
