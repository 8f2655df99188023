package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// WriteText writes the report as tables for a terminal.
func (r *Report) WriteText(w io.Writer) error {
	text := &strings.Builder{}
	m := r.Machine
	fmt.Fprintf(text, "%s, %d cores, %s%s; %s\n", m.System, m.Cores, m.CPU,
		map[bool]string{true: " (virtual)"}[m.Virtual], m.Go)
	fmt.Fprintf(text, "%d rounds, slices of %v, seed %d, took %v\n",
		r.Rounds, r.Slice.Round(time.Millisecond), r.Seed, r.Took.Round(time.Second/10))
	fmt.Fprintf(text, "[low, high]: 95 %% confidence bounds of the median over the rounds\n")
	for _, warning := range r.Warnings {
		fmt.Fprintf(text, "WARNING: %s\n", warning)
	}
	for _, workload := range r.Workloads {
		workload.writeText(text)
	}
	_, err := io.WriteString(w, text.String())
	return err
}

func (w *Workload) writeText(text *strings.Builder) {
	fmt.Fprintf(text, "\n%s: %s\n    %s\n", w.Name, w.Title, w.Setup)
	if w.Failure != "" {
		fmt.Fprintf(text, "    FAILED: %s\n", w.Failure)
	}
	if w.Skipped != "" {
		fmt.Fprintf(text, "    SKIPPED: %s\n", w.Skipped)
	}
	if len(w.Slices) > 0 {
		w.writeTable(text)
	}
	for _, j := range w.Judgements {
		fmt.Fprintf(text, "    %s\n", j)
	}
	for _, note := range w.Notes {
		fmt.Fprintf(text, "    note: %s\n", note)
	}
}

func (w *Workload) writeTable(text *strings.Builder) {
	table := tabwriter.NewWriter(text, 0, 8, 2, ' ', 0)
	row := []string{"   "}
	for _, metric := range w.Metrics {
		row = append(row, Metrics[metric].Title)
	}
	fmt.Fprintln(table, strings.Join(row, "\t"))
	for _, c := range w.Contenders {
		row = []string{"    " + c.Name}
		for _, metric := range w.Metrics {
			row = append(row, c.Cell(metric))
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	for _, pair := range w.Pairs {
		row = []string{"    " + pair.String()}
		for _, metric := range w.Metrics {
			row = append(row, w.RatioCell(pair, metric))
		}
		fmt.Fprintln(table, strings.Join(row, "\t"))
	}
	_ = table.Flush() // A strings.Builder does not fail.
}

// Cell shows a metric of a contender.
func (c Contender) Cell(metric string) string {
	value, ok := c.Values[metric]
	if !ok {
		return "-"
	}
	return Format(metric, value.Median)
}

// RatioCell shows the ratio of a pair in a metric, with its bounds, or nothing.
func (w *Workload) RatioCell(pair Pair, metric string) string {
	for _, ratio := range w.Ratios {
		if ratio.Pair == pair && ratio.Metric == metric && Metrics[metric].Compare {
			return ratio.Bounds()
		}
	}
	return ""
}

// String shows the ratio as a fraction.
func (p Pair) String() string { return p.A + "/" + p.B }

// Bounds shows a ratio with its bounds; a question mark tells that they are not firm.
func (r Ratio) Bounds() string {
	text := fmt.Sprintf("%.2f [%.2f, %.2f]", r.Median, r.Lo, r.Hi)
	if !r.Firm() {
		text += "?"
	}
	return text
}

// String says what the bar was and whether it was met.
func (j Judgement) String() string {
	verdict := fmt.Sprintf("%s, %s", j.Goal(), j.Verdict)
	if !j.Firm() {
		verdict += fmt.Sprintf(" (%d rounds give bounds of %.0f %% only)", j.N, 100*j.Confidence)
	}
	return verdict
}

// Goal says what the bar was and what was found.
func (j Judgement) Goal() string {
	long := Metrics[j.Metric].Long
	if j.B == "" {
		show := func(value float64) string { return Format(j.Metric, value) }
		return fmt.Sprintf("bar: %s of %s <= %s: %s [%s, %s]", long, j.A,
			show(j.Limit), show(j.Median), show(j.Lo), show(j.Hi))
	}
	return fmt.Sprintf("bar: %s, %s/%s <= %.2f: %.3f [%.3f, %.3f]", long, j.A, j.B,
		j.Limit, j.Median, j.Lo, j.Hi)
}
