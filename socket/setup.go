package socket

import (
	"net/netip"

	"github.com/lion-go/lion/loop"
)

// DefaultBacklog is how many connections may wait to be accepted: a burst of
// new clients while the loop is busy elsewhere. Systems grant fewer if they
// are set up so, Linux by net.core.somaxconn.
const DefaultBacklog = 4096

// setup is what the options of ListenTCP, ConnectTCP and their like say.
type setup struct {
	backlog int // 0: not said
	local   netip.AddrPort
	apply   []func(*Socket) error
	dual    bool
	unix    unixSetup
}

// SetupOption sets up a socket before it listens or connects.
type SetupOption func(*setup) error

// With sets an option of the socket before it is bound or connected. What
// accepted connections inherit from their listener is up to the system.
func With[T any](o Option[T], v T) SetupOption {
	return func(c *setup) error {
		c.apply = append(c.apply, func(s *Socket) error { return o.Set(s, v) })
		return nil
	}
}

// WithBacklog sets how many connections may wait to be accepted. It must be
// positive.
func WithBacklog(n int) SetupOption {
	return func(c *setup) error {
		if n < 1 {
			return misuse("a backlog of %d", n)
		}
		c.backlog = n
		return nil
	}
}

// WithLocalAddr binds a connecting socket to an address first; port 0 leaves
// the choice of a port to the system.
func WithLocalAddr(ap netip.AddrPort) SetupOption {
	return func(c *setup) error {
		if !ap.Addr().IsValid() {
			return misuse("no local address")
		}
		c.local = ap
		return nil
	}
}

func newSetup(opts []SetupOption) (*setup, error) {
	c := &setup{}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// socket makes a socket of the family and type with the options applied.
func (c *setup) socket(l *loop.Loop, family, typ int) (*Socket, error) {
	s, err := New(l, family, typ, 0)
	if err != nil {
		return nil, err
	}
	if err := c.applyTo(s); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// applyTo sets the options of the caller.
func (c *setup) applyTo(s *Socket) error {
	for _, apply := range c.apply {
		if err := apply(s); err != nil {
			return err
		}
	}
	return nil
}
