package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// color tells the contenders apart, also for eyes that do not see red and green (the palette
// of Okabe and Ito). One contender has one colour on the whole page.
func color(contender string) string {
	switch {
	case strings.Contains(contender, "lion"):
		return "#d55e00"
	case strings.Contains(contender, "again"):
		return "#56b4e9"
	case strings.Contains(contender, "epoll"):
		return "#5b5b5b"
	default:
		return "#0072b2"
	}
}

// forest draws the ratios that matter most, all on one axis, with their bounds and bars.
func (r *Report) forest() string {
	type row struct {
		label string
		Ratio
		limit float64
	}
	var rows []row
	low, high := 0.5, 1.25
	for _, w := range r.Workloads {
		for _, ratio := range w.Ratios {
			if !slices.Contains([]string{CPU, Rate, Memory, Time}, ratio.Metric) {
				continue
			}
			label := fmt.Sprintf("%s: %s %s", w.Name, ratio.Pair, Metrics[ratio.Metric].Title)
			rows = append(rows, row{label, ratio, w.limit(ratio)})
			low, high = min(low, ratio.Lo), max(high, ratio.Hi)
		}
	}
	if len(rows) == 0 {
		return ""
	}
	const left, width, pitch, head = 300.0, 860.0, 24.0, 26.0
	height := head + pitch*float64(len(rows)) + 8
	x := scale{max(low, 0.005) * 0.95, high * 1.05, left, width - 150, true}
	c := newCanvas(width, height, "ratios with confidence bounds")
	for _, tick := range x.ticks() {
		c.line("grid", x.at(tick), head-4, x.at(tick), height-8)
		c.write("tick middle", x.at(tick), 14, fmt.Sprintf("%.4g", tick))
	}
	c.line("one", x.at(1), head-4, x.at(1), height-8)
	for i, row := range rows {
		y := head + pitch*(float64(i)+0.5)
		c.write("label end", left-14, y+4, row.label)
		c.line("bounds", x.at(row.Lo), y, x.at(row.Hi), y)
		c.dot("median", color("lion"), x.at(row.Median), y, 5, row.Bounds())
		if row.limit > 0 {
			c.line("limit", x.at(row.limit), y-8, x.at(row.limit), y+8)
		}
		c.write("value", width-140, y+4, row.Bounds())
	}
	return c.end()
}

// limit returns the bar for a ratio, or 0.
func (w *Workload) limit(r Ratio) float64 {
	for _, bar := range w.Bars {
		if bar.Metric == r.Metric && bar.A == r.A && bar.B == r.B {
			return bar.Limit
		}
	}
	return 0
}

// bars draws the medians of a metric as bars from zero, with a dot for every slice.
func (w *Workload) bars(metric string) string {
	top := 0.0
	for _, s := range w.Slices {
		if value, ok := s.Values[metric]; ok && Finite(value) {
			top = max(top, value)
		}
	}
	if top == 0 {
		return ""
	}
	const left, width, pitch, head = 100.0, 500.0, 38.0, 10.0
	height := head + pitch*float64(len(w.Contenders)) + 26
	x := scale{0, top * 1.02, left, width - 90, false}
	c := newCanvas(width, height, Metrics[metric].Long)
	for _, tick := range x.ticksIn(unit(metric)) {
		c.line("grid", x.at(tick), head, x.at(tick), height-22)
		c.write("tick middle", x.at(tick), height-8, Format(metric, tick))
	}
	for i, contender := range w.Contenders {
		y := head + pitch*float64(i) + 6
		value, ok := contender.Values[metric]
		c.write("label end", left-10, y+17, contender.Name)
		if !ok || !Finite(value.Median) {
			continue
		}
		ink := color(contender.Name)
		c.bar("bar", ink, left, y, x.at(value.Median)-left, pitch-12)
		c.line("bounds", x.at(value.Lo), y+13, x.at(value.Hi), y+13)
		w.dots(c, x, contender.Name, metric, y, pitch-12)
		c.write("value", width-82, y+17, Format(metric, value.Median))
	}
	return c.end()
}

// dots draws the slices of a contender over its bar, in the order in which they ran.
func (w *Workload) dots(c *canvas, x scale, name, metric string, y, height float64) {
	blocks := w.blocks(name, metric)
	for round, values := range blocks {
		at := y + height*(float64(round)+0.5)/float64(len(blocks))
		for _, value := range values {
			hint := fmt.Sprintf("round %d: %s", round+1, Format(metric, value))
			c.dot("slice", color(name), x.at(value), at, 2.2, hint)
		}
	}
}

// curves draws the latency distributions. The axis of quantiles stretches the tail, so that
// each digit of 99.9 % gets as much room as the last.
func (w *Workload) curves() string {
	low, high, tail := math.Inf(1), 0.0, 10.0
	for _, contender := range w.Contenders {
		for _, p := range contender.Curve {
			if p.Value > 0 {
				low, high = min(low, p.Value), max(high, p.Value)
			}
			if p.Quantile < 1 {
				tail = max(tail, 1/(1-p.Quantile))
			}
		}
	}
	if high == 0 {
		return ""
	}
	const left, width, height, head = 70.0, 500.0, 290.0, 12.0
	x := scale{1, tail, left, width - 20, true}
	y := scale{low * 0.9, high * 1.1, height - 46, head + 16, true}
	c := newCanvas(width, height, "latency by quantile")
	for _, tick := range y.ticks() {
		c.line("grid", left, y.at(tick), width-20, y.at(tick))
		c.write("tick end", left-8, y.at(tick)+4, Format(P50, tick))
	}
	quantiles := []string{"0", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"}
	for i, text := range quantiles {
		if odds := math.Pow(10, float64(i)); odds <= tail {
			c.line("grid", x.at(odds), head+16, x.at(odds), height-46)
			c.write("tick middle", x.at(odds), height-30, text)
		}
	}
	c.write("tick middle", (left+width)/2, height-10, "share of requests that were faster")
	for i, contender := range w.Contenders {
		var points [][2]float64
		for _, p := range contender.Curve {
			if p.Value > 0 && p.Quantile < 1 {
				points = append(points, [2]float64{x.at(1 / (1 - p.Quantile)), y.at(p.Value)})
			}
		}
		c.path("curve", color(contender.Name), points)
		at := left + 110*float64(i)
		c.bar("", color(contender.Name), at, head-6, 14, 4)
		c.write("label", at+20, head, contender.Name)
	}
	return c.end()
}

// unit is what the axis of a metric counts in.
func unit(metric string) float64 {
	if metric == Memory {
		return 1024
	}
	return 1
}
