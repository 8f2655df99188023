package linux

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// Addresses of the families beside IP and unix: struct sockaddr_vm in vsock(7),
// sockaddr_nl in netlink(7), sockaddr_ll in packet(7). All begin with the
// family; numbers are in the machine's byte order but for the protocol of a
// packet socket.

// More address families, see address_families(7); 0 where a system has none.
const (
	AF_VSOCK   = unix.AF_VSOCK
	AF_NETLINK = unix.AF_NETLINK
	AF_PACKET  = unix.AF_PACKET
)

// maxHardware is the room for a hardware address, sll_addr in packet(7).
const maxHardware = 8

// SetVsock stores the address of a vsock socket: a context and a port, see
// vsock(7).
func (a *Sockaddr) SetVsock(context, port uint32) error {
	a.begin(AF_VSOCK, unix.SizeofSockaddrVM)
	binary.NativeEndian.PutUint32(a.raw[4:], port)
	binary.NativeEndian.PutUint32(a.raw[8:], context)
	return nil
}

// Vsock is the address of a vsock socket, and whether it is one.
func (a *Sockaddr) Vsock() (context, port uint32, ok bool) {
	if a.Family() != AF_VSOCK || a.size < 12 {
		return 0, 0, false
	}
	return binary.NativeEndian.Uint32(a.raw[8:]), binary.NativeEndian.Uint32(a.raw[4:]), true
}

// SetNetlink stores the address of a netlink socket: a port, 0 for the kernel
// or for its choice, and a set of multicast groups, see netlink(7).
func (a *Sockaddr) SetNetlink(port, groups uint32) error {
	a.begin(AF_NETLINK, unix.SizeofSockaddrNetlink)
	binary.NativeEndian.PutUint32(a.raw[4:], port)
	binary.NativeEndian.PutUint32(a.raw[8:], groups)
	return nil
}

// Netlink is the address of a netlink socket, and whether it is one.
func (a *Sockaddr) Netlink() (port, groups uint32, ok bool) {
	if a.Family() != AF_NETLINK || a.size < 12 {
		return 0, 0, false
	}
	return binary.NativeEndian.Uint32(a.raw[4:]), binary.NativeEndian.Uint32(a.raw[8:]), true
}

// SetPacket stores the address of a packet socket: a protocol of Ethernet, the
// number of an interface (0: any) and a hardware address of at most 8 bytes,
// see packet(7). A longer one, or a negative number, is EINVAL.
func (a *Sockaddr) SetPacket(protocol uint16, index int, hardware []byte) error {
	a.Reset()
	if len(hardware) > maxHardware || index < 0 || int(int32(index)) != index {
		return fmt.Errorf("packet address at interface %d with %d bytes: %w",
			index, len(hardware), EINVAL)
	}
	a.begin(AF_PACKET, unix.SizeofSockaddrLinklayer)
	binary.BigEndian.PutUint16(a.raw[2:], protocol)
	binary.NativeEndian.PutUint32(a.raw[4:], uint32(index))
	a.raw[11] = byte(len(hardware))
	copy(a.raw[12:], hardware)
	return nil
}

// Packet is the protocol and the interface of a packet socket's address, and
// whether it is one.
func (a *Sockaddr) Packet() (protocol uint16, index int, ok bool) {
	if a.Family() != AF_PACKET || a.size < 12 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint16(a.raw[2:]), int(binary.NativeEndian.Uint32(a.raw[4:])), true
}

// SetRaw stores an address in the kernel's form, family and all. One that is
// too short to have a family, or too long, is EINVAL.
func (a *Sockaddr) SetRaw(raw []byte) error {
	a.Reset()
	if len(raw) < sizeofFamily || len(raw) > len(a.raw) {
		return fmt.Errorf("address of %d bytes: %w", len(raw), EINVAL)
	}
	a.size = uint32(copy(a.raw[:], raw))
	return nil
}

// AppendRaw appends the address in the kernel's form.
func (a *Sockaddr) AppendRaw(b []byte) []byte { return append(b, a.raw[:a.size]...) }
