package socket

import (
	"fmt"

	"github.com/lion-go/lion/sys"
)

// Addresses of the families beside IP and unix, which go through the same calls:
// a Socket made with New(l, sys.AF_VSOCK, ...) takes and reports them. They are
// kept in the system's form, as a string, so that an Addr stays comparable; to
// receive from one allocates that string. Where the system lacks a family its
// addresses are errors.ErrUnsupported when they are used.

// VsockAddr is the address of a virtual machine's socket: a context (2 is the
// host, sys.AF_VSOCK) and a port.
func VsockAddr(context, port uint32) Addr {
	var sa sys.Sockaddr
	_ = sa.SetVsock(context, port) // refused when it is used
	return rawAddr(&sa)
}

// NetlinkAddr is an address of the kernel's netlink: a port, 0 for the kernel
// itself, and a set of groups.
func NetlinkAddr(port, groups uint32) Addr {
	var sa sys.Sockaddr
	_ = sa.SetNetlink(port, groups) // refused when it is used
	return rawAddr(&sa)
}

// PacketAddr is the address of a packet socket: a protocol of Ethernet, the
// number of an interface, and a hardware address of at most 8 bytes. One that
// the system refuses is refused when it is used.
func PacketAddr(protocol uint16, index int, hardware []byte) Addr {
	var sa sys.Sockaddr
	_ = sa.SetPacket(protocol, index, hardware)
	return rawAddr(&sa)
}

// rawAddr is an address of any family.
func rawAddr(sa *sys.Sockaddr) Addr {
	return Addr{name: string(sa.AppendRaw(nil)), kind: addrRaw}
}

// raw is the address in the system's form, unspecified if it could not be made.
func (a Addr) raw() (sa sys.Sockaddr) {
	if a.kind == addrRaw {
		_ = sa.SetRaw([]byte(a.name)) // it came out of one, or is empty
	}
	return sa
}

// Vsock returns the context and the port of a vsock address, and whether it is
// one.
func (a Addr) Vsock() (context, port uint32, ok bool) {
	sa := a.raw()
	return sa.Vsock()
}

// Netlink returns the port and the groups of a netlink address, and whether it
// is one.
func (a Addr) Netlink() (port, groups uint32, ok bool) {
	sa := a.raw()
	return sa.Netlink()
}

// Packet returns the protocol and the interface of a packet address, and
// whether it is one.
func (a Addr) Packet() (protocol uint16, index int, ok bool) {
	sa := a.raw()
	return sa.Packet()
}

// rawString describes an address of these families.
func (a Addr) rawString() string {
	sa := a.raw()
	if context, port, ok := sa.Vsock(); ok {
		return fmt.Sprintf("vsock:%d:%d", context, port)
	}
	if port, groups, ok := sa.Netlink(); ok {
		return fmt.Sprintf("netlink:%d:%d", port, groups)
	}
	if protocol, index, ok := sa.Packet(); ok {
		return fmt.Sprintf("packet:%#04x@%d", protocol, index)
	}
	return fmt.Sprintf("family %d:%x", sa.Family(), a.name)
}
