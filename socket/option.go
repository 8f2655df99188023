package socket

import (
	"encoding/binary"
	"math"
	"strings"
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

	six *Option[T] // takes its place on IPv6 sockets, if there is one
}

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
	if o.six != nil && s.family == sys.AF_INET6 {
		return o.six.Get(s)
	}
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
	if o.six != nil && s.family == sys.AF_INET6 {
		return o.six.Set(s, v)
	}
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
		s.lingered = s.lingered || s.lingers
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

// SetsockoptInt changes an option that has no Option here. SO_LINGER is refused
// as by Setsockopt. Sync-coloured.
func (s *Socket) SetsockoptInt(level, name, value int) error {
	err := s.open()
	if err == nil {
		err = refuseLinger(level, name)
	}
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
	if err == nil {
		err = refuseLinger(level, name)
	}
	if err == nil {
		err = sys.Setsockopt(s.d.FD(), level, name, value)
	}
	return opError("setsockopt", Addr{}, err)
}

func refuseLinger(level, name int) error {
	if level == sys.SOL_SOCKET && name == sys.SO_LINGER {
		return misuse("SO_LINGER is set by the option Linger")
	}
	return nil
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

// onOff is a flag whose value for on is not 1 everywhere.
func onOff(name string, level, number, on int) Option[bool] {
	o := flag(name, level, number)
	o.toInt = func(v bool) (int, error) {
		if v {
			return on, nil
		}
		return 0, nil
	}
	o.fromInt = func(n int) bool { return n == on }
	return o
}

// perFamily is an option that has a name of its own in IPv6.
func perFamily[T any](four, six Option[T]) Option[T] {
	four.six = &six
	return four
}

// nameMax is the longest value of an option that is a name, with its NUL:
// IFNAMSIZ and TCP_CA_NAME_MAX are 16.
const nameMax = 16

// name is an option that is a short text.
func name(name string, level, number int) Option[string] {
	return Option[string]{name: name, level: level, number: number,
		get: func(fd sys.FD) (string, error) {
			var raw [nameMax]byte
			n, err := sys.Getsockopt(fd, level, number, raw[:])
			text, _, _ := strings.Cut(string(raw[:n]), "\x00")
			return text, err
		},
		set: func(fd sys.FD, v string) error {
			if len(v) >= nameMax || strings.Contains(v, "\x00") {
				return misuse("%s of %q", name, v)
			}
			return sys.Setsockopt(fd, level, number, []byte(v))
		}}
}

// firstOf is the first of two numbers that this system has.
func firstOf(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}
