package socket

import (
	"iter"

	"github.com/lion-go/lion/sys"
)

// Control data go along with a message beside its bytes: where a datagram came
// to, how it is to be sent, descriptors. Their form is the system's; here they
// are typed values in both directions.

// The values that control data carry, and one message of them.
type (
	// ControlMessage is one message of control data. Its methods decode it.
	ControlMessage = sys.ControlMessage
	// PacketInfo says where a datagram came to, or is to be sent from.
	PacketInfo = sys.PacketInfo
	// Credentials are those of the process at the other end of a unix socket.
	Credentials = sys.Credentials
	// ExtendedError is one entry of the error queue on Linux.
	ExtendedError = sys.ExtendedError
)

// ControlMessages goes through control data that came, as RecvMsg left them in
// Msg.Control:
//
//	for c := range socket.ControlMessages(m.Control) {
//		if info, ok := c.PacketInfo(); ok {
//			...
//		}
//	}
//
// It allocates nothing, being small enough to be inlined.
func ControlMessages(control []byte) iter.Seq[ControlMessage] {
	return func(yield func(ControlMessage) bool) {
		m, rest, ok := sys.Controls.Next(control)
		for ok && yield(m) {
			m, rest, ok = sys.Controls.Next(rest)
		}
	}
}

// SegmentSize is the size of the datagrams of which a message with this control
// data was put together (ReceiveOffload), 0 if it is a single one.
func SegmentSize(control []byte) int {
	for m, rest, ok := sys.Controls.Next(control); ok; m, rest, ok = sys.Controls.Next(rest) {
		if n, ok := m.SegmentSize(); ok && n > 0 {
			return n
		}
	}
	return 0
}

// Segments goes through the datagrams of a message that was put together of
// datagrams of size bytes; all but the last one have it. With a size of 0 the
// message is the only one, even if it is empty.
func Segments(b []byte, size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for size > 0 && len(b) > size {
			if !yield(b[:size:size]) {
				return
			}
			b = b[size:]
		}
		yield(b)
	}
}

// Rights are the descriptors in control data that the peer has passed. They belong
// to the caller, and come only if Msg.WantRights asked for them. One that the kernel
// adds, since SO_PASSPIDFD was set, is not among them, and is the caller's as well.
func Rights(control []byte) (fds []sys.FD) {
	for m := range ControlMessages(control) {
		fds = m.AppendRightsTo(fds)
	}
	return fds
}

// Control builds control data to be sent. The zero value is empty; one that is
// used again allocates nothing. What the system does not have is refused with
// errors.ErrUnsupported, and what cannot be meant with sys.EINVAL; what was
// there before stays as it was.
type Control struct{ data []byte }

// Reset makes c empty again and keeps its memory.
func (c *Control) Reset() { c.data = c.data[:0] }

// Bytes are the control data, for Msg.Control; they change with c.
func (c *Control) Bytes() []byte { return c.data }

// Add adds a message of any kind, with data in the system's form.
func (c *Control) Add(level, typ int, data []byte) {
	c.data = sys.Controls.Append(c.data, level, typ, data)
}

// AddPacketInfo sets the address, the interface, or both, from which the
// datagram is sent. It must be an address of this host; the unspecified one of
// its family leaves the choice to the system.
func (c *Control) AddPacketInfo(p PacketInfo) (err error) {
	c.data, err = sys.Controls.AppendPacketInfo(c.data, p)
	return opError("cmsg", Addr{}, err)
}

// AddHopLimit sets the hop limit (TTL) of the datagram; to is its destination,
// which decides whether the field is that of IPv4 or of IPv6.
func (c *Control) AddHopLimit(to Addr, hops int) (err error) {
	c.data, err = sys.Controls.AppendHopLimit(c.data, to.is4(), hops)
	return opError("cmsg", Addr{}, err)
}

// AddTrafficClass sets the traffic class (TOS) of the datagram to an address:
// DSCP in the upper six bits, ECN in the lower two.
func (c *Control) AddTrafficClass(to Addr, class int) (err error) {
	c.data, err = sys.Controls.AppendTrafficClass(c.data, to.is4(), class)
	return opError("cmsg", Addr{}, err)
}

// AddSegmentSize has the message cut into datagrams of n bytes by the kernel or
// the network card. SegmentSender does it with a way out for destinations where
// that is not possible.
func (c *Control) AddSegmentSize(n int) (err error) {
	c.data, err = sys.Controls.AppendSegmentSize(c.data, n)
	return opError("cmsg", Addr{}, err)
}

// AddRights passes descriptors over a unix socket. They stay open here; at least
// a byte of data has to go with them.
func (c *Control) AddRights(fds ...sys.FD) (err error) {
	c.data, err = sys.Controls.AppendRights(c.data, fds...)
	return opError("cmsg", Addr{}, err)
}

// AddCredentials passes credentials over a unix socket; the kernel refuses any
// that are not the sender's, unless it is privileged.
func (c *Control) AddCredentials(who Credentials) (err error) {
	c.data, err = sys.Controls.AppendCredentials(c.data, who)
	return opError("cmsg", Addr{}, err)
}

func (a Addr) is4() bool { return a.ap.Addr().Is4() || a.ap.Addr().Is4In6() }
