package inspect_test

import (
	"bufio"
	"context"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/locks"
)

// The programs of docs/stuck.md. Each gets stuck; they run in processes of
// their own, which are killed when they have said what the page quotes.

var books sync.Mutex

func bookkeeper(t *loop.Task) error {
	books.Lock()
	defer books.Unlock()
	return loop.Sleep(t, time.Hour) // suspends, and holds the mutex
}

func auditor(*loop.Task) error {
	books.Lock() // waits for the bookkeeper, who can not run
	defer books.Unlock()
	return nil
}

var orders = make(chan string)

func cook(*loop.Task) error {
	<-orders // waits for the waiter, who can not run
	return nil
}

func waiterOfTheCook(*loop.Task) error {
	orders <- "soup"
	return nil
}

func counter(*loop.Task) error {
	for n := uint64(1); n != 0; n += 2 { // never
	}
	return nil
}

func legacy(*loop.Task) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	_, err = l.Accept() // Go's own poller waits, and with it the loop
	return err
}

var pen, paper locks.Lock

func poet(t *loop.Task) error { return both(t, &pen, &paper) }

func clerk(t *loop.Task) error { return both(t, &paper, &pen) }

func both(t *loop.Task, first, second *locks.Lock) error {
	if err := first.Acquire(t); err != nil {
		return err
	}
	defer first.Release()
	if err := loop.Sleep(t, time.Millisecond); err != nil {
		return err
	}
	if err := second.Acquire(t); err != nil {
		return err
	}
	return second.Release()
}

func stubborn(t *loop.Task) error {
	return loop.Shield(t, func(*loop.Scope) error {
		return loop.SleepForever(t) // a clean-up that never ends
	})
}

func deaf(t *loop.Task) error {
	for {
		loop.Sleep(t, time.Millisecond) // and its error?
	}
}

func locker(t *loop.Task) error {
	runtime.LockOSThread()
	return loop.Sleep(t, time.Second)
}

// stuck holds the tasks of each program.
var stuck = map[string][]func(*loop.Task) error{
	"mutex":    {bookkeeper, auditor},
	"channel":  {cook, waiterOfTheCook},
	"compute":  {counter},
	"blocking": {legacy},
	"deadlock": {poet, clerk},
	"shield":   {stubborn},
	"deaf":     {deaf},
	"thread":   {locker},
}

// stuckVariable asks this test binary to be one of the programs.
const stuckVariable = "LION_TEST_STUCK"

// getStuck runs a program with a watchdog. When nothing moves any more, all is
// cancelled, as at the end of a program, and then dumped.
func getStuck(kind string) {
	loop.Run(func(t *loop.Task) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			for _, fn := range stuck[kind] {
				n.Spawn(fn)
				loop.Yield(t) // one after the other
			}
			if kind != "deaf" { // that one never rests
				loop.WaitAllTasksBlocked(t, 10*time.Millisecond)
			}
			if kind == "shield" || kind == "deaf" {
				n.Cancel("the program ends")
			}
			t.Loop().Dump(os.Stderr)
			return nil
		})
	}, loop.WithWatchdog(0, nil))
}

// S441, S442, S445: what the page about stuck programs quotes is what they say,
// and its programs are those above.
func TestStuckPrograms(t *testing.T) {
	if kind := os.Getenv(stuckVariable); kind != "" {
		getStuck(kind)
		return
	}
	page, source := read(t, "../../docs/stuck.md"), read(t, "stuck_test.go")
	sections := strings.Split(page, "\n## ")[1:]
	if len(sections) != len(stuck) {
		t.Errorf("%d sections for %d programs", len(sections), len(stuck))
	}
	for _, section := range sections {
		kind, _, _ := strings.Cut(section, ":")
		t.Run(kind, func(t *testing.T) {
			if stuck[kind] == nil {
				t.Fatal("there is no such program")
			}
			for _, code := range blocks(section, "go") {
				if !strings.Contains(source, code) {
					t.Errorf("not what is tested:\n%s", code)
				}
			}
			for _, said := range blocks(section, "text") {
				wantSaid(t, kind, said)
			}
		})
	}
}

// sayLimit is how long a program may take to say it all.
const sayLimit = 20 * time.Second

// wantSaid runs a program until it has said all lines of said.
func wantSaid(t *testing.T, kind, said string) {
	t.Helper()
	missing := map[string]bool{}
	for line := range strings.Lines(said) {
		missing[plain(line)] = true
	}
	ctx, kill := context.WithTimeout(t.Context(), sayLimit)
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestStuckPrograms$")
	cmd.Env = append(os.Environ(), stuckVariable+"="+kind)
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all []string
	for lines := bufio.NewScanner(out); len(missing) > 0 && lines.Scan(); {
		all = append(all, lines.Text())
		delete(missing, plain(lines.Text()))
	}
	kill()
	_ = cmd.Wait() // it was killed
	for line := range missing {
		t.Errorf("it did not say %q, but\n%s", line, strings.Join(all, "\n"))
	}
}

var (
	places    = regexp.MustCompile(`  \S+\.go:\d+$`)
	durations = regexp.MustCompile(`\b\d[\d.]*(h|m|s|ms|µs|ns)\b|\b\d+m[\d.]+s\b`)
	numbers   = regexp.MustCompile(`\b\d+\b`)
)

// plain takes from a line what differs from run to run.
func plain(line string) string {
	line = strings.TrimRight(line, "\r\n")
	line = places.ReplaceAllString(line, "")
	line = durations.ReplaceAllString(line, "T")
	return strings.TrimSpace(numbers.ReplaceAllString(line, "N"))
}

// blocks returns the fenced blocks of one language.
func blocks(text, language string) (all []string) {
	for _, part := range strings.Split(text, "\n```"+language+"\n")[1:] {
		block, _, _ := strings.Cut(part, "\n```")
		all = append(all, block)
	}
	return all
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}
