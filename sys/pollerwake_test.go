package sys_test

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lion-go/lion/sys"
)

// Time and wake-ups of pollers.

// wait waits without expecting an event, and returns how long that took.
func wait(t *testing.T, p *sys.Poller, d time.Duration) time.Duration {
	t.Helper()
	var ev [4]sys.Event
	start := time.Now()
	n, err := p.Wait(ev[:], d)
	must(t, err)
	if n != 0 {
		t.Errorf("events from nowhere: %v", ev[:n])
	}
	return time.Since(start)
}

// A wait does not end before its time but now and then, so that waiting for a
// deadline does not turn in circles, and neither does the poller inside.
// Whatever was waited for before.
func TestPollerTimer(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, d := range []time.Duration{
			20 * time.Millisecond, time.Millisecond, 1500 * time.Microsecond, 1, 100 * time.Microsecond,
			30 * time.Millisecond, 2 * time.Millisecond,
		} {
			deadline := time.Now().Add(d)
			parks := p.Statistics().Parks
			turns := 0
			for left := d; left > 0; left = time.Until(deadline) {
				wait(t, p, left)
				turns++
			}
			if turns > 5 {
				t.Errorf("waiting for %v took %d waits", d, turns)
			}
			if parks = p.Statistics().Parks - parks; parks > 10 {
				t.Errorf("waiting for %v took %d sleeps", d, parks)
			}
		}
	})
}

// A look does not wait.
func TestPollerLook(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		before := p.Statistics().Parks
		for range 100 {
			wait(t, p, 0)
		}
		if parks := p.Statistics().Parks - before; parks != 0 {
			t.Errorf("%d of 100 looks slept", parks)
		}
	})
}

// A wake-up before the wait is not lost, several are one, and after it waits
// sleep again.
func TestPollerWakeIsSticky(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, d := range []time.Duration{patience, -1} {
			for range 3 {
				p.Wake()
				p.Wake()
				if took := wait(t, p, d); took >= patience {
					t.Fatalf("a wait of %v with a wake-up before it took %v", d, took)
				}
			}
		}
		deadline := time.Now().Add(30 * time.Millisecond)
		turns := 0
		for left := time.Duration(1); left > 0; left = time.Until(deadline) {
			wait(t, p, left)
			turns++
		}
		if turns > 8 {
			t.Errorf("after the wake-ups a wait took %d turns", turns)
		}
		if wakes := p.Statistics().Wakes; wakes != 12 {
			t.Errorf("%d wake-ups were counted, want 12", wakes)
		}
	})
}

// A wake-up ends the wait that is under way.
func TestPollerWakeDuringWait(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, d := range []time.Duration{patience, -1} {
			done := make(chan struct{})
			go func() {
				defer close(done)
				p.Wake()
			}()
			if took := wait(t, p, d); took >= patience {
				t.Fatalf("a wait of %v with a wake-up took %v", d, took)
			}
			<-done
		}
	})
}

// An event does not swallow a wake-up, and a wake-up does not swallow events.
func TestPollerWakeAndEvent(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		a, b := pair(t)
		for range 10 {
			wouldBlock(t, a)
			arm(t, p, a, testKey, sys.Readable)
			send(t, b, []byte("x"), 0)
			p.Wake()
			expect(t, p, testKey, sys.Readable)
			recvFull(t, a, make([]byte, 1))
		}
	})
}

// Many threads hand over work by the protocol that the loop uses: queue, then
// wake if the loop may be asleep. A lost wake-up shows as a wait that ran to
// its end. Timers and events of a socket come in between.
func TestPollerWakeStress(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		const threads = 8
		each := 2000
		if testing.Short() {
			each = 200
		}
		a, b := pair(t)
		arm(t, p, a, testKey, sys.Readable)
		s := stress{t: t, p: p}
		var all sync.WaitGroup
		for range threads {
			all.Go(func() { s.produce(each) })
		}
		s.consume(threads*each, a, b)
		all.Wait()
		t.Logf("%s: %+v", p.Mode(), p.Statistics())
	})
}

type stress struct {
	t *testing.T
	p *sys.Poller

	mu       sync.Mutex
	queue    []chan struct{}
	sleeping atomic.Bool
}

// produce hands over one piece of work at a time and waits until it is done,
// so that the consumer goes to sleep often.
func (s *stress) produce(n int) {
	done := make(chan struct{}, 1)
	for range n {
		s.mu.Lock()
		s.queue = append(s.queue, done)
		s.mu.Unlock()
		if s.sleeping.Load() {
			s.p.Wake()
		}
		<-done
	}
}

// serve does the work that is queued and says how much that was.
func (s *stress) serve() int {
	s.mu.Lock()
	work := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, done := range work {
		done <- struct{}{}
	}
	return len(work)
}

func (s *stress) consume(total int, a, b sys.FD) {
	waits := []time.Duration{-1, patience, 50 * time.Microsecond, 0, time.Hour, patience}
	var ev [4]sys.Event
	for turn := 0; total > 0; turn++ {
		s.sleeping.Store(true)
		if done := s.serve(); done > 0 {
			s.sleeping.Store(false)
			total -= done
			continue
		}
		if turn%7 == 0 {
			_, _ = sys.Recv(a, make([]byte, 64), 0)
			send(s.t, b, []byte("x"), 0)
		}
		start := time.Now()
		if _, err := s.p.Wait(ev[:], waits[turn%len(waits)]); err != nil {
			s.t.Error(err)
		}
		s.sleeping.Store(false)
		if took := time.Since(start); took >= patience {
			s.t.Errorf("a wake-up was lost: slept %v", took)
		}
	}
}

// Closing is final: later calls answer errors, and a late wake-up from another
// thread does no harm.
func TestPollerClose(t *testing.T) {
	for kind, make := range pollers {
		t.Run(kind, func(t *testing.T) {
			noLeaks(t)
			p, err := make()
			must(t, err)
			if p.Mode() == "" {
				t.Error("no mode")
			}
			a, _ := pair(t)
			must(t, p.Arm(a, 1, sys.Readable))
			p.Forget(a, 1)
			var late sync.WaitGroup
			for range 4 {
				late.Go(func() {
					for range 100 {
						p.Wake()
					}
				})
			}
			must(t, p.Close())
			late.Wait()
			p.Wake()
			p.Forget(a, 1)
			if err := p.Arm(a, 1, sys.Readable); err == nil {
				t.Error("armed after Close")
			}
			var ev [1]sys.Event
			if _, err := p.Wait(ev[:], 0); err == nil {
				t.Error("waited after Close")
			}
		})
	}
}
