package looptest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
)

// In a bubble tasks and goroutines share one time, which costs nothing.
func TestBubbleSharesTime(t *testing.T) {
	began := time.Now()
	Bubble(t, func(task *loop.Task) error {
		start := time.Now()
		var order []string
		note := func(who string) { order = append(order, who+" "+time.Since(start).String()) }
		l := task.Loop()
		go func() {
			<-time.After(90 * time.Minute)
			_ = l.CallSoon(func() { note("goroutine") }) // the loop is there until 2h
		}()
		for range 2 {
			if err := loop.Sleep(task, time.Hour); err != nil {
				return err
			}
			note("task")
		}
		want := []string{"task 1h0m0s", "goroutine 1h30m0s", "task 2h0m0s"}
		if len(order) != 3 || order[0] != want[0] || order[1] != want[1] || order[2] != want[2] {
			t.Errorf("order %q, want %q", order, want)
		}
		return nil
	})
	if d := time.Since(began); d > time.Minute {
		t.Errorf("two hours took %v", d)
	}
}

// A task can wait until goroutines have done what they can.
func TestBubbleWaits(t *testing.T) {
	Bubble(t, func(task *loop.Task) error {
		done := false
		go func() {
			<-time.After(0)
			done = true
		}()
		synctest.Wait()
		if !done {
			t.Error("synctest.Wait came back early")
		}
		return nil
	})
}

// Do, deadlines, streams and cancellation work, and descriptors do not.
func TestBubbleTasks(t *testing.T) {
	Bubble(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(0)
		defer a.Close()
		defer b.Close()
		answered := make(chan error, 1)
		go func() {
			answered <- task.Loop().Do(context.Background(), func(task *loop.Task) error {
				return a.SendAll(task, []byte("from a goroutine"))
			})
		}()
		receives(task, t, b, "from a goroutine")
		err := loop.FailAfter(task, time.Hour, func(*loop.Scope) error {
			_, err := b.Receive(task, make([]byte, 1))
			return err
		})
		wantErr(t, "a receive for which nothing comes", err, loop.ErrTimeout)
		wantErr(t, "waiting for a descriptor", loop.WaitReadableFD(task, 0), errors.ErrUnsupported)
		return <-answered
	}, loop.WithSeed(1))
}

// A run that can not go on is ended and dumped.
func TestBubbleHangs(t *testing.T) {
	var r *recorder
	synctest.Test(t, func(*testing.T) {
		r = record(func(r *recorder) {
			Config{bubble: true, Limit: bubblePatience}.Run(r, loop.SleepForever, loop.WithoutKernel())
		})
	})
	wantFailure(t, r, "the run takes longer than 87600h", "sleeping forever")
}
