package darwin

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Every BSD socket address starts with a byte that holds its length and a
// byte that holds its family (<sys/socket.h>); the kernel trusts the length
// passed beside the pointer, and both are kept equal here.
const (
	unixPathOffset = 2                                            // sun_len, sun_family
	unixPathMax    = unix.SizeofSockaddrUnix - unixPathOffset     // 104 bytes
	storageSize    = uint32(unsafe.Sizeof(unix.RawSockaddrAny{})) // 108 bytes
)

// Sockaddr is a socket address in the kernel's form, held by value so that
// using it allocates nothing. The zero value is the unspecified address.
type Sockaddr struct {
	size uint32              // bytes of raw in use; also keeps raw aligned to 4
	raw  unix.RawSockaddrAny // read as the family says
}

// Reset makes a the unspecified address again.
func (a *Sockaddr) Reset() { *a = Sockaddr{} }

// Family answers AF_INET, AF_INET6, AF_UNIX or another family that the kernel
// reported, and AF_UNSPEC for the zero value.
func (a *Sockaddr) Family() int { return int(a.raw.Addr.Family) }

// SetAddrPort makes a an IP address and port of the given family. AF_INET
// takes IPv4 and IPv4-mapped addresses; AF_INET6 takes every address and maps
// IPv4 to ::ffff:0:0/96. A zone is an interface's name or number. Errors wrap
// EINVAL for an invalid address or unknown zone and EAFNOSUPPORT for a family
// that the address does not fit; a is then unspecified.
func (a *Sockaddr) SetAddrPort(family int, ap netip.AddrPort) error {
	a.Reset()
	ip := ap.Addr()
	switch {
	case !ip.IsValid():
		return fmt.Errorf("socket address: invalid IP address: %w", EINVAL)
	case family == AF_INET && ip.Unmap().Is4():
		a.setInet4(ip.Unmap().As4(), ap.Port())
		return nil
	case family == AF_INET6:
		return a.setInet6(ip, ap.Port())
	}
	return fmt.Errorf("socket address: %v does not fit address family %d: %w",
		ip, family, EAFNOSUPPORT)
}

func (a *Sockaddr) setInet4(ip [4]byte, port uint16) {
	sa := a.inet4()
	*sa = unix.RawSockaddrInet4{Len: unix.SizeofSockaddrInet4, Family: AF_INET, Addr: ip}
	putPort(&sa.Port, port)
	a.size = unix.SizeofSockaddrInet4
}

func (a *Sockaddr) setInet6(ip netip.Addr, port uint16) error {
	scope, err := zoneNumber(ip.Zone())
	if err != nil {
		return err
	}
	sa := a.inet6()
	*sa = unix.RawSockaddrInet6{
		Len: unix.SizeofSockaddrInet6, Family: AF_INET6,
		Addr: ip.As16(), Scope_id: scope,
	}
	putPort(&sa.Port, port)
	a.size = unix.SizeofSockaddrInet6
	return nil
}

// AddrPort answers the IP address and port of a, or the zero value if a is
// not an IP address. An IPv4-mapped address stays mapped. A scope becomes the
// name of the interface if that is known, else its number. It allocates
// nothing unless there is a scope.
func (a *Sockaddr) AddrPort() netip.AddrPort {
	switch {
	case a.Family() == AF_INET && a.size >= unix.SizeofSockaddrInet4:
		sa := a.inet4()
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), getPort(&sa.Port))
	case a.Family() == AF_INET6 && a.size >= unix.SizeofSockaddrInet6:
		sa := a.inet6()
		ip := netip.AddrFrom16(sa.Addr)
		if sa.Scope_id != 0 {
			ip = ip.WithZone(zoneName(sa.Scope_id))
		}
		return netip.AddrPortFrom(ip, getPort(&sa.Port))
	}
	return netip.AddrPort{}
}

// SetUnix makes a the path of a Unix socket, at most 103 bytes. Names that
// start with "@" or a zero byte are abstract on Linux; macOS has no such
// addresses, so they wrap errors.ErrUnsupported. An empty name or a zero byte
// inside wraps EINVAL, a name too long wraps ENAMETOOLONG. After an error a is
// unspecified.
func (a *Sockaddr) SetUnix(name string) error {
	a.Reset()
	switch {
	case name == "":
		return fmt.Errorf("unix address: empty path: %w", EINVAL)
	case strings.HasPrefix(name, "@") || strings.HasPrefix(name, "\x00"):
		return fmt.Errorf("unix address: abstract names: %w", errors.ErrUnsupported)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("unix address: zero byte in the path: %w", EINVAL)
	case len(name) >= unixPathMax:
		return fmt.Errorf("unix address: path of %d bytes, at most %d fit: %w",
			len(name), unixPathMax-1, unix.ENAMETOOLONG)
	}
	copy(a.bytes()[unixPathOffset:], name)
	a.size = uint32(unixPathOffset + len(name) + 1) // with the zero byte: unix(4)
	a.raw.Addr.Len, a.raw.Addr.Family = uint8(a.size), AF_UNIX
	return nil
}

// Unix answers the path of a Unix address, and "" if a has no name or is
// another kind of address.
func (a *Sockaddr) Unix() string {
	if a.Family() != AF_UNIX || a.size <= unixPathOffset {
		return ""
	}
	// The length that the kernel reports may count the zero byte or the whole
	// of sun_path, so the path ends at the first zero byte.
	path := a.bytes()[unixPathOffset:min(a.size, storageSize)]
	name, _, _ := strings.Cut(string(path), "\x00")
	return name
}

// came records how long an address the kernel wrote. It reports the length of
// the whole address even if only a part fitted.
func (a *Sockaddr) came(n uint32) {
	a.size = min(n, storageSize)
	if a.size < unixPathOffset {
		a.Reset() // An unconnected stream reports no address at all.
	}
}

func (a *Sockaddr) inet4() *unix.RawSockaddrInet4 {
	return (*unix.RawSockaddrInet4)(unsafe.Pointer(&a.raw))
}

func (a *Sockaddr) inet6() *unix.RawSockaddrInet6 {
	return (*unix.RawSockaddrInet6)(unsafe.Pointer(&a.raw))
}

func (a *Sockaddr) bytes() *[storageSize]byte {
	return (*[storageSize]byte)(unsafe.Pointer(&a.raw))
}

// putPort stores a port in network byte order whatever the host's.
func putPort(p *uint16, port uint16) {
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(p))[:], port)
}

func getPort(p *uint16) uint16 {
	return binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(p))[:])
}

// zoneNumber answers the scope of a zone. A number is taken as it is, so that
// addresses of interfaces that come and go can be written down.
func zoneNumber(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	ifi, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("socket address: no interface for zone %q: %w", zone, EINVAL)
	}
	return uint32(ifi.Index), nil
}

func zoneName(scope uint32) string {
	if ifi, err := net.InterfaceByIndex(int(scope)); err == nil {
		return ifi.Name
	}
	return strconv.FormatUint(uint64(scope), 10)
}
