package compat

import (
	"errors"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/socket/stdnet"
	"github.com/lion-go/lion/sys"
)

// A side is what a library does on one end of a connection, in a task.
type side func(t *loop.Task, conn *stdnet.TaskConn) error

// between runs two sides over loopback, each in a task of the same loop: the one
// that waits can only go on if the other's calls suspend. At the end no library
// may have a goroutine of its own.
func between(tb testing.TB, server, client side) {
	tb.Helper()
	looptest.Run(tb, func(t *loop.Task) error {
		ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer ln.Close()
		return loop.Nurse(t, func(n *loop.Nursery) error {
			err := n.Spawn(func(t *loop.Task) error {
				c, err := ln.Accept(t)
				if err != nil {
					return err
				}
				defer c.Close()
				return errors.Join(server(t, stdnet.Bind(t, c)), alone())
			})
			if err != nil {
				return err
			}
			c, err := socket.ConnectTCP(t, ln.Addr().AddrPort())
			if err != nil {
				return err
			}
			defer c.Close()
			return errors.Join(client(t, stdnet.Bind(t, c)), alone())
		})
	})
}

// alone fails if a goroutine exists that a library started. It is asked while the
// connection is still open, so that one that waits on it is still there.
func alone() error {
	for stack := range strings.SplitSeq(stacks(), "\n\n") {
		_, by, created := strings.Cut(stack, "\ncreated by ")
		if created && !known(by) {
			return errors.New("a library started a goroutine:\n" + stack)
		}
	}
	return nil
}

// stacks are those of all goroutines.
func stacks() string {
	all := make([]byte, 1<<20)
	return string(all[:runtime.Stack(all, true)])
}

// known are the starters of goroutines that are no library's: the tests, the
// runtime, and lion, whose tasks are coroutines.
func known(by string) bool {
	for _, prefix := range []string{"testing.", "runtime.", "os/signal.", "iter.",
		"github.com/lion-go/lion/"} {
		if strings.HasPrefix(by, prefix) && !strings.HasPrefix(by, "github.com/lion-go/lion/realapps") {
			return true
		}
	}
	return false
}

// settleTurns bounds how often settle looks: goroutines that have been told to
// end need a few turns.
const settleTurns = 100_000

// settle lets the goroutines of a test end before the next one counts them.
func settle(tb testing.TB) {
	tb.Helper()
	var err error
	for range settleTurns {
		if err = alone(); err == nil {
			return
		}
		runtime.Gosched()
	}
	tb.Error(err)
}

// TestAloneSees makes sure that alone can fail.
func TestAloneSees(t *testing.T) {
	defer settle(t)
	end := make(chan struct{})
	defer close(end)
	go func() { <-end }()
	if err := alone(); err == nil {
		t.Error("a goroutine of this package was not seen")
	}
}

// same fails unless the answer is the one that was wanted.
func same(got, want string) error {
	if got != want {
		return errors.New("got " + got + ", want " + want)
	}
	return nil
}

// needsNet skips a test where package net takes in no sockets.
func needsNet(tb testing.TB) {
	tb.Helper()
	if _, err := sys.FileConn(sys.Invalid); errors.Is(err, errors.ErrUnsupported) {
		tb.Skip("package net takes in no sockets on this system")
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// onLoop runs fn on an ordinary goroutine beside a loop, with a listener that was
// made there and a dialer that dials there.
func onLoop(t *testing.T, fn func(l *loop.Loop, ln net.Listener, d *stdnet.Dialer)) {
	t.Helper()
	needsNet(t)
	defer settle(t)
	loops, ended := make(chan *loop.Loop), make(chan error)
	var scope *loop.Scope
	go func() {
		ended <- loop.Run(func(task *loop.Task) error {
			return loop.Scoped(task, func(s *loop.Scope) error {
				scope = s
				loops <- task.Loop()
				return loop.SleepForever(task)
			})
		})
	}()
	l := <-loops
	defer func() {
		must(t, l.CallSoon(func() { _ = scope.Cancel("the test is over") }))
		must(t, <-ended)
	}()
	var ln net.Listener
	must(t, l.Do(t.Context(), func(*loop.Task) error {
		own, err := socket.ListenTCP(l, "127.0.0.1:0")
		if err != nil {
			return err
		}
		ln, err = stdnet.NetListener(own)
		if err != nil {
			return errors.Join(err, own.Close())
		}
		return nil
	}))
	defer ln.Close()
	fn(l, ln, &stdnet.Dialer{Loop: l})
}
