package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if math.IsNaN(got) || math.Abs(got-want) > tolerance {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestMedian(t *testing.T) {
	near(t, "odd", Median([]float64{9, 1, 5}), 5, 0)
	near(t, "even", Median([]float64{9, 1, 5, 7}), 6, 0)
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing should be NaN")
	}
	values := []float64{3, 1, 2}
	Median(values)
	if values[0] != 3 {
		t.Error("Median sorted its argument")
	}
}

// The ranks and confidences are those of the tables for the sign test (Conover, Practical
// Nonparametric Statistics; also printed by benchmath).
func TestOrderRank(t *testing.T) {
	for _, c := range []struct {
		n, rank    int
		confidence float64
	}{
		{1, 1, 0}, {2, 1, 0.5}, {5, 1, 0.9375}, {6, 1, 0.96875}, {8, 1, 0.9921875},
		{9, 2, 0.9609375}, {10, 2, 0.978515625}, {15, 4, 0.96484375},
		{20, 6, 0.958610534667}, {25, 8, 0.956714689732}, {30, 10, 0.957226},
	} {
		rank, confidence := orderRank(c.n)
		if rank != c.rank {
			t.Errorf("rank for %d values = %d, want %d", c.n, rank, c.rank)
		}
		near(t, "confidence", confidence, c.confidence, 1e-6)
	}
}

func TestMedianIntervalKnown(t *testing.T) {
	got := MedianInterval([]float64{4, 8, 1, 9, 7, 3, 2, 6, 5})
	if got.Median != 5 || got.Lo != 2 || got.Hi != 8 || got.N != 9 || !got.Firm() {
		t.Errorf("got %+v, want 5 in [2, 8] of 9", got)
	}
	few := MedianInterval([]float64{1, 2, 3})
	if few.Firm() || few.Lo != 1 || few.Hi != 3 {
		t.Errorf("three values cannot be firm: %+v", few)
	}
}

// Over many samples of a skewed distribution the bounds must hold the true median at least as
// often as they say.
func TestCoverage(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const trials = 4000
	held := 0
	for range trials {
		values := make([]float64, 9)
		for i := range values {
			values[i] = random.ExpFloat64()
		}
		got := MedianInterval(values)
		if got.Lo <= math.Ln2 && math.Ln2 <= got.Hi {
			held++
		}
	}
	near(t, "coverage", float64(held)/trials, 0.9609, 0.012)
}

func TestRatioIsPairedAndMirrored(t *testing.T) {
	// A drift that multiplies both sides by up to eight leaves the paired ratio at 0.8.
	var lion, net []float64
	for i := range 9 {
		drift := math.Pow(2, float64(i)/3)
		lion = append(lion, 0.8*drift*(1+0.01*float64(i%3)))
		net = append(net, drift)
	}
	got, inverse := Ratio(lion, net), Ratio(net, lion)
	near(t, "ratio", got.Median, 0.808, 1e-9)
	near(t, "mirrored", got.Median*inverse.Median, 1, 1e-9)
	near(t, "mirrored bounds", got.Lo*inverse.Hi, 1, 1e-9)
	if got.Hi > 0.82 {
		t.Errorf("the drift widened the bounds: %+v", got)
	}
}

func TestRatioLeavesOutWhatIsNoNumber(t *testing.T) {
	got := Ratio([]float64{1, 0, math.NaN(), 2}, []float64{2, 1, 1, 4})
	if got.N != 2 || got.Median != 0.5 {
		t.Errorf("got %+v, want 0.5 of two pairs", got)
	}
}

func TestBlocksCountOnce(t *testing.T) {
	a := [][]float64{{1, 1, 50}, {2, 2}, {}}
	b := [][]float64{{2, 2, 2}, {4, 4}, {1}}
	if got := RatioOfBlocks(a, b); got.N != 2 || math.Abs(got.Median-0.5) > 1e-12 {
		t.Errorf("got %+v, want 0.5 of two blocks", got)
	}
}

func TestVerdicts(t *testing.T) {
	firm := Interval{Median: 0.85, Lo: 0.8, Hi: 0.9, Confidence: 0.96, N: 9}
	loose := firm
	loose.Confidence = 0.9
	for _, c := range []struct {
		interval Interval
		bar      float64
		want     Verdict
	}{
		{firm, 0.9, Met}, {firm, 0.85, Unclear}, {firm, 0.7, Missed}, {loose, 0.9, Unclear},
	} {
		if got := c.interval.AtMost(c.bar); got != c.want {
			t.Errorf("%v at most %v: %s, want %s", c.interval, c.bar, got, c.want)
		}
	}
}
