// Package stats holds the few statistics that bench reports.
//
// Benchmark results are not normally distributed: a busy neighbour makes some values much
// larger and none smaller. So nothing here assumes a shape. The centre is the median, and its
// bounds are order statistics: whether the k-th smallest of n independent values lies below
// the true median is a matter of tossing coins, and the binomial distribution says exactly how
// often. (benchmath in golang.org/x/perf calls this model AssumeNothing.)
//
// Two contenders are compared in pairs that ran right after each other, as the logarithm of
// their ratio: a disturbance that hits both cancels, and lion/net and net/lion get bounds that
// mirror each other.
package stats

import (
	"math"
	"slices"
)

// Confidence is the probability that the bounds of an Interval should at least have.
const Confidence = 0.95

// Interval is a median with bounds. Confidence is what the bounds really have: with fewer
// than six values even the smallest and the largest cannot reach 0.95.
type Interval struct {
	Median     float64 `json:"median"`
	Lo         float64 `json:"lo"`
	Hi         float64 `json:"hi"`
	Confidence float64 `json:"confidence"`
	N          int     `json:"n"`
}

// Firm reports whether the bounds have the confidence that this package aims at.
func (i Interval) Firm() bool { return i.Confidence >= Confidence }

// Median returns the middle of values, or NaN if there are none. It leaves values unsorted.
func Median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// MedianInterval returns the median of values and the narrowest symmetric pair of order
// statistics around it that reaches Confidence, or the extremes if none does.
func MedianInterval(values []float64) Interval {
	n := len(values)
	if n == 0 {
		return Interval{Median: math.NaN(), Lo: math.NaN(), Hi: math.NaN()}
	}
	sorted := slices.Sorted(slices.Values(values))
	rank, confidence := orderRank(n)
	return Interval{
		Median:     Median(sorted),
		Lo:         sorted[rank-1],
		Hi:         sorted[n-rank],
		Confidence: confidence,
		N:          n,
	}
}

// orderRank returns the largest k for which the k-th smallest and the k-th largest of n values
// enclose the median with Confidence, and the probability that they do.
func orderRank(n int) (rank int, confidence float64) {
	// The k-th smallest exceeds the median if fewer than k of the n values lie below it.
	tail := 0.0
	for k := 1; k <= (n+1)/2; k++ {
		tail += binomialHalf(n, k-1)
		reached := max(0, 1-2*tail)
		if rank > 0 && reached < Confidence {
			break
		}
		rank, confidence = k, reached
	}
	return rank, confidence
}

// binomialHalf returns the probability of exactly k heads in n tosses of a fair coin.
func binomialHalf(n, k int) float64 {
	all, _ := math.Lgamma(float64(n + 1))
	heads, _ := math.Lgamma(float64(k + 1))
	tails, _ := math.Lgamma(float64(n - k + 1))
	return math.Exp(all - heads - tails - float64(n)*math.Ln2)
}

// Ratio returns the interval of a/b from paired values: a[i] and b[i] ran beside each other.
// Pairs in which either value is not a positive number are left out.
func Ratio(a, b []float64) Interval {
	return expInterval(MedianInterval(LogRatios(a, b)))
}

// RatioOfBlocks returns the interval of a/b when the pairs come in blocks (a block is one set
// of server processes). Pairs of one block share its luck, so each block counts once, with the
// median of its pairs.
func RatioOfBlocks(a, b [][]float64) Interval {
	var blocks []float64
	for i := range min(len(a), len(b)) {
		if logs := LogRatios(a[i], b[i]); len(logs) > 0 {
			blocks = append(blocks, Median(logs))
		}
	}
	return expInterval(MedianInterval(blocks))
}

// LogRatios returns ln(a[i]/b[i]) for every pair of positive numbers.
func LogRatios(a, b []float64) []float64 {
	var logs []float64
	for i := range min(len(a), len(b)) {
		log := math.Log(a[i] / b[i])
		if a[i] > 0 && b[i] > 0 && !math.IsInf(log, 0) && !math.IsNaN(log) {
			logs = append(logs, log)
		}
	}
	return logs
}

func expInterval(i Interval) Interval {
	i.Median, i.Lo, i.Hi = math.Exp(i.Median), math.Exp(i.Lo), math.Exp(i.Hi)
	return i
}

// Verdict is the answer to "is this ratio at most the bar?".
type Verdict string

// The three answers. Unclear means that the bounds enclose the bar or are not firm.
const (
	Met     Verdict = "met"
	Missed  Verdict = "missed"
	Unclear Verdict = "unclear"
)

// AtMost judges an interval against an upper bar by its bounds, never by its median.
func (i Interval) AtMost(bar float64) Verdict {
	switch {
	case !i.Firm():
		return Unclear
	case i.Hi <= bar:
		return Met
	case i.Lo > bar:
		return Missed
	default:
		return Unclear
	}
}
