//go:build !linux

package host

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"time"
)

// Supported says whether this system can run the workloads that start servers.
func Supported() error {
	return fmt.Errorf("reading the CPU time and memory of a server on %s: %w",
		runtime.GOOS, errors.ErrUnsupported)
}

func detach(*exec.Cmd) {}

func startPinned(cmd *exec.Cmd, _ []int) error { return cmd.Start() }

// CPUs returns the numbers of the CPUs that this process may use; here ErrUnsupported.
func CPUs() ([]int, error) { return nil, Supported() }

// CPUTime returns the CPU time of a process; here ErrUnsupported.
func CPUTime(int) (time.Duration, error) { return 0, Supported() }

// Resident returns the resident memory of a process; here ErrUnsupported.
func Resident(int) (int64, error) { return 0, Supported() }

// MachineTimes reads the CPU times of all CPUs together; here ErrUnsupported.
func MachineTimes() (Times, error) { return Times{}, Supported() }

// Preemptions returns how often a process lost its CPU; here ErrUnsupported.
func Preemptions(int) (int64, error) { return 0, Supported() }

// FileLimit returns how many descriptors a process may have; here ErrUnsupported.
func FileLimit() (int, error) { return 0, Supported() }

func describe(*Machine) {}
