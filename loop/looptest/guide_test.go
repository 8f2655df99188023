package looptest_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
)

// The code that docs/testing.md shows. TestGuide holds the two together.

// What is tested: a call that is tried again, a server, and a cipher.

var errRefused = errors.New("refused")

func retry(t *loop.Task, call func(*loop.Task) error) (err error) {
	for pause := time.Second; pause <= time.Minute; pause *= 2 {
		if err = call(t); err == nil {
			return nil
		}
		if err := loop.Sleep(t, pause); err != nil {
			return err
		}
	}
	return fmt.Errorf("given up: %w", err)
}

func TestRetryGivesUp(t *testing.T) {
	clock := looptest.NewAutojumpClock()
	looptest.Run(t, func(task *loop.Task) error {
		calls := 0
		err := retry(task, func(*loop.Task) error { calls++; return errRefused })
		if !errors.Is(err, errRefused) || calls != 6 {
			t.Errorf("%d calls: %v", calls, err)
		}
		return nil
	}, loop.WithClock(clock))
	if clock.Elapsed() != 63*time.Second {
		t.Errorf("it took %v", clock.Elapsed())
	}
}

func greeter(t *loop.Task, s stream.Stream) error {
	r := stream.NewReader(s, t.Buffer())
	name, err := r.LineWithin(t, 40)
	if err != nil {
		return err
	}
	return s.SendAll(t, fmt.Appendf(nil, "hello %s\n", name))
}

func TestGreeter(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		client, server := stream.NewLockstep()
		defer client.Close()
		defer server.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			if err := n.Spawn(func(task *loop.Task) error { return greeter(task, server) }); err != nil {
				return err
			}
			if err := client.SendAll(task, []byte("world\n")); err != nil {
				return err
			}
			answer := make([]byte, len("hello world\n"))
			_, err := stream.ReceiveExactly(task, client, answer)
			if string(answer) != "hello world\n" {
				t.Errorf("the answer is %q", answer)
			}
			return err
		})
	})
}

func TestGreeterAwkward(t *testing.T) {
	looptest.EachSplit(t, []byte("world\r\n"), greeter)
	looptest.EachBreak(t, []byte("world\r\n"), greeter)
}

// A pool hands out one thing at a time.
type pool struct {
	free    int
	waiting loop.ParkingLot
}

func (p *pool) with(t *loop.Task, fn func() error) error {
	for p.free == 0 {
		if err := p.waiting.Park(t, "a free one"); err != nil {
			return err
		}
	}
	p.free--
	defer func() {
		p.free++
		p.waiting.UnparkOne()
	}()
	return fn()
}

func TestPoolLosesNothing(t *testing.T) {
	looptest.CancelEverywhere(t, func(task *loop.Task) error {
		p := &pool{free: 1}
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			for range 3 {
				err := n.Spawn(func(task *loop.Task) error {
					return p.with(task, func() error { return loop.Sleep(task, time.Second) })
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
		if p.free != 1 {
			t.Errorf("%d are free in the end", p.free)
		}
		return err
	})
}

func TestPoolInEveryOrder(t *testing.T) {
	looptest.Seeds(t, 20, func(t *testing.T) {
		looptest.Replays(t, func(task *loop.Task) error {
			p := &pool{free: 2}
			return loop.Nurse(task, func(n *loop.Nursery) error {
				for range 5 {
					err := n.Spawn(func(task *loop.Task) error {
						return p.with(task, func() error { return loop.Checkpoint(task) })
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
		})
	})
}

func TestPoolOrder(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		var seq looptest.Sequencer
		var order []string
		p := &pool{free: 1}
		err := loop.Nurse(task, func(n *loop.Nursery) error {
			err := n.Spawn(func(task *loop.Task) error {
				return p.with(task, func() error {
					order = append(order, "first")
					return seq.Do(task, 1, func() error { return nil })
				})
			})
			if err != nil {
				return err
			}
			looptest.WaitAllTasksBlocked(task, t) // the first one holds it
			if p.free != 0 {
				t.Error("nobody holds it")
			}
			return seq.Do(task, 0, func() error {
				order = append(order, "main")
				return nil
			})
		})
		if !slices.Equal(order, []string{"first", "main"}) {
			t.Errorf("order %q", order)
		}
		return err
	})
}

// mask is a stream that hides its bytes.
type mask struct{ stream.Stream }

func (m mask) Receive(t *loop.Task, b []byte) (int, error) {
	n, err := m.Stream.Receive(t, b)
	for i := range b[:n] {
		b[i] ^= 0x55
	}
	return n, err
}

func (m mask) SendAll(t *loop.Task, b []byte) error {
	hidden := bytes.Clone(b)
	for i := range hidden {
		hidden[i] ^= 0x55
	}
	return m.Stream.SendAll(t, hidden)
}

func TestMaskIsAStream(t *testing.T) {
	looptest.TestStream(t, func(*loop.Task, testing.TB) (a, b stream.Stream) {
		x, y := stream.NewMemory(0)
		return mask{x}, mask{y}
	})
}

func TestReceiveIsACheckpoint(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(0)
		defer a.Close()
		defer b.Close()
		if err := a.SendAll(task, []byte("x")); err != nil {
			return err
		}
		err := looptest.AssertCheckpoint(task, t, func() error {
			_, err := mask{b}.Receive(task, make([]byte, 1))
			return err
		})
		return errors.Join(err, looptest.AssertNoCheckpoint(task, t, b.Close))
	})
}

func TestWithGoroutines(t *testing.T) {
	looptest.Bubble(t, func(task *loop.Task) error {
		l, late := task.Loop(), false
		go func() {
			<-time.After(time.Minute)
			_ = l.CallSoon(func() { late = true })
		}()
		if err := loop.Sleep(task, time.Hour); err != nil { // takes no time
			return err
		}
		synctest.Wait() // whatever goroutines can do now is done
		if !late {
			t.Error("the goroutine did not call")
		}
		return nil
	})
}

// TestGuide: every Go snippet of the guide is in this file, word for word.
func TestGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile("guide_test.go")
	if err != nil {
		t.Fatal(err)
	}
	snippets := 0
	for i, part := range strings.Split(string(guide), "```") {
		snippet, isGo := strings.CutPrefix(part, "go\n")
		if i%2 == 0 || !isGo {
			continue
		}
		snippets++
		if !strings.Contains(string(code), snippet) {
			t.Errorf("this is in docs/testing.md and not in guide_test.go:\n%s", snippet)
		}
	}
	if snippets < 8 {
		t.Errorf("only %d snippets were found", snippets)
	}
}
