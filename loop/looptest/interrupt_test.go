package looptest_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/sys"
)

// interruptVariable makes TestInterruptMe a test that is to be interrupted.
const interruptVariable = "LION_TEST_INTERRUPT"

// TestInterruptMe waits for ever, in a process of TestInterruptUnderGoTest.
func TestInterruptMe(t *testing.T) {
	how := os.Getenv(interruptVariable)
	if how == "" {
		t.Skip("it is the test that TestInterruptUnderGoTest runs in a process of its own")
	}
	config := looptest.Config{Limit: time.Hour}
	err := config.RunErr(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(loop.SleepForever, loop.WithTaskName("the one that hangs"))
			looptest.WaitAllTasksBlocked(task, t)
			fmt.Println("ready")
			err := loop.SleepForever(task)
			if how == "stubborn" {
				fmt.Println("ready")
				for loop.ShieldedCheckpoint(task) == nil {
				}
			}
			return err
		})
	})
	fmt.Println("the run has ended with", err)
}

// An interrupt under go test shows what the tasks do, fails the test and stops
// the run properly; a second one ends a process that does not.
func TestInterruptUnderGoTest(t *testing.T) {
	cases := []struct {
		how    string
		status int
		says   []string
	}{
		{"yielding", 1, []string{
			"the one that hangs", "--- FAIL: TestInterruptMe", "the run has ended with loop: interrupted"}},
		{"stubborn", -1, []string{"the one that hangs"}},
	}
	for _, c := range cases {
		program := exec.Command(os.Args[0], "-test.run=^TestInterruptMe$")
		program.Env = append(os.Environ(), interruptVariable+"="+c.how)
		out, err := program.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		program.Stderr = program.Stdout
		if err := program.Start(); err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if lines.Text() != "ready" {
				continue
			}
			if err := program.Process.Signal(sys.Interrupt); err != nil {
				program.Process.Kill()
				program.Wait()
				t.Skipf("the system cannot send an interrupt to a process: %v", err)
			}
		}
		var exit *exec.ExitError
		if err := program.Wait(); !errors.As(err, &exit) {
			t.Fatalf("%s: it ended with %v", c.how, err)
		}
		if exit.ExitCode() != c.status {
			t.Errorf("%s: status %d, want %d", c.how, exit.ExitCode(), c.status)
		}
		for _, text := range c.says {
			if !strings.Contains(said.String(), text) {
				t.Errorf("%s: it did not say %q:\n%s", c.how, text, said.String())
			}
		}
	}
}
