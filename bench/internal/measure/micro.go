package measure

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"github.com/lion-go/lion/bench/internal/host"
	"github.com/lion-go/lion/bench/internal/report"
)

// pairsPerRound is how many pairs of runs a microbenchmark gets in a round.
const pairsPerRound = 2

// benchmarkLine is a line of the output of go test -bench.
var benchmarkLine = regexp.MustCompile(`(?m)^Benchmark\S+\s+\d+\s+([0-9.]+) ns/op`)

// runMicro compares benchmark/lion with benchmark/rival, each run in a process of its own.
func (l *Lab) runMicro(ctx context.Context, w *report.Workload, benchmark, rival string) error {
	program, err := l.buildTest(ctx, "./micro")
	if err != nil {
		return err
	}
	names := []string{lion, rival}
	defer w.Summarize(names)
	for number := range l.Rounds {
		l.progress.Doing(fmt.Sprintf("%s, round %d of %d", w.Name, number+1, l.Rounds))
		for group := range pairsPerRound {
			for _, i := range l.random.Perm(len(names)) {
				time, err := l.runBenchmark(ctx, program, benchmark+"/"+names[i])
				if err != nil {
					return err
				}
				w.Slices = append(w.Slices, report.Slice{
					Round: number, Group: group, Contender: names[i],
					Values: map[string]float64{report.Time: time},
				})
				l.Log("%s round %d %-9s %.1f ns/op", w.Name, number, names[i], time)
			}
		}
		l.progress.Done()
	}
	return nil
}

// runBenchmark runs one benchmark once and returns its nanoseconds per operation.
func (l *Lab) runBenchmark(ctx context.Context, program, name string) (float64, error) {
	// go test approaches the time asked for in steps, and so takes about twice as long.
	args := []string{
		"-test.run=^$", "-test.bench=^Benchmark" + name + "$",
		"-test.benchtime=" + (l.Slice / 2).String(), "-test.cpu=1",
	}
	out, err := l.runPinned(ctx, program, args)
	if err != nil {
		return 0, err
	}
	match := benchmarkLine.FindStringSubmatch(out)
	if match == nil {
		return 0, fmt.Errorf("%s has no benchmark %s: %q", program, name, out)
	}
	return strconv.ParseFloat(match[1], 64)
}

// runPinned runs a program on the servers' CPU and returns its output.
func (l *Lab) runPinned(ctx context.Context, program string, args []string) (string, error) {
	var out strings.Builder
	child, err := host.Start(host.Spec{Path: program, Args: args, CPUs: l.server},
		func(cmd *exec.Cmd) error { cmd.Stdout = &out; return nil })
	if err != nil {
		return "", err
	}
	select {
	case <-child.Exited():
	case <-ctx.Done():
		child.Kill()
		return "", context.Cause(ctx)
	}
	if err := child.Failure(); err != nil {
		return "", fmt.Errorf("%s: %w: %s%s", program, err, child.Said(), out.String())
	}
	return out.String(), nil
}
