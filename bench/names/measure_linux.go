package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// measure runs all probes and prints the tables. What it costs is measured first, with nothing
// else going on; then come those who wait for silent servers, all together.
func (l *laboratory) measure(o options) error {
	list := cases
	if o.only != "" {
		list = slices.DeleteFunc(slices.Clone(cases), func(c nameCase) bool { return c.name != o.only })
		if len(list) == 0 {
			return fmt.Errorf("no case is called %q", o.only)
		}
	}
	p := &progress{total: len(list) * len(contenders), began: time.Now()}
	var costs, crowds map[string]findings
	var err error
	if o.only == "" {
		p.total += len(contenders) + 2
		if costs, err = l.costs(o, p); err != nil {
			return err
		}
		if crowds, err = l.crowds(o, p); err != nil {
			return err
		}
	}
	results, err := l.all(list, p)
	if err != nil {
		return err
	}
	printTimes(list, results)
	if o.only == "" {
		printCrowds(o, crowds)
		printCosts(o, costs)
	}
	return nil
}

// progress tells on standard error what has been done.
type progress struct {
	mu    sync.Mutex
	done  int
	total int
	began time.Time
}

func (p *progress) note(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	fmt.Fprintf(os.Stderr, "[%d/%d] %4.0f s  %s\n", p.done, p.total, time.Since(p.began).Seconds(), what)
}

// costRounds is how often the cost is measured, in turns; the middle one counts. On a machine
// that has other things to do a single one may be half as much again.
const costRounds = 9

// costs measures what a lookup costs.
func (l *laboratory) costs(o options, p *progress) (map[string]findings, error) {
	etc, err := l.furnish(nameCase{name: "costs", servers: []behaviour{honest}})
	if err != nil {
		return nil, err
	}
	rounds := map[string][]findings{}
	for range costRounds {
		for _, contender := range contenders {
			lookups := o.lookups
			if contender == glibc && l.program == "" {
				lookups = min(lookups, 10) // each is a process
			}
			f, err := l.probe(job{Contender: contender, Etc: etc, WarmUp: 200, Lookups: lookups})
			if err != nil {
				return nil, err
			}
			rounds[contender] = append(rounds[contender], f)
		}
	}
	middle := map[string]findings{}
	for contender, list := range rounds {
		slices.SortFunc(list, func(a, b findings) int { return cmp.Compare(a.cpu, b.cpu) })
		middle[contender] = list[len(list)/2]
		p.note("the cost of a lookup, " + contender)
	}
	return middle, nil
}

// crowds measures many lookups at a time under a limit of descriptors. A call of getaddrinfo
// takes a thread, so glibc is left out.
func (l *laboratory) crowds(o options, p *progress) (map[string]findings, error) {
	etc, err := l.furnish(nameCase{name: "many", servers: []behaviour{honest}})
	if err != nil {
		return nil, err
	}
	found := map[string]findings{}
	for _, contender := range []string{lion, goNet} {
		f, err := l.probe(job{Contender: contender, Etc: etc, Lookups: o.many, Many: true, Files: o.files})
		if err != nil {
			return nil, err
		}
		found[contender] = f
		p.note("many at a time, " + contender)
	}
	return found, nil
}

// all runs the cases: those that are quick one after the other, and then those that wait for
// silent servers all together. The results are by case and contender.
func (l *laboratory) all(list []nameCase, p *progress) (map[string]findings, error) {
	results := map[string]findings{}
	for _, c := range list {
		for _, contender := range contenders {
			if c.warmUp > 0 {
				f, err := l.one(c, contender, p)
				if err != nil {
					return nil, err
				}
				results[c.name+contender] = f
			}
		}
	}
	var mu sync.Mutex
	var waiting errgroup.Group
	for _, c := range list {
		for _, contender := range contenders {
			if c.warmUp > 0 {
				continue
			}
			waiting.Go(func() error {
				f, err := l.one(c, contender, p)
				mu.Lock()
				defer mu.Unlock()
				results[c.name+contender] = f
				return err
			})
			time.Sleep(startEach) // so that none waits for the processor of another one
		}
	}
	return results, waiting.Wait()
}

// startEach is how far apart processes start that measure at the same time.
const startEach = 100 * time.Millisecond

// one runs a case for a contender.
func (l *laboratory) one(c nameCase, contender string, p *progress) (findings, error) {
	etc, err := l.furnish(c)
	if err != nil {
		return findings{}, err
	}
	j := job{Contender: contender, Etc: etc, WarmUp: c.warmUp, Stream: c.stream,
		Lookups: len(c.rows) * max(1, c.warmUp)}
	f, err := l.probe(j)
	if err == nil && len(f.lookups) != j.Lookups {
		err = fmt.Errorf("%s: %d lookups, want %d", contender, len(f.lookups), j.Lookups)
	}
	p.note(c.name + ", " + contender)
	return f, err
}

func printTimes(list []nameCase, results map[string]findings) {
	fmt.Println("| | lion | net | glibc |\n|---|---|---|---|")
	for _, c := range list {
		for i, row := range c.rows {
			cells := []string{row}
			for _, contender := range contenders {
				f := results[c.name+contender]
				found := f.lookups[i]
				if c.warmUp > 0 {
					found = f.median()
				}
				cells = append(cells, found.String())
			}
			fmt.Println("|", strings.Join(cells, " | "), "|")
		}
	}
}

func printCrowds(o options, found map[string]findings) {
	cells := []string{fmt.Sprintf("%d at a time, %d descriptors", o.many, o.files)}
	for _, contender := range []string{lion, goNet} {
		f := found[contender]
		cell := fmt.Sprintf("%s: %d answered, %d failed", short(f.took), f.good, f.bad)
		if f.err != "" {
			cell += " (" + f.err + ")"
		}
		cells = append(cells, cell)
	}
	fmt.Println("|", strings.Join(cells, " | "), "| a thread each |")
}

func printCosts(o options, found map[string]findings) {
	fmt.Println("\n| a lookup costs | lion | net | glibc | lion/net |\n|---|---|---|---|---|")
	n := float64(o.lookups)
	rows := []struct {
		what string
		of   func(findings) float64
	}{
		{"processor time, us", func(f findings) float64 {
			return float64(f.cpu.Microseconds()) / float64(len(f.lookups))
		}},
		{"allocations", func(f findings) float64 { return f.allocs / n }},
		{"bytes allocated", func(f findings) float64 { return f.bytes / n }},
	}
	for i, row := range rows {
		c := "-"
		if i == 0 {
			c = fmt.Sprintf("%.0f", row.of(found[glibc]))
		}
		a, b := row.of(found[lion]), row.of(found[goNet])
		fmt.Printf("| %s | %.0f | %.0f | %s | %.2f |\n", row.what, a, b, c, a/b)
	}
}
