package socket_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

func withTLS() socket.ServeOption { return socket.WithTLS(authority().server) }

func dialTLS(t *loop.Task, tb testing.TB, s *socket.Server) *socket.TLSConn {
	tb.Helper()
	c, err := socket.TLSClient(dial(t, tb, s), authority().client)
	must(tb, err)
	return c
}

// Clients of a TLS server go idle without a task, and come back; those that
// only made a handshake do not even run the handler.
func TestServeTLS(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			const clients = 20
			settle(task, t)
			before := task.Statistics().TasksLiving
			var all []*socket.TLSConn
			for i := range clients {
				c := dialTLS(task, t, s)
				all = append(all, c)
				must(t, c.Handshake(task))
				if i%2 == 0 {
					must(t, c.SendAll(task, []byte("hello")))
					receives(task, t, c, "hello")
				}
			}
			until(task, t, func() bool { return s.Statistics().Idle == clients })
			got := s.Statistics()
			if got.Runs != clients/2 || got.Handshakes != clients || got.Handshaking != 0 {
				t.Errorf("%+v", got)
			}
			if after := task.Statistics().TasksLiving; after != before {
				t.Errorf("%d tasks for %d idle connections", after-before, clients)
			}
			for _, c := range all {
				must(t, c.SendAll(task, []byte("again")))
				receives(task, t, c, "again")
			}
			for _, c := range all[:clients/2] {
				must(t, c.SendEOF(task))
				receives(task, t, c, "")
				must(t, c.Close())
			}
			until(task, t, func() bool { return s.Statistics().Idle == clients/2 })
			s.Stop()
			for _, c := range all[clients/2:] {
				receives(task, t, c, "") // a close_notify, not just an end
				must(t, c.Close())
			}
			return nil
		}, withTLS())
	})
}

// A handler that takes one byte of what a record holds is called again for the
// rest, which no event announces.
func TestServeTLSBuffered(t *testing.T) {
	looptest.Seeds(t, 10, func(t *testing.T) {
		run(t, func(task *loop.Task) error {
			return serving(task, t, oneByte, func(s *socket.Server) error {
				c := dialTLS(task, t, s)
				text := "two records, a byte at a time"
				must(t, c.SendAll(task, []byte(text[:10])))
				must(t, c.SendAll(task, []byte(text[10:])))
				must(t, c.SendEOF(task))
				got, err := receiveAll(task, c, 100)
				if string(got) != text {
					t.Errorf("received %q", got)
				}
				must(t, c.Close())
				return err
			}, withTLS())
		})
	})
}

// The same with records of one byte: to look for the second takes it whole out of
// crypto/tls, and nothing comes after it.
func TestServeTLSOneByteRecords(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return serving(task, t, oneByte, func(s *socket.Server) error {
			c := dialTLS(task, t, s)
			defer c.Close()
			for range 3 {
				must(t, c.SendAll(task, []byte("x")))
				must(t, c.SendAll(task, []byte("y")))
				receivesSlowly(task, t, c, "xy", 100)
			}
			return nil
		}, withTLS())
	})
}

// oneByte echoes a byte, and lets the connection go idle.
func oneByte(t *loop.Task, c stream.Stream) error {
	var b [1]byte
	n, err := c.Receive(t, b[:])
	if err != nil || n == 0 {
		return err
	}
	if err := c.SendAll(t, b[:]); err != nil {
		return err
	}
	return socket.GoIdle
}

// A handler that leaves plaintext lying is refused, as without TLS.
func TestServeTLSRefusesIdlingOverData(t *testing.T) {
	lazy := func(*loop.Task, stream.Stream) error { return socket.GoIdle }
	run(t, func(task *loop.Task) error {
		err := serving(task, t, lazy, func(s *socket.Server) error {
			c := dialTLS(task, t, s)
			defer c.Close()
			must(t, c.SendAll(task, []byte("x")))
			_, _ = c.Receive(task, make([]byte, 1)) // it is closed, in whatever way
			return nil
		}, withTLS())
		want(t, "serve", err, loop.ErrMisuse)
		return nil
	})
}

// Clients that do not finish their handshake are cut off after a time; while
// they fill the room for handshakes the others wait, and then get their turn.
func TestServeTLSHandshakeLimits(t *testing.T) {
	clock := looptest.NewAutojumpClock()
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			stalled := dial(task, t, s)
			defer stalled.Close()
			must(t, stalled.SendAll(task, []byte{22, 3, 1}))
			until(task, t, func() bool { return s.Statistics().Handshaking == 1 })
			c := dialTLS(task, t, s)
			defer c.Close()
			// The kernel may be slow: what is on its way is no reason to jump.
			clock.SetThreshold(200 * time.Millisecond)
			return both(task, func(task *loop.Task) error {
				must(t, c.SendAll(task, []byte("x")))
				receives(task, t, c, "x")
				if got := s.Statistics(); got.Errors[socket.ErrorTimeout] != 1 || got.Handshakes != 1 {
					t.Errorf("%+v", got)
				}
				return nil
			}, func(task *loop.Task) error {
				n, err := stalled.Receive(task, make([]byte, 1))
				if n != 0 {
					t.Errorf("%d bytes, %v for a client that says nothing", n, err)
				}
				return nil
			})
		}, withTLS(), socket.WithMaxHandshakes(1), socket.WithHandshakeTimeout(time.Minute))
	}, loop.WithClock(clock))
}

// What speaks something else than TLS is an error of that connection alone.
func TestServeTLSPlainClient(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			plain := dial(task, t, s)
			defer plain.Close()
			must(t, plain.SendAll(task, []byte("GET / HTTP/1.1\r\n\r\n")))
			until(task, t, func() bool { return s.Statistics().Errors[socket.ErrorBroken] == 1 })
			c := dialTLS(task, t, s)
			defer c.Close()
			must(t, c.SendAll(task, []byte("x")))
			receives(task, t, c, "x")
			return nil
		}, withTLS())
	})
}

// A peer asks for new keys in between: it gets its answer, while the server
// does nothing but receive, and both directions go on.
func TestTLSKeyUpdate(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("needs the openssl program: crypto/tls never asks for new keys")
	}
	run(t, func(task *loop.Task) error {
		var got strings.Builder
		heard := func(task *loop.Task, c stream.Stream) error {
			b := task.Buffer()
			for {
				n, err := c.Receive(task, b)
				if err != nil || n == 0 {
					return err
				}
				got.Write(b[:n])
				if err := c.SendAll(task, []byte("heard\n")); err != nil {
					return err
				}
			}
		}
		return serving(task, t, heard, func(s *socket.Server) error {
			printed, err := openssl(s.Listener().Addr().String(),
				[2]string{"Verify return code", "K\n"}, [2]string{"KEYUPDATE", "one\n"},
				[2]string{"heard", "K\n"}, [2]string{"KEYUPDATE", "two\n"}, [2]string{"heard", ""})
			must(t, err)
			until(task, t, func() bool { return len(printed) == 1 })
			if text := <-printed; got.String() != "one\ntwo\n" || s.Statistics().Errors[socket.ErrorBroken] != 0 {
				t.Errorf("received %q, %+v; openssl printed %q", got.String(), s.Statistics(), text)
			}
			return nil
		}, withTLS())
	})
}

// openssl runs openssl's client, and types a line at it each time it has printed
// what the line is to follow; it ends after the last. What it printed is sent
// when it has ended.
func openssl(address string, script ...[2]string) (<-chan string, error) {
	command := exec.Command("openssl", "s_client", "-connect", address, "-tls1_3",
		"-servername", "example.org")
	command.Env = append(os.Environ(), "OPENSSL_CONF=/dev/null")
	in, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		return nil, err
	}
	printed := make(chan string, 1)
	go func() {
		var all strings.Builder
		for scan := bufio.NewScanner(out); scan.Scan(); {
			fmt.Fprintln(&all, scan.Text())
			if len(script) > 0 && strings.Contains(scan.Text(), script[0][0]) {
				fmt.Fprint(in, script[0][1])
				if script = script[1:]; len(script) == 0 {
					in.Close()
				}
			}
		}
		_ = command.Wait() // its status tells of the certificate
		printed <- all.String()
	}()
	return printed, nil
}
