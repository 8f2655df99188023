package socket

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Addr is the address of a socket: an IP address and port, or the name of a
// unix socket. It is a value, comparable with ==, and allocates nothing except
// for names and zones. The zero Addr is no address.
type Addr struct {
	ap   netip.AddrPort
	name string
	kind addrKind
}

type addrKind uint8

const (
	addrNone addrKind = iota
	addrInet
	addrUnix
	addrRaw // name is the system's form; see family.go
)

// InetAddr is ap as an Addr.
func InetAddr(ap netip.AddrPort) Addr { return Addr{ap: ap, kind: addrInet} }

// UnixAddr is the address of the unix socket called name: a path, or "@name"
// for an abstract name on Linux. Limits are those of sys.Sockaddr.SetUnix.
func UnixAddr(name string) Addr { return Addr{name: name, kind: addrUnix} }

// ParseAddr reads a literal address: "127.0.0.1:80", "[::1%lo]:80", or
// "unix:" and a name. Names of hosts and services are refused: package
// resolver finds their addresses.
func ParseAddr(text string) (Addr, error) {
	if name, ok := strings.CutPrefix(text, "unix:"); ok {
		return UnixAddr(name), nil
	}
	ap, err := parseAddrPort(text)
	if err != nil {
		return Addr{}, err
	}
	return InetAddr(ap), nil
}

func parseAddrPort(text string) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(text)
	if err != nil {
		return ap, badAddress(text)
	}
	return ap, nil
}

// badAddress says what is wrong with an address that is no literal one.
func badAddress(text string) error {
	why := "a name has to be resolved first, see socket.Listen and package resolver"
	colon := strings.LastIndexByte(text, ':')
	port, notNumber := strconv.Atoi(text[colon+1:])
	switch {
	case colon < 0 && notNumber == nil:
		why = "there is a port only"
	case colon < 0:
		why = "there is no port"
	case text[0] != '[' && strings.Count(text, ":") > 1:
		why = "an IPv6 address has brackets around it when a port follows"
	case notNumber != nil:
		why = "the port is not a number"
	case port < 0 || port > math.MaxUint16:
		why = "there is no such port"
	case colon == 0:
		why = "there is no host"
	}
	return fmt.Errorf("%w: address %q: want a literal like 127.0.0.1:80 or [::1]:80; %s",
		loop.ErrMisuse, text, why)
}

// AddrFrom is the address in sa, which the system filled in.
func AddrFrom(sa *sys.Sockaddr) Addr {
	switch sa.Family() {
	case sys.AF_INET, sys.AF_INET6:
		return InetAddr(sa.AddrPort())
	case sys.AF_UNIX:
		return UnixAddr(sa.Unix())
	case sys.AF_UNSPEC:
		return Addr{}
	}
	return rawAddr(sa)
}

// Sockaddr is the address as the system wants it, for a socket of the given
// family. An address that does not fit the family is refused: EAFNOSUPPORT.
func (a Addr) Sockaddr(family int) (sa sys.Sockaddr, err error) {
	fits4 := family == sys.AF_INET && (!a.ap.Addr().Is6() || a.ap.Addr().Is4In6())
	switch {
	case a.kind == addrInet && (fits4 || family == sys.AF_INET6):
		err = sa.SetAddrPort(family, a.ap)
	case a.kind == addrUnix && family == sys.AF_UNIX:
		err = sa.SetUnix(a.name)
	case a.kind == addrRaw && a.name == "":
		err = errors.ErrUnsupported
	case a.kind == addrRaw && a.Family() == family:
		err = sa.SetRaw([]byte(a.name))
	case a.kind == addrNone:
		err = fmt.Errorf("%w: no address", loop.ErrMisuse)
	default:
		err = sys.EAFNOSUPPORT
	}
	return sa, err
}

// Family is the address family for sockets that suits the address.
func (a Addr) Family() int {
	switch {
	case a.kind == addrUnix:
		return sys.AF_UNIX
	case a.kind == addrRaw:
		sa := a.raw()
		return sa.Family()
	case a.ap.Addr().Is4():
		return sys.AF_INET
	}
	return sys.AF_INET6
}

// IsValid reports whether there is an address. That of an unnamed unix socket
// is valid.
func (a Addr) IsValid() bool { return a.kind != addrNone }

// AddrPort returns the IP address and port, or the zero value for a unix
// address.
func (a Addr) AddrPort() netip.AddrPort { return a.ap }

// Unix returns the name of a unix socket, and whether it is one. The name is
// empty if it has none, as those of clients.
func (a Addr) Unix() (name string, ok bool) { return a.name, a.kind == addrUnix }

// Unmap returns the address with an IPv4-mapped IPv6 address, as a socket for
// both families reports it, replaced by the IPv4 address.
func (a Addr) Unmap() Addr {
	if a.kind == addrInet && a.ap.Addr().Is4In6() {
		a.ap = netip.AddrPortFrom(a.ap.Addr().Unmap(), a.ap.Port())
	}
	return a
}

// String returns the address in the form that ParseAddr reads, "unix:" left
// out; that of an unnamed unix socket is "@".
func (a Addr) String() string {
	switch {
	case a.kind == addrInet:
		return a.ap.String()
	case a.kind == addrUnix && a.name == "":
		return "@"
	case a.kind == addrRaw:
		return a.rawString()
	}
	return a.name
}
