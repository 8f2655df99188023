package sys_test

import (
	"errors"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/lion-go/lion/sys"
)

func addrPort(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestSockaddrZero(t *testing.T) {
	var a sys.Sockaddr
	for range 2 {
		if a.Family() != sys.AF_UNSPEC || a.AddrPort().IsValid() || a.Unix() != "" {
			t.Errorf("unspecified: %d, %v, %q", a.Family(), a.AddrPort(), a.Unix())
		}
		must(t, a.SetAddrPort(sys.AF_INET, addrPort("127.0.0.1:1")))
		a.Reset()
	}
}

func TestSockaddrAddrPort(t *testing.T) {
	for _, c := range []struct {
		family   int
		in, want string
	}{
		{sys.AF_INET, "192.0.2.1:65535", "192.0.2.1:65535"},
		{sys.AF_INET, "0.0.0.0:0", "0.0.0.0:0"},
		{sys.AF_INET, "[::ffff:192.0.2.1]:80", "192.0.2.1:80"},
		{sys.AF_INET6, "[2001:db8::1]:258", "[2001:db8::1]:258"},
		{sys.AF_INET6, "192.0.2.1:80", "[::ffff:192.0.2.1]:80"},
		{sys.AF_INET6, "[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.1]:80"},
		{sys.AF_INET6, "[fe80::1%4294967295]:80", "[fe80::1%4294967295]:80"},
	} {
		a := *address(t, sys.AF_INET6, addrPort("[2001:db8::ffff]:9"))
		must(t, a.SetAddrPort(c.family, addrPort(c.in)))
		if got := a.AddrPort(); got != addrPort(c.want) || a.Family() != c.family {
			t.Errorf("%d %s: got %v", c.family, c.in, got)
		}
	}
}

// What is refused says why, and leaves nothing of what was there before.
func TestSockaddrRefused(t *testing.T) {
	for _, c := range []struct {
		family int
		in     netip.AddrPort
		want   sys.Errno
	}{
		{sys.AF_INET, netip.AddrPort{}, sys.EINVAL},
		{sys.AF_INET6, netip.AddrPort{}, sys.EINVAL},
		{sys.AF_INET, addrPort("[2001:db8::1]:80"), sys.EAFNOSUPPORT},
		{sys.AF_INET6, addrPort("[fe80::1%no-such-interface]:80"), sys.EINVAL},
		{sys.AF_UNIX, addrPort("192.0.2.1:80"), sys.EAFNOSUPPORT},
		{sys.AF_UNSPEC, addrPort("192.0.2.1:80"), sys.EAFNOSUPPORT},
	} {
		a := *address(t, sys.AF_INET6, addrPort("[2001:db8::ffff]:9"))
		if err := a.SetAddrPort(c.family, c.in); !errors.Is(err, c.want) {
			t.Errorf("%d %v: %v, want %v", c.family, c.in, err, c.want)
		}
		if a != (sys.Sockaddr{}) {
			t.Errorf("%d %v: %v is left", c.family, c.in, a.AddrPort())
		}
	}
	long := strings.Repeat("p", 109)
	for name, want := range map[string]error{
		"": sys.EINVAL, "a\x00b": sys.EINVAL, "a\x00": sys.EINVAL, long: syscall.ENAMETOOLONG,
		"@" + long: syscall.ENAMETOOLONG,
	} {
		a := *address(t, sys.AF_INET6, addrPort("[2001:db8::ffff]:9"))
		err := a.SetUnix(name)
		if strings.HasPrefix(name, "@") && errors.Is(err, errors.ErrUnsupported) {
			want = err // this system has no abstract names
		}
		if !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", name, err, want)
		}
		if a != (sys.Sockaddr{}) {
			t.Errorf("%q: %v is left", name, a.AddrPort())
		}
	}
}

// A zone that is known comes back by its name.
func TestSockaddrZone(t *testing.T) {
	var a sys.Sockaddr
	for _, zone := range []string{"lo", "lo0", "loopback_0"} {
		want := netip.AddrPortFrom(netip.MustParseAddr("fe80::1").WithZone(zone), 7)
		if a.SetAddrPort(sys.AF_INET6, want) != nil {
			continue
		}
		for range 2 {
			if got := a.AddrPort(); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		return
	}
	t.Skip("the loopback interface has another name here")
}

// setUnix skips the test where unix sockets have no names.
func setUnix(t *testing.T, a *sys.Sockaddr, name string) error {
	t.Helper()
	err := a.SetUnix(name)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("unix sockets have no names on this system")
	}
	return err
}

func TestSockaddrUnix(t *testing.T) {
	var a sys.Sockaddr
	for _, name := range []string{"x", "/tmp/x", "./@x", strings.Repeat("p", 103)} {
		must(t, setUnix(t, &a, name))
		if a.Unix() != name || a.Family() != sys.AF_UNIX {
			t.Errorf("%q became %q", name, a.Unix())
		}
	}
}

// Every address comes back as it was put in, by itself and through the kernel.
func FuzzSockaddr(f *testing.F) {
	f.Add([]byte{127, 0, 0, 1}, uint16(80), "x")
	f.Add([]byte{15: 1}, uint16(65535), "@abstract")
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 1, 2, 3, 4}, uint16(0), "\x00n\x00l")
	f.Fuzz(func(t *testing.T, raw []byte, port uint16, name string) {
		var a sys.Sockaddr
		if ip, ok := netip.AddrFromSlice(raw); ok {
			want := netip.AddrPortFrom(ip, port)
			if ip.Unmap().Is4() {
				must(t, a.SetAddrPort(sys.AF_INET, want))
				if got := a.AddrPort(); got != netip.AddrPortFrom(ip.Unmap(), port) {
					t.Errorf("%v became %v", want, got)
				}
			}
			must(t, a.SetAddrPort(sys.AF_INET6, want))
			if got := a.AddrPort(); got != netip.AddrPortFrom(netip.AddrFrom16(ip.As16()), port) {
				t.Errorf("%v became %v", want, got)
			}
		}
		if a.SetUnix(name) == nil {
			want := name
			if name[0] == 0 {
				want = "@" + name[1:]
			}
			if got := a.Unix(); got != want {
				t.Errorf("%q became %q", name, got)
			}
			if len(name) > 108 {
				t.Errorf("a name of %d bytes was taken", len(name))
			}
		}
	})
}

// Addresses of anybody's making are read without a fault, and come back as they
// were given.
func FuzzRawSockaddr(f *testing.F) {
	var a sys.Sockaddr
	for _, ap := range []string{"127.0.0.1:80", "[::1]:65535", "[fe80::1%9]:1"} {
		if a.SetAddrPort(sys.AF_INET6, netip.MustParseAddrPort(ap)) == nil {
			f.Add(a.AppendRaw(nil))
		}
	}
	if a.SetUnix("path") == nil {
		f.Add(a.AppendRaw(nil))
	}
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, raw []byte) {
		var a, b sys.Sockaddr
		if a.SetRaw(raw) != nil {
			if a.Family() != sys.AF_UNSPEC {
				t.Error("a refused address has a family")
			}
			return
		}
		_, _ = a.AddrPort(), a.Unix()
		_, _, _ = a.Vsock()
		_, _, _ = a.Netlink()
		_, _, _ = a.Packet()
		again := a.AppendRaw(nil)
		if string(again) != string(raw) || b.SetRaw(again) != nil || a != b {
			t.Errorf("% x became % x", raw, again)
		}
	})
}
