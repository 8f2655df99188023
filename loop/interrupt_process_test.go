package loop_test

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Interrupts by signals, in processes of their own: a program says "ready"
// whenever it is to get the next one.

// signalMe asks for a signal.
func signalMe() { fmt.Println("ready") }

// interruptPrograms are run by TestProgram.
var interruptPrograms = map[string]func(){
	// It has no time for events, but passes checkpoints.
	"busy": func() {
		loop.Main(func(t *loop.Task) error {
			signalMe()
			for {
				if err := loop.Checkpoint(t); err != nil {
					return err
				}
			}
		})
	},
	// It passes none: the first has no effect, the second tells why.
	"held": func() {
		loop.Main(func(t *loop.Task) error {
			signalMe()
			for t.Loop().Statistics().EntryQueue == 0 {
			}
			signalMe()
			//lint:ignore SA5002 it holds its loop: that is the case
			for {
			}
		})
	},
	"shielded": func() {
		loop.Main(func(t *loop.Task) error {
			return loop.Shield(t, func(*loop.Scope) error { return waits(t) })
		})
	},
	// It cleans up, behind a shield, until it is interrupted again.
	"unwinding": func() {
		loop.Main(func(t *loop.Task) error {
			err := waits(t)
			again := loop.Shield(t, func(*loop.Scope) error { return waits(t) })
			fmt.Fprintln(os.Stderr, "cleaned up:", again)
			return errors.Join(err, again)
		})
	},
	// The second comes while the children, being cancelled, clean up.
	"children": func() {
		loop.Main(func(t *loop.Task) error {
			return loop.Nurse(t, func(n *loop.Nursery) error {
				n.Spawn(func(t2 *loop.Task) error {
					err := loop.SleepForever(t2)
					calls := t2.Statistics().EntryCalls
					return errors.Join(err, loop.Shield(t2, func(*loop.Scope) error {
						signalMe()
						for t2.Statistics().EntryCalls == calls {
							if err := loop.Sleep(t2, time.Millisecond); err != nil {
								return err
							}
						}
						fmt.Fprintln(os.Stderr, "a child has cleaned up")
						return nil
					}))
				})
				return waits(t)
			})
		})
	},
	// It goes on whatever comes.
	"deaf": func() {
		loop.Main(func(t *loop.Task) error {
			for {
				signalMe()
				for loop.Checkpoint(t) == nil {
				}
			}
		})
	},
	"each deaf": func() {
		loop.MainEach(2, func(t *loop.Task, i int) error {
			for {
				if i == 0 {
					signalMe()
				}
				for loop.Checkpoint(t) == nil {
				}
			}
		})
	},
	"each busy": func() {
		loop.MainEach(2, func(t *loop.Task, i int) error {
			if i == 0 {
				signalMe()
			}
			for {
				if err := loop.Checkpoint(t); err != nil {
					return err
				}
			}
		})
	},
	// A task of it has taken the signal, so Main does not see it; afterwards it
	// does.
	"owned": func() {
		loop.Main(func(t *loop.Task) error {
			giveBack, err := loop.TakeSignals(func(os.Signal) {
				t.Loop().CallSoon(func() { t.Unpark(nil) })
			}, sys.Interrupt)
			if err != nil {
				return err
			}
			signalMe()
			if err := loop.Park(t, "the owner", nil); err != nil {
				return err
			}
			fmt.Fprintln(os.Stderr, "taken")
			if err := giveBack(nil); err != nil {
				return err
			}
			return waits(t)
		})
	},
	// What it leaves is raised again, and means what it means to every program.
	"raised": func() {
		taken := make(chan os.Signal, 1)
		giveBack, err := loop.TakeSignals(func(s os.Signal) { taken <- s }, sys.Interrupt)
		if err != nil {
			panic(err)
		}
		signalMe()
		s := <-taken
		fmt.Fprintln(os.Stderr, "taken")
		giveBack(func() []os.Signal { return []os.Signal{s} })
		select {} // the signal takes its time
	},
}

func init() { maps.Copy(programs, interruptPrograms) }

func TestInterruptEverywhere(t *testing.T) {
	const dumped = "the next one ends the process"
	cases := []struct {
		program string
		status  int
		says    []string // all of these
		signals int
	}{
		{"waits", 130, nil, 1},
		{"busy", 130, nil, 1},
		{"shielded", 130, nil, 1},
		{"unwinding", 130, []string{dumped, "cleaned up: loop: interrupted"}, 2},
		{"children", 130, []string{dumped, "a child has cleaned up"}, 2},
		{"deaf", 130, []string{dumped}, 3},
		{"held", 130, []string{dumped, "holds it"}, 3}, // the dump says who
		{"each busy", 130, nil, 1},
		{"each deaf", 130, []string{dumped}, 3},
		{"owned", 130, []string{"taken"}, 2},
		{"raised", -1, []string{"taken"}, 1}, // it died of the signal
	}
	for _, c := range cases {
		t.Run(c.program, func(t *testing.T) {
			status, signals, said := interruptProgram(t, c.program)
			if status != c.status || signals != c.signals {
				t.Errorf("status %d after %d signals, want %d after %d; it said:\n%s",
					status, signals, c.status, c.signals, said)
			}
			wantText(t, said, c.says...)
		})
	}
}

// interruptProgram runs a program and sends it an interrupt whenever it is
// ready, and once it has shown what its tasks do if it is stuck. It returns the
// status, how many it sent, and what the program said.
func interruptProgram(t *testing.T, name string) (status, sent int, said string) {
	t.Helper()
	program := exec.Command(os.Args[0], "-test.run=^TestProgram$")
	program.Env = append(os.Environ(), programVariable+"="+name)
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	program.Stderr = program.Stdout
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		stuck := name == "held" && strings.Contains(lines.Text(), "the next one ends")
		if lines.Text() != "ready" && !stuck {
			continue
		}
		sent++
		if err := program.Process.Signal(sys.Interrupt); err != nil {
			program.Process.Kill()
			program.Wait()
			t.Skipf("the system cannot send an interrupt to a process: %v", err)
		}
	}
	var exit *exec.ExitError
	if err := program.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return program.ProcessState.ExitCode(), sent, all.String()
}
