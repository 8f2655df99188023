package eyeballs

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
)

// Scenarios E55 and E70: a lookup that is late goes on in the nursery of the
// caller for a second after the race was won, and not longer.
func TestE70LookupsLinger(t *testing.T) {
	for _, c := range []struct {
		answer string
		heard  bool
		ends   time.Duration
	}{
		{"AAAA@600=6a", true, 600 * ms}, {"AAAA@1200=6a", false, 1100 * ms},
		{"AAAA!never", false, 1100 * ms},
	} {
		s := &scenario{}
		if err := s.line("dns", "A@30=4a "+c.answer); err != nil {
			t.Fatal(err)
		}
		w, heard := &world{scenario: s}, false
		looptest.Run(t, func(task *loop.Task) error {
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				cfg, err := newConfig(append(s.options(w, &Trace{}), WithLinger(n)))
				if err != nil {
					return err
				}
				r := &race{c: cfg, query: socket.Query{Host: "x"}}
				r.resolve = func(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
					return w.resolve(t, q, func(a socket.Answer) {
						heard = heard || a.Family == kernelFamily(ipv6)
						deliver(a)
					})
				}
				won, err := r.run(task)
				if at := since(task); err != nil || at != 100*ms {
					t.Errorf("%s: won at %v, %v; want 100ms", c.answer, at, err)
				}
				return errors.Join(err, won.Close())
			})
			if since(task) != c.ends || heard != c.heard {
				t.Errorf("%s: the lookup ended at %v, heard %v", c.answer, since(task), heard)
			}
			return err
		}, loop.WithClock(looptest.NewAutojumpClock()))
	}
}

// Without a nursery to linger in, a lookup is cancelled before the call returns.
func TestLookupsAreCancelled(t *testing.T) {
	s := &scenario{}
	if err := s.line("dns", "A@30=4a AAAA!never"); err != nil {
		t.Fatal(err)
	}
	w, ended := &world{scenario: s}, false
	looptest.Run(t, func(task *loop.Task) error {
		cfg, err := newConfig(s.options(w, &Trace{}))
		if err != nil {
			return err
		}
		r := &race{c: cfg}
		r.resolve = func(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
			defer func() { ended = true }()
			return w.resolve(t, q, deliver)
		}
		if won, err := r.run(task); err != nil || !ended || won == nil {
			t.Errorf("%v, ended %v", err, ended)
		}
		return nil
	}, loop.WithClock(looptest.NewAutojumpClock()))
}

// Scenario E76: with a resolver that answers at once the race begins at once.
func TestE76CachedAnswer(t *testing.T) {
	starts, took := races(t, 2, nil, [2]string{"dns", "AAAA@0=6a A@0=4a"})
	for i := range starts {
		if len(starts[i]) != 1 || starts[i][0] != (mark{"2001:db8::a", 0}) || took[i] != 20*ms {
			t.Errorf("race %d: starts %v, took %v", i, starts[i], took[i])
		}
	}
}

// A resolver that fails without an answer, and one that answers with nothing,
// end the race; so does one that answers with a stray Cancelled.
func TestUselessResolvers(t *testing.T) {
	for name, resolve := range map[string]socket.Resolve{
		"fails":  func(t *loop.Task, _ socket.Query, _ func(socket.Answer)) error { return errServer },
		"silent": func(t *loop.Task, _ socket.Query, _ func(socket.Answer)) error { return nil },
		"empty": func(t *loop.Task, _ socket.Query, deliver func(socket.Answer)) error {
			deliver(socket.Answer{Family: kernelFamily(ipv4)})
			deliver(socket.Answer{Family: kernelFamily(ipv6)})
			return nil
		},
	} {
		looptest.Run(t, func(task *loop.Task) error {
			_, err := Dial(task, resolve, "example.com:80")
			var failure *Error
			if !errors.As(err, &failure) || len(failure.Errs) != 2 {
				t.Errorf("%s: %v", name, err)
			}
			return nil
		})
	}
}

// Routes that can not be told fail the race before it begins.
func TestRoutesFail(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		_, err := Dial(task, func(*loop.Task, socket.Query, func(socket.Answer)) error {
			t.Error("a name was looked up")
			return nil
		}, "example.com:80", WithRoutes(func(*loop.Task) (v4, v6 bool, err error) {
			return false, false, errBad
		}))
		if !errors.Is(err, errBad) {
			t.Errorf("the error is %v", err)
		}
		return nil
	})
}

// Options are values: races that share them do not meet in them.
func TestOptionsAreReusable(t *testing.T) {
	opts := []Option{WithSetup(socket.With(socket.NoDelay, true)), WithSetup(), OnlyIPv4()}
	for range 2 {
		c, err := newConfig(opts)
		if err != nil || len(c.setup) != 1 || c.families != only4 {
			t.Errorf("%d set-ups, families %b, %v", len(c.setup), c.families, err)
		}
	}
}
