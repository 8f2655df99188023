package socket_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// limit bounds each run in real time; Windows takes seconds to say that a port
// refuses, and the race detector slows the large transfers down.
const limit = 60 * time.Second

// run runs main in a loop and fails the test if main fails, hangs, or leaves
// anything behind.
func run(tb testing.TB, main func(*loop.Task) error, opts ...loop.Option) {
	tb.Helper()
	looptest.Config{Limit: limit}.Run(tb, main, opts...)
}

// runBudgeted is run with checkpoints as outside of tests.
func runBudgeted(tb testing.TB, main func(*loop.Task) error) {
	tb.Helper()
	looptest.Config{Limit: limit, Budgeted: true}.Run(tb, main)
}

// must fails the test, and ends the task, if err is not nil.
func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// want fails the test if err does not match target.
func want(tb testing.TB, what string, err, target error) {
	tb.Helper()
	if !errors.Is(err, target) {
		tb.Errorf("%s: got %v, want %v", what, err, target)
	}
}

func loopback(port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port)
}

func listen(t *loop.Task, tb testing.TB, opts ...socket.SetupOption) *socket.Listener {
	tb.Helper()
	ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0", opts...)
	must(tb, err)
	return ln
}

// pair connects two ends over TCP. Nothing is listening any more afterwards.
func pair(t *loop.Task, tb testing.TB, opts ...socket.SetupOption) (client, server *socket.Conn) {
	tb.Helper()
	ln := listen(t, tb, opts...)
	defer ln.Close()
	client, err := socket.ConnectTCP(t, ln.Addr().AddrPort(), opts...)
	must(tb, err)
	server, err = ln.Accept(t)
	must(tb, err)
	return client, server
}

// unixPair is a pair of unix stream sockets, or a pair over loopback where the
// system makes that of it.
func unixPair(t *loop.Task, tb testing.TB, typ int) (a, b *socket.Socket) {
	tb.Helper()
	a, b, err := socket.Pair(t.Loop(), sys.AF_UNIX, typ, 0)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, sys.EPROTONOSUPPORT) ||
		errors.Is(err, sys.EAFNOSUPPORT) || errors.Is(err, sys.ESOCKTNOSUPPORT) {
		tb.Skipf("this system has no such pair: %v", err)
	}
	must(tb, err)
	return a, b
}

// datagrams makes two UDP sockets that are connected to each other.
func datagrams(t *loop.Task, tb testing.TB) (a, b *socket.Socket) {
	tb.Helper()
	bound := func() *socket.Socket {
		s, err := socket.New(t.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		must(tb, err)
		must(tb, s.Bind(socket.InetAddr(loopback(0))))
		return s
	}
	name := func(s *socket.Socket) socket.Addr {
		a, err := s.Name()
		must(tb, err)
		return a
	}
	a, b = bound(), bound()
	must(tb, a.Connect(t, name(b)))
	must(tb, b.Connect(t, name(a)))
	return a, b
}

// settle lets the loop harvest what has happened, without waiting for anything
// that is to come: all other tasks wait.
func settle(t *loop.Task, tb testing.TB) {
	tb.Helper()
	looptest.WaitAllTasksBlocked(t, tb)
}

// arrived waits until something can be received at s, without taking it.
func arrived(t *loop.Task, tb testing.TB, s *socket.Socket) {
	tb.Helper()
	var b [1]byte
	_, err := s.Recv(t, b[:], sys.MSG_PEEK)
	must(tb, err)
}

// receiveAll receives until the end, in pieces of at most size bytes.
func receiveAll(t *loop.Task, from stream.Receiver, size int) (all []byte, err error) {
	b := make([]byte, size)
	for {
		n, err := from.Receive(t, b)
		all = append(all, b[:n]...)
		if n == 0 || err != nil {
			return all, err
		}
	}
}

// pattern is n bytes in which every position can be told from its neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8 ^ i>>16)
	}
	return b
}

// closing closes things at the end of a main function.
type closer interface{ Close() error }

func closeAll(all ...closer) {
	for _, c := range all {
		_ = c.Close() // idempotent, and no test is about this
	}
}
