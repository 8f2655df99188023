package darwin

import "errors"

// Families that macOS does not have, and addresses in the kernel's form.

// More address families; 0 where a system has none.
const (
	AF_VSOCK   = 0
	AF_NETLINK = 0
	AF_PACKET  = 0
)

// SetVsock is errors.ErrUnsupported here.
func (a *Sockaddr) SetVsock(context, port uint32) error { return a.lacking() }

// Vsock is never the address of a vsock socket here.
func (a *Sockaddr) Vsock() (context, port uint32, ok bool) { return 0, 0, false }

// SetNetlink is errors.ErrUnsupported here.
func (a *Sockaddr) SetNetlink(port, groups uint32) error { return a.lacking() }

// Netlink is never the address of a netlink socket here.
func (a *Sockaddr) Netlink() (port, groups uint32, ok bool) { return 0, 0, false }

// SetPacket is errors.ErrUnsupported here.
func (a *Sockaddr) SetPacket(protocol uint16, index int, hardware []byte) error {
	return a.lacking()
}

// Packet is never the address of a packet socket here.
func (a *Sockaddr) Packet() (protocol uint16, index int, ok bool) { return 0, 0, false }

func (a *Sockaddr) lacking() error {
	a.Reset()
	return errors.ErrUnsupported
}

// SetRaw stores an address in the kernel's form, family and all. One that is
// too short to have a family, or too long, is EINVAL.
func (a *Sockaddr) SetRaw(raw []byte) error {
	a.Reset()
	if len(raw) < 2 || len(raw) > len(a.bytes()) {
		return EINVAL
	}
	a.size = uint32(copy(a.bytes()[:], raw))
	return nil
}

// AppendRaw appends the address in the kernel's form.
func (a *Sockaddr) AppendRaw(b []byte) []byte { return append(b, a.bytes()[:a.size]...) }
