package socket_test

import (
	"errors"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// settable sets an option, and expects to read value back.
func settable[T comparable](tb testing.TB, s *socket.Socket, o socket.Option[T], value T) {
	tb.Helper()
	err := o.Set(s, value)
	if !o.Supported() {
		want(tb, o.String(), err, errors.ErrUnsupported)
		_, err = o.Get(s)
		want(tb, o.String(), err, errors.ErrUnsupported)
		return
	}
	must(tb, err)
	got, err := o.Get(s)
	if err != nil || got != value {
		tb.Errorf("%v: set %v, got %v, %v", o, value, got, err)
	}
}

func TestOptions(t *testing.T) {
	run(t, func(task *loop.Task) error {
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		for _, on := range []bool{true, false} {
			settable(t, s, socket.NoDelay, on)
			settable(t, s, socket.KeepAlive, on)
			settable(t, s, socket.OutOfBandInline, on)
			settable(t, s, socket.ReusePort, on)
		}
		settable(t, s, socket.UserTimeout, 1500*time.Millisecond)
		settable(t, s, socket.NotSentLowWater, 16384)
		settable(t, s, socket.Linger, socket.LingerTime{On: true, Time: 3 * time.Second})
		settable(t, s, socket.Linger, socket.LingerTime{})
		must(t, socket.SendBuffer.Set(s, 50000))
		if got, err := socket.SendBuffer.Get(s); err != nil || got < 50000 {
			t.Errorf("a send buffer of %d: %v", got, err)
		}
		want(t, "a negative buffer", socket.SendBuffer.Set(s, -1), loop.ErrMisuse)
		want(t, "a negative time", socket.UserTimeout.Set(s, -1), loop.ErrMisuse)
		want(t, "a time without being on",
			socket.Linger.Set(s, socket.LingerTime{Time: time.Second}), loop.ErrMisuse)
		want(t, "linger behind our back",
			s.Setsockopt(sys.SOL_SOCKET, sys.SO_LINGER, make([]byte, 8)), loop.ErrMisuse)
		want(t, "SO_LINGER as an int",
			s.SetsockoptInt(sys.SOL_SOCKET, sys.SO_LINGER, 1), loop.ErrMisuse)
		must(t, s.SetsockoptInt(sys.SOL_SOCKET, sys.SO_KEEPALIVE, 1))
		if on, err := socket.KeepAlive.Get(s); err != nil || !on {
			t.Errorf("keep-alive set by number: %v, %v", on, err)
		}
		must(t, s.TakeError())
		must(t, s.Close())
		want(t, "a closed socket", socket.NoDelay.Set(s, true), loop.ErrClosed)
		_, err = socket.NoDelay.Get(s)
		want(t, "a closed socket", err, loop.ErrClosed)
		return nil
	})
}

// TestDurationsRoundUp sees that a short time does not become none.
func TestDurationsRoundUp(t *testing.T) {
	run(t, func(task *loop.Task) error {
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		defer s.Close()
		if err := socket.KeepAliveIdle.Set(s, time.Millisecond); err != nil {
			t.Skipf("this system does not set the keep-alive time: %v", err)
		}
		got, err := socket.KeepAliveIdle.Get(s)
		if err != nil || got != time.Second {
			t.Errorf("a millisecond became %v, %v", got, err)
		}
		return nil
	})
}

func TestAddr(t *testing.T) {
	for _, text := range []string{"127.0.0.1:80", "[::1]:0", "[fe80::1%7]:65535"} {
		a, err := socket.ParseAddr(text)
		if err != nil || a.String() != text || !a.IsValid() {
			t.Errorf("%q became %v, %v", text, a, err)
		}
	}
	a, err := socket.ParseAddr("unix:/run/x")
	if name, ok := a.Unix(); err != nil || !ok || name != "/run/x" {
		t.Errorf("a unix address became %v, %v", a, err)
	}
	for _, text := range []string{"localhost:80", "127.0.0.1:http", "127.0.0.1", "", "1.2.3:4"} {
		if _, err := socket.ParseAddr(text); !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("%q: %v", text, err)
		}
	}
	mapped, err := socket.ParseAddr("[::ffff:1.2.3.4]:5")
	if err != nil || mapped.Unmap().String() != "1.2.3.4:5" {
		t.Errorf("unmapped %v, %v", mapped.Unmap(), err)
	}
	if (socket.Addr{}).IsValid() || (socket.Addr{}).String() != "" {
		t.Error("the zero address is one")
	}
}

// Every option can be set and read back where the system has it, in both
// families, and is errors.ErrUnsupported where it has not.
func TestMoreOptions(t *testing.T) {
	for _, family := range []int{sys.AF_INET, sys.AF_INET6} {
		run(t, func(task *loop.Task) error {
			s, _ := bind(task, t, family)
			defer s.Close()
			for _, o := range []socket.Option[bool]{
				socket.Broadcast, socket.MulticastLoop, socket.ReceiveHopLimit,
				socket.ReceivePacketInfo, socket.ReceiveTrafficClass, socket.ReceiveErrors,
				socket.ReceiveDropped, socket.ReceiveTimestamp, socket.FreeBind,
			} {
				settable(t, s, o, true)
				settable(t, s, o, false)
			}
			settable(t, s, socket.HopLimit, 33)
			settable(t, s, socket.MulticastHopLimit, 3)
			settable(t, s, socket.Priority, 3)
			if err := socket.DontFragment.Set(s, true); err != nil {
				t.Logf("family %d: %v", family, err) // Wine has it for IPv4 only
			}
			if err := socket.TrafficClass.Set(s, 0x28); err != nil {
				t.Logf("family %d: %v", family, err) // nor has it classes in IPv6
			}
			want(t, "a negative hop limit", socket.HopLimit.Set(s, -1), loop.ErrMisuse)
			return nil
		})
	}
	run(t, func(task *loop.Task) error {
		s, err := socket.New(task.Loop(), sys.AF_INET, sys.SOCK_STREAM, 0)
		must(t, err)
		defer s.Close()
		settable(t, s, socket.Cork, true)
		settable(t, s, socket.ReceiveLowWater, 1000)
		if socket.CongestionControl.Supported() {
			algorithm, err := socket.CongestionControl.Get(s)
			must(t, err)
			settable(t, s, socket.CongestionControl, algorithm)
			want(t, "a name that is too long",
				socket.CongestionControl.Set(s, "an algorithm of no name"), loop.ErrMisuse)
		}
		_, err = socket.BindToDevice.Get(s)
		if socket.BindToDevice.Supported() == (err != nil) {
			t.Error(err)
		}
		return nil
	})
}
