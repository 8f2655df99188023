package windows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Sizes of the kernel's address structures, ws2def.h and afunix.h. All keep
// the family in the first two bytes, in the byte order of the machine, which
// on Windows is little-endian everywhere.
const (
	sizeofInet4 = 16  // sockaddr_in: family, port, 4 bytes address, 8 of zero
	sizeofInet6 = 28  // sockaddr_in6: family, port, flow, 16 bytes address, scope
	sizeofUnix  = 110 // sockaddr_un: family, 108 bytes of path
)

// Sockaddr is a socket address in the kernel's form, held by value. The zero
// value is unspecified: no address.
type Sockaddr struct {
	length int32     // of raw in use; also what the kernel reads and writes
	raw    [128]byte // the size of SOCKADDR_STORAGE
}

// Reset makes a the zero value again.
func (a *Sockaddr) Reset() {
	*a = Sockaddr{}
}

// Family returns AF_INET, AF_INET6, AF_UNIX, another family that the kernel
// reported, or AF_UNSPEC for the zero value.
func (a *Sockaddr) Family() int {
	if a.length < 2 {
		return AF_UNSPEC
	}
	return int(binary.LittleEndian.Uint16(a.raw[:]))
}

var (
	errAddrInvalid = fmt.Errorf("address is not valid: %w", EINVAL)
	errAddrFamily  = fmt.Errorf("address does not fit the socket's family: %w", EAFNOSUPPORT)
	errAddrZone    = fmt.Errorf("no interface has the name of the zone: %w", EINVAL)
	errUnixName    = fmt.Errorf("unix socket name is empty or contains a zero byte: %w", EINVAL)
	errUnixLong    = fmt.Errorf("unix socket name is too long: %w", syscall.ENAMETOOLONG)
)

// SetAddrPort sets a to an Internet address of the given family. AF_INET wants
// an IPv4 address, mapped or not; AF_INET6 takes every address and maps IPv4
// ones. A zone is an interface's name or number. An invalid address or a zone
// that does not exist matches EINVAL, an address that does not fit the family
// EAFNOSUPPORT; a is unspecified then.
func (a *Sockaddr) SetAddrPort(family int, ap netip.AddrPort) error {
	a.Reset()
	addr := ap.Addr()
	if !addr.IsValid() {
		return errAddrInvalid
	}
	switch family {
	case AF_INET:
		if addr = addr.Unmap(); !addr.Is4() {
			return errAddrFamily
		}
		a.setInet4(addr, ap.Port())
		return nil
	case AF_INET6:
		scope, err := zoneToScope(addr.Zone())
		if err != nil {
			return err
		}
		a.setInet6(addr, ap.Port(), scope)
		return nil
	}
	return errAddrFamily
}

func (a *Sockaddr) setInet4(addr netip.Addr, port uint16) {
	*a = Sockaddr{length: sizeofInet4}
	ip := addr.As4()
	binary.LittleEndian.PutUint16(a.raw[0:], AF_INET)
	binary.BigEndian.PutUint16(a.raw[2:], port)
	copy(a.raw[4:], ip[:])
}

func (a *Sockaddr) setInet6(addr netip.Addr, port uint16, scope uint32) {
	*a = Sockaddr{length: sizeofInet6}
	ip := addr.As16()
	binary.LittleEndian.PutUint16(a.raw[0:], AF_INET6)
	binary.BigEndian.PutUint16(a.raw[2:], port)
	copy(a.raw[8:], ip[:])
	binary.LittleEndian.PutUint32(a.raw[24:], scope)
}

// AddrPort returns the Internet address in a, or the zero value if it holds
// none. Mapped IPv4 addresses stay mapped. A scope becomes a zone: the
// interface's name if it has one, else its number. Without a scope nothing is
// allocated.
func (a *Sockaddr) AddrPort() netip.AddrPort {
	port := binary.BigEndian.Uint16(a.raw[2:])
	switch {
	case a.Family() == AF_INET && a.length >= sizeofInet4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.raw[4:8])), port)
	case a.Family() == AF_INET6 && a.length >= sizeofInet6:
		addr := netip.AddrFrom16([16]byte(a.raw[8:24]))
		if scope := binary.LittleEndian.Uint32(a.raw[24:]); scope != 0 {
			addr = addr.WithZone(scopeToZone(scope))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}

// SetUnix sets a to the path of a unix socket: 1 to 107 bytes without a zero
// byte. Abstract names ("@...") are errors.ErrUnsupported on Windows. Too long
// a name matches ENAMETOOLONG, an empty name or a zero byte EINVAL; a is
// unspecified then.
func (a *Sockaddr) SetUnix(name string) error {
	a.Reset()
	if strings.HasPrefix(name, "@") || strings.HasPrefix(name, "\x00") {
		return errors.ErrUnsupported
	}
	const room = sizeofUnix - 2 - 1 // without family and final zero
	if name == "" || strings.IndexByte(name, 0) >= 0 {
		return errUnixName
	}
	if len(name) > room {
		return errUnixLong
	}
	*a = Sockaddr{length: sizeofUnix}
	binary.LittleEndian.PutUint16(a.raw[0:], AF_UNIX)
	copy(a.raw[2:], name)
	return nil
}

// Unix returns the path of a unix socket, or "" if a has none or is of another
// family.
func (a *Sockaddr) Unix() string {
	if a.Family() != AF_UNIX {
		return ""
	}
	path := a.raw[2:min(int(a.length), sizeofUnix)]
	if end := bytes.IndexByte(path, 0); end >= 0 {
		path = path[:end]
	}
	return string(path)
}

// pointer returns the address of the kernel's form for a system call, and its
// length. An unspecified address is a null pointer.
func (a *Sockaddr) pointer() (*byte, uintptr) {
	if a.length == 0 {
		return nil, 0
	}
	return &a.raw[0], uintptr(a.length)
}

// Interfaces have names through their LUIDs, netioapi.h. x/sys has none of
// these functions.
var (
	iphlpapi        = windows.NewLazySystemDLL("iphlpapi.dll")
	procAliasToLUID = iphlpapi.NewProc("ConvertInterfaceAliasToLuid")
	procLUIDToAlias = iphlpapi.NewProc("ConvertInterfaceLuidToAlias")
	procIndexToLUID = iphlpapi.NewProc("ConvertInterfaceIndexToLuid")
	procLUIDToIndex = iphlpapi.NewProc("ConvertInterfaceLuidToIndex")
)

// zoneToScope returns the number of the interface that a zone names.
func zoneToScope(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	alias, err := windows.UTF16PtrFromString(zone)
	if err != nil {
		return 0, errAddrZone
	}
	var luid uint64
	var index uint32
	r, _, _ := syscall.SyscallN(procAliasToLUID.Addr(),
		uintptr(unsafe.Pointer(alias)), uintptr(unsafe.Pointer(&luid)))
	if uint32(r) != 0 {
		return 0, errAddrZone
	}
	r, _, _ = syscall.SyscallN(procLUIDToIndex.Addr(),
		uintptr(unsafe.Pointer(&luid)), uintptr(unsafe.Pointer(&index)))
	if uint32(r) != 0 {
		return 0, errAddrZone
	}
	return index, nil
}

// scopeToZone returns the name of the interface with a number, or the number
// in decimal.
func scopeToZone(scope uint32) string {
	const maxAlias = 257 // IF_MAX_STRING_SIZE and a zero, ifdef.h
	var luid uint64
	var alias [maxAlias]uint16
	r, _, _ := syscall.SyscallN(procIndexToLUID.Addr(),
		uintptr(scope), uintptr(unsafe.Pointer(&luid)))
	if uint32(r) == 0 {
		r, _, _ = syscall.SyscallN(procLUIDToAlias.Addr(), uintptr(unsafe.Pointer(&luid)),
			uintptr(unsafe.Pointer(&alias[0])), maxAlias)
		if name := windows.UTF16ToString(alias[:]); uint32(r) == 0 && name != "" {
			return name
		}
	}
	return strconv.FormatUint(uint64(scope), 10)
}
