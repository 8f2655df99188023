package stdnet_test

// The code of docs/which-stream.md and docs/from-net.md. A change here belongs
// there too; TestGuides compares.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/socket/stdnet"
	"github.com/lion-go/lion/sys"
)

// capitals answers every line in capitals.
func capitals(t *loop.Task, c stream.Stream) error {
	r := stream.NewReader(c, t.Buffer())
	for {
		line, err := r.Line(t)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.SendAll(t, append(bytes.ToUpper(line), '\n')); err != nil {
			return err
		}
	}
}

// TestGuideStream runs one handler over memory.
func TestGuideStream(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		client, server := stream.NewMemory(0)
		defer client.Close()
		defer server.Close()
		must(t, client.SendAll(task, []byte("one\ntwo\n")))
		must(t, client.SendEOF(task))
		must(t, capitals(task, server))
		answer := make([]byte, 8)
		_, err := stream.ReceiveExactly(task, client, answer)
		must(t, err)
		if string(answer) != "ONE\nTWO\n" {
			t.Errorf("answered %q", answer)
		}
		return nil
	})
}

// reflect sends datagrams back to where they came from.
func reflect(t *loop.Task, s *socket.Socket) error {
	for {
		n, from, err := s.RecvFrom(t, t.Buffer(), 0)
		if err != nil {
			return err
		}
		if _, err := s.SendTo(t, t.Buffer()[:n], 0, from); err != nil {
			return err
		}
	}
}

// datagrams makes a socket for them on loopback.
func datagrams(tb testing.TB, l *loop.Loop) (s *socket.Socket, at socket.Addr) {
	tb.Helper()
	s, err := socket.New(l, sys.AF_INET, sys.SOCK_DGRAM, 0)
	must(tb, err)
	must(tb, s.Bind(socket.InetAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	at, err = s.Name()
	must(tb, err)
	return s, at
}

// TestGuideSocket sends a datagram to reflect.
func TestGuideSocket(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		server, to := datagrams(t, task.Loop())
		defer server.Close()
		client, _ := datagrams(t, task.Loop())
		defer client.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error { return reflect(task, server) }))
			_, err := client.SendTo(task, []byte("ping"), 0, to)
			must(t, err)
			b := make([]byte, 10)
			got, from, err := client.RecvFrom(task, b, 0)
			must(t, err)
			if string(b[:got]) != "ping" || from != to {
				t.Errorf("%q from %v", b[:got], from)
			}
			return n.Cancel("the answer is here")
		})
	})
}

// hello answers one HTTP request, which net/http parses.
func hello(t *loop.Task, c stream.Stream) error {
	conn := stdnet.Bind(t, c) // a net.Conn whose calls suspend t
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return err
	}
	answer := http.Response{
		StatusCode: http.StatusOK, ProtoMajor: 1, ProtoMinor: 1,
		Request: request, Close: true, ContentLength: -1,
		Body: io.NopCloser(bytes.NewBufferString("hello, " + request.URL.Path[1:])),
	}
	return answer.Write(conn)
}

// TestGuideBind asks hello for an answer.
func TestGuideBind(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		client, server := stream.NewMemory(0)
		defer client.Close()
		defer server.Close()
		must(t, client.SendAll(task, []byte("GET /lion HTTP/1.1\r\nHost: a\r\n\r\n")))
		must(t, hello(task, server))
		must(t, server.SendEOF(task))
		all, err := io.ReadAll(stdnet.Bind(task, client))
		must(t, err)
		if !bytes.HasSuffix(all, []byte("\r\n\r\nhello, lion")) {
			t.Errorf("answered %q", all)
		}
		return nil
	})
}

// serveHTTP makes a listener on the loop and serves it on a goroutine.
func serveHTTP(l *loop.Loop, server *http.Server) (at net.Addr, ended <-chan error, err error) {
	var ln net.Listener
	err = l.Do(context.Background(), func(t *loop.Task) error {
		own, err := socket.ListenTCP(l, "127.0.0.1:0")
		if err != nil {
			return err
		}
		ln, err = stdnet.NetListener(own) // it leaves the loop
		if err != nil {
			return errors.Join(err, own.Close())
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	return ln.Addr(), served, nil
}

// clientOver is a client of net/http that dials by lion.
func clientOver(l *loop.Loop) *http.Client {
	dialer := &stdnet.Dialer{Loop: l} // names and races of lion
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
}

// TestGuideGoroutines asks an unchanged server by an unchanged client.
func TestGuideGoroutines(t *testing.T) {
	needsNet(t)
	onLoop(t, func(l *loop.Loop) {
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello") // the client compares
		})}
		at, ended, err := serveHTTP(l, server)
		must(t, err)
		client := clientOver(l)
		r, err := client.Get("http://" + at.String())
		must(t, err)
		text, err := io.ReadAll(r.Body)
		must(t, errors.Join(err, r.Body.Close()))
		if string(text) != "hello" {
			t.Errorf("answered %q", text)
		}
		client.CloseIdleConnections()
		must(t, server.Shutdown(t.Context()))
		want(t, "serve", <-ended, http.ErrServerClosed)
	})
}

// netAsk is a client of package net.
func netAsk(address, question string) (string, error) {
	c, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return "", err
	}
	if _, err := io.WriteString(c, question+"\n"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return line, err
}

// lionAsk is the same client in a task.
func lionAsk(t *loop.Task, address netip.AddrPort, question string) (answer string, err error) {
	err = loop.FailAfter(t, time.Minute, func(*loop.Scope) error {
		c, err := socket.ConnectTCP(t, address)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.SendAll(t, []byte(question+"\n")); err != nil {
			return err
		}
		line, err := stream.NewReader(c, t.Buffer()).Until(t, '\n')
		answer = string(line)
		return err
	})
	return answer, err
}

// netVisits counts the lines of all connections, on goroutines.
type netVisits struct {
	mu    sync.Mutex
	lines int
}

func (v *netVisits) serve(ln net.Listener) error {
	var all sync.WaitGroup
	defer all.Wait()
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		all.Go(func() {
			defer c.Close()
			for lines := bufio.NewScanner(c); lines.Scan(); {
				v.mu.Lock()
				v.lines++
				v.mu.Unlock()
				if _, err := c.Write(append(lines.Bytes(), '\n')); err != nil {
					return
				}
			}
		})
	}
}

// lionVisits counts them in tasks of one loop.
type lionVisits struct{ lines int }

func (v *lionVisits) serve(t *loop.Task, c stream.Stream) error {
	r := stream.NewReader(c, t.Buffer())
	for {
		line, err := r.Until(t, '\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		v.lines++ // no other task runs between two suspensions
		if err := c.SendAll(t, line); err != nil {
			return err
		}
	}
}

// TestGuideNet runs the client and the server of package net.
func TestGuideNet(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var visits netVisits
	ended := make(chan error, 1)
	go func() { ended <- visits.serve(ln) }()
	answer, err := netAsk(ln.Addr().String(), "who is there?")
	must(t, err)
	must(t, ln.Close())
	want(t, "serve", <-ended, net.ErrClosed)
	if answer != "who is there?\n" || visits.lines != 1 {
		t.Errorf("answered %q, %d lines", answer, visits.lines)
	}
}

// TestGuideLion runs those of lion.
func TestGuideLion(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		must(t, err)
		to := ln.Addr().AddrPort()
		var visits lionVisits
		server, err := socket.NewServer(ln, visits.serve)
		must(t, err)
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(server.Serve))
			defer server.Stop()
			answer, err := lionAsk(task, to, "who is there?")
			must(t, err)
			if answer != "who is there?\n" || visits.lines != 1 {
				t.Errorf("answered %q, %d lines", answer, visits.lines)
			}
			return nil
		})
	})
}

// netBoth copies both ways until one is at its end, on goroutines.
func netBoth(a, b net.Conn) error {
	ended := make(chan error, 2)
	go func() { _, err := io.Copy(a, b); ended <- err }()
	go func() { _, err := io.Copy(b, a); ended <- err }()
	err := <-ended
	a.Close() // so that the other copy ends
	b.Close()
	<-ended
	return err
}

// lionBoth does so in tasks.
func lionBoth(t *loop.Task, a, b stream.Stream) error {
	return loop.Nurse(t, func(n *loop.Nursery) error {
		oneWay := func(to, from stream.Stream) func(*loop.Task) error {
			return func(t *loop.Task) error {
				err := forward(t, to, from)
				return errors.Join(err, n.Cancel("one side is at its end"))
			}
		}
		if err := n.Spawn(oneWay(a, b)); err != nil {
			return err
		}
		return n.Spawn(oneWay(b, a))
	})
}

func forward(t *loop.Task, to, from stream.Stream) error {
	for {
		n, err := from.Receive(t, t.Buffer())
		if err != nil || n == 0 { // 0: the end
			return err
		}
		if err := to.SendAll(t, t.Buffer()[:n]); err != nil {
			return err
		}
	}
}

// TestGuideBothNet ends one side of a proxy on goroutines.
func TestGuideBothNet(t *testing.T) {
	client, a := net.Pipe()
	b, server := net.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- netBoth(a, b) }()
	_, err := io.WriteString(client, "hello")
	if err == nil {
		_, err = io.ReadFull(server, make([]byte, 5))
	}
	must(t, errors.Join(err, client.Close(), <-ended, server.Close()))
}

// TestGuideBothLion ends one side of a proxy in tasks.
func TestGuideBothLion(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		client, a := stream.NewMemory(0)
		b, server := stream.NewMemory(0)
		defer a.Close()
		defer b.Close()
		defer server.Close()
		return loop.Nurse(task, func(n *loop.Nursery) error {
			must(t, n.Spawn(func(task *loop.Task) error { return lionBoth(task, a, b) }))
			must(t, client.SendAll(task, []byte("hello")))
			_, err := stream.ReceiveExactly(task, server, make([]byte, 5))
			return errors.Join(err, client.Close())
		})
	})
}

// TestGuideDeadlines: what a scope says is what a deadline says.
func TestGuideDeadlines(t *testing.T) {
	err := looptest.RunErr(t, func(task *loop.Task) error {
		a, b := stream.NewMemory(0)
		defer a.Close()
		defer b.Close()
		return loop.FailAfter(task, time.Minute, func(*loop.Scope) error {
			_, err := a.Receive(task, task.Buffer())
			return err
		})
	}, loop.WithClock(looptest.NewAutojumpClock()))
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("after a minute: %v", err)
	}
}
