// Package host starts the processes of a benchmark and reads what they cost.
//
// Facts of Linux that it rests on:
//   - A process has a CPU clock that other processes may read (clock_getcpuclockid(3)): user
//     and system time of all its threads, also of those that ended, in nanoseconds. The ticks
//     of /proc/PID/stat are 10 ms, too coarse for a slice of 200 ms.
//   - That clock excludes time stolen by the hypervisor, so it is steadier than wall time; but
//     loopback work in softirq is billed to whoever sends, so the load generator's clock is
//     reported as well.
//   - A child inherits the CPU affinity of the thread that forks it (sched_setaffinity(2)).
//   - /proc/PID/smaps_rollup is exact where the counters of statm lag behind by batches.
//
// Elsewhere the functions answer errors.ErrUnsupported and the workloads that need them do
// not run.
package host

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

// readyLimit is how long a server may take to say that it serves: a Go server needs some
// 10 ms, a machine under memory pressure a second.
const readyLimit = 15 * time.Second

// diagnosticLines is how much of a child's standard error is kept for an error message.
const diagnosticLines = 20

// Spec says what to start and where.
type Spec struct {
	Path string
	Args []string
	Env  []string // Added to the environment of this process.
	CPUs []int    // The CPUs to pin to; empty means all.
}

// Child is a running process. Its standard error is read, the end of it kept.
type Child struct {
	cmd    *exec.Cmd
	ready  chan string
	exited chan struct{}
	exit   error // Valid once exited is closed.

	mu   sync.Mutex
	tail []string
}

// serving is the line with which every server of the benchmark reports its address.
var serving = regexp.MustCompile(`serving on (\S+)`)

// Start starts a child whose standard input and output belong to the caller if pipes are
// asked for by attach, which may be nil.
func Start(spec Spec, attach func(*exec.Cmd) error) (*Child, error) {
	cmd := exec.Command(spec.Path, spec.Args...)
	cmd.Env = append(os.Environ(), spec.Env...)
	detach(cmd)
	if attach != nil {
		if err := attach(cmd); err != nil {
			return nil, err
		}
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := startPinned(cmd, spec.CPUs); err != nil {
		return nil, fmt.Errorf("start %s: %w", spec.Path, err)
	}
	c := &Child{cmd: cmd, ready: make(chan string, 1), exited: make(chan struct{})}
	go c.watch(stderr)
	return c, nil
}

// watch reads standard error to its end and reaps the process.
func (c *Child) watch(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		c.note(lines.Text())
	}
	// A line beyond the scanner's limit ends the scan; the child must not block on the pipe.
	_, _ = io.Copy(io.Discard, stderr)
	c.exit = c.cmd.Wait()
	close(c.exited)
}

func (c *Child) note(line string) {
	if match := serving.FindStringSubmatch(line); match != nil {
		select {
		case c.ready <- match[1]:
		default:
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tail) == diagnosticLines {
		c.tail = c.tail[1:]
	}
	c.tail = append(c.tail, line)
}

// Address waits until the child says where it serves.
func (c *Child) Address(ctx context.Context) (string, error) {
	limit := time.NewTimer(readyLimit)
	defer limit.Stop()
	select {
	case address := <-c.ready:
		return address, nil
	case <-c.exited:
		return "", fmt.Errorf("%s ended before it served (%v): %s", c.cmd.Path, c.exit, c.Said())
	case <-limit.C:
		return "", fmt.Errorf("%s does not say that it serves: %s", c.cmd.Path, c.Said())
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}

// Said returns the last lines that the child wrote to standard error.
func (c *Child) Said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.tail) == 0 {
		return "it said nothing"
	}
	return strings.Join(c.tail, "\n\t")
}

// Exited is closed when the child has ended.
func (c *Child) Exited() <-chan struct{} { return c.exited }

// Failure waits until the child has ended and returns an error unless its exit code was 0.
func (c *Child) Failure() error {
	<-c.exited
	return c.exit
}

// PID returns the process id.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Kill ends the child at once and waits until it is gone. Killing twice does no harm.
func (c *Child) Kill() {
	_ = c.cmd.Process.Kill() // An error means that it has ended already.
	<-c.exited
}

// Machine describes where a report was made.
type Machine struct {
	System  string `json:"system"`
	Kernel  string `json:"kernel,omitempty"`
	CPU     string `json:"cpu,omitempty"`
	Cores   int    `json:"cores"`
	Go      string `json:"go"`
	Memory  int64  `json:"memoryBytes,omitempty"`
	Virtual bool   `json:"virtual,omitempty"`
}

// Describe reads what is known about this machine.
func Describe() Machine {
	m := Machine{
		System: runtime.GOOS + "/" + runtime.GOARCH,
		Cores:  runtime.NumCPU(),
		Go:     runtime.Version(),
	}
	describe(&m)
	return m
}

// Times are the CPU times of the whole machine since it was started.
type Times struct {
	Busy  time.Duration // Everything but idle and stolen time.
	Steal time.Duration // Time in which the hypervisor ran somebody else.
	Total time.Duration
}

// Sub returns what passed between two readings.
func (t Times) Sub(earlier Times) Times {
	return Times{t.Busy - earlier.Busy, t.Steal - earlier.Steal, t.Total - earlier.Total}
}
