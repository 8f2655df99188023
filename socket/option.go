package socket

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/lion-go/lion/sys"
)

// An Option is an option of sockets whose value has the type T. One that the
// system does not have is Supported never, and answers errors.ErrUnsupported.
type Option[T any] struct {
	name    string
	level   int
	number  int // 0: this system has no such option
	toInt   func(T) (int, error)
	fromInt func(int) T

	// Instead of the two, for options that are not ints.
	get func(fd sys.FD) (T, error)
	set func(fd sys.FD, v T) error
}

// Options of all sockets; see socket(7).
var (
	// ReuseAddr lets a listener take an address on which connections of an
	// earlier one are still dying. On Windows it means something else, and
	// dangerous: see ExclusiveAddr.
	ReuseAddr = flag("SO_REUSEADDR", sys.SOL_SOCKET, sys.SO_REUSEADDR)
	// ReusePort lets several sockets have one address; Linux spreads what
	// comes in over them.
	ReusePort = flag("SO_REUSEPORT", sys.SOL_SOCKET, sys.SO_REUSEPORT)
	// ExclusiveAddr keeps others from taking the address on Windows.
	ExclusiveAddr = flag("SO_EXCLUSIVEADDRUSE", sys.SOL_SOCKET, sys.SO_EXCLUSIVEADDRUSE)
	// SendBuffer is the size of the send buffer in bytes. Linux doubles what
	// is set, and reports the double.
	SendBuffer = number("SO_SNDBUF", sys.SOL_SOCKET, sys.SO_SNDBUF)
	// ReceiveBuffer is the size of the receive buffer in bytes; see SendBuffer.
	ReceiveBuffer = number("SO_RCVBUF", sys.SOL_SOCKET, sys.SO_RCVBUF)
	// Broadcast lets datagrams be sent to broadcast addresses.
	Broadcast = flag("SO_BROADCAST", sys.SOL_SOCKET, sys.SO_BROADCAST)
	// OutOfBandInline leaves urgent bytes where they are in the stream.
	OutOfBandInline = flag("SO_OOBINLINE", sys.SOL_SOCKET, sys.SO_OOBINLINE)
	// Linger tells what Close does with output that has not been delivered.
	Linger = Option[LingerTime]{name: "SO_LINGER", level: sys.SOL_SOCKET, number: sys.SO_LINGER,
		get: getLinger, set: setLinger}
)

// Options of TCP; see tcp(7).
var (
	// NoDelay sends small segments at once. Connections made by this package
	// have it on.
	NoDelay = flag("TCP_NODELAY", sys.IPPROTO_TCP, sys.TCP_NODELAY)
	// KeepAlive has the peer probed when nothing comes for long.
	KeepAlive = flag("SO_KEEPALIVE", sys.SOL_SOCKET, sys.SO_KEEPALIVE)
	// KeepAliveIdle is the time without traffic before the first probe, in
	// whole seconds.
	KeepAliveIdle = duration("TCP_KEEPIDLE", sys.IPPROTO_TCP, sys.TCP_KEEPIDLE, time.Second)
	// KeepAliveInterval is the time between probes, in whole seconds.
	KeepAliveInterval = duration("TCP_KEEPINTVL", sys.IPPROTO_TCP, sys.TCP_KEEPINTVL, time.Second)
	// KeepAliveCount is how many probes go unanswered before the connection
	// is broken.
	KeepAliveCount = number("TCP_KEEPCNT", sys.IPPROTO_TCP, sys.TCP_KEEPCNT)
	// UserTimeout is how long sent data may stay unacknowledged before the
	// connection is broken, in whole milliseconds; 0 is the system's default.
	UserTimeout = duration("TCP_USER_TIMEOUT", sys.IPPROTO_TCP, sys.TCP_USER_TIMEOUT,
		time.Millisecond)
	// DeferAccept wakes a listener only when the first bytes of a connection
	// have come, or that time has passed, in whole seconds.
	DeferAccept = duration("TCP_DEFER_ACCEPT", sys.IPPROTO_TCP, sys.TCP_DEFER_ACCEPT, time.Second)
	// NotSentLowWater makes a socket writable only when fewer bytes than that
	// are waiting to be sent.
	NotSentLowWater = number("TCP_NOTSENT_LOWAT", sys.IPPROTO_TCP, sys.TCP_NOTSENT_LOWAT)
	// QuickAck sends acknowledgements at once, until the system decides
	// otherwise.
	QuickAck = flag("TCP_QUICKACK", sys.IPPROTO_TCP, sys.TCP_QUICKACK)
	// FastOpen is the number of connections that may bring data before the
	// handshake is done; 0 is none.
	FastOpen = number("TCP_FASTOPEN", sys.IPPROTO_TCP, sys.TCP_FASTOPEN)
)

// Options of IP; see ip(7) and ipv6(7).
var (
	// V6Only keeps IPv4 out of an IPv6 socket. Listeners of this package set
	// it one way or the other.
	V6Only = flag("IPV6_V6ONLY", sys.IPPROTO_IPV6, sys.IPV6_V6ONLY)
	// BindAddressNoPort leaves the choice of a port to connect, which knows
	// the peer, when only an address is bound.
	BindAddressNoPort = flag("IP_BIND_ADDRESS_NO_PORT", sys.IPPROTO_IP, sys.IP_BIND_ADDRESS_NO_PORT)
)

// LingerTime is the value of the option Linger.
type LingerTime struct {
	On bool // Close cares for output at all
	// Time is how long Close may take to deliver output, in whole seconds.
	// Zero, with On, makes it reset the connection and drop the output.
	Time time.Duration
}

// String returns the name of the option in the words of its man page.
func (o Option[T]) String() string { return o.name }

// Supported reports whether the system knows the option.
func (o Option[T]) Supported() bool { return o.number != 0 }

// Get reads the option, see getsockopt(2). Sync-coloured.
func (o Option[T]) Get(s *Socket) (v T, err error) {
	if err = s.open(); err != nil {
		return v, opError("getsockopt "+o.name, Addr{}, err)
	}
	if o.get != nil {
		v, err = o.get(s.d.FD())
		return v, opError("getsockopt "+o.name, Addr{}, err)
	}
	n, err := sys.GetsockoptInt(s.d.FD(), o.level, o.number)
	if err != nil {
		return v, opError("getsockopt "+o.name, Addr{}, err)
	}
	return o.fromInt(n), nil
}

// Set changes the option, see setsockopt(2). A value that the option cannot
// have is refused with ErrMisuse. Sync-coloured.
func (o Option[T]) Set(s *Socket, v T) error {
	err := s.open()
	if err == nil && o.set != nil {
		if err = o.set(s.d.FD(), v); err == nil {
			s.noteLinger(v)
		}
	} else if err == nil {
		var n int
		if n, err = o.toInt(v); err == nil {
			err = sys.SetsockoptInt(s.d.FD(), o.level, o.number, n)
		}
	}
	return opError("setsockopt "+o.name, Addr{}, err)
}

// noteLinger remembers whether closing the socket may take time.
func (s *Socket) noteLinger(v any) {
	if l, ok := v.(LingerTime); ok {
		s.lingers = l.On && l.Time > 0
	}
}

// GetsockoptInt reads an option that has no Option here. Sync-coloured.
func (s *Socket) GetsockoptInt(level, name int) (int, error) {
	err := s.open()
	if err != nil {
		return 0, opError("getsockopt", Addr{}, err)
	}
	n, err := sys.GetsockoptInt(s.d.FD(), level, name)
	return n, opError("getsockopt", Addr{}, err)
}

// SetsockoptInt changes an option that has no Option here; for SO_LINGER there
// is one. Sync-coloured.
func (s *Socket) SetsockoptInt(level, name, value int) error {
	err := s.open()
	if err == nil {
		err = sys.SetsockoptInt(s.d.FD(), level, name, value)
	}
	return opError("setsockopt", Addr{}, err)
}

// Getsockopt reads an option in the system's own form into value, and returns
// how many bytes that took. Sync-coloured.
func (s *Socket) Getsockopt(level, name int, value []byte) (int, error) {
	err := s.open()
	if err != nil {
		return 0, opError("getsockopt", Addr{}, err)
	}
	n, err := sys.Getsockopt(s.d.FD(), level, name, value)
	return n, opError("getsockopt", Addr{}, err)
}

// Setsockopt changes an option given in the system's own form. SO_LINGER is
// refused with ErrMisuse, for Close has to know of it: use Linger.
// Sync-coloured.
func (s *Socket) Setsockopt(level, name int, value []byte) error {
	err := s.open()
	if err == nil && level == sys.SOL_SOCKET && name == sys.SO_LINGER {
		err = misuse("SO_LINGER is set by the option Linger")
	}
	if err == nil {
		err = sys.Setsockopt(s.d.FD(), level, name, value)
	}
	return opError("setsockopt", Addr{}, err)
}

// TakeError returns the pending error of the socket and clears it, see
// SO_ERROR in socket(7); nil if there is none.
func (s *Socket) TakeError() error {
	n, err := s.GetsockoptInt(sys.SOL_SOCKET, sys.SO_ERROR)
	if err == nil && n != 0 {
		err = s.dataError("pending", Addr{}, sys.Errno(n))
	}
	return err
}

func flag(name string, level, number int) Option[bool] {
	return Option[bool]{name: name, level: level, number: number,
		toInt: func(on bool) (int, error) {
			if on {
				return 1, nil
			}
			return 0, nil
		},
		fromInt: func(n int) bool { return n != 0 }}
}

func number(name string, level, number int) Option[int] {
	return Option[int]{name: name, level: level, number: number,
		toInt: func(n int) (int, error) {
			if n < 0 {
				return 0, misuse("%s of %d", name, n)
			}
			return n, nil
		},
		fromInt: func(n int) int { return n }}
}

// duration is an option that counts units of time; fractions are rounded up,
// so that a short time does not become none.
func duration(name string, level, number int, unit time.Duration) Option[time.Duration] {
	return Option[time.Duration]{name: name, level: level, number: number,
		toInt:   func(d time.Duration) (int, error) { return units(name, d, unit) },
		fromInt: func(n int) time.Duration { return time.Duration(n) * unit }}
}

func units(name string, d, unit time.Duration) (int, error) {
	n := (d + unit - 1) / unit
	if d < 0 || d > math.MaxInt64-unit || n > math.MaxInt32 {
		return 0, misuse("%s of %v", name, d)
	}
	return int(n), nil
}

// getLinger reads a struct linger: two ints on Unix, two 16-bit numbers on
// Windows (winsock2.h), which its size tells apart.
func getLinger(fd sys.FD) (LingerTime, error) {
	var raw [8]byte
	n, err := sys.Getsockopt(fd, sys.SOL_SOCKET, sys.SO_LINGER, raw[:])
	if err != nil {
		return LingerTime{}, err
	}
	on, seconds := uint32(0), uint32(0)
	switch n {
	case 8:
		on, seconds = binary.NativeEndian.Uint32(raw[:]), binary.NativeEndian.Uint32(raw[4:])
	case 4:
		on = uint32(binary.NativeEndian.Uint16(raw[:]))
		seconds = uint32(binary.NativeEndian.Uint16(raw[2:]))
	default:
		return LingerTime{}, sys.EINVAL
	}
	if on == 0 {
		return LingerTime{}, nil // Linux remembers an earlier time
	}
	return LingerTime{On: true, Time: time.Duration(seconds) * time.Second}, nil
}

func setLinger(fd sys.FD, l LingerTime) error {
	if !l.On && l.Time != 0 {
		return misuse("a linger time of %v that is off", l.Time)
	}
	seconds, err := units("SO_LINGER", l.Time, time.Second)
	if err != nil {
		return err
	}
	return sys.SetLinger(fd, l.On, seconds)
}
