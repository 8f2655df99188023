package host

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// userHertz is the unit of /proc/stat, fixed at 100 by the kernel's interface to user space.
const userHertz = 100

// Supported says whether this system can run the workloads that start servers.
func Supported() error { return nil }

// detach keeps a Ctrl-C in the terminal away from the child, which this process ends itself,
// and lets the kernel end the child should this process be killed.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// startPinned forks from a thread that is pinned to cpus for that moment.
func startPinned(cmd *exec.Cmd, cpus []int) error {
	if len(cpus) == 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, wanted unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return fmt.Errorf("sched_getaffinity: %w", err)
	}
	for _, cpu := range cpus {
		wanted.Set(cpu)
	}
	if err := unix.SchedSetaffinity(0, &wanted); err != nil {
		return fmt.Errorf("sched_setaffinity %v: %w", cpus, err)
	}
	return errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &before))
}

// CPUs returns the numbers of the CPUs that this process may use.
func CPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("sched_getaffinity: %w", err)
	}
	var cpus []int
	for cpu := 0; len(cpus) < set.Count(); cpu++ {
		if set.IsSet(cpu) {
			cpus = append(cpus, cpu)
		}
	}
	return cpus, nil
}

// CPUTime returns the CPU time that all threads of a process have used.
func CPUTime(pid int) (time.Duration, error) {
	// MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED) of include/linux/posix-timers_types.h.
	clock := int32(^uint32(pid)<<3 | 2)
	var ts unix.Timespec
	if err := unix.ClockGettime(clock, &ts); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// Resident returns the resident memory of a process in bytes.
func Resident(pid int) (int64, error) {
	path := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	size, err := field(path, "Rss:")
	if err != nil {
		return 0, err
	}
	kilobytes, err := strconv.ParseInt(strings.Fields(size)[0], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return kilobytes * 1024, nil
}

// MachineTimes reads the CPU times of all CPUs together.
func MachineTimes() (Times, error) {
	line, err := field("/proc/stat", "cpu ")
	if err != nil {
		return Times{}, err
	}
	// user nice system idle iowait irq softirq steal; guest time is part of user (proc_stat(5)).
	var total, idle, steal time.Duration
	for i, text := range strings.Fields(line) {
		ticks, err := strconv.ParseInt(text, 10, 64)
		if err != nil || i > 7 {
			break
		}
		spent := time.Duration(ticks) * time.Second / userHertz
		total += spent
		switch i {
		case 3, 4:
			idle += spent
		case 7:
			steal = spent
		}
	}
	return Times{Busy: total - idle - steal, Steal: steal, Total: total}, nil
}

// Preemptions returns how often the threads of a process lost their CPU involuntarily.
func Preemptions(pid int) (int64, error) {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return 0, err
	}
	var sum int64
	for _, task := range tasks {
		path := fmt.Sprintf("/proc/%d/task/%s/status", pid, task.Name())
		text, err := field(path, "nonvoluntary_ctxt_switches:")
		if err != nil {
			continue // The thread has ended.
		}
		count, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		sum += count
	}
	return sum, nil
}

// FileLimit returns how many descriptors a process started from here may have.
func FileLimit() (int, error) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0, fmt.Errorf("getrlimit: %w", err)
	}
	return int(min(limit.Max, 1<<30)), nil
}

// field returns what follows the first line of a file that starts with name.
func field(path, name string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if rest, ok := strings.CutPrefix(lines.Text(), name); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("%s has no line %q", path, name)
}

func describe(m *Machine) {
	if model, err := field("/proc/cpuinfo", "model name"); err == nil {
		m.CPU = strings.TrimLeft(model, ": \t")
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(kernel))
	}
	if size, err := field("/proc/meminfo", "MemTotal:"); err == nil {
		kilobytes, _ := strconv.ParseInt(strings.Fields(size)[0], 10, 64)
		m.Memory = kilobytes * 1024
	}
	if flags, err := field("/proc/cpuinfo", "flags"); err == nil {
		m.Virtual = strings.Contains(flags, " hypervisor")
	}
}
