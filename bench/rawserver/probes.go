package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/lion-go/lion/bench/internal/hello"
	"github.com/lion-go/lion/bench/internal/load"
)

// probePeriod is how often a probe asks for its turn: often enough for a few hundred values in
// a slice, seldom enough to cost nothing.
const probePeriod = time.Millisecond

// probes are two ordinary goroutines beside the server that measure how long they wait for
// their turn on the CPU.
//
// The first is made runnable by the server itself, which hands it the time through a channel,
// as it would hand work to a worker. The second sleeps, so that the runtime must notice its
// timer as well.
type probes struct {
	handOver chan time.Time
	poked    atomic.Int64 // When the last hand-over was, in nanoseconds since started.
	started  time.Time

	mu       sync.Mutex
	handOff  *hdrhistogram.Histogram
	sleeping *hdrhistogram.Histogram
}

func startProbes() *probes {
	p := &probes{
		handOver: make(chan time.Time),
		started:  time.Now(),
		handOff:  load.NewHistogram(),
		sleeping: load.NewHistogram(),
	}
	go p.receive()
	go p.sleep()
	return p
}

// poke makes the first goroutine runnable if it waits and a period has passed.
func (p *probes) poke() {
	now := time.Now()
	since := int64(now.Sub(p.started))
	last := p.poked.Load()
	if since-last < int64(probePeriod) || !p.poked.CompareAndSwap(last, since) {
		return
	}
	select {
	case p.handOver <- now:
	default:
	}
}

func (p *probes) receive() {
	for handed := range p.handOver {
		p.record(p.handOff, time.Since(handed))
	}
}

func (p *probes) sleep() {
	for {
		due := time.Now().Add(probePeriod)
		time.Sleep(probePeriod)
		p.record(p.sleeping, time.Since(due))
	}
}

func (p *probes) record(h *hdrhistogram.Histogram, delay time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = h.RecordValue(min(max(1, int64(delay)), int64(time.Minute)))
}

// take returns what was measured since the last call.
func (p *probes) take() hello.Delays {
	p.mu.Lock()
	defer p.mu.Unlock()
	delays := hello.Delays{HandOff: quantiles(p.handOff), Sleep: quantiles(p.sleeping)}
	p.handOff.Reset()
	p.sleeping.Reset()
	return delays
}

func quantiles(h *hdrhistogram.Histogram) hello.Delay {
	return hello.Delay{
		Count: h.TotalCount(),
		P50:   time.Duration(h.ValueAtQuantile(50)),
		P99:   time.Duration(h.ValueAtQuantile(99)),
		Max:   time.Duration(h.Max()),
	}
}
