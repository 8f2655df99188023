package loop_test

import (
	"errors"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// brokenClock panics in the method that is named, once it has been started.
type brokenClock struct {
	*looptest.Clock
	in string
}

func (c brokenClock) fail(in string) {
	if c.in == in {
		panic(errClock)
	}
}

func (c brokenClock) Now() time.Time {
	if c.Clock.Elapsed() > 0 {
		c.fail("Now")
	}
	return c.Clock.Now()
}

func (c brokenClock) Sleep(when time.Time) time.Duration {
	c.fail("Sleep")
	return c.Clock.Sleep(when)
}

func (c brokenClock) Threshold() time.Duration {
	c.fail("Threshold")
	return 0
}

func (c brokenClock) Jump(when time.Time) {
	c.fail("Jump")
	c.Clock.Jump(when)
}

// S019: whatever the clock fails in, the loop ends with ErrInternal and
// unwinds its tasks, none of which is blamed.
func TestS019EveryMethodOfTheClockFails(t *testing.T) {
	for _, method := range []string{"Now", "Sleep", "Threshold", "Jump"} {
		unwound := 0
		clock := brokenClock{looptest.NewClock(), method}
		err := looptest.RunErr(t, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(task *loop.Task) error {
					err := loop.Sleep(task, time.Hour)
					unwound++
					return err
				})
				if err := loop.Checkpoint(task); err != nil {
					return err
				}
				clock.Clock.Advance(time.Second)
				err := loop.Checkpoint(task)
				if err == nil {
					err = loop.Sleep(task, time.Minute)
				}
				unwound++
				return err
			})
		}, loop.WithClock(clock))
		var p *loop.PanicError
		if !errors.Is(err, loop.ErrInternal) || !errors.Is(err, errClock) || unwound != 2 {
			t.Errorf("%s: %d tasks were unwound, Run returned %v", method, unwound, err)
		}
		if method == "Now" && (!errors.As(err, &p) || p.Task != "clock") {
			t.Errorf("%s: %v is blamed", method, p)
		}
	}
}

// S136: an abort function that ends whoever cancels, by Goexit, ends the loop
// loudly: others might never hear of the cancellation.
func TestS136AbortCallsGoexit(t *testing.T) {
	woken := 0
	err := looptest.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error {
				return loop.Park(task, "test", loop.AbortFunc(func(loop.Wait) bool {
					runtime.Goexit()
					return true
				}))
			})
			for range 3 {
				n.Spawn(func(task *loop.Task) error {
					err := loop.Park(task, "test", loop.AbortFunc(func(loop.Wait) bool { return true }))
					woken++
					return err
				})
			}
			settled(task, t)
			return n.Cancel("now")
		})
	})
	if !errors.Is(err, loop.ErrInternal) || woken != 3 {
		t.Errorf("%d woken, Run returned %v", woken, err)
	}
}

// reliability 30: signals that come all the time neither lose a wake-up, nor
// wake a sleeper early, nor make the loop spin. (Not interrupts: looptest would
// end the run.)
func TestSignalStorm(t *testing.T) {
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, sys.Hangup) // for good: at the end one may still be on its way to a thread
	if err := self.Signal(sys.Hangup); err != nil {
		t.Skipf("the system cannot send a signal to this process: %v", err)
	}
	stop := make(chan struct{})
	var storm sync.WaitGroup
	storm.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				self.Signal(sys.Hangup)
			}
		}
	})
	defer storm.Wait()
	defer close(stop)
	looptest.Config{Limit: time.Minute}.Run(t, func(task *loop.Task) error {
		const rounds, nap = 50, time.Millisecond
		a, b := pair(t)
		defer closeAll(t, a, b)
		da, db := task.Loop().Register(a), task.Loop().Register(b)
		defer da.Forget()
		defer db.Forget()
		before := task.Statistics().Polls
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(func(task *loop.Task) error { return echo(task, t, db, rounds) })
			for range rounds {
				began := time.Now()
				if err := loop.Sleep(task, nap); err != nil {
					return err
				}
				if slept := time.Since(began); slept < nap {
					t.Errorf("slept %v", slept)
				}
				send(t, a, "x")
				if err := receive(task, t, da); err != nil {
					return err
				}
			}
			return nil
		})
		if polls := task.Statistics().Polls - before; polls > 20*rounds {
			t.Errorf("%d polls for %d rounds", polls, rounds)
		}
		return err
	})
}

// receive takes one byte.
func receive(task *loop.Task, t *testing.T, d *loop.Descriptor) error {
	for {
		var buf [1]byte
		_, err := sys.Recv(d.FD(), buf[:], 0)
		if err != sys.WouldBlock {
			return err
		}
		d.MarkDrained(sys.Readable)
		if err := loop.WaitReadable(task, d); err != nil {
			return err
		}
	}
}

// echo answers bytes.
func echo(task *loop.Task, t *testing.T, d *loop.Descriptor, bytes int) error {
	for range bytes {
		if err := receive(task, t, d); err != nil {
			return err
		}
		send(t, d.FD(), "y")
	}
	return nil
}

// A hundred thousand tasks sleep at once, and each wakes when it should.
func TestHundredThousandSleepers(t *testing.T) {
	sleepers := 100_000
	if raceEnabled() {
		sleepers = 5_000 // the detector bears 8128 goroutines
	}
	clock := looptest.NewAutojumpClock()
	rng := rand.New(rand.NewPCG(1, 2))
	looptest.Config{Limit: time.Minute}.Run(t, func(task *loop.Task) error {
		late, woken := 0, 0
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			for range sleepers {
				d := 10*time.Millisecond + time.Duration(rng.Int64N(int64(100*time.Millisecond)))
				n.Spawn(func(task *loop.Task) error {
					err := loop.Sleep(task, d)
					woken++
					if clock.Elapsed() != d {
						late++
					}
					return err
				})
			}
			return nil
		})
		if late != 0 || woken != sleepers || task.Statistics().Timers != 0 {
			t.Errorf("%d of %d woke, %d at another time", woken, sleepers, late)
		}
		return err
	}, loop.WithClock(clock))
}

// WaitPriority is woken by out-of-band data, and by nothing else that comes.
func TestWaitPriority(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := tcpPair(task, t)
		defer closeAll(t, a, b)
		d := task.Loop().Register(a)
		defer d.Forget()
		err := looptest.AssertCheckpoint(task, t, func() error { return loop.WaitPriority(task, d) })
		want(t, "a wait that is not drained", err, nil)
		d.MarkDrained(sys.Readable | sys.Priority)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			h, err := loop.Go(n, func(task *loop.Task) (bool, error) { return true, loop.WaitPriority(task, d) })
			if err != nil {
				return err
			}
			settled(task, t)
			want(t, "a second task", loop.WaitPriority(task, d), loop.ErrBusy)
			send(t, b, "plain")
			if err := loop.WaitReadable(task, d); err != nil {
				return err
			}
			settled(task, t)
			wantTrue(t, "plain data do not wake it", !h.Ended())
			if _, err := sys.Send(b, []byte("!"), sys.MSG_OOB); err != nil {
				return err
			}
			if err := h.Wait(task); err != nil {
				return err
			}
			var mark [1]byte
			if _, err := sys.Recv(a, mark[:], sys.MSG_OOB); err != nil || mark[0] != '!' || !d.Unusual() {
				t.Errorf("out of band came %q, %v; unusual: %v", mark[:], err, d.Unusual())
			}
			return nil
		})
	})
}

// tcpPair returns the two ends of a TCP connection.
func tcpPair(task *loop.Task, t *testing.T) (client, server sys.FD) {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ln, err := sys.Socket(sys.AF_INET, sys.SOCK_STREAM, 0)
	check(err)
	defer closeAll(t, ln)
	var name sys.Sockaddr
	check(name.SetAddrPort(sys.AF_INET, netip.MustParseAddrPort("127.0.0.1:0")))
	check(sys.Bind(ln, &name))
	check(sys.Listen(ln, 1))
	check(sys.Getsockname(ln, &name))
	client, err = sys.Socket(sys.AF_INET, sys.SOCK_STREAM, 0)
	check(err)
	if err := sys.Connect(client, &name); err == sys.WouldBlock {
		check(loop.WaitWritableFD(task, client))
		check(sys.FinishConnect(client))
	} else {
		check(err)
	}
	server, err = sys.Accept(ln, nil)
	if err == sys.WouldBlock {
		check(loop.WaitReadableFD(task, ln))
		server, err = sys.Accept(ln, nil)
	}
	check(err)
	return client, server
}

// S109: in debug mode the handle of a running task is refused
// in a foreign goroutine, whatever is tried; the task itself goes on as ever.
func TestS109DebugRefusesForeignGoroutines(t *testing.T) {
	tries := map[string]func(*loop.Task) error{
		"Checkpoint":            loop.Checkpoint,
		"CheckpointIfCancelled": loop.CheckpointIfCancelled,
		"ShieldedCheckpoint":    loop.ShieldedCheckpoint,
		"Yield":                 loop.Yield,
		"Sleep":                 func(t *loop.Task) error { return loop.Sleep(t, 1) },
		"Park":                  func(t *loop.Task) error { return loop.Park(t, "test", nil) },
		"Nurse":                 func(t *loop.Task) error { return loop.Nurse(t, func(*loop.Nursery) error { return nil }) },
		"Scoped":                func(t *loop.Task) error { return loop.Scoped(t, func(*loop.Scope) error { return nil }) },
	}
	abroad := func(task *loop.Task) error {
		for name, try := range tries {
			answer := make(chan error)
			go func() { answer <- try(task) }()
			want(t, name+" in a foreign goroutine", <-answer, loop.ErrWrongTask)
			if name != "Park" {
				want(t, name+" at home", try(task), nil)
			}
		}
		return nil
	}
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(abroad)
			return loop.FailAfter(task, time.Hour, func(*loop.Scope) error { return abroad(task) })
		})
	}, loop.WithDebug())
}
