package loop_test

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
)

// lockingTask is what no task may do.
func lockingTask(t *loop.Task) error {
	runtime.LockOSThread()
	runtime.LockOSThread()
	loop.Sleep(t, time.Microsecond)
	return nil
}

// S445: in debug mode a task that locks its thread fails by name, and the loop
// goes on; it makes no difference whether it suspends or ends.
func TestS445_DebugNamesWhoLocksItsThread(t *testing.T) {
	for name, fn := range map[string]func(*loop.Task) error{
		"suspended": lockingTask,
		"ended":     func(*loop.Task) error { runtime.LockOSThread(); return nil },
	} {
		err := looptest.RunErr(t, func(task *loop.Task) error {
			err := loop.Nurse(task, func(n *loop.Nursery) error {
				n.Spawn(fn, loop.WithTaskName("locker"))
				return nil
			})
			loop.Checkpoint(task)
			return err
		}, loop.WithDebug())
		want(t, name, err, loop.ErrMisuse)
		wantText(t, err.Error(), "locker called runtime.LockOSThread")
	}
}

// In debug mode everything else is as always.
func TestDebugChangesNothingElse(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range 10 {
				n.Spawn(func(t *loop.Task) error { return loop.Sleep(t, time.Microsecond) })
			}
			return nil
		})
	}, loop.WithDebug())
}

// fatalVariable asks this test binary to die as a task that locks its thread.
const fatalVariable = "LION_TEST_LOCK_THREAD"

// S445: without debug mode the runtime ends the process, and its message shows
// the stack of the task.
func TestS445_LockingAThreadIsFatalAndNamed(t *testing.T) {
	if os.Getenv(fatalVariable) != "" {
		loop.Run(lockingTask)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestS445_LockingAThreadIsFatalAndNamed$")
	cmd.Env = append(os.Environ(), fatalVariable+"=1")
	text, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(text), "OS thread locking must match") {
		t.Fatalf("%v: %s", err, text)
	}
	wantText(t, string(text), "fatal error", "loop_test.lockingTask")
}
