package eyeballs

import (
	"slices"
	"testing"
	"time"
)

// A hand drives an engine without a loop: it keeps a list of what will happen
// and takes the earliest, or the engine's deadline if that is earlier still.
type hand struct {
	s       *scenario
	e       *engine
	now     time.Duration
	future  []coming
	starts  []mark
	asked   []mark
	began   map[int]int // attempts by rank, for nobody starts twice
	horizon time.Duration
}

// coming is an event and its time.
type coming struct {
	at time.Duration
	event
}

// drive runs a scenario by hand until it is over, or until the given time.
func drive(s *scenario, c *config, routes families, horizon time.Duration) *hand {
	h := &hand{s: s, e: newEngine(c, epoch, routes), began: map[int]int{}, horizon: horizon}
	if s.named {
		h.perform(h.e.startNamed())
	} else {
		h.perform(h.e.start(s.list))
	}
	for !h.e.over {
		at, ok := h.e.deadline()
		for _, ev := range h.future {
			if !ok || ev.at < at {
				at, ok = ev.at, true
			}
		}
		if !ok || at >= horizon {
			h.now = horizon
			h.e.cancel(horizon)
			break
		}
		h.now = at
		h.perform(h.e.step(at, h.due()))
	}
	return h
}

// due takes what happens now out of the future.
func (h *hand) due() (batch []event) {
	h.future = slices.DeleteFunc(h.future, func(ev coming) bool {
		if ev.at == h.now {
			batch = append(batch, ev.event)
		}
		return ev.at == h.now
	})
	return batch
}

func (h *hand) comes(after time.Duration, ev event) {
	h.future = append(h.future, coming{h.now + after, ev})
}

func (h *hand) perform(actions []action) {
	for _, a := range actions {
		switch a.kind {
		case askFor:
			h.ask(a.asked)
		case askMore:
			h.askServices()
		case dialTo:
			h.dial(a)
		case shake:
			b := h.s.behaviour(h.e.attempts[a.rank].Target)
			switch {
			case b.shakeNever:
			case b.shakeErr != nil:
				h.comes(b.shakeAfter, event{kind: attemptFailed, rank: a.rank,
					stage: StageHandshake, err: b.shakeErr})
			default:
				h.comes(b.shakeAfter, event{kind: attemptWon, rank: a.rank})
			}
		case abandon:
			h.future = slices.DeleteFunc(h.future, func(ev coming) bool {
				return (ev.kind == attemptWon || ev.kind == attemptOpened || ev.kind == attemptFailed) &&
					ev.rank == a.rank
			})
		}
	}
}

func (h *hand) ask(which families) {
	for _, f := range []family{ipv6, ipv4} {
		if which.has(f) {
			h.asked = append(h.asked, mark{f.String(), h.now})
		}
	}
	for _, a := range h.s.answersFor(which) {
		if !a.never {
			h.comes(a.after, event{kind: answerCame, family: a.family, addrs: a.addrs, err: a.err})
		}
	}
}

func (h *hand) askServices() {
	var last time.Duration
	for _, a := range h.s.services {
		switch last = a.after; {
		case a.never:
			return
		case a.err == nil:
			h.comes(a.after, event{kind: servicesCame, endpoints: a.endpoints})
		default:
			h.comes(a.after, event{kind: servicesEnded, err: a.err})
		}
	}
	h.comes(last, event{kind: servicesEnded})
}

func (h *hand) dial(a action) {
	h.began[a.rank]++
	h.starts = append(h.starts, mark{a.target.Addr().String(), h.now})
	b := h.s.behaviour(a.target)
	ev := event{kind: attemptWon, rank: a.rank}
	switch {
	case b.err != nil:
		ev.kind, ev.err, ev.stage = attemptFailed, b.err, stageOf(b.err)
	case h.s.shaking:
		ev.kind = attemptOpened
	}
	h.comes(b.after, ev)
}

// Each scenario comes out the same without a loop: the engine is pure.
func TestScenariosByHand(t *testing.T) {
	for _, s := range loadScenarios(t) {
		t.Run(s.number, func(t *testing.T) {
			if s.cancels && s.cancel == 0 {
				return // there is no race
			}
			w := &world{scenario: s}
			c, err := newConfig(s.options(w, nil))
			if err != nil {
				t.Fatal(err)
			}
			routes, err := c.askRoutes(nil, s.named)
			if err != nil {
				t.Fatal(err)
			}
			horizon := time.Hour
			if s.cancels {
				horizon = s.cancel
			} else if c.timeout > 0 {
				horizon = c.timeout
			}
			h := drive(s, c, routes, horizon)
			if !slices.Equal(h.starts, s.starts) || h.now != s.at {
				t.Errorf("starts %v at %v, want %v at %v", h.starts, h.now, s.starts, s.at)
			}
			if s.asked != nil && !slices.Equal(h.asked, s.asked) {
				t.Errorf("asked %v, want %v", h.asked, s.asked)
			}
			winner := ""
			if h.e.winner >= 0 {
				winner = h.e.attempts[h.e.winner].Target.Addr().String()
			}
			if winner != s.winner {
				t.Errorf("%q won, want %q", winner, s.winner)
			}
		})
	}
}
