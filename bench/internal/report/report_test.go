package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/bench/internal/stats"
)

// sample is a report in which lion needs 0.8 of net's CPU, in nine rounds of two groups.
func sample() *Report {
	w := &Workload{
		Name: "hello", Title: "a title with <angles> & \"quotes\"", Setup: "a setup",
		Metrics: []string{CPU, Rate, P50, P99, LoaderCPU},
		Pairs:   []Pair{{"lion", "net"}},
		Bars: []Bar{
			{Metric: CPU, A: "lion", B: "net", Limit: 0.9},
			{Metric: CPU, A: "lion", B: "net", Limit: 0.7},
			{Metric: P99, A: "lion", Limit: 1e6},
		},
		Notes: []string{"a note"},
	}
	for round := range 9 {
		for group := range 2 {
			drift := 1 + 0.1*float64(round) + 0.01*float64(group)
			add := func(name string, factor float64) {
				w.Slices = append(w.Slices, Slice{round, group, name, map[string]float64{
					CPU: 8000 * drift * factor, Rate: 100_000 / drift / factor,
					P50: 300_000 * drift, P99: 900_000 * drift, LoaderCPU: 5000 * drift,
				}})
			}
			if group == 0 {
				add("net", 1)
				add("lion", 0.8)
			} else {
				add("lion", 0.8)
				add("net", 1)
			}
		}
	}
	w.Summarize([]string{"lion", "net"})
	w.Contenders[0].Curve = []Point{{0, 1e5}, {0.5, 3e5}, {0.99, 9e5}, {1, 5e6}}
	failed := &Workload{Name: "raw", Failure: "it <broke>", Metrics: []string{CPU}}
	failed.Summarize([]string{"lion", "net"})
	return &Report{
		Schema: Schema, Started: time.Unix(1e9, 0), Took: time.Minute, Rounds: 9,
		Warnings: []string{"a noisy machine"}, Command: "bench -quick",
		Workloads: []*Workload{w, failed, {Name: "idle", Skipped: "not here"}},
	}
}

func TestSummarize(t *testing.T) {
	w := sample().Workloads[0]
	if got := w.Contenders[1].Values[CPU].Median; math.Abs(got-8000*1.405) > 1e-6 {
		t.Errorf("net's CPU per request is %v", got)
	}
	for _, ratio := range w.Ratios {
		if ratio.Metric == CPU && (math.Abs(ratio.Median-0.8) > 1e-9 || ratio.Hi-ratio.Lo > 1e-9) {
			t.Errorf("drift of the machine moved the paired ratio: %+v", ratio)
		}
		if ratio.N != 9 {
			t.Errorf("%s: %d rounds instead of 9", ratio.Metric, ratio.N)
		}
	}
	want := []stats.Verdict{stats.Met, stats.Missed, stats.Unclear}
	for i, judgement := range w.Judgements {
		if judgement.Verdict != want[i] {
			t.Errorf("%s, want %s", judgement, want[i])
		}
	}
}

func TestSliceWithoutPartnerIsLeftOut(t *testing.T) {
	w := sample().Workloads[0]
	w.Slices = append(w.Slices, Slice{9, 0, "lion", map[string]float64{CPU: 1}})
	w.Summarize([]string{"lion", "net"})
	if ratio := w.ratio(Pair{"lion", "net"}, CPU); ratio.N != 9 {
		t.Errorf("%d rounds, want 9", ratio.N)
	}
}

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		metric string
		value  float64
		want   string
	}{
		{CPU, 0, "0 ns"}, {CPU, 512, "512 ns"}, {CPU, 7125, "7.12 µs"}, {P99, 12_345_678, "12.3 ms"},
		{P99, 3e9, "3.00 s"}, {Rate, 1234567, "1,234,567"}, {Rate, 999, "999"},
		{Memory, 512, "0.50 KiB"}, {Busy, 0.975, "98 %"}, {CPU, math.NaN(), "-"},
	} {
		if got := Format(c.metric, c.value); got != c.want {
			t.Errorf("%s of %v is %q, want %q", c.metric, c.value, got, c.want)
		}
	}
}

func TestText(t *testing.T) {
	var out strings.Builder
	if err := sample().WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"hello: a title", "0.80 [0.80, 0.80]", "lion/net <= 0.90", ", met", ", missed",
		"WARNING: a noisy machine", "FAILED: it <broke>", "SKIPPED: not here", "note: a note",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, out.String())
		}
	}
}

func TestJSON(t *testing.T) {
	var out bytes.Buffer
	if err := sample().WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(out.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	w := back.Workloads[0]
	before := w.Ratios
	if len(w.Slices) != 36 || len(before) == 0 {
		t.Fatalf("%d slices and %d ratios came back", len(w.Slices), len(before))
	}
	w.Summarize([]string{"lion", "net"})
	if w.Ratios[0] != before[0] {
		t.Errorf("the slices give %v, the report says %v", w.Ratios[0], before[0])
	}
}

// elsewhere finds what would make the page load something.
var elsewhere = regexp.MustCompile(`(?i)(src|href)=|<script|<link|@import|url\(`)

func TestHTMLIsWholeAndSelfContained(t *testing.T) {
	var out strings.Builder
	if err := sample().WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	page := out.String()
	if found := elsewhere.FindString(page); found != "" {
		t.Errorf("the page refers to something outside: %q", found)
	}
	for _, want := range []string{
		"&lt;angles&gt;", "it &lt;broke&gt;", "0.80 [0.80, 0.80]", "a noisy machine",
		`class="badge good"`, `class="badge bad"`, "not here", `class="curve"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") {
		t.Error("the page shows a number that is none")
	}
	for _, picture := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(page, -1) {
		if err := wellFormed(picture); err != nil {
			t.Errorf("a picture is no XML: %v\n%s", err, picture)
		}
	}
	if path := os.Getenv("BENCH_SAMPLE_PAGE"); path != "" {
		_ = os.WriteFile(path, []byte(page), 0o600) // To look at.
	}
}

func wellFormed(text string) error {
	for decoder := xml.NewDecoder(strings.NewReader(text)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestTicks(t *testing.T) {
	for _, s := range []scale{
		{low: 0, high: 8.2}, {low: 0, high: 310_000}, {low: 0.5, high: 1.3, log: true},
		{low: 0.01, high: 1.3, log: true}, {low: 2e4, high: 8e6, log: true},
	} {
		ticks := s.ticks()
		if len(ticks) < 3 || len(ticks) > 9 {
			t.Errorf("%+v has the ticks %v", s, ticks)
		}
		for _, tick := range ticks {
			if tick < s.low*(1-1e-6) || tick > s.high*(1+1e-6) {
				t.Errorf("%+v has a tick outside: %v", s, tick)
			}
		}
	}
	if got := (scale{low: 0, high: 0}).ticks(); len(got) != 1 {
		t.Errorf("an empty scale has the ticks %v", got)
	}
}
