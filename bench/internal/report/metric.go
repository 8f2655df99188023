package report

import (
	"fmt"
	"math"
	"time"
)

// The metrics. Latencies and CPU times are in nanoseconds, memory is in bytes.
const (
	CPU        = "cpu"
	LoaderCPU  = "loader-cpu"
	Rate       = "rate"
	P50        = "p50"
	P99        = "p99"
	P999       = "p99.9"
	Memory     = "memory"
	Time       = "time"
	Busy       = "busy"
	Steal      = "steal"     // Stolen by the hypervisor during the slice, all CPUs.
	Preempted  = "preempted" // How often the server lost its CPU to somebody else.
	HandOffP50 = "hand-off-p50"
	HandOffP99 = "hand-off-p99"
	SleepP50   = "sleep-p50"
	SleepP99   = "sleep-p99"
)

// Metric says how a metric is called and shown.
type Metric struct {
	Title   string // For a column.
	Long    string // For a caption.
	format  func(float64) string
	Compare bool // Whether a ratio of it says anything.
	Better  string
}

// Metrics describes the metrics by their keys.
var Metrics = map[string]Metric{
	CPU:        {"CPU/req", "server CPU per request", formatTime, true, lower},
	LoaderCPU:  {"load CPU/req", "CPU of the load generator per request", formatTime, false, lower},
	Rate:       {"req/s", "requests per second", formatCount, true, higher},
	P50:        {"p50", "median latency", formatTime, true, lower},
	P99:        {"p99", "latency, 99th percentile", formatTime, true, lower},
	P999:       {"p99.9", "latency, 99.9th percentile", formatTime, true, lower},
	Memory:     {"memory/conn", "resident memory per idle connection", formatSize, true, lower},
	Time:       {"time/op", "time per operation", formatTime, true, lower},
	Busy:       {"server busy", "share of its core that the server used", formatShare, false, higher},
	Steal:      {"steal", "time stolen by the hypervisor", formatTime, false, lower},
	Preempted:  {"preempted", "times that the server lost its CPU", formatCount, false, lower},
	HandOffP50: {"hand-off p50", "wait after a hand-off, median", formatTime, false, lower},
	HandOffP99: {"hand-off p99", "wait after a hand-off, 99th percentile", formatTime, false, lower},
	SleepP50:   {"timer p50", "wait after a timer, median", formatTime, false, lower},
	SleepP99:   {"timer p99", "wait after a timer, 99th percentile", formatTime, false, lower},
}

const (
	lower  = "lower is better"
	higher = "higher is better"
)

// Format shows a value in the unit of its metric.
func Format(metric string, value float64) string {
	if !Finite(value) {
		return "-"
	}
	m, known := Metrics[metric]
	if !known {
		return fmt.Sprintf("%.4g", value)
	}
	return m.format(value)
}

// digits shows a number with three significant digits, and whole numbers whole.
func digits(value float64) string {
	switch magnitude := math.Abs(value); {
	case magnitude >= 99.95:
		return fmt.Sprintf("%.0f", value)
	case magnitude >= 9.995:
		return fmt.Sprintf("%.1f", value)
	default:
		return fmt.Sprintf("%.2f", value)
	}
}

func formatTime(nanoseconds float64) string {
	switch magnitude := math.Abs(nanoseconds); {
	case magnitude >= float64(time.Second):
		return digits(nanoseconds/1e9) + " s"
	case magnitude >= float64(time.Millisecond):
		return digits(nanoseconds/1e6) + " ms"
	case magnitude >= float64(time.Microsecond):
		return digits(nanoseconds/1e3) + " µs"
	default:
		return fmt.Sprintf("%.0f ns", nanoseconds)
	}
}

func formatCount(value float64) string {
	text := fmt.Sprintf("%.0f", value)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func formatSize(bytes float64) string { return digits(bytes/1024) + " KiB" }

func formatShare(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
