package socket_test

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

func inet(text string) socket.Addr { return socket.InetAddr(netip.MustParseAddrPort(text)) }

func TestParseProxyHeader(t *testing.T) {
	unix := make([]byte, 216)
	copy(unix, "/run/a")
	copy(unix[108:], "\x00b")
	for name, c := range map[string]struct {
		text string
		want socket.ProxyHeader
	}{
		"v1 tcp4": {"PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", socket.ProxyHeader{
			Version: 1, Source: inet("192.0.2.1:56324"), Destination: inet("198.51.100.2:443")}},
		"v1 tcp6": {"PROXY TCP6 2001:db8::1 ::1 0 65535\r\n", socket.ProxyHeader{
			Version: 1, Source: inet("[2001:db8::1]:0"), Destination: inet("[::1]:65535")}},
		"v1 unknown":    {"PROXY UNKNOWN\r\n", socket.ProxyHeader{Version: 1, Local: true}},
		"v1 unknown so": {"PROXY UNKNOWN a b c d\r\n", socket.ProxyHeader{Version: 1, Local: true}},
		"v2 tcp4": {signature + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb",
			socket.ProxyHeader{
				Version: 2, Source: inet("192.0.2.1:56324"), Destination: inet("198.51.100.2:443")}},
		"v2 unix": {signature + "\x21\x31\x00\xd8" + string(unix), socket.ProxyHeader{
			Version: 2, Source: socket.UnixAddr("/run/a"), Destination: socket.UnixAddr("@b")}},
		"v2 local":          {signature + "\x20\x00\x00\x03abc", socket.ProxyHeader{Version: 2, Local: true}},
		"v2 unknown family": {signature + "\x21\x00\x00\x00", socket.ProxyHeader{Version: 2, Local: true}},
		"v2 field": {signature + "\x21\x00\x00\x05\x05\x00\x02ab", socket.ProxyHeader{
			Version: 2, Local: true, Fields: []socket.ProxyField{{Type: 5, Value: []byte("ab")}}}},
	} {
		h, n, err := socket.ParseProxyHeader([]byte(c.text + "rest"))
		if err != nil || n != len(c.text) || !reflect.DeepEqual(*h, c.want) {
			t.Errorf("%s: %+v, %d, %v", name, h, n, err)
		}
		for i := range len(c.text) {
			if _, _, err := socket.ParseProxyHeader([]byte(c.text[:i])); err != io.ErrUnexpectedEOF {
				t.Errorf("%s, the first %d bytes: %v", name, i, err)
			}
		}
	}
}

func TestParseProxyHeaderRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"something else":  "GET / HTTP/1.1\r\n",
		"no end":          "PROXY TCP4 " + strings.Repeat("1", 200),
		"a word missing":  "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
		"two blanks":      "PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n",
		"wrong family":    "PROXY TCP6 192.0.2.1 198.51.100.2 56324 443\r\n",
		"a zone":          "PROXY TCP6 fe80::1%a ::1 1 2\r\n",
		"a port too high": "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
		"a padded port":   "PROXY TCP4 192.0.2.1 198.51.100.2 0443 443\r\n",
		"a signed port":   "PROXY TCP4 192.0.2.1 198.51.100.2 +443 443\r\n",
		"v2 version":      signature + "\x31\x11\x00\x00",
		"v2 command":      signature + "\x22\x11\x00\x00",
		"v2 family":       signature + "\x21\x41\x00\x00",
		"v2 transport":    signature + "\x21\x13\x00\x00",
		"v2 short":        signature + "\x21\x11\x00\x02ab",
		"v2 long":         signature + "\x21\x00\xff\xff",
		"v2 half a field": signature + "\x21\x00\x00\x04\x05\x00\x02a",
		"v2 wrong sum":    signature + "\x21\x00\x00\x07\x03\x00\x04abcd",
		"v2 a short sum":  signature + "\x21\x00\x00\x05\x03\x00\x02ab",
	} {
		_, _, err := socket.ParseProxyHeader([]byte(text))
		want(t, name, err, socket.ErrProxyHeader)
	}
}

func TestProxyHeaderAppend(t *testing.T) {
	for _, h := range []socket.ProxyHeader{
		{Version: 1, Source: inet("192.0.2.1:1"), Destination: inet("192.0.2.2:2")},
		{Version: 1, Local: true},
		{Version: 2, Source: inet("[2001:db8::1]:1"), Destination: inet("[::1]:2")},
		{Version: 2, Source: inet("192.0.2.1:1"), Destination: inet("192.0.2.2:2"),
			Fields: []socket.ProxyField{{Type: 5, Value: []byte("unique")}}},
		{Version: 2, Local: true},
	} {
		b, err := h.Append([]byte("before"))
		must(t, err)
		got, n, err := socket.ParseProxyHeader(b[6:])
		if err != nil || n != len(b)-6 || !reflect.DeepEqual(*got, h) {
			t.Errorf("%+v came back as %+v, %d, %v", h, got, n, err)
		}
	}
	for _, h := range []socket.ProxyHeader{
		{Version: 1}, {Version: 3, Local: true},
		{Version: 2, Source: inet("192.0.2.1:1"), Destination: inet("[::1]:2")},
		{Version: 2, Local: true, Fields: []socket.ProxyField{{Type: 5, Value: make([]byte, 5000)}}},
		{Version: 1, Local: true, Fields: []socket.ProxyField{{}}},
	} {
		_, err := h.Append(nil)
		want(t, "append", err, loop.ErrMisuse)
	}
}

// Whatever comes, it is a header, a part of one, or refused; and a header that
// can be said again means the same.
func FuzzParseProxyHeader(f *testing.F) {
	f.Add([]byte("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"))
	f.Add([]byte("PROXY UNKNOWN\r\n"))
	f.Add([]byte(signature + "\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\xdc\x04\x01\xbb"))
	f.Add([]byte(signature + "\x21\x00\x00\x07\x03\x00\x04abcd"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, n, err := socket.ParseProxyHeader(b)
		if err != nil {
			if !errors.Is(err, socket.ErrProxyHeader) && err != io.ErrUnexpectedEOF {
				t.Errorf("%v", err)
			}
			return
		}
		if n <= 0 || n > len(b) {
			t.Fatalf("length %d of %d", n, len(b))
		}
		again, err := h.Append(nil)
		if err != nil {
			return // a unix socket, or a sum
		}
		back, _, err := socket.ParseProxyHeader(again)
		if err != nil || back.Source != h.Source || back.Local != h.Local {
			t.Errorf("%+v became %+v, %v", h, back, err)
		}
	})
}

var loopbackNetwork = netip.MustParsePrefix("127.0.0.0/8")

// whoAmI answers with the address that the server takes the client for.
func whoAmI(t *loop.Task, c stream.Stream) error {
	b := t.Buffer()
	if n, err := c.Receive(t, b); err != nil || n == 0 {
		return err
	}
	peer := c.(interface{ RemoteAddr() socket.Addr }).RemoteAddr()
	if err := c.SendAll(t, []byte(peer.String())); err != nil {
		return err
	}
	return socket.GoIdle
}

// A trusted proxy says who its client is, in one piece or byte by byte; what
// follows the header is the client's.
func TestServeProxyProtocol(t *testing.T) {
	header := "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n"
	for name, tls := range map[string]bool{"plain": false, "tls": true} {
		t.Run(name, func(t *testing.T) {
			opts := []socket.ServeOption{
				socket.WithProxyProtocol(loopbackNetwork), socket.WithMaxPerIP(10)}
			if tls {
				opts = append(opts, withTLS())
			}
			run(t, func(task *loop.Task) error {
				return serving(task, t, whoAmI, func(s *socket.Server) error {
					for _, size := range []int{1, 7, len(header)} {
						c := dial(task, t, s)
						for rest := header; rest != ""; rest = rest[min(size, len(rest)):] {
							must(t, c.SendAll(task, []byte(rest[:min(size, len(rest))])))
							settle(task, t)
						}
						var over stream.Stream = c
						if tls {
							over, _ = overTLS(t, c, c)
						}
						for range 2 {
							must(t, over.SendAll(task, []byte("x")))
							receives(task, t, over, "192.0.2.1:56324")
						}
						must(t, over.Close())
					}
					return nil
				}, opts...)
			})
		})
	}
}

// Proxies write the addresses of a connection with two families in that of IPv6.
// The client is known by its IPv4 address nevertheless, as without a proxy. And
// a trusted network in that form, in which nobody would be found, is refused.
func TestServeProxyProtocolMapped(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return serving(task, t, whoAmI, func(s *socket.Server) error {
			c := dial(task, t, s)
			defer c.Close()
			header := "PROXY TCP6 ::ffff:192.0.2.1 2001:db8::1 56324 443\r\n"
			must(t, c.SendAll(task, []byte(header+"x")))
			receives(task, t, c, "192.0.2.1:56324")
			_, err := socket.NewServer(s.Listener(), echo,
				socket.WithProxyProtocol(netip.MustParsePrefix("::ffff:192.0.2.0/120")))
			want(t, "a mapped network", err, loop.ErrMisuse)
			return nil
		}, socket.WithProxyProtocol(loopbackNetwork))
	})
}

// What is no header, or only a part of one, ends its connection, not the
// server. A forged one from elsewhere is data.
func TestServeProxyProtocolRefuses(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return serving(task, t, whoAmI, func(s *socket.Server) error {
			for i, text := range []string{"GET / HTTP/1.1\r\n", "PROXY TC"} {
				c := dial(task, t, s)
				must(t, c.SendAll(task, []byte(text)))
				must(t, c.SendEOF(task))
				until(task, t, func() bool {
					return s.Statistics().Errors[socket.ErrorBroken] == uint64(i+1)
				})
				must(t, c.Close())
			}
			if got := s.Statistics().Runs; got != 0 {
				t.Errorf("the handler ran %d times", got)
			}
			return nil
		}, socket.WithProxyProtocol(loopbackNetwork))
	})
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			c := dial(task, t, s)
			defer c.Close()
			forged := "PROXY UNKNOWN\r\n"
			must(t, c.SendAll(task, []byte(forged)))
			receives(task, t, c, forged)
			return nil
		}, socket.WithProxyProtocol(netip.MustParsePrefix("192.0.2.0/24")))
	})
}

func TestServeMaxPerIP(t *testing.T) {
	run(t, func(task *loop.Task) error {
		return serving(task, t, echo, func(s *socket.Server) error {
			var all []*socket.Conn
			for range 2 {
				all = append(all, dial(task, t, s))
			}
			extra, err := socket.ConnectTCP(task, s.Listener().Addr().AddrPort())
			if err == nil { // the reset may come before the connection is seen to stand
				if n, err := extra.Receive(task, make([]byte, 1)); n != 0 {
					t.Errorf("one too many received %d bytes, %v", n, err)
				}
				must(t, extra.Close())
			}
			until(task, t, func() bool { return s.Statistics().Refused == 1 })
			if got := s.Statistics(); got.Refused != 1 || got.Idle != 2 {
				t.Errorf("%+v", got)
			}
			other, err := socket.ConnectTCP(task, s.Listener().Addr().AddrPort(),
				socket.WithLocalAddr(netip.MustParseAddrPort("127.0.0.2:0")))
			if err == nil { // not every system has the whole network
				must(t, other.SendAll(task, []byte("x")))
				receives(task, t, other, "x")
				must(t, other.Close())
			}
			must(t, all[0].Close())
			until(task, t, func() bool { return s.Statistics().Idle == 1 })
			again := dial(task, t, s)
			must(t, again.SendAll(task, []byte("x")))
			receives(task, t, again, "x")
			closeAll(again, all[1])
			return nil
		}, socket.WithMaxPerIP(2))
	})
}

// Listening by name is listening on every address of the name, at one port
// (S338 to S343).
func TestListenByName(t *testing.T) {
	answers := func(addrs ...string) socket.Resolve {
		return func(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
			if q.Host != "name" || q.Service != "http" || !q.Passive {
				return errors.New("a wrong question")
			}
			for _, a := range addrs {
				ap := netip.AddrPortFrom(netip.MustParseAddr(a), 0)
				deliver(socket.Answer{Addrs: []netip.AddrPort{ap}})
			}
			return loop.Checkpoint(t)
		}
	}
	run(t, func(task *loop.Task) error {
		l, err := socket.Listen(task, answers("127.0.0.1", "::1", "127.0.0.1"), "name:http")
		must(t, err)
		if len(l) != 2 || l[0].Addr().AddrPort().Port() != l[1].Addr().AddrPort().Port() {
			t.Errorf("listening on %v", l)
		}
		for _, ln := range l {
			c, err := socket.ConnectTCP(task, ln.Addr().AddrPort())
			must(t, err)
			a, err := ln.Accept(task)
			must(t, err)
			closeAll(c, a, ln)
		}
		for _, foreign := range []string{"192.0.2.1", "2001:db8::1"} {
			_, err = socket.Listen(task, answers("127.0.0.1", foreign), "name:http")
			want(t, foreign, err, sys.EADDRNOTAVAIL)
		}
		_, err = socket.Listen(task, answers("127.0.0.1", "192.0.2.1"), "name:http")
		var e *socket.OpError
		if !errors.As(err, &e) || !bytes.Contains([]byte(e.Error()), []byte("192.0.2.1")) {
			t.Errorf("an address of somebody else: %v", err)
		}
		_, err = socket.Listen(task, answers(), "name:http")
		want(t, "no address", err, loop.ErrMisuse)
		_, err = socket.Listen(task, answers(), "no port")
		want(t, "no port", err, loop.ErrMisuse)
		return nil
	})
}
