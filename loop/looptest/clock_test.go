package looptest

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
)

// handClock is a system's clock that the test moves.
type handClock struct{ now time.Time }

func (h *handClock) move(d time.Duration) { h.now = h.now.Add(d) }

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func at(s float64) time.Time { return Epoch.Add(seconds(s)) }

func TestS154MockArithmetic(t *testing.T) {
	real := &handClock{now: time.Now()}
	c := newClock(func() time.Time { return real.now })
	shows := func(s float64) {
		t.Helper()
		if c.Elapsed() != seconds(s) {
			t.Errorf("the clock shows %v, want %v s", c.Elapsed(), s)
		}
	}
	sleeps := func(until, want float64) {
		t.Helper()
		if d := c.Sleep(at(until)); d != seconds(want) {
			t.Errorf("at %v, sleeping until %v s takes %v, want %v s", c.Elapsed(), until, d, want)
		}
	}
	advance := func(s float64) {
		t.Helper()
		if err := c.Advance(seconds(s)); err != nil {
			t.Error(err)
		}
	}
	rate := func(r float64) {
		t.Helper()
		if err := c.SetRate(r); err != nil || c.Rate() != r {
			t.Errorf("rate %v: %v, now %v", r, err, c.Rate())
		}
	}
	shows(0)
	real.move(time.Hour)
	shows(0)
	advance(1.2)
	shows(1.2)
	if err := c.Advance(-time.Second); !errors.Is(err, loop.ErrMisuse) {
		t.Errorf("moving back: %v", err)
	}
	shows(1.2)
	sleeps(1.1, 0)
	sleeps(1.2, 0)
	if d := c.Sleep(at(1.3)); d < 365*24*time.Hour {
		t.Errorf("a clock that stands still reaches a later time in %v", d)
	}
	for _, bad := range []float64{-1, math.NaN()} {
		if err := c.SetRate(bad); !errors.Is(err, loop.ErrMisuse) || c.Rate() != 0 {
			t.Errorf("rate %v: %v, now %v", bad, err, c.Rate())
		}
	}
	rate(2)
	real.move(time.Second)
	shows(3.2)
	sleeps(4.2, 0.5)
	rate(0.5)
	sleeps(4.2, 2)
	advance(0.8)
	shows(4)
	real.move(time.Second)
	shows(4.5)
	c.Jump(at(4))
	shows(4.5)
	c.Jump(at(6))
	shows(6)
}

func TestClockFarDeadline(t *testing.T) {
	c := NewClock()
	if err := c.SetRate(1e-12); err != nil {
		t.Fatal(err)
	}
	if d := c.Sleep(at(1e9)); d != never {
		t.Errorf("a deadline beyond reach: %v", d)
	}
}

func TestAutojumpClock(t *testing.T) {
	c := NewAutojumpClock()
	began := time.Now()
	Run(t, func(task *loop.Task) error { return loop.Sleep(task, 1000*time.Hour) }, loop.WithClock(c))
	if c.Elapsed() != 1000*time.Hour {
		t.Errorf("the clock shows %v", c.Elapsed())
	}
	if d := time.Since(began); d > time.Minute {
		t.Errorf("it took %v", d)
	}
}
