package socket

import (
	"cmp"
	"errors"
	"net/netip"
	"os"
	"strings"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// selfConnectRetries is how often a connect that met itself is tried again. The
// next one is given another port, so the chance of a second meeting is one in
// tens of thousands.
const selfConnectRetries = 2

// ConnectTCP connects to an address; TCP_NODELAY is on. It is a checkpoint; if
// it is cancelled or fails nothing is left behind. Errors are *OpError with
// the address, and match the errno: sys.ECONNREFUSED, sys.ENETUNREACH,
// sys.ETIMEDOUT and so on. Windows takes two seconds to say that a port
// refuses.
func ConnectTCP(t *loop.Task, to netip.AddrPort, opts ...SetupOption) (*Conn, error) {
	if !to.Addr().IsValid() {
		return nil, misuse("connecting to no address")
	}
	setup, err := newSetup(opts)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		c, err := setup.connect(t, InetAddr(to))
		met := errors.Is(err, ErrSelfConnect)
		if met && try < selfConnectRetries && setup.local.Port() == 0 {
			continue
		}
		return c, err
	}
}

// connect makes a socket, binds it if asked to, and connects it.
func (c *setup) connect(t *loop.Task, to Addr) (*Conn, error) {
	if err := c.unix.refuse(); err != nil {
		return nil, err
	}
	s, err := c.socket(t.Loop(), to.Family(), sys.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	if to.kind == addrInet {
		err = NoDelay.Set(s, true)
	}
	if err == nil && c.local.IsValid() {
		err = c.bindLocal(s)
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	if err := s.Connect(t, to); err != nil {
		_ = s.Close()
		return nil, err
	}
	conn := &Conn{s: *s, peer: to}
	if to.ap.Addr().IsUnspecified() {
		conn.peer = Addr{} // this end was connected to; the system knows where
	}
	return conn, nil
}

// bindLocal binds without choosing a port, if the system has that: ports are
// then only as scarce as pairs of addresses.
func (c *setup) bindLocal(s *Socket) error {
	if c.local.Port() == 0 && BindAddressNoPort.Supported() {
		if err := BindAddressNoPort.Set(s, true); err != nil {
			return err
		}
	}
	return s.Bind(InetAddr(c.local))
}

// ListenTCP listens on a literal address: "127.0.0.1:7000", "[::1]:7000", or
// ":7000" for every address of the machine, IPv4 and IPv6 if it has both. "[::]"
// is IPv6 only. Port 0 lets the system choose; Addr tells. Names are refused:
// they have to be resolved first. TCP_NODELAY is on for accepted
// connections, and the backlog is DefaultBacklog. Sync-coloured.
//
// An address with dying connections of an earlier listener can be taken, but
// not one that is listened on: SO_REUSEADDR on Unix, SO_EXCLUSIVEADDRUSE on
// Windows, where the former would let others steal the port.
func ListenTCP(l *loop.Loop, address string, opts ...SetupOption) (*Listener, error) {
	setup, err := newSetup(opts)
	if err != nil {
		return nil, err
	}
	return setup.listenText(l, address)
}

func (c *setup) listenText(l *loop.Loop, address string) (*Listener, error) {
	at, everywhere, err := parseListen(address)
	if err != nil {
		return nil, err
	}
	c.dual = everywhere
	ln, err := c.listen(l, InetAddr(at))
	if everywhere && lacksIPv6(err) {
		return c.listen(l, InetAddr(onIPv4(at)))
	}
	return ln, err
}

// parseListen takes an address to listen on. One without a host is everywhere:
// the unspecified address of IPv6 for both families or, where there is no IPv6,
// that of IPv4.
func parseListen(address string) (at netip.AddrPort, everywhere bool, err error) {
	if port, ok := strings.CutPrefix(address, ":"); ok {
		at, err = parseAddrPort("[::]:" + port)
		if err != nil {
			err = badAddress(address)
		}
		return at, true, err
	}
	at, err = parseAddrPort(address)
	return at, false, err
}

// lacksIPv6 reports whether an error says that the machine has no IPv6.
func lacksIPv6(err error) bool {
	return errors.Is(err, sys.EAFNOSUPPORT) || errors.Is(err, sys.EADDRNOTAVAIL)
}

func onIPv4(at netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(netip.IPv4Unspecified(), at.Port())
}

func (c *setup) listen(l *loop.Loop, at Addr) (*Listener, error) {
	s, err := New(l, at.Family(), sys.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if err := c.prepare(s, at); err != nil {
		_ = s.Close()
		return nil, err
	}
	return newListener(s), nil
}

// prepare makes s a listener. The options of the caller come after ours, so
// that they win.
func (c *setup) prepare(s *Socket, at Addr) error {
	if at.kind == addrInet {
		if err := c.unix.refuse(); err != nil {
			return err
		}
		if err := c.prepareTCP(s); err != nil {
			return err
		}
	}
	if err := c.applyTo(s); err != nil {
		return err
	}
	if err := s.Bind(at); err != nil {
		return err
	}
	err := c.unix.bound(at)
	if err == nil {
		err = s.Listen(cmp.Or(c.backlog, DefaultBacklog))
	}
	if path, ok := pathOf(at); ok && err != nil {
		_ = os.Remove(path) // that it failed is the news
	}
	return err
}

func (c *setup) prepareTCP(s *Socket) error {
	protect := ReuseAddr
	if ExclusiveAddr.Supported() {
		protect = ExclusiveAddr
	}
	if err := protect.Set(s, true); err != nil {
		return err
	}
	if s.family == sys.AF_INET6 {
		if err := V6Only.Set(s, !c.dual); err != nil {
			return err
		}
	}
	return NoDelay.Set(s, true)
}

// samePortTries is how often ListenTCPEach asks for another port when the first
// socket was given one that is taken for another address. The chance is that of
// meeting a port in use, each time.
const samePortTries = 16

// ListenTCPEach listens on each of several addresses at one port, the same for
// all of them: with port 0 the system chooses one that all have free. So "[::]"
// and "0.0.0.0" together are two listeners, one for each family, at one port.
// If one of them fails all are closed. Options are as for ListenTCP.
// Sync-coloured.
func ListenTCPEach(
	l *loop.Loop, addrs []netip.Addr, port uint16, opts ...SetupOption,
) ([]*Listener, error) {
	setup, err := newSetup(opts)
	if err != nil {
		return nil, err
	}
	return setup.listenSamePort(l, addrs, port)
}

func (c *setup) listenSamePort(
	l *loop.Loop, addrs []netip.Addr, port uint16,
) ([]*Listener, error) {
	if len(addrs) == 0 {
		return nil, misuse("listening on no address")
	}
	for try := 1; ; try++ {
		all, err := c.listenEach(l, addrs, port)
		taken := errors.Is(err, sys.EADDRINUSE) || errors.Is(err, sys.EACCES) // the latter on Windows
		if !taken || port != 0 || try == samePortTries {
			return all, err
		}
	}
}

func (c *setup) listenEach(l *loop.Loop, addrs []netip.Addr, port uint16) ([]*Listener, error) {
	var all []*Listener
	for _, addr := range addrs {
		ln, err := c.listen(l, InetAddr(netip.AddrPortFrom(addr, port)))
		if err != nil {
			for _, ln := range all {
				_ = ln.Close() // that one failed is the news
			}
			return nil, err
		}
		all = append(all, ln)
		port = ln.Addr().AddrPort().Port()
	}
	return all, nil
}
