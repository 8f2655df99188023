package socket_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// envSuccessor is set in a process that TestHandOver starts.
const envSuccessor = "LION_TEST_SUCCESSOR"

// sayProcess answers a request with the id of its process, and ends.
func sayProcess(t *loop.Task, c stream.Stream) error {
	n, err := c.Receive(t, t.Buffer())
	if err != nil || n == 0 {
		return err
	}
	return c.SendAll(t, fmt.Append(nil, os.Getpid()))
}

// TestSuccessor is the process that TestHandOver starts: it serves until it is
// told to stop.
func TestSuccessor(t *testing.T) {
	if os.Getenv(envSuccessor) == "" {
		t.Skip("it is a part of TestHandOver")
	}
	run(t, func(task *loop.Task) error {
		all, err := socket.Inherit(task.Loop())
		must(t, err)
		if len(all) != 2 || all[0].Name != "web" || all[1].Name != "control" {
			t.Fatalf("inherited %v", all)
		}
		if again, err := socket.Inherit(task.Loop()); len(again) != 0 || err != nil {
			t.Errorf("inherited again: %v, %v", again, err)
		}
		for _, name := range []string{"LISTEN_FDS", "LISTEN_FDNAMES", "LION_LISTEN_PPID"} {
			if v, ok := os.LookupEnv(name); ok {
				t.Errorf("%s is still %q", name, v)
			}
		}
		ln, err := socket.NewListener(all[0].Socket)
		must(t, err)
		s, err := socket.NewServer(ln, sayProcess)
		must(t, err)
		control := all[1].Socket
		defer control.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(s.Serve))
			_, err := control.Send(task, []byte("!"), 0)
			must(t, err)
			_, err = control.Recv(task, make([]byte, 1), 0)
			must(t, err)
			s.Stop()
			return nil
		})
	})
}

// Under load a server is replaced by another process, and that by a third one
// and so on: every request is answered.
func TestHandOver(t *testing.T) {
	const generations, clients = 4, 4
	if _, err := sys.StartProcess("", nil, nil, nil); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system hands nothing over")
	}
	run(t, func(task *loop.Task) error {
		ln := listen(task, t)
		kept, err := ln.Socket().Dup()
		must(t, err)
		defer kept.Close()
		s, err := socket.NewServer(ln, sayProcess)
		must(t, err)
		address := ln.Addr().String()
		load := newLoad(address, clients)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(s.Serve))
			stop := s.Stop
			for generation := range generations {
				until(task, t, func() bool { return load.answered() > generation })
				next, err := startSuccessor(task, t, kept)
				must(t, err)
				stop()
				stop = next
			}
			until(task, t, func() bool { return load.answered() > generations })
			processes, errs := load.stop()
			stop()
			if processes != generations+1 || len(errs) > 0 {
				t.Errorf("%d processes answered, errors %v", processes, errs)
			}
			t.Logf("%d requests, %d processes, no error", load.answers(), processes)
			return nil
		})
	})
}

// startSuccessor starts a process that serves ln, and returns when it does. stop
// stops that, and waits for it.
func startSuccessor(
	t *loop.Task, tb testing.TB, ln *socket.Socket,
) (stop func(), err error) {
	ours, theirs, err := socket.Pair(t.Loop(), sys.AF_UNIX, sys.SOCK_STREAM, 0)
	must(tb, err)
	p, err := socket.HandOver(os.Args[0], []string{os.Args[0], "-test.run=^TestSuccessor$"},
		append(os.Environ(), envSuccessor+"=1"),
		socket.Inherited{Name: "web", Socket: ln}, socket.Inherited{Name: "control", Socket: theirs})
	must(tb, theirs.Close())
	if err != nil {
		_ = ours.Close()
		return nil, err
	}
	n, err := ours.Recv(t, make([]byte, 1), 0)
	if n != 1 || err != nil {
		tb.Errorf("the successor does not serve: %d, %v", n, err)
	}
	return func() {
		must(tb, ours.Close())
		state, err := p.Wait()
		if err != nil || !state.Success() {
			tb.Errorf("the successor ended: %v, %v", state, err)
		}
	}, nil
}

// load is clients that ask and ask again, each time over a new connection.
type load struct {
	mu        sync.Mutex
	processes map[string]int
	errs      []error
	quit      chan struct{}
	all       sync.WaitGroup
}

func newLoad(address string, clients int) *load {
	l := &load{processes: map[string]int{}, quit: make(chan struct{})}
	for range clients {
		l.all.Go(func() {
			for {
				select {
				case <-l.quit:
					return
				default:
					l.note(askOnce(address))
				}
			}
		})
	}
	return l
}

func askOnce(address string) (string, error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Write([]byte("?")); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	if len(b) == 0 && err == nil {
		err = io.ErrUnexpectedEOF
	}
	return string(b), err
}

func (l *load) note(answer string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.errs = append(l.errs, err)
		return
	}
	l.processes[answer]++
}

func (l *load) answers() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, count := range l.processes {
		n += count
	}
	return n + len(l.errs)
}

// answered is how many processes have answered; after an error it is enough.
func (l *load) answered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.processes) + 1000*len(l.errs)
}

func (l *load) stop() (processes int, errs []error) {
	close(l.quit)
	l.all.Wait()
	return len(l.processes), l.errs
}

// What the environment says is checked before any descriptor is touched.
func TestInheritRefuses(t *testing.T) {
	run(t, func(task *loop.Task) error {
		for name, env := range map[string][2]string{
			"no number": {"x", ""}, "negative": {"-1", ""}, "too many": {"100000", ""},
			"names": {"1", "a:b"},
		} {
			t.Run(name, func(t *testing.T) {
				t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()))
				t.Setenv("LISTEN_FDS", env[0])
				t.Setenv("LISTEN_FDNAMES", env[1])
				_, err := socket.Inherit(task.Loop())
				want(t, "inherit", err, loop.ErrMisuse)
				if _, ok := os.LookupEnv("LISTEN_FDS"); ok {
					t.Error("the environment is as it was")
				}
			})
		}
		t.Run("for another process", func(t *testing.T) {
			t.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid()+1))
			t.Setenv("LISTEN_FDS", "1")
			all, err := socket.Inherit(task.Loop())
			if len(all) != 0 || err != nil {
				t.Errorf("%v, %v", all, err)
			}
		})
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		must(t, s.Close())
		for name, one := range map[string]socket.Inherited{
			"nil": {Name: "a"}, "closed": {Name: "a", Socket: s},
		} {
			_, err := socket.HandOver("nobody", []string{"nobody"}, nil, one)
			want(t, name, err, loop.ErrMisuse)
		}
		return nil
	})
}

// Whatever the environment says, there are as many names as sockets, and not too
// many.
func FuzzInheritedNames(f *testing.F) {
	f.Add("2", "web:")
	f.Add("0", "")
	f.Add("-1", ":")
	f.Fuzz(func(t *testing.T, count, list string) {
		names, err := socket.InheritedNames(count, list)
		if err != nil {
			want(t, "error", err, loop.ErrMisuse)
			return
		}
		n, err := strconv.Atoi(count)
		if err != nil || n != len(names) || n > 1024 {
			t.Errorf("%d names for %q", len(names), count)
		}
		for _, name := range names {
			if name == "" {
				t.Error("an empty name")
			}
		}
	})
}
