package loop_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// programVariable names the program that TestProgram is in a process of its
// own: Main ends the process.
const programVariable = "LION_TEST_PROGRAM"

// waits is the main function of programs that are to get a signal.
func waits(task *loop.Task) error {
	fmt.Println("ready")
	return loop.SleepForever(task)
}

var programs = map[string]func(){
	"ends":      func() { loop.Main(nothing) },
	"fails":     func() { loop.Main(failing(errKey)) },
	"panics":    func() { loop.Main(func(*loop.Task) error { panic("ouch") }) },
	"waits":     func() { loop.Main(waits) },
	"interrupt": func() { loop.Main(func(t *loop.Task) error { t.Loop().Interrupt(); return loop.SleepForever(t) }) },
	"fails in an interrupt": func() {
		loop.Main(func(t *loop.Task) error { return errors.Join(waits(t), errKey) })
	},
	"orderly": func() {
		loop.Main(func(t *loop.Task) error {
			if err := waits(t); err != loop.ErrInterrupt {
				return err
			}
			return nil
		})
	},
	"each ends":  func() { loop.MainEach(2, func(*loop.Task, int) error { return nil }) },
	"each fails": func() { loop.MainEach(2, func(_ *loop.Task, i int) error { return failing(errKey)(nil) }) },
	"each waits": func() {
		loop.MainEach(2, func(t *loop.Task, i int) error {
			if i == 0 {
				return waits(t)
			}
			return loop.SleepForever(t)
		})
	},
}

func TestProgram(t *testing.T) {
	program := programs[os.Getenv(programVariable)]
	if program == nil {
		t.Skip("it is the program that TestMainStatus runs in a process of its own")
	}
	program()
	t.Error("Main returned")
}

// The status with which Main ends the process, and what it prints.
func TestMainStatus(t *testing.T) {
	cases := []struct {
		program string
		signal  os.Signal
		status  int
		says    string
	}{
		{"ends", nil, 0, ""},
		{"fails", nil, 1, "key"},
		{"panics", nil, 1, "the program panicked"},
		{"interrupt", nil, 130, ""},
		{"waits", sys.Interrupt, 130, ""},
		{"waits", sys.Terminate, 143, ""},
		{"orderly", sys.Terminate, 0, ""},
		{"fails in an interrupt", sys.Interrupt, 1, "key"},
		{"each ends", nil, 0, ""},
		{"each fails", nil, 1, "key"},
		{"each waits", sys.Interrupt, 130, ""},
		{"each waits", sys.Terminate, 143, ""},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.program, " ", c.signal), func(t *testing.T) {
			status, said := runProgram(t, c.program, c.signal)
			if status != c.status || !strings.Contains(said, c.says) || c.says == "" && said != "" {
				t.Errorf("status %d, want %d; it said %q", status, c.status, said)
			}
		})
	}
}

// runProgram runs a program, sends it a signal once it is ready, and returns
// its status and what it printed as errors.
func runProgram(t *testing.T, name string, signal os.Signal) (status int, said string) {
	t.Helper()
	program := exec.Command(os.Args[0], "-test.run=^TestProgram$")
	program.Env = append(os.Environ(), programVariable+"="+name)
	var errs bytes.Buffer
	program.Stderr = &errs
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() != "ready" {
			continue
		}
		if err := program.Process.Signal(signal); err != nil {
			program.Process.Kill()
			program.Wait()
			t.Skipf("the system cannot send %v to a process: %v", signal, err)
		}
	}
	var exit *exec.ExitError
	if err := program.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return program.ProcessState.ExitCode(), errs.String()
}
