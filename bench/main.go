// Bench compares lion with net and with a floor in C, side by side, in about a minute:
//
//	go run ./bench
//
// It builds realapps/httpd and the raw servers, runs them in rounds of fresh processes with a
// load generator of its own, and prints CPU per request, requests per second, latencies and
// memory per idle connection for both, with ratios and their confidence bounds. Run it with -h
// for its flags. This is a demonstration on this machine; it decides nothing by itself.
//
// The exit code is 0 if everything ran, 1 if a workload failed or the run was interrupted, and
// 2 for a wrong command line. Whether a bar was met does not change it.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/lion-go/lion/bench/internal/host"
	"github.com/lion-go/lion/bench/internal/load"
	"github.com/lion-go/lion/bench/internal/measure"
	"github.com/lion-go/lion/bench/internal/report"
)

//go:embed floor/epoll.c
var floorCode []byte

// Exit codes.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// Defaults. Nine rounds are the fewest whose bounds leave out the best and the worst; six are
// the fewest that give bounds of 95 % at all.
const (
	defaultRounds = 9
	quickRounds   = 6
	longRounds    = 25
	maxRounds     = 1000
	defaultTime   = time.Minute
	quickTime     = 20 * time.Second
	longTime      = 10 * time.Minute
	defaultIdle   = 10_000
	quickIdle     = 2_000
)

// settings are the command line.
type settings struct {
	measure.Options
	duration    time.Duration
	quick, long bool
	html, json  string
	verbose     bool
}

func main() {
	load.Main() // Does not return if this process is to be the load generator.
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, out io.Writer, complaints *os.File) int {
	s, err := parse(args, complaints)
	if errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	if err != nil {
		fmt.Fprintln(complaints, "bench:", err)
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(),
		os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	r, err := s.measure(ctx, complaints)
	if err != nil {
		fmt.Fprintln(complaints, "bench:", err)
	}
	if r == nil {
		return exitFailed
	}
	r.Command = strings.Join(append([]string{"bench"}, args...), " ")
	code := exitOK
	if err := errors.Join(err, s.write(r, out), failures(r)); err != nil {
		code = exitFailed
	}
	return code
}

func parse(args []string, complaints io.Writer) (*settings, error) {
	s := &settings{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(complaints)
	flags.Usage = func() { usage(flags, complaints) }
	names := strings.Join(measure.Names(), ",")
	workloads := flags.String("workloads", names, "comma-separated `list` of workloads to run")
	flags.IntVar(&s.Rounds, "rounds", 0, fmt.Sprintf("rounds of fresh processes (default %d)",
		defaultRounds))
	flags.DurationVar(&s.duration, "duration", 0, fmt.Sprintf(
		"about how `long` to measure altogether; decides the length of a slice (default %v)",
		defaultTime))
	flags.BoolVar(&s.quick, "quick", false, fmt.Sprintf("%d rounds in %v", quickRounds, quickTime))
	flags.BoolVar(&s.long, "long", false, fmt.Sprintf("%d rounds in %v", longRounds, longTime))
	flags.Uint64Var(&s.Seed, "seed", 0, "seed of orders and schedules (default random)")
	flags.IntVar(&s.Idle, "idle", 0, fmt.Sprintf("idle connections (default %d, with -quick %d)",
		defaultIdle, quickIdle))
	flags.BoolVar(&s.Twin, "aa", false, "add a second copy of net: an A/A comparison")
	flags.StringVar(&s.html, "html", "", "write a self-contained HTML report to this `file`")
	flags.StringVar(&s.json, "json", "", "write everything, slice by slice, to this `file`")
	flags.BoolVar(&s.verbose, "v", false, "print every slice")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected arguments %q; see -h", flags.Args())
	}
	s.Workloads = strings.Split(*workloads, ",")
	return s, errors.Join(zeros(flags), s.complete())
}

// zeros refuses a zero that was given: one that was not stands for a default.
func zeros(flags *flag.FlagSet) (err error) {
	flags.Visit(func(f *flag.Flag) {
		switch text := f.Value.String(); f.Name {
		case "rounds", "idle", "duration":
			if text == "0" || text == "0s" {
				err = errors.Join(err, fmt.Errorf("-%s %s: it must be positive", f.Name, text))
			}
		}
	})
	return err
}

// complete checks the settings and fills in what was left out.
func (s *settings) complete() error {
	rounds, duration, idle := defaultRounds, defaultTime, defaultIdle
	switch {
	case s.quick && s.long:
		return errors.New("-quick and -long exclude each other")
	case s.quick:
		rounds, duration, idle = quickRounds, quickTime, quickIdle
	case s.long:
		rounds, duration = longRounds, longTime
	}
	if s.Rounds == 0 {
		s.Rounds = rounds
	}
	if s.Idle == 0 {
		s.Idle = idle
	}
	if s.duration == 0 {
		s.duration = duration
	}
	if s.Rounds < 1 || s.Rounds > maxRounds {
		return fmt.Errorf("-rounds %d: it must be 1 to %d", s.Rounds, maxRounds)
	}
	if s.duration < 0 || s.Idle < 1 {
		return errors.New("-duration and -idle must be positive")
	}
	if s.Seed == 0 {
		s.Seed = rand.Uint64() >> 32 // Short enough to type.
	}
	_, err := measure.Select(s.Workloads)
	return errors.Join(err, writable(s.html), writable(s.json))
}

// writable makes sure now that a file can be written in a minute.
func writable(path string) error {
	if path == "" {
		return nil
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	return file.Close()
}

func usage(flags *flag.FlagSet, w io.Writer) {
	fmt.Fprint(w, `usage: go run ./bench [flags]

Compares lion with net, and with a minimal server in C, on this machine: fresh processes in
every round, short slices in random order, ratios with confidence bounds. Workloads:

`)
	for _, workload := range measure.Catalogue {
		fmt.Fprintf(w, "  %-12s %s\n", workload.Name, workload.Title)
	}
	fmt.Fprint(w, "\nFlags:\n\n")
	flags.PrintDefaults()
}

// measure runs the workloads. A report is returned whenever there is something to report.
func (s *settings) measure(ctx context.Context, complaints *os.File) (*report.Report, error) {
	selected, err := measure.Select(s.Workloads)
	if err != nil {
		return nil, err
	}
	steps, slice := measure.Plan(selected, s.Options, s.duration)
	s.Slice, s.FloorCode = slice, floorCode
	s.Log = func(string, ...any) {}
	if s.verbose {
		s.Log = func(format string, args ...any) { fmt.Fprintf(complaints, format+"\n", args...) }
	}
	bar := newProgress(complaints, steps, s.verbose)
	defer bar.end()
	lab, err := measure.NewLab(ctx, s.Options, bar)
	if err != nil {
		return nil, err
	}
	started := time.Now()
	workloads, err := lab.Run(ctx)
	return &report.Report{
		Schema:    report.Schema,
		Started:   started,
		Took:      time.Since(started),
		Seed:      s.Seed,
		Rounds:    s.Rounds,
		Slice:     s.Slice,
		Machine:   host.Describe(),
		Warnings:  lab.Warnings(),
		Workloads: workloads,
	}, errors.Join(err, lab.Close())
}

// write prints the report and writes the files that were asked for.
func (s *settings) write(r *report.Report, out io.Writer) error {
	err := r.WriteText(out)
	for _, file := range []struct {
		path  string
		write func(io.Writer) error
	}{{s.html, r.WriteHTML}, {s.json, r.WriteJSON}} {
		if file.path != "" {
			err = errors.Join(err, writeFile(file.path, file.write))
		}
	}
	if s.html == "" && s.json == "" {
		fmt.Fprintln(out, "\nWith -html FILE it also draws plots; with -json FILE it keeps all values.")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	return err
}

func writeFile(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}

// failures returns an error if a workload failed.
func failures(r *report.Report) error {
	for _, w := range r.Workloads {
		if w.Failure != "" {
			return errors.New(w.Name + " failed")
		}
	}
	return nil
}
