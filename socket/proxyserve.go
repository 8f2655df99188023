package socket

import (
	"errors"
	"io"
	"net/netip"
	"slices"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// WithProxyProtocol has a server expect a PROXY header, of version 1 or 2, at
// the beginning of each connection from the trusted addresses: those of the
// proxies in front of it, and of nobody else. RemoteAddr of such a connection is
// then the address of the client, and Conn.ProxyHeader has the rest. A header
// that is missing or malformed ends its connection with ErrProxyHeader; it has
// the time of a TLS handshake, see WithHandshakeTimeout. Connections from other
// addresses are served as they are: what they send is never taken for a header.
func WithProxyProtocol(trusted ...netip.Prefix) ServeOption {
	return func(s *Server) error {
		if len(trusted) == 0 {
			return misuse("the PROXY protocol, and nobody to be trusted")
		}
		for _, p := range trusted {
			if !p.IsValid() || p.Addr().Is4In6() {
				return misuse("a trusted network %v: want one of IPv4 or of IPv6", p)
			}
		}
		s.proxies = slices.Clone(trusted)
		return nil
	}
}

func (s *Server) trusts(peer Addr) bool {
	ip := peer.Unmap().ap.Addr().WithZone("")
	return slices.ContainsFunc(s.proxies, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// ProxyHeader returns the PROXY header with which the connection began, or nil.
func (c *Conn) ProxyHeader() *ProxyHeader { return c.proxy }

// proxyHeader receives the header of c, and not a byte more.
func (s *Server) proxyHeader(t *loop.Task, c *Conn) error {
	var h *ProxyHeader
	err := loop.FailAfter(t, s.handshakeTimeout, func(*loop.Scope) (err error) {
		h, err = c.receiveProxyHeader(t)
		return err
	})
	if err != nil {
		return err
	}
	h.proxy = c.RemoteAddr()
	c.proxy = h
	if !h.Local {
		c.peer = h.Source.Unmap()
	}
	return nil
}

// receiveProxyHeader takes what has come as far as it belongs to the header. A
// look (MSG_PEEK) tells how far that is.
func (c *Conn) receiveProxyHeader(t *loop.Task) (h *ProxyHeader, err error) {
	buf, have := make([]byte, proxyHeaderMax), 0
	_, err = retry(t, &c.s, sys.Readable, func() (int, error) {
		for {
			n, err := sys.Recv(c.s.d.FD(), buf[have:], sys.MSG_PEEK)
			if err != nil {
				return 0, err
			}
			if n == 0 {
				return 0, io.ErrUnexpectedEOF
			}
			length := 0
			h, length, err = ParseProxyHeader(buf[:have+n])
			if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				return 0, err
			}
			if err == nil {
				n = length - have
			}
			if n, err = c.s.tryRecv(buf[have:have+n], sys.MSG_DONTWAIT); err != nil {
				return 0, err
			}
			if have += n; have == length {
				return have, nil
			}
		}
	})
	if errors.Is(err, ErrProxyHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, &OpError{
			Op: "proxy", Addr: c.RemoteAddr(), Err: err, kind: loop.ErrBroken, from: &c.s,
		}
	}
	if err != nil {
		return nil, c.failed("proxy", err)
	}
	return h, nil
}
