package resolver_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/resolver"
)

// makePipe puts a named pipe in the place of a file: to open it takes until
// somebody writes, as a file takes on a mount whose server is gone.
func makePipe(tb testing.TB, name string) {
	tb.Helper()
	path, err := exec.LookPath("mkfifo")
	if err != nil {
		tb.Skipf("a file that hangs is made by mkfifo: %v", err)
	}
	_ = os.Remove(name)
	if out, err := exec.Command(path, name).CombinedOutput(); err != nil {
		tb.Skipf("mkfifo: %v: %s", err, out)
	}
	old := time.Now().Add(-time.Hour) // what is empty and new is not believed yet
	if err := os.Chtimes(name, old, old); err != nil {
		tb.Fatal(err)
	}
}

// readers is how many goroutines read files now.
func readers() int {
	buf := make([]byte, 1<<20)
	return strings.Count(string(buf[:runtime.Stack(buf, true)]), "resolver.readFile(")
}

// release lets who hangs in a pipe read text, and puts a file in its place.
func release(tb testing.TB, name, text string) {
	tb.Helper()
	pipe, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	writeFile(tb, name+".new", text)
	if err := os.Rename(name+".new", name); err != nil {
		tb.Error(err)
	}
	if _, err := pipe.WriteString(text); err != nil {
		tb.Error(err)
	}
	if err := pipe.Close(); err != nil {
		tb.Error(err)
	}
}

// R137: a hosts file that hangs holds one thread, and no lookup once there are
// settings: they go on with the old ones, and what it says in the end counts.
func TestR137HangingFile(t *testing.T) {
	dir := tempDir(t)
	hosts := filepath.Join(dir, "hosts")
	writeFile(t, hosts, "10.0.0.1 one.test\n")
	writeFile(t, filepath.Join(dir, "nsswitch.conf"), "hosts: files\n")
	const lookups = 1000
	looptest.Run(t, func(task *loop.Task) error {
		r, err := resolver.New(resolver.Config{Files: resolver.Files{Dir: dir}, Recheck: time.Nanosecond})
		if err != nil {
			return err
		}
		if got, err := lookup(task, r, "one.test"); err != nil || got != "4" {
			t.Fatalf("%s, %v", got, err)
		}
		makePipe(t, hosts)
		for range lookups {
			if got, err := lookup(task, r, "one.test"); err != nil || got != "4" {
				t.Fatalf("while the file hangs: %s, %v", got, err)
			}
		}
		if n, st := readers(), r.Statistics(); n != 1 || st.Stale != lookups {
			t.Errorf("%d readers, %+v", n, st)
		}
		release(t, hosts, "10.0.0.1 one.test\n::1 one.test\n")
		for got := ""; got != "46"; {
			if got, err = lookup(task, r, "one.test"); err != nil {
				return err
			}
		}
		return nil
	})
}

// R137: before anything is known lookups wait for a file that hangs, each as
// long as it wants to; all of them share one reader, on every loop.
func TestR137HangingAtTheStart(t *testing.T) {
	dir := tempDir(t)
	hosts := filepath.Join(dir, "hosts")
	makePipe(t, hosts)
	writeFile(t, filepath.Join(dir, "nsswitch.conf"), "hosts: files\n")
	r, err := resolver.New(resolver.Config{Files: resolver.Files{Dir: dir}})
	if err != nil {
		t.Fatal(err)
	}
	err = loop.RunEach(2, func(task *loop.Task, _ int) error {
		for range 20 {
			err := loop.MoveOnAfter(task, time.Millisecond, func(*loop.Scope) error {
				_, err := lookup(task, r, "one.test")
				if !errors.Is(err, loop.Cancelled) {
					t.Errorf("a file that hangs was read: %v", err)
				}
				return err
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if n := readers(); n != 1 {
		t.Errorf("%d readers", n)
	}
	release(t, hosts, "10.0.0.1 one.test\n")
	looptest.Run(t, func(task *loop.Task) error {
		got, err := lookup(task, r, "one.test")
		if err != nil || got != "4" {
			t.Errorf("%s, %v", got, err)
		}
		return nil
	})
}

// Files are looked at again also by a loop whose clock is behind the one of the
// loop that looked last.
func TestR054ClocksDisagree(t *testing.T) {
	dir := tempDir(t)
	hosts := filepath.Join(dir, "hosts")
	writeFile(t, hosts, "10.0.0.1 one.test\n")
	writeFile(t, filepath.Join(dir, "nsswitch.conf"), "hosts: files\n")
	r, err := resolver.New(resolver.Config{Files: resolver.Files{Dir: dir}, Recheck: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ahead := looptest.NewClock()
	ahead.Advance(time.Hour)
	for _, c := range []struct {
		clock *looptest.Clock
		want  string
	}{{ahead, "4"}, {looptest.NewClock(), "46"}} {
		err := loop.Run(func(task *loop.Task) error {
			if got, err := lookup(task, r, "one.test"); err != nil || got != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
			return nil
		}, loop.WithClock(c.clock))
		if err != nil {
			t.Error(err)
		}
		writeFile(t, hosts, "10.0.0.1 one.test\n::1 one.test\n")
	}
}
