package socket_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Torture (reliability 93): bodies in which every call of the kernel is made to
// fail, in a build with the tag faults; without it each runs once.

// faultTime is how long a body waits for what a failure has swallowed.
const faultTime = time.Minute

// torture has everything go wrong in main, which must end by itself.
func torture(t *testing.T, main func(*loop.Task) error) {
	t.Helper()
	t.Log(looptest.Config{Limit: limit}.EachFault(t, func(task *loop.Task) error {
		return loop.FailAfter(task, faultTime, func(*loop.Scope) error { return main(task) })
	}))
}

// echoUntilEnd serves a connection until its end.
func echoUntilEnd(task *loop.Task, c stream.Stream) error {
	b := make([]byte, 20)
	for {
		n, err := c.Receive(task, b)
		if err != nil || n == 0 {
			return err
		}
		if err := c.SendAll(task, b[:n]); err != nil {
			return err
		}
	}
}

// talk sends a text and wants it back, or a prefix of it and an error.
func talk(task *loop.Task, t *testing.T, s stream.Stream, text []byte) error {
	if err := s.SendAll(task, text); err != nil {
		return err
	}
	back := make([]byte, len(text))
	n, err := stream.ReceiveExactly(task, s, back)
	if !bytes.Equal(back[:n], text[:n]) {
		t.Errorf("%q came back, other than %q", back[:n], text)
	}
	if err == nil && n != len(text) {
		t.Errorf("%d bytes of %d came back, without an error", n, len(text))
	}
	return err
}

// connected runs two ends of a TCP connection.
func connected(task *loop.Task, client, server func(*loop.Task, *socket.Conn) error) error {
	ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer ln.Close()
	return both(task, func(task *loop.Task) error {
		c, err := ln.Accept(task)
		if err != nil {
			return err
		}
		defer c.Close()
		return server(task, c)
	}, func(task *loop.Task) error {
		c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
		if err != nil {
			return err
		}
		defer c.Close()
		return client(task, c)
	})
}

func TestFaultsEcho(t *testing.T) {
	torture(t, func(task *loop.Task) error {
		return connected(task, func(task *loop.Task, c *socket.Conn) error {
			return talk(task, t, c, []byte("the quick brown fox jumps over it"))
		}, func(task *loop.Task, c *socket.Conn) error { return echoUntilEnd(task, c) })
	})
}

// More than the system buffers, gathered from many pieces, to a receiver that
// comes late; then the end.
func TestFaultsBulk(t *testing.T) {
	all := pattern(60_000)
	pieces := [][]byte{all[:1], all[1:7000], nil, all[7000:7001], all[7001:]}
	torture(t, func(task *loop.Task) error {
		return connected(task, func(task *loop.Task, c *socket.Conn) error {
			if err := socket.SendBuffer.Set(c.Socket(), 4096); err != nil {
				return err
			}
			err := c.SendAllVectored(task, pieces)
			if sent := stream.Sent(err, len(all)); sent < 0 || sent > len(all) {
				t.Errorf("%d bytes were sent", sent)
			}
			if err != nil {
				return err
			}
			return c.SendEOF(task)
		}, func(task *loop.Task, c *socket.Conn) error {
			got, err := receiveAll(task, c, 9000)
			if !bytes.HasPrefix(all, got) {
				t.Errorf("the %d bytes that came are others", len(got))
			}
			if err == nil && len(got) < len(all) { // the sender failed, and closed
				return nil
			}
			return err
		})
	})
}

// A server with clients that go idle, one of which is there when it stops.
func TestFaultsServe(t *testing.T) {
	torture(t, func(task *loop.Task) error {
		return tortureServe(task, t, func(s stream.Stream) (stream.Stream, error) { return s, nil },
			socket.WithGrace(time.Second), socket.WithMaxConnections(2), socket.WithIdleTimeout(time.Hour))
	})
}

// The same over TLS.
func TestFaultsServeTLS(t *testing.T) {
	torture(t, func(task *loop.Task) error {
		return tortureServe(task, t, func(s stream.Stream) (stream.Stream, error) {
			return socket.TLSClient(s, authority().client)
		}, socket.WithGrace(time.Second), socket.WithTLS(authority().server))
	})
}

func tortureServe(
	task *loop.Task, t *testing.T, over func(stream.Stream) (stream.Stream, error),
	opts ...socket.ServeOption,
) error {
	ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
	if err != nil {
		return err
	}
	s, err := socket.NewServer(ln, echo, opts...)
	if err != nil {
		_ = ln.Close()
		return err
	}
	client := func(task *loop.Task) error {
		c, err := socket.ConnectTCP(task, s.Listener().Addr().AddrPort())
		if err != nil {
			return err
		}
		defer c.Close()
		secure, err := over(c)
		if err != nil {
			return err
		}
		defer secure.Close()
		for range 2 {
			if err := talk(task, t, secure, []byte("hello")); err != nil {
				return err
			}
		}
		return nil
	}
	err = both(task, s.Serve, func(task *loop.Task) error {
		defer s.Stop()
		return both(task, client, client)
	})
	if got := s.Statistics(); got.Active != 0 || got.Idle != 0 || got.Handshaking != 0 {
		t.Errorf("after the end: %+v", got)
	}
	return err
}

// TLS by itself: both ends, and an orderly end.
func TestFaultsTLS(t *testing.T) {
	torture(t, func(task *loop.Task) error {
		return connected(task, func(task *loop.Task, c *socket.Conn) error {
			s, err := socket.TLSClient(c, authority().client)
			if err != nil {
				return err
			}
			defer s.Close()
			if err := talk(task, t, s, pattern(200)); err != nil {
				return err
			}
			return s.SendEOF(task)
		}, func(task *loop.Task, c *socket.Conn) error {
			s, err := socket.TLSServer(c, authority().server)
			if err != nil {
				return err
			}
			defer s.Close()
			return echoUntilEnd(task, s)
		})
	})
}

// bound makes a UDP socket with a name.
func bound(l *loop.Loop) (s *socket.Socket, name socket.Addr, err error) {
	if s, err = socket.New(l, sys.AF_INET, sys.SOCK_DGRAM, 0); err != nil {
		return nil, name, err
	}
	if err = s.Bind(socket.InetAddr(loopback(0))); err == nil {
		name, err = s.Name()
	}
	if err != nil {
		_ = s.Close()
	}
	return s, name, err
}

// udp makes two of them, and connects one to the other.
func udp(task *loop.Task, body func(a, b *socket.Socket) error) error {
	a, _, err := bound(task.Loop())
	if err != nil {
		return err
	}
	defer a.Close()
	b, to, err := bound(task.Loop())
	if err != nil {
		return err
	}
	defer b.Close()
	if err := a.Connect(task, to); err != nil {
		return err
	}
	return body(a, b)
}

// Datagrams one by one; none comes cut, twice or as another.
func TestFaultsDatagrams(t *testing.T) {
	texts := []string{"one", "", "a longer one"}
	torture(t, func(task *loop.Task) error {
		return udp(task, func(a, b *socket.Socket) error {
			for _, text := range texts {
				if _, err := a.Send(task, []byte(text), 0); err != nil {
					return err
				}
			}
			for _, text := range texts {
				buf := make([]byte, 50)
				n, from, err := b.RecvFrom(task, buf, 0)
				if err != nil {
					return err
				}
				if string(buf[:n]) != text {
					t.Errorf("%q came, not %q", buf[:n], text)
				}
				if _, err := b.SendTo(task, buf[:n], 0, from); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// Datagrams in batches, and in segments of one large send.
func TestFaultsBatches(t *testing.T) {
	torture(t, func(task *loop.Task) error {
		return udp(task, func(a, b *socket.Socket) error {
			out := make([]socket.Msg, 5)
			for i := range out {
				out[i].Buffers = [][]byte{pattern(10 + i)}
			}
			for rest := out; len(rest) > 0; {
				n, err := a.SendBatch(task, rest, 0)
				if err != nil {
					return err
				}
				rest = rest[n:]
			}
			if err := batches(task, t, b, out); err != nil {
				return err
			}
			s, err := socket.NewSegmentSender(a)
			if err != nil {
				return err
			}
			if _, err := s.Send(task, pattern(250), 100, socket.Addr{}, nil); err != nil {
				return err
			}
			return batches(task, t, b, []socket.Msg{
				{N: 100, Buffers: [][]byte{pattern(250)[:100]}},
				{N: 100, Buffers: [][]byte{pattern(250)[100:200]}},
				{N: 50, Buffers: [][]byte{pattern(250)[200:]}},
			})
		})
	})
}

// batches receives until all have come.
func batches(task *loop.Task, t *testing.T, s *socket.Socket, all []socket.Msg) error {
	for len(all) > 0 {
		in := make([]socket.Msg, 3)
		for i := range in {
			in[i].Buffers = [][]byte{make([]byte, 500)}
		}
		n, err := s.RecvBatch(task, in, 0)
		for i := range n {
			got := in[i].Buffers[0][:in[i].N]
			if !bytes.Equal(got, all[i].Buffers[0]) {
				t.Errorf("%d bytes came, not the %d expected", len(got), len(all[i].Buffers[0]))
			}
		}
		if err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// Descriptors that travel with a message belong to somebody at every moment.
func TestFaultsRights(t *testing.T) {
	run(t, func(task *loop.Task) error {
		a, b := unixPair(task, t, sys.SOCK_STREAM) // or skip
		defer closeAll(a, b)
		var c socket.Control
		if err := c.AddRights(a.FD()); errors.Is(err, errors.ErrUnsupported) {
			t.Skip("this system passes no descriptors")
		}
		return nil
	})
	torture(t, func(task *loop.Task) error {
		a, b, err := socket.Pair(task.Loop(), sys.AF_UNIX, sys.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer closeAll(a, b)
		var c socket.Control
		if err := c.AddRights(a.FD(), b.FD()); err != nil {
			return err
		}
		for _, wanted := range []bool{true, false} {
			out := socket.Msg{Buffers: [][]byte{[]byte("x")}, Control: c.Bytes()}
			if _, err := a.SendMsg(task, &out, 0); err != nil {
				return err
			}
			in := socket.Msg{
				Buffers: [][]byte{make([]byte, 9)}, Control: make([]byte, 100), WantRights: wanted,
			}
			if _, err := b.RecvMsg(task, &in, 0); err != nil {
				return err
			}
			for _, fd := range socket.Rights(in.Control) {
				s, err := socket.Adopt(task.Loop(), fd)
				if err != nil {
					_ = sys.Close(fd)
					continue
				}
				_ = s.Close()
			}
		}
		return nil
	})
}

// What belongs to a socket besides transfers: names, options, copies, leaving
// and coming back.
func TestFaultsSocket(t *testing.T) {
	torture(t, func(task *loop.Task) error {
		return connected(task, func(task *loop.Task, c *socket.Conn) error {
			twin, err := c.Socket().Dup()
			if err != nil {
				return err
			}
			fd, err := twin.Detach()
			if err != nil {
				_ = twin.Close()
				return err
			}
			again, err := socket.Adopt(task.Loop(), fd)
			if err != nil {
				_ = sys.Close(fd)
				return err
			}
			end, err := socket.NewConn(again)
			if err != nil {
				_ = again.Close()
				return err
			}
			defer end.Close()
			if _, err := end.Socket().Info(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
				return err
			}
			if _, err := socket.Linger.Get(end.Socket()); err != nil {
				return err
			}
			if !c.LocalAddr().IsValid() || !end.RemoteAddr().IsValid() {
				return sys.ENOTCONN // the failure was not told by this call
			}
			return c.Abort()
		}, func(task *loop.Task, c *socket.Conn) error {
			_, err := c.Receive(task, make([]byte, 1))
			if errors.Is(err, loop.ErrBroken) {
				return nil
			}
			return err
		})
	})
}

// Many are accepted at once.
func TestFaultsAcceptBatch(t *testing.T) {
	torture(t, func(task *loop.Task) error {
		ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0", socket.With(socket.NoDelay, true))
		if err != nil {
			return err
		}
		defer ln.Close()
		return both(task, func(task *loop.Task) error {
			for left := 3; left > 0; {
				c, err := ln.Accept(task)
				if err != nil {
					return err
				}
				closeAll(c)
				conns := make([]*socket.Conn, 3)
				n, err := ln.AcceptBatchNowait(conns)
				for _, c := range conns[:n] {
					closeAll(c)
				}
				if err != nil && !errors.Is(err, loop.ErrWouldBlock) {
					return err
				}
				left -= 1 + n
			}
			return nil
		}, func(task *loop.Task) error {
			for range 3 {
				c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
				if err != nil {
					return err
				}
				defer c.Close()
			}
			return nil
		})
	})
}

// Nobody listens.
func TestFaultsRefused(t *testing.T) {
	torture(t, func(task *loop.Task) error {
		s, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
		if err != nil {
			return err
		}
		to := s.Addr().AddrPort()
		closeAll(s)
		c, err := socket.ConnectTCP(task, to)
		if err == nil {
			closeAll(c)
			t.Error("somebody answered")
		}
		var op *socket.OpError
		if !errors.As(err, &op) {
			return err
		}
		return nil
	})
}
