package socket_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// Clients that are slow, silent or gone at every point of a connection's life.
// Whatever they do, the server holds a bounded number of them for a bounded
// time, says in its statistics what became of them, and serves others meanwhile.

// enemyTime bounds each step of lineServer; it runs on a clock that jumps.
const enemyTime = 5 * time.Second

// lineServer answers a line with many lines, within a time for each step, as any
// server that strangers can reach has to.
func lineServer(size int) socket.Handler {
	return func(t *loop.Task, c stream.Stream) error {
		var line []byte
		err := loop.FailAfter(t, enemyTime, func(*loop.Scope) (err error) {
			line, err = receiveLine(t, c)
			return err
		})
		if err != nil || line == nil {
			return err
		}
		answer := []byte(strings.Repeat("x", size) + "\n")
		err = loop.FailAfter(t, enemyTime, func(*loop.Scope) error { return c.SendAll(t, answer) })
		if err != nil {
			return err
		}
		return socket.GoIdle
	}
}

// receiveLine receives a line of at most 100 bytes; nil at the end.
func receiveLine(t *loop.Task, c stream.Stream) ([]byte, error) {
	b := t.Buffer()[:100]
	for have := 0; have < len(b); {
		n, err := c.Receive(t, b[have:])
		if n == 0 || err != nil {
			return nil, err
		}
		if have += n; b[have-1] == '\n' {
			return b[:have], nil
		}
	}
	return nil, c.(interface{ Failure(string, error) error }).Failure("line", stream.ErrTooLong)
}

// serverOpts are the limits of a server for strangers.
func serverOpts(tls, proxy bool) []socket.ServeOption {
	opts := []socket.ServeOption{
		socket.WithIdleTimeout(enemyTime), socket.WithHandshakeTimeout(enemyTime),
		socket.WithMaxHandshakes(4),
	}
	if tls {
		opts = append(opts, withTLS())
	}
	if proxy {
		opts = append(opts, socket.WithProxyProtocol(loopbackNetwork))
	}
	return opts
}

// TestSlowloris has clients that stop in each phase: they are cut off when their
// time is over, and counted.
func TestSlowloris(t *testing.T) {
	const clients, much = 10, 32 << 20
	timedOut := func(s socket.ServerStatistics) uint64 { return s.TimedOut }
	failed := func(s socket.ServerStatistics) uint64 { return s.Errors[socket.ErrorTimeout] }
	for name, phase := range map[string]struct {
		says       string
		tls, proxy bool
		count      func(socket.ServerStatistics) uint64
	}{
		"accept":       {"", false, false, timedOut},
		"accept, TLS":  {"", true, false, timedOut},
		"PROXY header": {"PROXY TCP4 192.0", false, true, failed},
		"handshake":    {"\x16\x03\x01", true, false, failed},
		"request":      {"half a li", false, false, failed},
		"response":     {"a line\n", false, false, failed}, // and never reads
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				return serving(task, t, lineServer(much), func(s *socket.Server) error {
					for range clients {
						c := dial(task, t, s)
						defer c.Close()
						must(t, c.SendAll(task, []byte(phase.says)))
					}
					until(task, t, func() bool { return phase.count(s.Statistics()) == clients })
					if got := s.Statistics(); got.Active+got.Idle != 0 || got.Handshaking != 0 {
						t.Errorf("left: %+v", got)
					}
					return nil
				}, serverOpts(phase.tls, phase.proxy)...)
			}, loop.WithClock(looptest.NewAutojumpClock()))
		})
	}
}

// TestHandshakeFlood has many clients that begin a handshake and leave it: few
// are under way at a time, and an honest one that comes behind them is served
// when their time is over.
func TestHandshakeFlood(t *testing.T) {
	const clients = 200
	run(t, func(task *loop.Task) error {
		return serving(task, t, lineServer(1), func(s *socket.Server) error {
			most := 0
			for range clients {
				c := dial(task, t, s)
				defer c.Close()
				must(t, c.SendAll(task, []byte("\x16\x03\x01")))
				most = max(most, s.Statistics().Handshaking)
			}
			until(task, t, func() bool {
				got := s.Statistics()
				most = max(most, got.Handshaking)
				return got.Errors[socket.ErrorTimeout] == clients
			})
			if most != 4 {
				t.Errorf("%d handshakes at once", most)
			}
			c := dialTLS(task, t, s)
			defer c.Close()
			must(t, c.SendAll(task, []byte("hello\n")))
			receives(task, t, c, "x\n")
			return nil
		}, serverOpts(true, false)...)
	}, loop.WithClock(looptest.NewAutojumpClock()))
}

// A line that is too long is an error of its connection, and typed.
func TestOversizedLine(t *testing.T) {
	run(t, func(task *loop.Task) error {
		var heard error
		opts := append(serverOpts(false, false),
			socket.OnError(func(_ *socket.Conn, err error) { heard = err }))
		return serving(task, t, lineServer(1), func(s *socket.Server) error {
			c := dial(task, t, s)
			defer c.Close()
			must(t, c.SendAll(task, []byte(strings.Repeat("y", 100))))
			until(task, t, func() bool { return heard != nil })
			want(t, "the handler's error", heard, stream.ErrTooLong)
			return nil
		}, opts...)
	})
}

// A forged PROXY header of somebody who is trusted ends its connection as soon as
// it cannot become one, however much is announced: the server waits for no more.
func TestForgedProxyHeaders(t *testing.T) {
	forged := []string{
		"PROXY TCP4 " + strings.Repeat("1", 200),              // a line without an end
		"PROXY TCP4 192.0.2.1 198.51.100.2 99999 443\r\n",     // no port
		signature + "\x21\x11\xff\xff",                        // 64 KiB are to follow
		signature + "\x21\x11\x00\x02ab",                      // shorter than its addresses
		signature + "\x21\x00\x00\x07\x03\x00\x04" + "abcdef", // a wrong sum
	}
	run(t, func(task *loop.Task) error {
		var heard []error
		opts := append(serverOpts(false, true),
			socket.OnError(func(_ *socket.Conn, err error) { heard = append(heard, err) }))
		return serving(task, t, lineServer(1), func(s *socket.Server) error {
			for i, text := range forged {
				c := dial(task, t, s)
				defer c.Close()
				must(t, c.SendAll(task, []byte(text)))
				until(task, t, func() bool { return len(heard) > i })
				want(t, fmt.Sprintf("%q", text), heard[i], socket.ErrProxyHeader)
			}
			got := s.Statistics()
			if got.Errors[socket.ErrorBroken] != uint64(len(forged)) || got.Runs != 0 ||
				got.Active+got.Idle != 0 {
				t.Errorf("%+v", got)
			}
			c := dial(task, t, s)
			defer c.Close()
			must(t, c.SendAll(task, []byte("PROXY UNKNOWN\r\nhello\n")))
			receives(task, t, c, "x\n")
			return nil
		}, opts...)
	})
}

// errCut ends a client that has said enough.
var errCut = errors.New("cut")

// cutConn resets its connection after some bytes were sent.
type cutConn struct {
	*socket.Conn
	left int
}

func (c *cutConn) SendAll(t *loop.Task, b []byte) error {
	if len(b) < c.left {
		c.left -= len(b)
		return c.Conn.SendAll(t, b)
	}
	if err := c.Conn.SendAll(t, b[:c.left]); err != nil {
		return err
	}
	return errors.Join(errCut, c.Abort())
}

// TestResetsAtEveryPoint resets connections after each number of bytes that a
// client sends, with a PROXY header and TLS and without: the server goes on, and
// nothing of them is left.
func TestResetsAtEveryPoint(t *testing.T) {
	const header, step = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", 13
	for _, tls := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls %v", tls), func(t *testing.T) {
			run(t, func(task *loop.Task) error {
				// No OnError: an error that is not the connection's would end it.
				return serving(task, t, lineServer(100), func(s *socket.Server) error {
					visits := 0
					visit := func(bytes int) error {
						c := &cutConn{dial(task, t, s), bytes}
						defer c.Close()
						visits++
						// One that is reset before may not even come to the listener.
						until(task, t, func() bool {
							return s.Statistics().Accepted == uint64(visits)
						})
						if err := c.SendAll(task, []byte(header)); err != nil {
							return err
						}
						var over stream.Stream = c
						if tls {
							over, _ = overTLS(t, c, c)
						}
						for range 2 {
							if err := over.SendAll(task, []byte("hello\n")); err != nil {
								return err
							}
							if _, err := over.Receive(task, make([]byte, 200)); err != nil {
								return err
							}
						}
						return over.SendEOF(task)
					}
					for bytes := 1; ; bytes += step {
						if err := visit(bytes); err == nil {
							break
						}
					}
					until(task, t, func() bool {
						got := s.Statistics()
						return got.Accepted == uint64(visits) && got.Active+got.Idle == 0
					})
					t.Logf("%d connections, %+v", visits, s.Statistics())
					return nil
				}, serverOpts(tls, true)...)
			})
		})
	}
}
