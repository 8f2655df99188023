// Command soak runs servers and clients of all kinds for hours, and fails if
// anything goes wrong or is left over: a wrong byte, a call that does not end, a
// descriptor, a goroutine, memory.
//
//	go run ./bench/soak -for 1h
//	go run -tags faults ./bench/soak -for 1m    also lets calls of the kernel fail
//
// It works in rounds. In each a number of clients, every one with a scenario of
// its own, talk to an echo server, to one with TLS and to one that sends a file;
// some break off, some are cancelled, some stay idle. At the end of a round nothing
// is under way, and what the process holds is compared with what it held after the
// first rounds.
package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
	"github.com/lion-go/lion/sys/faults"
)

const (
	// warmRounds pass before the process is measured first: pools fill up.
	warmRounds = 20

	// roundTime is how long a round may take. A client waits answerTime for an
	// answer; that several do in turn is not to end a soak.
	roundTime  = 60 * time.Second
	answerTime = 10 * time.Second

	// memorySlack is by how much the resident memory may grow after the first
	// rounds: by a half, and this.
	memorySlack = 32 << 20

	// settleTime is how long the last goroutines and descriptors of a round may
	// take to be gone.
	settleTime = 5 * time.Second
)

func main() {
	length := flag.Duration("for", time.Hour, "how long to run")
	clients := flag.Int("clients", 100, "how many clients there are in a round")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "what the clients do")
	flag.Parse()
	fmt.Printf("seed %d, calls that fail: %v\n", *seed, faults.Enabled)
	s := &soak{clients: *clients, rng: rand.New(rand.NewPCG(*seed, 0)), end: time.Now().Add(*length)}
	if err := s.run(); err != nil {
		fmt.Fprintf(os.Stderr, "soak: seed %d, round %d: %v\n", *seed, s.rounds, err)
		os.Exit(1)
	}
	fmt.Println("soak: nothing was found")
}

// soak is one run.
type soak struct {
	clients int
	rng     *rand.Rand
	end     time.Time
	rounds  int
	servers servers
	tally   tally
	first   holdings
	told    time.Time
}

// tally counts what happened.
type tally struct {
	visits, failures int
	bytes            int64
}

// holdings is what the process holds at the end of a round.
type holdings struct {
	fds, goroutines int
	resident        uint64
}

func (s *soak) run() error {
	failed := make(chan error, 1)
	ready := make(chan servers, 1)
	go func() { failed <- serve(ready) }()
	select {
	case s.servers = <-ready:
	case err := <-failed:
		return err
	}
	for time.Now().Before(s.end) {
		if err := s.round(); err != nil {
			return err
		}
		select {
		case err := <-failed:
			return fmt.Errorf("the servers ended: %w", err)
		default:
		}
		if err := s.settle(); err != nil {
			return err
		}
	}
	s.tell()
	return s.servers.stop(failed)
}

// round has all clients do something, on a loop of its own.
func (s *soak) round() error {
	s.rounds++
	end := make(chan struct{})
	defer close(end)
	if faults.Enabled {
		go disturb(s.rng.Uint64(), end)
	}
	watchdog := time.AfterFunc(roundTime, func() {
		fmt.Fprintf(os.Stderr, "soak: round %d does not end\n", s.rounds)
		buf := make([]byte, 1<<20)
		os.Stderr.Write(buf[:runtime.Stack(buf, true)])
		os.Exit(1)
	})
	defer watchdog.Stop()
	return loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			for range s.clients {
				rng := rand.New(rand.NewPCG(s.rng.Uint64(), 1))
				if err := n.Spawn(func(t *loop.Task) error { return s.visit(t, rng) }); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// visit is one client. Only wrong bytes and missing answers are its errors.
func (s *soak) visit(t *loop.Task, rng *rand.Rand) error {
	s.tally.visits++
	err := loop.FailAfter(t, answerTime, func(*loop.Scope) error {
		n, err := scenarios[rng.IntN(len(scenarios))](t, s.servers, rng)
		s.tally.bytes += n
		return err
	})
	var op *socket.OpError
	switch {
	case err == nil:
		return nil
	case faults.Enabled && !errors.Is(err, errWrong):
		s.tally.failures++
		return nil
	case errors.As(err, &op) && op.Temporary():
		s.tally.failures++ // the machine is short of something
		return nil
	}
	return err
}

// settle compares what is held with what was held before.
func (s *soak) settle() error {
	var now holdings
	for end := time.Now().Add(settleTime); ; time.Sleep(10 * time.Millisecond) {
		fds, err := sys.OpenFDs()
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		now = holdings{fds: len(fds), goroutines: runtime.NumGoroutine()}
		if s.rounds <= warmRounds || time.Now().After(end) ||
			now.fds <= s.first.fds && now.goroutines <= s.most() {
			break
		}
	}
	now.resident, _ = sys.Residents() // 0 where it is not told
	if s.rounds == warmRounds {
		runtime.GC()
	}
	if s.rounds <= warmRounds {
		s.first = holdings{
			max(s.first.fds, now.fds), max(s.first.goroutines, now.goroutines), max(s.first.resident, now.resident),
		}
		return nil
	}
	if now.fds > s.first.fds || now.goroutines > s.most() {
		buf := make([]byte, 1<<20)
		os.Stderr.Write(buf[:runtime.Stack(buf, true)])
		return fmt.Errorf("%+v is held; after the first rounds it was %+v", now, s.first)
	}
	if now.resident > s.first.resident+s.first.resident/2+memorySlack {
		return fmt.Errorf("memory grows: %+v is held; after the first rounds it was %+v", now, s.first)
	}
	if time.Since(s.told) > 10*time.Second {
		s.told = time.Now()
		s.tell()
		fmt.Printf("   holding %+v\n", now)
	}
	return nil
}

// most is how many goroutines there may be. Loops keep coroutines for as many tasks
// as there were at a time, which depends on how the clients fall together.
func (s *soak) most() int { return s.first.goroutines + 2*s.clients }

func (s *soak) tell() {
	fmt.Printf("round %d: %d visits, %d of them failed, %d MiB\n",
		s.rounds, s.tally.visits, s.tally.failures, s.tally.bytes>>20)
}

// fatal are calls without which a server or a loop cannot go on: their failures
// are for looptest.EachFault.
var fatal = map[string]bool{
	"Poller.Wait": true, "NewPoller": true, "Poller.Arm": true, "Accept": true, "Listen": true,
	"OpenFDs": true, "Residents": true,
}

// disturb has calls fail now and then.
func disturb(seed uint64, end <-chan struct{}) {
	rng := rand.New(rand.NewPCG(seed, 2))
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	kinds := []faults.Kind{faults.Fail, faults.Fail, faults.Cut}
	for {
		p := &faults.Plan{
			Kind: kinds[rng.IntN(len(kinds))], Call: 1 + rng.IntN(200), Nth: rng.IntN(16),
			Wakes: faults.Wakes(rng.IntN(4)), Spare: func(name string) bool { return fatal[name] },
		}
		faults.Begin(p)
		select {
		case <-tick.C:
		case <-end:
			faults.End(p)
			return
		}
		faults.End(p)
	}
}
