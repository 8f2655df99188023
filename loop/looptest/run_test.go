package looptest

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

var errTest = errors.New("test")

func TestRunErrReturnsError(t *testing.T) {
	if err := RunErr(t, func(*loop.Task) error { return errTest }); err != errTest {
		t.Errorf("got %v", err)
	}
	r := record(func(r *recorder) { Run(r, func(*loop.Task) error { return errTest }) })
	wantFailure(t, r, "the run failed: test", "-lion.seed=")
}

func TestRunEach(t *testing.T) {
	ran := make(chan int, 2)
	err := Config{}.RunEach(t, 2, func(task *loop.Task, i int) error {
		ran <- i
		return nil
	})
	if err != nil || <-ran+<-ran != 1 {
		t.Errorf("got %v", err)
	}
}

func TestWatchdogDumps(t *testing.T) {
	var l *loop.Loop
	defer takeInventory(t).compare(t)
	ended := make(chan struct{})
	r := record(func(r *recorder) {
		Config{Limit: 20 * time.Millisecond}.Run(r, func(task *loop.Task) error {
			defer close(ended)
			l = task.Loop()
			return loop.SleepForever(task)
		})
	})
	wantFailure(t, r, "longer than 20ms", "sleeping forever", "scope(active)", "goroutine ", "-lion.seed=")
	l.Interrupt()
	<-ended
}

func TestWatchdogOfHeldLoop(t *testing.T) {
	defer takeInventory(t).compare(t)
	release, ended := make(chan struct{}), make(chan struct{})
	r := record(func(r *recorder) {
		Config{Limit: 20 * time.Millisecond}.Run(r, func(*loop.Task) error {
			defer close(ended)
			<-release
			return nil
		})
	})
	wantFailure(t, r, "one of its tasks holds it", "TestWatchdogOfHeldLoop")
	close(release)
	<-ended
}

func TestLeaksAreFound(t *testing.T) {
	var kept []sys.FD
	release := make(chan struct{})
	r := record(func(r *recorder) {
		Run(r, func(task *loop.Task) error {
			in, out, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			kept = append(kept, in, out)
			task.Loop().Register(in)
			go func() { <-release }()
			return nil
		})
	})
	wantFailure(t, r, "1 registered descriptors", "a goroutine was left running", "TestLeaksAreFound")
	if _, err := sys.OpenFDs(); !errors.Is(err, errors.ErrUnsupported) {
		wantFailure(t, r, "was left open")
	}
	close(release)
	for _, fd := range kept {
		sys.Close(fd)
	}
}

func TestFailNowInTask(t *testing.T) {
	reached := false
	r := record(func(r *recorder) {
		RunErr(r, func(task *loop.Task) error {
			return loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(func(*loop.Task) error { r.Fatalf("in a child"); return nil })
				return loop.SleepForever(task)
			})
		})
		reached = true
	})
	wantFailure(t, r, "in a child")
	if reached {
		t.Error("the test went on")
	}
}

func TestSkipInTask(t *testing.T) {
	t.Run("skipped", func(t *testing.T) {
		Run(t, func(*loop.Task) error { t.Skip("to see that a task can skip its test"); return nil })
		t.Error("the test went on")
	})
}

func TestSeedIsKept(t *testing.T) {
	if first, second := Seed(t), Seed(t); first != second {
		t.Error("a test has two seeds")
	}
	var all []uint64
	Seeds(t, 3, func(t *testing.T) {
		all = append(all, Seed(t))
	})
	if *seedFlag != 0 || *seedsFlag != 0 {
		t.Skip("the flags say which seeds, or how many")
	}
	if len(all) != 3 || all[0] == all[1] || all[1] == all[2] {
		t.Errorf("seeds %v", all)
	}
}

// FailNow ends the test from wherever it is called on a loop: in a task under
// a shield, in one of several loops, in a callback.
func TestFailNowElsewhere(t *testing.T) {
	places := map[string]func(r *recorder, fail func()){
		"shield": func(r *recorder, fail func()) {
			_ = RunErr(r, func(task *loop.Task) error {
				return loop.Shield(task, func(*loop.Scope) error {
					fail()
					return nil
				})
			})
		},
		"one of several loops": func(r *recorder, fail func()) {
			_ = Config{}.RunEach(r, 2, func(task *loop.Task, i int) error {
				if i == 1 {
					fail()
				}
				return loop.SleepForever(task)
			})
		},
		"callback": func(r *recorder, fail func()) {
			_ = RunErr(r, func(task *loop.Task) error {
				if err := task.Loop().CallSoon(fail); err != nil {
					return err
				}
				return loop.SleepForever(task)
			})
		},
	}
	for name, run := range places {
		reached := false
		r := record(func(r *recorder) {
			run(r, func() { r.Fatalf("at once") })
			reached = true
		})
		if !r.failed || reached || len(r.messages) > 2 {
			t.Errorf("%s: failed = %v, went on = %v\n%s", name, r.failed, reached, r.text())
		}
	}
}
