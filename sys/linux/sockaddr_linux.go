package linux

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// An address is kept as the bytes the kernel reads and writes (struct
// sockaddr_in in ip(7), sockaddr_in6 in ipv6(7), sockaddr_un in unix(7)), by
// value, so that neither a call nor a received datagram allocates. All three
// begin with the family in the machine's byte order. The fields are reached by
// their offsets, which are the same on every Linux; sockaddr_linux_test.go
// compares them with x/sys.
const (
	sizeofAny     = unix.SizeofSockaddrAny
	sizeofInet4   = unix.SizeofSockaddrInet4
	sizeofInet6   = unix.SizeofSockaddrInet6
	offsetPort    = 2 // network byte order
	offsetAddr4   = 4
	offsetAddr6   = 8
	offsetScope6  = 24 // the machine's byte order
	offsetPath    = 2
	maxUnix       = unix.SizeofSockaddrUnix - offsetPath // sun_path
	sizeofFamily  = 2
	abstractFirst = '@' // stands for the NUL that begins an abstract name
)

// Sockaddr is the name of a socket in the kernel's form. The zero value is
// unspecified. It may be copied.
type Sockaddr struct {
	size uint32 // socklen_t, as the kernel writes it
	raw  [sizeofAny]byte
}

// Reset makes a unspecified again.
func (a *Sockaddr) Reset() { *a = Sockaddr{} }

// clip takes back a size that the kernel could not fully write, and forgets
// what an earlier use of a left behind when the kernel wrote nothing.
func (a *Sockaddr) clip() {
	switch {
	case a.size < sizeofFamily:
		a.Reset()
	case a.size > sizeofAny:
		a.size = sizeofAny
	}
}

// Family is the address family: AF_INET, AF_INET6, AF_UNIX, another one that
// the kernel reported, or AF_UNSPEC.
func (a *Sockaddr) Family() int {
	if a.size < sizeofFamily {
		return AF_UNSPEC
	}
	return int(binary.NativeEndian.Uint16(a.raw[:]))
}

// begin clears a and writes what all families have in common.
func (a *Sockaddr) begin(family int, size uint32) {
	a.Reset()
	a.size = size
	binary.NativeEndian.PutUint16(a.raw[:], uint16(family))
}

// SetAddrPort stores ap for a socket of the given family. AF_INET takes IPv4
// and IPv4-mapped addresses; AF_INET6 takes both, IPv4 ones as ::ffff:a.b.c.d.
// A zone is an interface's name or number. An invalid address or a zone that
// does not exist matches EINVAL, an address that does not fit the family
// EAFNOSUPPORT; a is unspecified then.
func (a *Sockaddr) SetAddrPort(family int, ap netip.AddrPort) error {
	a.Reset()
	ip := ap.Addr()
	if !ip.IsValid() {
		return fmt.Errorf("invalid IP address: %w", EINVAL)
	}
	switch family {
	case AF_INET:
		if ip.Is6() && !ip.Is4In6() {
			return fmt.Errorf("%v is not an IPv4 address: %w", ip, EAFNOSUPPORT)
		}
		a.begin(AF_INET, sizeofInet4)
		addr := ip.Unmap().As4()
		copy(a.raw[offsetAddr4:], addr[:])
	case AF_INET6:
		scope, err := zoneToScope(ip.Zone())
		if err != nil {
			return err
		}
		a.begin(AF_INET6, sizeofInet6)
		addr := ip.As16()
		copy(a.raw[offsetAddr6:], addr[:])
		binary.NativeEndian.PutUint32(a.raw[offsetScope6:], scope)
	default:
		return fmt.Errorf("address family %d has no IP address: %w", family, EAFNOSUPPORT)
	}
	binary.BigEndian.PutUint16(a.raw[offsetPort:], ap.Port())
	return nil
}

// AddrPort is the IP address and port, or the zero value if a has none.
// IPv4-mapped addresses stay mapped. The zone is the interface's name if it is
// known, else its number; without a zone nothing is allocated.
func (a *Sockaddr) AddrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(a.raw[offsetPort:])
	switch {
	case a.Family() == AF_INET && a.size >= sizeofInet4:
		addr := [4]byte(a.raw[offsetAddr4:])
		return netip.AddrPortFrom(netip.AddrFrom4(addr), port)
	case a.Family() == AF_INET6 && a.size >= sizeofInet6:
		ip := netip.AddrFrom16([16]byte(a.raw[offsetAddr6:]))
		if scope := binary.NativeEndian.Uint32(a.raw[offsetScope6:]); scope != 0 {
			ip = ip.WithZone(scopeToZone(scope))
		}
		return netip.AddrPortFrom(ip, port)
	}
	return netip.AddrPort{}
}

// SetUnix stores the name of a Unix socket: a path of at most 107 bytes
// without NUL, or "@name" (also "\x00name") for an abstract name of at most
// 107 bytes after the @, in which NUL is allowed. A file whose path begins with @ can be
// named "./@...". Too long a name matches ENAMETOOLONG, an empty name or a NUL
// in a path EINVAL; a is unspecified then.
func (a *Sockaddr) SetUnix(name string) error {
	a.Reset()
	if name == "" {
		return fmt.Errorf("empty name of a unix socket: %w", EINVAL)
	}
	abstract := name[0] == abstractFirst || name[0] == 0
	// The size of an abstract name is exact; that of a path counts its NUL.
	size := len(name)
	if !abstract {
		size++
	}
	if size > maxUnix {
		return fmt.Errorf("name of a unix socket is too long (%d bytes): %w",
			len(name), syscall.ENAMETOOLONG)
	}
	if !abstract && strings.IndexByte(name, 0) >= 0 {
		return fmt.Errorf("NUL in the name of a unix socket: %w", EINVAL)
	}
	a.begin(AF_UNIX, uint32(offsetPath+size))
	copy(a.raw[offsetPath:], name)
	if abstract {
		a.raw[offsetPath] = 0
	}
	return nil
}

// Unix is the name of a Unix socket, an abstract one beginning with "@". It is
// empty if the socket is unnamed, as clients are, or a is of another family.
func (a *Sockaddr) Unix() string {
	if a.Family() != AF_UNIX || a.size <= offsetPath {
		return ""
	}
	name := a.raw[offsetPath:a.size]
	if name[0] == 0 {
		return string(abstractFirst) + string(name[1:])
	}
	// The kernel counts a NUL at the end, and puts one there even if the path
	// fills sun_path.
	for i, c := range name {
		if c == 0 {
			return string(name[:i])
		}
	}
	return string(name)
}
