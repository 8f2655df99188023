package eyeballs

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
)

var epoch = looptest.Epoch

// play runs a scenario on a loop, and returns what came of it.
func (s *scenario) play(t *loop.Task, w *world, tr *Trace) (won conn, err error) {
	c, err := newConfig(s.options(w, tr))
	if err != nil {
		return nil, err
	}
	r := &race{c: c, address: "example.com:80", addrs: s.list}
	if s.named {
		r.query = socket.Query{Host: "example.com", Service: "80"}
		r.resolve = func(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
			w.noteAsked(asked(q.Family), since(t))
			return w.resolve(t, q, deliver)
		}
	}
	if !s.cancels {
		return r.run(t)
	}
	_ = loop.MoveOnAfter(t, s.cancel, func(*loop.Scope) error {
		won, err = r.run(t)
		return err
	})
	return won, err
}

// Each scenario runs on a loop, exact to the millisecond of its virtual clock,
// and leaves nothing behind.
func TestScenarios(t *testing.T) {
	for _, s := range loadScenarios(t) {
		t.Run(s.number, func(t *testing.T) {
			w, tr, clock := &world{scenario: s}, &Trace{}, looptest.NewAutojumpClock()
			looptest.Run(t, func(task *loop.Task) error {
				won, err := s.play(task, w, tr)
				s.check(t, played{w: w, tr: tr, won: won, err: err, at: since(task)})
				if won != nil {
					return won.Close()
				}
				return nil
			}, loop.WithClock(clock))
		})
	}
}

// Ties and orders must not depend on the schedule.
func TestScenariosInEveryOrder(t *testing.T) {
	all := loadScenarios(t)
	looptest.Seeds(t, 5, func(t *testing.T) {
		for _, s := range all {
			w, tr := &world{scenario: s}, &Trace{}
			looptest.Run(t, func(task *loop.Task) error {
				won, err := s.play(task, w, tr)
				s.check(t, played{w: w, tr: tr, won: won, err: err, at: since(task)})
				return nil
			}, loop.WithClock(looptest.NewAutojumpClock()))
			if t.Failed() {
				t.Fatalf("in scenario %s", s.number)
			}
		}
	})
}

// played is what came of a scenario.
type played struct {
	w   *world
	tr  *Trace
	won conn
	err error
	at  time.Duration
}

// check compares the outcome with what the scenario wants.
func (s *scenario) check(t *testing.T, o played) {
	t.Helper()
	if o.at != s.at {
		t.Errorf("it took %v, want %v", o.at, s.at)
	}
	s.checkEnd(t, o)
	if !slices.Equal(o.w.starts, s.starts) {
		t.Errorf("starts %v, want %v", o.w.starts, s.starts)
	}
	if s.asked != nil && !slices.Equal(o.w.asked, s.asked) {
		t.Errorf("asked %v, want %v", o.w.asked, s.asked)
	}
	open := 0
	if o.won != nil {
		open = 1
	}
	if o.w.open != open {
		t.Errorf("%d connections are open, want %d", o.w.open, open)
	}
	s.checkNumbers(t, o.tr.Statistics())
}

func (s *scenario) checkEnd(t *testing.T, o played) {
	t.Helper()
	var failure *Error
	isFailure := errors.As(o.err, &failure)
	end, winner := "none", ""
	switch {
	case o.won != nil && o.err == nil:
		end, winner = "win", o.won.(*fakeConn).addr.Addr().String()
		if o.won.(*fakeConn).closed {
			t.Error("the winner is closed")
		}
	case errors.Is(o.err, loop.Cancelled) && o.won == nil:
		end = "cancelled"
	case isFailure && failure.Timeout() && errors.Is(o.err, loop.ErrTimeout):
		end = "late"
	case isFailure:
		end = "fail"
	}
	if end != s.end || winner != s.winner {
		t.Errorf("the end is %s %s (%v), want %s %s", end, winner, o.err, s.end, s.winner)
	}
	if s.errText != "" && (o.err == nil || !strings.Contains(o.err.Error(), s.errText)) {
		t.Errorf("the error is\n%v\nand does not contain\n%s", o.err, s.errText)
	}
}

func (s *scenario) checkNumbers(t *testing.T, got Statistics) {
	t.Helper()
	if got.Attempts != len(s.starts) {
		t.Errorf("the trace has %d attempts, want %d", got.Attempts, len(s.starts))
	}
	have := map[string]int{"failed": got.Failed, "closed": got.Closed,
		"exhausted": got.Exhausted, "unused": got.Unused}
	for name, want := range s.numbers {
		if n, ok := have[name]; !ok || n != want {
			t.Errorf("%s=%d, want %d", name, n, want)
		}
	}
}

// Scenarios S330 and S409: whenever a race is cancelled, nothing stays open.
func TestCancelEverywhere(t *testing.T) {
	for _, s := range loadScenarios(t) {
		t.Run(s.number, func(t *testing.T) {
			moments := looptest.CancelEverywhere(t, func(task *loop.Task) error {
				w, tr := &world{scenario: s}, &Trace{}
				won, err := s.play(task, w, tr)
				if won != nil {
					_ = won.Close()
				}
				if w.open != 0 {
					t.Errorf("%d connections are open", w.open)
				}
				for i := range tr.Attempts {
					if tr.Attempts[i].Outcome == Running {
						t.Errorf("the trace has a running attempt: %v", tr.Attempts[i])
					}
				}
				if errors.Is(err, loop.Cancelled) && !s.cancels {
					return err
				}
				return nil
			})
			if moments == 0 {
				t.Error("it was never cancelled")
			}
		})
	}
}
