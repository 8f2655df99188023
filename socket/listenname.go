package socket

import (
	"errors"
	"net"
	"net/netip"
	"slices"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Listen listens on every address that resolve finds for address, a host and
// service: "localhost:http", "[::1]:7000"; ":7000", an empty host, is every
// address of the machine. Each address has a listener of its own, those of IPv6
// take IPv6 clients only, and port 0 is one port that all of them have free. A
// family that the system does not have is left out, unless nothing else is left:
// also IPv6 where it is switched off, so that "::1 localhost" in the hosts file does
// no harm. If anything else fails all are closed, for one an address that belongs to
// another machine: who named it should know. Options are as for ListenTCP.
// Errors: those of resolve, and *OpError with the address. It is a checkpoint;
// if it is cancelled nothing is listened on.
func Listen(
	t *loop.Task, resolve Resolve, address string, opts ...SetupOption,
) ([]*Listener, error) {
	setup, err := newSetup(opts)
	if err != nil {
		return nil, err
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil || resolve == nil {
		return nil, misuse("listening on %q: want a host and a port, and a way to resolve them", address)
	}
	var found []netip.AddrPort
	query := Query{Host: host, Service: service, Type: sys.SOCK_STREAM, Passive: true}
	err = resolve(t, query, func(a Answer) { found = append(found, a.Addrs...) })
	if err != nil {
		return nil, err
	}
	var port uint16
	var addrs []netip.Addr
	for _, ap := range found {
		if !slices.Contains(addrs, ap.Addr()) {
			addrs = append(addrs, ap.Addr())
		}
		port = ap.Port()
	}
	return setup.listenFamilies(t.Loop(), addrs, port)
}

// listenFamilies listens on those of the addresses whose family there is.
func (c *setup) listenFamilies(
	l *loop.Loop, addrs []netip.Addr, port uint16,
) ([]*Listener, error) {
	var lacking error
	addrs = slices.DeleteFunc(addrs, func(addr netip.Addr) bool {
		at := InetAddr(netip.AddrPortFrom(addr, port))
		err := lacksFamily(l, addr)
		if err != nil {
			lacking = opError("listen", at, err)
		}
		return err != nil
	})
	if len(addrs) == 0 && lacking != nil {
		return nil, lacking
	}
	return c.listenSamePort(l, addrs, port)
}

// lacksFamily says why an address cannot be listened on if that is because the
// system lacks its family. Where IPv6 is switched off there are sockets for it but
// no address, not even ::1, which every machine with IPv6 has.
func lacksFamily(l *loop.Loop, addr netip.Addr) error {
	err := tryBind(l, addr)
	switch {
	case errors.Is(err, sys.EAFNOSUPPORT):
		return err
	case addr.Is6() && errors.Is(err, sys.EADDRNOTAVAIL) && lacksIPv6(tryBind(l, netip.IPv6Loopback())):
		return err
	}
	return nil
}

// tryBind binds a socket to an address, at a port that does not matter.
func tryBind(l *loop.Loop, addr netip.Addr) error {
	at := InetAddr(netip.AddrPortFrom(addr, 0))
	s, err := New(l, at.Family(), sys.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Bind(at)
}
