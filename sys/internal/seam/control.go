package seam

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"syscall"
	"time"
)

// Control data are what goes along with a message beside its bytes: cmsg(3) and
// RFC 3542, section 20. They are a row of messages, each a header (its length
// with the data, a level, a type), the data, and zeros up to the place where
// the next one may begin. All systems agree on that and on nothing else: not on
// the width of the length, nor on the alignment, the numbers of the types, or
// the layout of what has the same name. So there is one implementation, and
// each system is a table, a Dialect; that way the code for all of them can be
// run, and attacked, on any of them.
//
// The caller's buffers need not be aligned: fields are read as bytes, and
// kernels copy control data before they look at it.

// A Number tells what a control message is. A Type of 0 stands for a kind that
// a system does not have, for levels may be 0 and types never are.
type Number struct{ Level, Type int }

// A Dialect is how a system writes control messages. It must not be changed.
type Dialect struct {
	Header     int  // bytes before the data
	Align      int  // messages begin at multiples of this
	Length     int  // bytes of the length: 4 or 8
	Seconds    int  // bytes of the seconds in a time: 4 or 8
	Fraction   int  // bytes of what follows them
	Space      int  // from a time to the next one, if there are several
	AddrFirst  bool // an IPv4 packet info begins with the address
	SegmentIn2 bool // a segment size to be sent has 2 bytes, else 4

	PacketInfo4, PacketInfo6   Number
	HopLimit4, HopLimit6       Number // as they come
	SetHopLimit4, SetHopLimit6 Number // as it is sent
	Class4, Class6             Number
	SetClass4, SetClass6       Number
	TimeMicro, TimeNano, Times Number
	Rights, Credentials        Number
	Segment, SetSegment        Number
	Dropped                    Number
	Error4, Error6             Number
}

// A PacketInfo says where a datagram came to, or is to be sent from: IP_PKTINFO
// and IPV6_PKTINFO.
type PacketInfo struct {
	// Addr is the address of this host that a datagram was sent to, or from
	// which one is to be sent; the unspecified one of its family leaves the
	// choice to the system.
	Addr netip.Addr
	// Interface is the number of the interface, 0 for the system's choice.
	Interface int
}

// Credentials are those of the process at the other end of a unix socket.
type Credentials struct {
	PID int // process, 0 if the system does not tell
	UID int // user
	GID int // group
}

// An ExtendedError is one entry of the error queue on Linux, struct
// sock_extended_err in ip(7).
type ExtendedError struct {
	Errno    syscall.Errno
	Origin   uint8  // who says so: SO_EE_ORIGIN_ICMP is 2, _ICMP6 3, _LOCAL 1
	Type     uint8  // of the ICMP message
	Code     uint8  // of the ICMP message
	Info     uint32 // the path MTU, for EMSGSIZE
	Data     uint32
	Offender netip.Addr // the host that reported it, if one did
}

// A ControlMessage is one message of control data. Its methods decode it, and
// answer false if it is of another kind, or too short for its kind.
type ControlMessage struct {
	Level, Type int
	Data        []byte // within the control data, and as long as they are whole

	dialect *Dialect
}

func (m *ControlMessage) is(n Number, size int) bool {
	return n.Type != 0 && m.Level == n.Level && m.Type == n.Type && len(m.Data) >= size
}

// Next takes the first message off control data. It answers false at the end,
// and where what follows is not a message. One that claims to be longer than
// the data (some systems cut them) ends with them.
func (d *Dialect) Next(control []byte) (m ControlMessage, rest []byte, ok bool) {
	if len(control) < d.Header {
		return m, nil, false
	}
	size := uint64(binary.NativeEndian.Uint32(control))
	if d.Length == 8 {
		size = binary.NativeEndian.Uint64(control)
	}
	if size < uint64(d.Header) {
		return m, nil, false
	}
	end := int(min(size, uint64(len(control))))
	m = ControlMessage{
		Level:   int(int32(binary.NativeEndian.Uint32(control[d.Length:]))),
		Type:    int(int32(binary.NativeEndian.Uint32(control[d.Length+4:]))),
		Data:    control[d.Header:end],
		dialect: d,
	}
	return m, control[min(d.align(end), len(control)):], true
}

// All goes through the messages of control data.
func (d *Dialect) All(control []byte) iter.Seq[ControlMessage] {
	return func(yield func(ControlMessage) bool) {
		for {
			m, rest, ok := d.Next(control)
			if !ok || !yield(m) {
				return
			}
			control = rest
		}
	}
}

// Fit is how many bytes of control data, of whole messages from the first one on,
// have room in so many bytes. The padding of the last one may be cut.
func (d *Dialect) Fit(control []byte, room int) (n int) {
	for rest := control; ; {
		m, after, ok := d.Next(rest)
		if !ok || n+d.Header+len(m.Data) > room {
			return n
		}
		n, rest = min(n+len(rest)-len(after), room), after
	}
}

func (d *Dialect) align(n int) int { return (n + d.Align - 1) &^ (d.Align - 1) }

// Room is how many bytes of control data a message with n bytes of data takes.
func (d *Dialect) Room(n int) int { return d.align(d.Header + n) }

// Append adds a message with data of any kind. It allocates only if b has too
// little room.
func (d *Dialect) Append(b []byte, level, typ int, data []byte) []byte {
	b, room := d.extend(b, Number{level, typ}, len(data))
	copy(room, data)
	return b
}

// extend adds a message of zeros and answers where its data go.
func (d *Dialect) extend(b []byte, n Number, size int) (all, data []byte) {
	start := len(b)
	all = append(b, zeros[:d.Room(0)]...)
	header := all[start:]
	if d.Length == 8 {
		binary.NativeEndian.PutUint64(header, uint64(d.Header+size))
	} else {
		binary.NativeEndian.PutUint32(header, uint32(d.Header+size))
	}
	binary.NativeEndian.PutUint32(header[d.Length:], uint32(n.Level))
	binary.NativeEndian.PutUint32(header[d.Length+4:], uint32(n.Type))
	for missing := d.Room(size) - d.Room(0); missing > 0; missing -= len(zeros) {
		all = append(all, zeros[:min(missing, len(zeros))]...)
	}
	return all, all[start+d.Header : start+d.Header+size]
}

// zeros is what new messages are made of; the headers of all systems fit.
var zeros [64]byte

// lacking is the error for a kind of message that a system does not have.
func lacking(what string) error {
	return fmt.Errorf("control message %s: %w", what, errors.ErrUnsupported)
}

// AppendPacketInfo adds the source for a datagram: an address of this host and
// an interface, or one of them. An IPv6 socket that sends to IPv4 addresses
// wants the source in its IPv4-mapped form. An invalid address, a zone, or a
// negative number is EINVAL.
func (d *Dialect) AppendPacketInfo(b []byte, p PacketInfo) ([]byte, error) {
	index := uint32(p.Interface)
	if int(int32(index)) != p.Interface || p.Interface < 0 || !p.Addr.IsValid() || p.Addr.Zone() != "" {
		return b, fmt.Errorf("packet info of %v at interface %d: %w", p.Addr, p.Interface, syscall.EINVAL)
	}
	if p.Addr.Is4() {
		addr := p.Addr.As4()
		b, data := d.extend(b, d.PacketInfo4, d.packetInfo4Size())
		if d.AddrFirst {
			copy(data, addr[:])
			binary.NativeEndian.PutUint32(data[4:], index)
		} else {
			binary.NativeEndian.PutUint32(data, index)
			copy(data[4:], addr[:]) // ipi_spec_dst is the source of what is sent
		}
		return b, nil
	}
	addr := p.Addr.As16()
	b, data := d.extend(b, d.PacketInfo6, 20)
	copy(data, addr[:])
	binary.NativeEndian.PutUint32(data[16:], index)
	return b, nil
}

// packetInfo4Size: struct in_pktinfo has an interface and one or two addresses.
func (d *Dialect) packetInfo4Size() int {
	if d.AddrFirst {
		return 8
	}
	return 12
}

// PacketInfo is where a datagram came to.
func (m ControlMessage) PacketInfo() (p PacketInfo, ok bool) {
	switch d := m.dialect; {
	case d == nil:
	case m.is(d.PacketInfo4, d.packetInfo4Size()) && d.AddrFirst:
		p.Addr = netip.AddrFrom4([4]byte(m.Data))
		p.Interface = int(binary.NativeEndian.Uint32(m.Data[4:]))
		return p, true
	case m.is(d.PacketInfo4, d.packetInfo4Size()):
		p.Addr = netip.AddrFrom4([4]byte(m.Data[8:])) // ipi_addr, as it stood in the header
		p.Interface = int(binary.NativeEndian.Uint32(m.Data))
		return p, true
	case m.is(d.PacketInfo6, 20):
		p.Addr = netip.AddrFrom16([16]byte(m.Data))
		p.Interface = int(binary.NativeEndian.Uint32(m.Data[16:]))
		return p, true
	}
	return p, false
}

// AppendHopLimit adds the hop limit (or TTL) of a datagram, 0 to 255; is4 says
// that it goes to an IPv4 address.
func (d *Dialect) AppendHopLimit(b []byte, is4 bool, hops int) ([]byte, error) {
	n := d.SetHopLimit6
	if is4 {
		n = d.SetHopLimit4
	}
	return d.appendByte(b, n, "hop limit", hops)
}

// AppendTrafficClass adds the traffic class (or TOS) of a datagram, 0 to 255:
// DSCP in the upper six bits, ECN in the lower two.
func (d *Dialect) AppendTrafficClass(b []byte, is4 bool, class int) ([]byte, error) {
	n := d.SetClass6
	if is4 {
		n = d.SetClass4
	}
	return d.appendByte(b, n, "traffic class", class)
}

// appendByte adds an int that holds a byte.
func (d *Dialect) appendByte(b []byte, n Number, what string, value int) ([]byte, error) {
	switch {
	case n.Type == 0:
		return b, lacking(what)
	case value < 0 || value > 255:
		return b, fmt.Errorf("%s of %d: %w", what, value, syscall.EINVAL)
	}
	b, data := d.extend(b, n, 4)
	binary.NativeEndian.PutUint32(data, uint32(value))
	return b, nil
}

// HopLimit is the hop limit (or TTL) that a datagram came with.
func (m ControlMessage) HopLimit() (int, bool) {
	if d := m.dialect; d != nil && (m.is(d.HopLimit4, 1) || m.is(d.HopLimit6, 1)) {
		return m.small(), true
	}
	return 0, false
}

// TrafficClass is the traffic class (or TOS) that a datagram came with; its
// lower two bits are the ECN field.
func (m ControlMessage) TrafficClass() (int, bool) {
	if d := m.dialect; d != nil && (m.is(d.Class4, 1) || m.is(d.Class6, 1)) {
		return m.small(), true
	}
	return 0, false
}

// small reads a number that some systems give as a byte and others as an int.
func (m *ControlMessage) small() int {
	if len(m.Data) < 4 {
		return int(m.Data[0])
	}
	return int(int32(binary.NativeEndian.Uint32(m.Data)))
}

// AppendSegmentSize has a message cut into datagrams of n bytes, the last one
// with the rest: generic segmentation, UDP_SEGMENT in udp(7).
func (d *Dialect) AppendSegmentSize(b []byte, n int) ([]byte, error) {
	switch {
	case d.SetSegment.Type == 0:
		return b, lacking("segment size")
	case n < 1 || n > 65535:
		return b, fmt.Errorf("segments of %d bytes: %w", n, syscall.EINVAL)
	case d.SegmentIn2:
		b, data := d.extend(b, d.SetSegment, 2)
		binary.NativeEndian.PutUint16(data, uint16(n))
		return b, nil
	}
	b, data := d.extend(b, d.SetSegment, 4)
	binary.NativeEndian.PutUint32(data, uint32(n))
	return b, nil
}

// SegmentSize is the size of the datagrams of which a message was put together:
// all but the last one have it.
func (m ControlMessage) SegmentSize() (int, bool) {
	if d := m.dialect; d != nil && m.is(d.Segment, 4) {
		return m.small(), true
	}
	return 0, false
}

// Dropped is how many datagrams the socket has dropped since it was made, for
// want of room in its buffer: SO_RXQ_OVFL in socket(7).
func (m ControlMessage) Dropped() (uint32, bool) {
	if d := m.dialect; d != nil && m.is(d.Dropped, 4) {
		return binary.NativeEndian.Uint32(m.Data), true
	}
	return 0, false
}

// AppendRights adds descriptors to be passed, SCM_RIGHTS in unix(7); they stay
// open here. None is EINVAL, and a byte of data has to go with them.
func (d *Dialect) AppendRights(b []byte, fds ...FD) ([]byte, error) {
	switch {
	case d.Rights.Type == 0:
		return b, lacking("rights")
	case len(fds) == 0:
		return b, fmt.Errorf("passing no descriptor: %w", syscall.EINVAL)
	}
	b, data := d.extend(b, d.Rights, 4*len(fds))
	for i, fd := range fds {
		binary.NativeEndian.PutUint32(data[4*i:], uint32(fd))
	}
	return b, nil
}

// AppendRightsTo appends the descriptors that came to fds. They belong to the
// caller; those that were closed already, because some had been lost, are left
// out.
func (m ControlMessage) AppendRightsTo(fds []FD) []FD {
	if m.dialect == nil || !m.is(m.dialect.Rights, 4) {
		return fds
	}
	for data := m.Data; len(data) >= 4; data = data[4:] {
		if fd := FD(int32(binary.NativeEndian.Uint32(data))); fd >= 0 {
			fds = append(fds, fd)
		}
	}
	return fds
}

// AppendCredentials adds credentials of the sender, SCM_CREDENTIALS in unix(7);
// the kernel checks them.
func (d *Dialect) AppendCredentials(b []byte, c Credentials) ([]byte, error) {
	if d.Credentials.Type == 0 {
		return b, lacking("credentials")
	}
	b, data := d.extend(b, d.Credentials, 12)
	binary.NativeEndian.PutUint32(data, uint32(c.PID))
	binary.NativeEndian.PutUint32(data[4:], uint32(c.UID))
	binary.NativeEndian.PutUint32(data[8:], uint32(c.GID))
	return b, nil
}

// Credentials are those of the sender, which the kernel vouches for.
func (m ControlMessage) Credentials() (c Credentials, ok bool) {
	if m.dialect == nil || !m.is(m.dialect.Credentials, 12) {
		return c, false
	}
	c.PID = int(int32(binary.NativeEndian.Uint32(m.Data)))
	c.UID = int(binary.NativeEndian.Uint32(m.Data[4:]))
	c.GID = int(binary.NativeEndian.Uint32(m.Data[8:]))
	return c, true
}

// Timestamp is when a datagram came, or left, as the kernel saw it.
func (m ControlMessage) Timestamp() (time.Time, bool) {
	switch d := m.dialect; {
	case d == nil:
	case m.is(d.TimeMicro, d.Seconds+d.Fraction):
		return d.time(m.Data, time.Microsecond), true
	case m.is(d.TimeNano, d.Seconds+d.Fraction):
		return d.time(m.Data, time.Nanosecond), true
	case m.is(d.Times, 2*d.Space+d.Seconds+d.Fraction):
		t := d.time(m.Data, time.Nanosecond)
		return t, t.UnixNano() != 0
	}
	return time.Time{}, false
}

// HardwareTimestamp is when a datagram passed the network card, by the card's
// own clock: SO_TIMESTAMPING in the kernel's networking/timestamping.rst.
func (m ControlMessage) HardwareTimestamp() (time.Time, bool) {
	d := m.dialect
	if d == nil || !m.is(d.Times, 2*d.Space+d.Seconds+d.Fraction) {
		return time.Time{}, false
	}
	t := d.time(m.Data[2*d.Space:], time.Nanosecond)
	return t, t.UnixNano() != 0
}

func (d *Dialect) time(data []byte, unit time.Duration) time.Time {
	seconds := signed(data, d.Seconds)
	fraction := signed(data[d.Seconds:], d.Fraction)
	return time.Unix(seconds, fraction*int64(unit))
}

func signed(data []byte, size int) int64 {
	if size == 8 {
		return int64(binary.NativeEndian.Uint64(data))
	}
	return int64(int32(binary.NativeEndian.Uint32(data)))
}

// ExtendedError is an entry of the error queue.
func (m ControlMessage) ExtendedError() (e ExtendedError, ok bool) {
	const size = 16 // struct sock_extended_err
	if d := m.dialect; d == nil || !m.is(d.Error4, size) && !m.is(d.Error6, size) {
		return e, false
	}
	e = ExtendedError{
		Errno:  syscall.Errno(binary.NativeEndian.Uint32(m.Data)),
		Origin: m.Data[4], Type: m.Data[5], Code: m.Data[6],
		Info: binary.NativeEndian.Uint32(m.Data[8:]), Data: binary.NativeEndian.Uint32(m.Data[12:]),
	}
	// The address of the offender follows, a struct sockaddr: SO_EE_OFFENDER.
	offender := m.Data[size:]
	switch {
	case m.is(m.dialect.Error4, size+8) && binary.NativeEndian.Uint16(offender) != 0:
		e.Offender = netip.AddrFrom4([4]byte(offender[4:]))
	case m.is(m.dialect.Error6, size+24) && binary.NativeEndian.Uint16(offender) != 0:
		e.Offender = netip.AddrFrom16([16]byte(offender[8:]))
	}
	return e, true
}
