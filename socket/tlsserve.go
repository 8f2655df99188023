package socket

import (
	"crypto/tls"
	"time"

	"github.com/lion-go/lion/loop"
)

const (
	// DefaultHandshakeTimeout is how long a client may take for its TLS
	// handshake, waiting for room included: several round trips on a bad line.
	DefaultHandshakeTimeout = 10 * time.Second

	// DefaultMaxHandshakes bounds the TLS handshakes that a server has under
	// way at once. Each holds a task and some 20 KiB; clients that open many
	// and finish none wait for each other, not the rest for them.
	DefaultMaxHandshakes = 1024
)

// WithTLS makes a server speak TLS: its handlers are given a *TLSConn, whose
// handshake has been made. A connection that is idle keeps the state of
// crypto/tls, and nothing else: some 7.5 KiB (TLS 1.3, small requests; after a
// full record its buffer of 16 KiB as well). GoIdle works as without TLS. When
// a handler returns nil the connection is closed with a close_notify. The
// configuration needs a certificate, or a way to get one; it must not be
// changed any more.
func WithTLS(config *tls.Config, opts ...TLSOption) ServeOption {
	return func(s *Server) error {
		if err := checkServerConfig(config); err != nil {
			return err
		}
		s.tls, s.tlsOptions = config, opts
		return nil
	}
}

// WithHandshakeTimeout sets how long a TLS handshake may take, from its first
// byte. The default is DefaultHandshakeTimeout. Before the first byte a
// connection is idle, see WithIdleTimeout.
func WithHandshakeTimeout(d time.Duration) ServeOption {
	return func(s *Server) error {
		if d <= 0 {
			return misuse("a handshake timeout of %v", d)
		}
		s.handshakeTimeout = d
		return nil
	}
}

// WithMaxHandshakes sets how many TLS handshakes may be under way at once; the
// others wait, within their timeout. The default is DefaultMaxHandshakes.
func WithMaxHandshakes(n int) ServeOption {
	return func(s *Server) error {
		if n < 1 {
			return misuse("at most %d handshakes", n)
		}
		s.maxHandshakes = n
		return nil
	}
}

// handshake makes the handshake of c within the limits of the server.
func (s *Server) handshake(t *loop.Task, c *TLSConn) error {
	return loop.FailAfter(t, s.handshakeTimeout, func(*loop.Scope) error {
		for s.handshaking >= s.maxHandshakes {
			if err := s.handshakeRoom.Park(t, "room for TLS handshakes"); err != nil {
				return err
			}
		}
		s.handshaking++
		defer func() {
			s.handshaking--
			s.handshakeRoom.UnparkOne()
		}()
		if err := c.Handshake(t); err != nil {
			return err
		}
		s.handshakes++
		return nil
	})
}
