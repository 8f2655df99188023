package stdnet_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/socket/stdnet"
	"github.com/lion-go/lion/sys"
)

// needsNet skips a test where package net takes in no sockets.
func needsNet(tb testing.TB) {
	tb.Helper()
	if _, err := sys.FileConn(sys.Invalid); errors.Is(err, errors.ErrUnsupported) {
		tb.Skip("package net takes in no sockets on this system")
	}
}

// pairs make two connected ends, on a loop.
var pairs = map[string]func(t *loop.Task, tb testing.TB) (a, b *socket.Conn){
	"tcp4": func(t *loop.Task, tb testing.TB) (a, b *socket.Conn) { return pairAt(t, tb, "127.0.0.1:0") },
	"tcp6": func(t *loop.Task, tb testing.TB) (a, b *socket.Conn) { return pairAt(t, tb, "[::1]:0") },
	"unix": func(t *loop.Task, tb testing.TB) (a, b *socket.Conn) {
		name := filepath.Join(tb.TempDir(), "s")
		ln, err := socket.ListenUnix(t.Loop(), name)
		must(tb, err)
		defer ln.Close()
		a, err = socket.ConnectUnix(t, name)
		must(tb, err)
		b, err = ln.Accept(t)
		must(tb, err)
		return a, b
	},
}

func pairAt(t *loop.Task, tb testing.TB, address string) (a, b *socket.Conn) {
	ln, err := socket.ListenTCP(t.Loop(), address)
	if errors.Is(err, sys.EADDRNOTAVAIL) || errors.Is(err, sys.EAFNOSUPPORT) {
		tb.Skipf("no loopback for %s: %v", address, err)
	}
	must(tb, err)
	defer ln.Close()
	a, err = socket.ConnectTCP(t, ln.Addr().AddrPort())
	must(tb, err)
	b, err = ln.Accept(t)
	must(tb, err)
	return a, b
}

// What left its loop is a net.Conn in every respect that nettest knows.
func TestNetConn(t *testing.T) {
	needsNet(t)
	for name, makePair := range pairs {
		t.Run(name, func(t *testing.T) {
			nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
				return leave(t, makePair)
			})
		})
	}
}

// leave makes a pair on a loop and takes it off.
func leave(
	tb testing.TB, makePair func(t *loop.Task, tb testing.TB) (a, b *socket.Conn),
) (a, b net.Conn, stop func(), err error) {
	err = loop.Run(func(task *loop.Task) error {
		one, two := makePair(task, tb)
		if a, err = stdnet.NetConn(one); err != nil {
			return errors.Join(err, one.Close(), two.Close())
		}
		b, err = stdnet.NetConn(two)
		return err
	})
	return a, b, func() { a.Close(); b.Close() }, err
}

// nettestOfTLS are the parts of nettest that crypto/tls passes on package net. The
// others write on after a write has timed out, which breaks a tls.Conn for good.
const nettestOfTLS = "BasicIO|PingPong|RacyRead|RacyWrite|ReadTimeout|WriteTimeout|" +
	"PresentTimeout|CloseTimeout"

// And so is crypto/tls over it, as far as over package net. nettest cannot be
// asked for a part, but a test binary can: this test runs itself.
func TestNetConnTLS(t *testing.T) {
	needsNet(t)
	const inner = "LION_NETTEST_OF_TLS"
	if os.Getenv(inner) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestNetConnTLS$/^("+nettestOfTLS+")$", "-test.v")
		c.Env = append(os.Environ(), inner+"=1")
		out, err := c.CombinedOutput()
		passed := strings.Count(string(out), "--- PASS: TestNetConnTLS/")
		if want := strings.Count(nettestOfTLS, "|") + 1; err != nil || passed != want {
			t.Errorf("%d of %d passed, %v:\n%s", passed, want, err, out)
		}
		return
	}
	identity := httptest.NewUnstartedServer(nil) // it has a certificate
	identity.StartTLS()
	config := &tls.Config{Certificates: identity.TLS.Certificates}
	identity.Close()
	nettest.TestConn(t, func() (a, b net.Conn, stop func(), err error) {
		one, two, _, err := leave(t, pairs["tcp4"])
		if err != nil {
			return nil, nil, nil, err
		}
		client := tls.Client(one, &tls.Config{InsecureSkipVerify: true})
		server := tls.Server(two, config)
		shaken := make(chan error, 1)
		go func() { shaken <- server.Handshake() }()
		err = errors.Join(client.Handshake(), <-shaken)
		return client, server, func() { client.Close(); server.Close() }, err
	})
}

// A connection leaves its loop and comes back, with bytes on their way all the
// time; who waits on it hears that it has gone.
func TestNetConnAndBack(t *testing.T) {
	needsNet(t)
	looptest.Run(t, func(task *loop.Task) error {
		a, b := pairs["tcp4"](task, t)
		defer b.Close()
		must(t, b.SendAll(task, []byte("one two")))
		text := make([]byte, 3)
		_, err := stream.ReceiveExactly(task, a, text)
		must(t, err)
		std, err := stdnet.NetConn(a)
		must(t, err)
		if _, ok := std.(*net.TCPConn); !ok || !a.Closed() {
			t.Errorf("a %T; closed: %v", std, a.Closed())
		}
		_, err = stdnet.NetConn(a)
		want(t, "leaving twice", err, loop.ErrClosed)
		a, err = stdnet.Conn(task.Loop(), std)
		must(t, err)
		defer a.Close()
		if _, err := std.Read(text); !errors.Is(err, net.ErrClosed) {
			t.Errorf("the net.Conn is still open: %v", err)
		}
		text = make([]byte, 4)
		_, err = stream.ReceiveExactly(task, a, text)
		must(t, err)
		if string(text) != " two" {
			t.Errorf("received %q", text)
		}
		return nil
	})
}

func TestConnRefuses(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		one, two := net.Pipe()
		defer one.Close()
		defer two.Close()
		_, err := stdnet.Conn(task.Loop(), one)
		want(t, "a pipe", err, loop.ErrMisuse)
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		defer ln.Close()
		own, err := stdnet.Listener(task.Loop(), ln)
		must(t, err)
		return own.Close()
	})
}

// Datagrams go both ways between a loop and a goroutine's socket.
func TestNetPacketConn(t *testing.T) {
	needsNet(t)
	looptest.Run(t, func(task *loop.Task) error {
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_DGRAM, 0)
		must(t, err)
		defer s.Close()
		must(t, s.Bind(socket.InetAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
		at, err := s.Name()
		must(t, err)
		std, err := stdnet.NetPacketConn(s)
		must(t, err)
		udp := std.(*net.UDPConn)
		if got := udp.LocalAddr().(*net.UDPAddr).AddrPort(); got != at.AddrPort() {
			t.Errorf("it is bound to %v, not %v", got, at)
		}
		s, err = stdnet.PacketConn(task.Loop(), udp)
		must(t, err)
		defer s.Close()
		_, err = s.SendTo(task, []byte("hello"), 0, at)
		must(t, err)
		b := make([]byte, 10)
		n, _, err := s.RecvFrom(task, b, 0)
		must(t, err)
		if string(b[:n]) != "hello" {
			t.Errorf("received %q", b[:n])
		}
		return nil
	})
}

// literals resolves what needs no resolver.
func literals(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
	ap, err := netip.ParseAddrPort(net.JoinHostPort(q.Host, q.Service))
	if err != nil {
		return err
	}
	deliver(socket.Answer{Family: socket.InetAddr(ap).Family(), Addrs: []netip.AddrPort{ap}})
	return loop.Checkpoint(t)
}

// onLoop runs fn on an ordinary goroutine beside a loop.
func onLoop(t *testing.T, fn func(l *loop.Loop)) {
	t.Helper()
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
	fn(l)
}

// net/http serves on a listener that lion made, to a client whose transport
// dials by lion, HTTP/1 with bodies both ways.
func TestHTTPUnchanged(t *testing.T) {
	needsNet(t)
	onLoop(t, func(l *loop.Loop) {
		var ln net.Listener
		err := l.Do(t.Context(), func(task *loop.Task) error {
			own, err := socket.ListenTCP(l, "127.0.0.1:0")
			if err != nil {
				return err
			}
			ln, err = stdnet.NetListener(own)
			if err != nil {
				return errors.Join(err, own.Close())
			}
			return nil
		})
		must(t, err)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body) // the client compares
		})}
		served := make(chan error)
		go func() { served <- server.Serve(ln) }()
		dialer := &stdnet.Dialer{Loop: l}
		transport := &http.Transport{DialContext: dialer.DialContext}
		client := &http.Client{Transport: transport}
		text := strings.Repeat("lion", 1<<16)
		_, port, err := net.SplitHostPort(ln.Addr().String())
		must(t, err)
		for _, host := range []string{"127.0.0.1", "127.0.0.1", "localhost"} {
			r, err := client.Post("http://"+host+":"+port+"/", "text/plain", strings.NewReader(text))
			must(t, err)
			got, err := io.ReadAll(r.Body)
			must(t, errors.Join(err, r.Body.Close()))
			if string(got) != text {
				t.Errorf("%d bytes came back", len(got))
			}
		}
		transport.CloseIdleConnections()
		must(t, server.Shutdown(t.Context()))
		want(t, "serve", <-served, http.ErrServerClosed)
	})
}

// A hijacked connection of net/http goes on in a loop.
func TestHijack(t *testing.T) {
	onLoop(t, func(l *loop.Loop) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		done := make(chan error, 1)
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			std, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				done <- err
				return
			}
			done <- l.Do(context.Background(), func(task *loop.Task) error {
				c, err := stdnet.Conn(l, std)
				if err != nil {
					return err
				}
				return errors.Join(c.SendAll(task, []byte("from a task\n")), c.Close())
			})
		})}
		served := make(chan error)
		go func() { served <- server.Serve(ln) }()
		c, err := net.Dial("tcp", ln.Addr().String())
		must(t, err)
		defer c.Close()
		_, err = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		must(t, err)
		line, err := bufio.NewReader(c).ReadString('\n')
		must(t, err)
		if line != "from a task\n" {
			t.Errorf("received %q", line)
		}
		must(t, <-done)
		must(t, server.Close())
		want(t, "serve", <-served, http.ErrServerClosed)
	})
}

func TestDialerErrors(t *testing.T) {
	needsNet(t)
	onLoop(t, func(l *loop.Loop) {
		d := &stdnet.Dialer{Resolve: literals}
		_, err := d.DialContext(t.Context(), "tcp", "127.0.0.1:1")
		want(t, "no loop", err, loop.ErrMisuse)
		d.Loop = l
		_, err = d.DialContext(t.Context(), "udp", "127.0.0.1:1")
		if !errors.As(err, new(net.UnknownNetworkError)) {
			t.Errorf("udp: %v", err)
		}
		_, err = d.DialContext(t.Context(), "tcp6", "127.0.0.1:1")
		if err == nil {
			t.Error("an IPv4 address was dialed over tcp6")
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		must(t, err)
		address := ln.Addr().String()
		must(t, ln.Close())
		_, err = d.DialContext(t.Context(), "tcp", address)
		want(t, "a closed port", err, sys.ECONNREFUSED)
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("the caller has lost interest")
		cancel(why)
		_, err = d.DialContext(ctx, "tcp", address)
		want(t, "a context that is done", err, why)
	})
}
