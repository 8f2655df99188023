// Paired compares the sub-benchmarks of a benchmark of bench/micro on a noisy machine: it runs
// them in turns, in random order, many short rounds, and prints for every metric the median of
// each, and the ratio to the first one with its confidence bounds. Runs of one round are pairs,
// so a disturbance that lasts longer than a round cancels. For example
//
//	go run ./bench/paired -bench UDPEcho -of net,lion -rounds 25 -count 20000x
//
// Bounds that enclose 1 mean that no difference was shown.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lion-go/lion/bench/internal/stats"
)

// reading is one number that go test prints for a benchmark, and its unit.
var reading = regexp.MustCompile(`\s([0-9.e+-]+) (\S+)`)

// series are the values of a contender by unit, one for each round.
type series map[string][]float64

func main() {
	bench := flag.String("bench", "", "the benchmark, without the word Benchmark")
	of := flag.String("of", "net,lion", "its sub-benchmarks; others are compared with the first")
	rounds := flag.Int("rounds", 15, "how often each is run")
	count := flag.String("count", "10000x", "the length of a run, as for go test -benchtime")
	program := flag.String("program", "", "a test binary; bench/micro is built otherwise")
	flag.Parse()
	if err := compare(*program, *bench, strings.Split(*of, ","), *count, *rounds); err != nil {
		fmt.Fprintln(os.Stderr, "paired:", err)
		os.Exit(1)
	}
}

func compare(program, bench string, names []string, count string, rounds int) error {
	if program == "" {
		dir, err := os.MkdirTemp("", "lion-paired-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "micro.test")
		build := exec.Command("go", "test", "-c", "-o", program,
			"github.com/lion-go/lion/bench/micro")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return err
		}
	}
	all := make([]series, len(names))
	for i := range all {
		all[i] = series{}
	}
	for range rounds {
		for _, i := range rand.Perm(len(names)) {
			if err := run(program, bench+"/"+names[i], count, all[i]); err != nil {
				return err
			}
		}
	}
	print(names, all)
	return nil
}

// run runs one sub-benchmark once and adds its numbers to into.
func run(program, name, count string, into series) error {
	out, err := exec.Command(program, "-test.run=^$", "-test.benchtime="+count,
		"-test.bench=^Benchmark"+strings.ReplaceAll(name, "/", "$/^")+"$").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.HasPrefix(line, "Benchmark") {
			continue
		}
		for _, match := range reading.FindAllStringSubmatch(line, -1) {
			if v, err := strconv.ParseFloat(match[1], 64); err == nil {
				into[match[2]] = append(into[match[2]], v)
			}
		}
	}
	if len(into) == 0 {
		return fmt.Errorf("there is no benchmark %s: %s", name, out)
	}
	return nil
}

// print writes a table that is Markdown as well.
func print(names []string, all []series) {
	var units []string
	for unit := range all[0] {
		units = append(units, unit)
	}
	slices.Sort(units)
	fmt.Printf("| metric | contender | median | least | ratio to %s | bounds |\n", names[0])
	fmt.Println("|---|---|---|---|---|---|")
	for _, unit := range units {
		for i, name := range names {
			values := all[i][unit]
			if len(values) == 0 {
				continue
			}
			fmt.Printf("| %s | %s | %.4g | %.4g |", unit, name, stats.Median(values),
				slices.Min(values))
			if i == 0 {
				fmt.Println(" 1 | |")
				continue
			}
			r := stats.Ratio(values, all[0][unit])
			fmt.Printf(" %.3f | %.3f to %.3f |\n", r.Median, r.Lo, r.Hi)
		}
	}
}
