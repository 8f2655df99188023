package eyeballs

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// Dial connects to address, "host:port": it asks resolve for the addresses of
// the host, both families at once, and races attempts to them in the manner of
// RFC 8305. It returns the connection that won; all others have been closed by
// then, and nothing is left running, but see WithLinger. The host may be a
// literal, and the port the name of a service.
//
// There is no time limit but that of WithTimeout or a scope around the call. If
// the race is lost the error is an *Error, which names all attempts. It is a
// checkpoint; if it is cancelled nothing is left behind.
func Dial(t *loop.Task, resolve socket.Resolve, address string, opts ...Option) (*socket.Conn, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	host, service, err := splitAddress(address)
	if err != nil {
		return nil, err
	}
	r := &race{c: c, address: address}
	if literal, ok := parseLiteral(host, service); ok {
		r.addrs = []netip.AddrPort{literal}
		return r.dial(t)
	}
	if resolve == nil {
		return nil, misuse("dialing %q without a resolver", address)
	}
	r.resolve, r.query = resolve, socket.Query{Host: host, Service: service}
	return r.dial(t)
}

// Connect races attempts to addresses, which are in the order of preference. It
// is Dial without the lookup, and is a checkpoint.
func Connect(t *loop.Task, addrs []netip.AddrPort, opts ...Option) (*socket.Conn, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	if len(addrs) > maxAddresses {
		return nil, misuse("%d addresses; at most %d", len(addrs), maxAddresses)
	}
	for _, addr := range addrs {
		if !addr.IsValid() {
			return nil, misuse("connecting to no address")
		}
	}
	address := fmt.Sprintf("to %d addresses", len(addrs))
	if len(addrs) == 1 {
		address = addrs[0].String()
	}
	r := &race{c: c, addrs: addrs, address: address}
	return r.dial(t)
}

// dial runs the race and hands out the winner.
func (r *race) dial(t *loop.Task) (*socket.Conn, error) {
	won, err := r.run(t)
	if err != nil {
		return nil, err
	}
	return won.(*socket.Conn), nil
}

// splitAddress splits "host:port", and refuses what can not mean anything
// before a name is looked up.
func splitAddress(address string) (host, service string, err error) {
	host, service, err = net.SplitHostPort(address)
	var reason *net.AddrError
	switch {
	case errors.As(err, &reason):
		return "", "", badAddress(address, reason.Err)
	case err != nil:
		return "", "", badAddress(address, err.Error())
	case host == "":
		return "", "", badAddress(address, "no host in address")
	case service == "":
		return "", "", badAddress(address, "no port in address")
	}
	if n, err := strconv.Atoi(service); err == nil && (n < 0 || n > 1<<16-1) {
		return "", "", badAddress(address, fmt.Sprintf("there is no port %d", n))
	}
	return host, service, nil
}

func badAddress(address, why string) error {
	return fmt.Errorf("eyeballs: connect %q: %w: %s", address, loop.ErrMisuse, why)
}

// parseLiteral reads an address that needs no lookup.
func parseLiteral(host, service string) (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.AddrPort{}, false
	}
	port, err := strconv.ParseUint(service, 10, 16)
	return netip.AddrPortFrom(ip, uint16(port)), err == nil
}
