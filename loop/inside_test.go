package loop_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// The tests of docs/inside-a-task.md: what may be called inside a task.

// inside runs two tasks that each do the same, and must both come to its end.
func inside(t *testing.T, fn func(*loop.Task)) {
	t.Helper()
	ended := 0
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range 2 {
				n.Spawn(func(t *loop.Task) error {
					fn(t)
					ended++
					return loop.Checkpoint(t)
				})
			}
			return nil
		})
	})
	wantTrue(t, "both tasks end", ended == 2)
}

// A mutex that is given back before the task can suspend; another goroutine
// may hold it for a moment.
func TestInsideAMutex(t *testing.T) {
	var mu sync.Mutex
	var both sync.WaitGroup
	total := 0
	inside(t, func(t *loop.Task) {
		for range 100 {
			mu.Lock()
			total++
			mu.Unlock()
			loop.Checkpoint(t)
		}
		both.Go(func() { mu.Lock(); total++; mu.Unlock() })
	})
	both.Wait()
	wantTrue(t, "nothing is lost", total == 202)
}

// sync.Once, and what is built on it, if the function does not suspend.
func TestInsideAOnce(t *testing.T) {
	calls := 0
	value := sync.OnceValue(func() int { calls++; return 7 })
	inside(t, func(*loop.Task) { wantTrue(t, "the value", value() == 7) })
	wantTrue(t, "one call", calls == 1)
}

// S445: a sync.Once is a mutex: if its function suspends, the next task that
// comes to it freezes the loop.
func TestInsideAOnceThatIsBusy(t *testing.T) {
	r := newReports()
	var once sync.Once
	entered, release := make(chan struct{}), make(chan struct{})
	looptest.Run(t, func(*loop.Task) error {
		go once.Do(func() { close(entered); <-release }) // stands for a task, so that the test ends
		<-entered
		go func() { holdUntil(r); close(release) }()
		once.Do(func() {})
		return nil
	}, loop.WithWatchdog(stallLimit, r.add))
	wantText(t, r.only(t).State, "sync.Mutex.Lock")
}

// Channels, where the operation does not wait.
func TestInsideAChannelThatDoesNotWait(t *testing.T) {
	c := make(chan int, 2)
	inside(t, func(*loop.Task) {
		select {
		case c <- 1:
		default:
			t.Error("there is room")
		}
	})
	wantTrue(t, "both were taken", len(c) == 2)
}

// A goroutine that hands its result back through CallSoon.
func TestInsideAGoroutineThatAnswers(t *testing.T) {
	inside(t, func(task *loop.Task) {
		result := 0
		go func() {
			task.Loop().CallSoon(func() { result = 7; task.Unpark(nil) })
		}()
		want(t, "the wait", loop.Park(task, "the goroutine", nil), nil)
		wantTrue(t, "the result", result == 7)
	})
}

// The context of a task, for calls that want one.
func TestInsideAContext(t *testing.T) {
	inside(t, func(task *loop.Task) {
		var ctx context.Context
		loop.MoveOnAfter(task, time.Minute, func(*loop.Scope) error {
			ctx = task.Context()
			wantTrue(t, "it is alive", ctx.Err() == nil)
			return nil
		})
		wantTrue(t, "it ends with its scope", ctx.Err() != nil)
	})
}

// A small file that is likely in memory.
func TestInsideASmallFile(t *testing.T) {
	f, err := os.CreateTemp("", "small")
	want(t, "making a file", err, nil)
	name := f.Name()
	defer os.Remove(name)
	_, err = f.WriteString("lion")
	want(t, "writing", errors.Join(err, f.Close()), nil)
	inside(t, func(*loop.Task) {
		text, err := os.ReadFile(name)
		wantTrue(t, "it is read", err == nil && string(text) == "lion")
	})
}

// Loggers: they hold a mutex for one write.
func TestInsideALogger(t *testing.T) {
	var b bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&b, nil))
	inside(t, func(task *loop.Task) {
		logger.InfoContext(task.Context(), "roar", "task", task.ID())
	})
	wantText(t, b.String(), "msg=roar task=2", "msg=roar task=3")
}

// Code of others that calls back: what it calls may suspend, since a task is a
// whole stack. reflect and slices stand for all of it.
func TestInsideCallbacksThatSuspend(t *testing.T) {
	inside(t, func(task *loop.Task) {
		out := reflect.ValueOf(loop.Yield).Call([]reflect.Value{reflect.ValueOf(task)})
		wantTrue(t, "by reflection", out[0].IsNil())
		numbers := []int{3, 1, 2}
		slices.SortFunc(numbers, func(a, b int) int {
			loop.Yield(task)
			return a - b
		})
		wantTrue(t, "while sorting", slices.IsSorted(numbers))
		for range numbers {
			defer loop.Yield(task)
		}
	})
}

// Atomics, pools and maps for many goroutines wait for nobody for long.
func TestInsidePoolsAndMaps(t *testing.T) {
	var m sync.Map
	pool := sync.Pool{New: func() any { return new(int) }}
	inside(t, func(task *loop.Task) {
		n := pool.Get().(*int)
		*n = 7
		loop.Checkpoint(task)
		m.Store(task.ID(), *n)
		pool.Put(n)
	})
	n, ok := m.Load(uint64(3))
	wantTrue(t, "it is there", ok && n == 7)
}

// The page names tests; they exist.
func TestThePageInsideATaskNamesTests(t *testing.T) {
	text, err := os.ReadFile("../docs/inside-a-task.md")
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z/]+)\\.(Test\\w+)`").FindAllStringSubmatch(string(text), -1)
	wantTrue(t, "it names some", len(named) > 10)
	for _, name := range named {
		files, _ := filepath.Glob(filepath.Join("..", filepath.FromSlash(name[1]), "*_test.go"))
		found := slices.ContainsFunc(files, func(file string) bool {
			source, _ := os.ReadFile(file)
			return strings.Contains(string(source), "func "+name[2]+"(")
		})
		if !found {
			t.Errorf("there is no %s in %s", name[2], name[1])
		}
	}
}
