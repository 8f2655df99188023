package report

import (
	_ "embed"
	"html/template"
	"io"
	"time"

	"github.com/lion-go/lion/bench/internal/stats"
)

//go:embed page.html
var pageText string

// page is the HTML report. Everything in it is inline: no script, no font, no request.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"title":  func(metric string) string { return Metrics[metric].Title },
	"long":   func(metric string) string { return Metrics[metric].Long },
	"better": func(metric string) string { return Metrics[metric].Better },
	"format": Format,
	"time":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") },
	"round":  func(d time.Duration) string { return d.Round(time.Second / 10).String() },
	"gib":    func(bytes int64) string { return digits(float64(bytes) / (1 << 30)) },
	"color":  func(name string) template.CSS { return template.CSS(color(name)) },
	"tone":   tone,
	// The pictures are made by this package, which escapes every text in them.
	"forest": func(r *Report) template.HTML { return template.HTML(r.forest()) },
	"bars":   func(w *Workload, metric string) template.HTML { return template.HTML(w.bars(metric)) },
	"curves": func(w *Workload) template.HTML { return template.HTML(w.curves()) },
	"plots":  plotted,
}).Parse(pageText))

// WriteHTML writes the report as one self-contained page.
func (r *Report) WriteHTML(w io.Writer) error { return page.Execute(w, r) }

// tone is the class of a verdict.
func tone(v stats.Verdict) string {
	switch v {
	case stats.Met:
		return "good"
	case stats.Missed:
		return "bad"
	default:
		return "open"
	}
}

// plotted returns the metrics of a workload that deserve a picture; latencies have their own.
func plotted(w *Workload) (metrics []string) {
	for _, metric := range w.Metrics {
		switch metric {
		case CPU, Rate, Memory, Time, HandOffP99, SleepP99:
			metrics = append(metrics, metric)
		}
	}
	return metrics
}
