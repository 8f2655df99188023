// Package measure runs the workloads.
//
// The unit of inference is the round: fresh processes of every contender, because a process
// keeps its luck (memory layout, hash seeds, which thread ran first) for life. Within a round
// all contenders are alive and one is loaded at a time, in short slices in random order, so
// that a disturbance of the machine meets all of them. Ratios are taken between slices that
// ran directly after each other.
package measure

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/lion-go/lion/bench/internal/host"
)

// Options say what to run and how long.
type Options struct {
	Workloads []string      // Their names, in order.
	Rounds    int           // Rounds of fresh processes.
	Slice     time.Duration // Length of one measured slice.
	Seed      uint64        // Decides orders and schedules.
	Idle      int           // Idle connections for the memory workload.
	Twin      bool          // Adds a second copy of the rival: an A/A comparison.
	FloorCode []byte        // The C source of the floor.
	Log       func(format string, args ...any)
}

// Progress is told what happens. Calls come between slices, never within one.
type Progress interface {
	// Doing names the step that begins now.
	Doing(what string)
	// Done tells that the step has ended.
	Done()
}

// Lab is what the workloads share: a directory, programs, CPUs.
type Lab struct {
	Options
	progress Progress
	random   *rand.Rand
	self     string // This executable, which is also the load generator.
	root     string // Of the module lion.
	dir      string
	server   []int // The CPU that a pinned server gets; empty: no pinning.
	loader   []int
	noise    noise
	warnings []string
}

// NewLab prepares a directory for the programs. Close removes it.
func NewLab(ctx context.Context, o Options, p Progress) (*Lab, error) {
	l := &Lab{Options: o, progress: p, random: rand.New(rand.NewPCG(o.Seed, 1))}
	var err error
	if l.self, err = os.Executable(); err != nil {
		return nil, err
	}
	if l.root, err = findRoot(ctx); err != nil {
		return nil, err
	}
	if l.dir, err = os.MkdirTemp("", "lion-bench-"); err != nil {
		return nil, err
	}
	l.assignCPUs()
	return l, nil
}

// Close removes the programs.
func (l *Lab) Close() error { return os.RemoveAll(l.dir) }

// Warnings returns what a reader of the results should know about the machine.
func (l *Lab) Warnings() []string { return append(l.warnings, l.noise.warnings()...) }

// assignCPUs gives the server the last CPU and the load generator the first, which usually
// has the interrupts.
func (l *Lab) assignCPUs() {
	cpus, err := host.CPUs()
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		l.warn("processes cannot be pinned to cores on this system")
	case err != nil:
		l.warn("no pinning: %v", err)
	case len(cpus) < 2:
		l.warn("only one CPU is available: server and load generator share it")
	default:
		l.server, l.loader = cpus[len(cpus)-1:], cpus[:1]
	}
}

func (l *Lab) warn(format string, args ...any) {
	l.warnings = append(l.warnings, fmt.Sprintf(format, args...))
}

// findRoot asks the go command where the module lion is, which works in the workspace, in the
// module bench and in any module that requires lion.
func findRoot(ctx context.Context) (string, error) {
	out, err := command(ctx, "", "go", "list", "-m", "-f", "{{.Dir}}", "github.com/lion-go/lion")
	if err != nil {
		return "", fmt.Errorf("run bench within lion's repository: %w", err)
	}
	return strings.TrimSpace(out), nil
}

// build compiles a command of one of the repository's modules.
func (l *Lab) build(ctx context.Context, module, pkg string) (string, error) {
	l.progress.Doing("build " + filepath.Base(pkg))
	program := filepath.Join(l.dir, filepath.Base(pkg)+executableSuffix())
	dir := filepath.Join(l.root, module)
	_, err := command(ctx, dir, "go", "build", "-o", program, pkg)
	return program, err
}

// buildTest compiles the benchmarks of a package of this module.
func (l *Lab) buildTest(ctx context.Context, pkg string) (string, error) {
	l.progress.Doing("build " + filepath.Base(pkg))
	program := filepath.Join(l.dir, filepath.Base(pkg)+".test"+executableSuffix())
	dir := filepath.Join(l.root, "bench")
	_, err := command(ctx, dir, "go", "test", "-c", "-o", program, pkg)
	return program, err
}

// errNoCompiler tells that the floor is left out.
var errNoCompiler = errors.New("no C compiler (cc): the C floor is left out")

// buildFloor compiles the C server.
func (l *Lab) buildFloor(ctx context.Context) (string, error) {
	compiler, err := exec.LookPath("cc")
	if err != nil {
		return "", errNoCompiler
	}
	l.progress.Doing("build the C floor")
	source := filepath.Join(l.dir, "epoll.c")
	if err := os.WriteFile(source, l.FloorCode, 0o600); err != nil {
		return "", err
	}
	program := filepath.Join(l.dir, "epoll")
	_, err = command(ctx, "", compiler, "-O2", "-o", program, source)
	return program, err
}

func executableSuffix() string {
	if os.PathSeparator == '\\' {
		return ".exe"
	}
	return ""
}

// command runs a tool and returns its output. cgo is off, as lion promises to need none.
func command(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err,
			strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}

// noise sums up what others did on this machine while slices were measured.
type noise struct {
	machine host.Times
	ours    time.Duration
}

// Limits of noise, as shares of the machine's CPU time. Above them a warning is printed; the
// paired ratios usually survive it, the absolute values do not.
const (
	tolerableSteal  = 0.02
	tolerableOthers = 0.05
)

func (n *noise) add(machine host.Times, ours time.Duration) {
	n.machine.Busy += machine.Busy
	n.machine.Steal += machine.Steal
	n.machine.Total += machine.Total
	n.ours += ours
}

func (n *noise) warnings() (texts []string) {
	if n.machine.Total == 0 {
		return nil
	}
	total := float64(n.machine.Total)
	if steal := float64(n.machine.Steal) / total; steal > tolerableSteal {
		texts = append(texts, fmt.Sprintf(
			"noisy machine: the hypervisor stole %.1f %% of the CPU time", 100*steal))
	}
	if others := float64(n.machine.Busy-n.ours) / total; others > tolerableOthers {
		texts = append(texts, fmt.Sprintf(
			"noisy machine: other processes used %.1f %% of the CPU time", 100*others))
	}
	return texts
}
