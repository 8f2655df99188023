// Package load is the load generator. It runs as a process of its own, so that its work is not
// billed to anybody else, and obeys commands that come as lines of JSON.
//
// Closed loop: every connection sends its next request when the answer to the last has come.
// That shows how much a server can do and what a request costs; its latencies hide a stall,
// because nobody asks while the server stalls.
//
// Open loop: requests are due at a fixed rate, whatever the server does, and latency counts
// from when a request was due, not from when it could be sent. A server that stalls pays for
// everybody who would have asked.
package load

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Bounds of the histograms: a nanosecond to a minute, three digits (220 KiB each).
const (
	shortestLatency = 1
	longestLatency  = int64(time.Minute)
	latencyDigits   = 3
)

// silenceLimit is how long a server may leave every request unanswered before the run fails.
const silenceLimit = 5 * time.Second

// lateLimit is by how much a run may exceed its duration: an open loop against a server that
// cannot keep the rate would otherwise go on for ever.
const lateLimit = 10 * time.Second

// maxRate bounds the rate of an open loop, in requests per second: a schedule counts whole
// nanoseconds, and no server comes near.
const maxRate = 1e7

// Operation is what a command asks for.
type Operation string

// The operations. Connections belong to a target, a name that the commands share.
const (
	Connect Operation = "connect" // Open Conns connections and use each once.
	Run     Operation = "run"     // Load them for Duration.
	Close   Operation = "close"   // Close them.
)

// Command is one line to the load generator.
type Command struct {
	Operation Operation     `json:"operation"`
	Target    string        `json:"target"`
	Address   string        `json:"address,omitempty"`
	Conns     int           `json:"conns,omitempty"`
	Duration  time.Duration `json:"duration,omitempty"`
	Rate      float64       `json:"rate,omitempty"` // Requests per second; 0: closed loop.
	Seed      uint64        `json:"seed,omitempty"` // Decides when requests are due.
}

// Outcome is the line that answers a command.
type Outcome struct {
	Error    string        `json:"error,omitempty"`
	Requests int64         `json:"requests,omitempty"`
	Elapsed  time.Duration `json:"elapsed,omitempty"` // From the first request to the last answer.
	Latency  []byte        `json:"latency,omitempty"` // An encoded HdrHistogram, in nanoseconds.
}

// NewHistogram returns an empty histogram of latencies in nanoseconds.
func NewHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(shortestLatency, longestLatency, latencyDigits)
}

// Histogram decodes the latencies of an outcome.
func (o Outcome) Histogram() (*hdrhistogram.Histogram, error) {
	return hdrhistogram.Decode(o.Latency)
}

// record notes a latency; one beyond the bounds counts as the longest.
func record(h *hdrhistogram.Histogram, latency time.Duration) {
	_ = h.RecordValue(min(max(int64(latency), shortestLatency), longestLatency))
}

// schedule says when the requests of an open loop are due: one in each period, at a random
// moment of it. The rate is exact, and no request keeps step with a timer of the server.
type schedule struct {
	period time.Duration
	total  int64
	next   int64
	due    time.Duration // Of request number next.
	random *rand.Rand
}

func newSchedule(c Command) *schedule {
	s := &schedule{
		period: time.Duration(float64(time.Second) / c.Rate),
		total:  int64(c.Rate * c.Duration.Seconds()),
		next:   -1,
		random: rand.New(rand.NewPCG(c.Seed, 0)),
	}
	s.advance()
	return s
}

func (s *schedule) advance() {
	s.next++
	s.due = time.Duration(s.next)*s.period + time.Duration(s.random.Int64N(int64(s.period)))
}

func (s *schedule) finished() bool { return s.next >= s.total }

// check refuses a command that makes no sense, with the reason.
func (c Command) check() error {
	switch {
	case c.Target == "":
		return fmt.Errorf("command %q names no target", c.Operation)
	case c.Operation == Connect && c.Conns <= 0:
		return fmt.Errorf("%d connections to %q", c.Conns, c.Target)
	case c.Operation == Run && c.Duration <= 0:
		return fmt.Errorf("a run of %v against %q", c.Duration, c.Target)
	case c.Operation == Run && !(c.Rate >= 0 && c.Rate <= maxRate): // Also if it is NaN.
		return fmt.Errorf("a rate of %v requests per second", c.Rate)
	case c.Operation == Run && c.Rate > 0 && c.Rate*c.Duration.Seconds() < 1:
		return fmt.Errorf("no request falls into %v at %v per second", c.Duration, c.Rate)
	}
	return nil
}
