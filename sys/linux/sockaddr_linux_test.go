package linux

import (
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The offsets are those of the kernel's structures, on every architecture that
// the tests are run or vetted for.
func TestSockaddrLayout(t *testing.T) {
	for _, c := range []struct {
		what      string
		got, want uintptr
	}{
		{"sockaddr_in.sin_port", offsetPort, unsafe.Offsetof(unix.RawSockaddrInet4{}.Port)},
		{"sockaddr_in.sin_addr", offsetAddr4, unsafe.Offsetof(unix.RawSockaddrInet4{}.Addr)},
		{"sockaddr_in", sizeofInet4, unsafe.Sizeof(unix.RawSockaddrInet4{})},
		{"sockaddr_in6.sin6_port", offsetPort, unsafe.Offsetof(unix.RawSockaddrInet6{}.Port)},
		{"sockaddr_in6.sin6_addr", offsetAddr6, unsafe.Offsetof(unix.RawSockaddrInet6{}.Addr)},
		{"sockaddr_in6.sin6_scope_id", offsetScope6, unsafe.Offsetof(unix.RawSockaddrInet6{}.Scope_id)},
		{"sockaddr_in6", sizeofInet6, unsafe.Sizeof(unix.RawSockaddrInet6{})},
		{"sockaddr_un.sun_path", offsetPath, unsafe.Offsetof(unix.RawSockaddrUnix{}.Path)},
		{"sun_path", maxUnix, unsafe.Sizeof(unix.RawSockaddrUnix{}.Path)},
		{"family", sizeofFamily, unsafe.Sizeof(unix.RawSockaddrInet4{}.Family)},
		{"sockaddr", sizeofAny, unsafe.Sizeof(unix.RawSockaddrAny{})},
		{"the alignment of names", unsafe.Offsetof(Sockaddr{}.raw) % 4, 0},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d, want %d", c.what, c.got, c.want)
		}
	}
}

// x/sys reads the same from our bytes as we do.
func TestSockaddrBytes(t *testing.T) {
	var a Sockaddr
	if err := a.SetAddrPort(AF_INET6, netip.MustParseAddrPort("[fe80::1%7]:258")); err != nil {
		t.Fatal(err)
	}
	raw := (*unix.RawSockaddrInet6)(unsafe.Pointer(&a.raw))
	if raw.Family != unix.AF_INET6 || raw.Scope_id != 7 || raw.Flowinfo != 0 ||
		raw.Addr != [16]byte{0: 0xfe, 1: 0x80, 15: 1} || a.raw[2] != 1 || a.raw[3] != 2 {
		t.Errorf("% x", a.raw[:a.size])
	}
}

func TestSetUnixLimits(t *testing.T) {
	for _, c := range []struct {
		name string
		size uint32 // 0: refused
	}{
		{"p", 4},
		{strings.Repeat("p", 107), 110},
		{strings.Repeat("p", 108), 0},
		{"@", 3},
		{"@a", 4},
		{"\x00a", 4},
		{"@a\x00b", 6},
		{"@" + strings.Repeat("p", 107), 110},
		{"@" + strings.Repeat("p", 108), 0},
		{"", 0},
		{"a\x00", 0},
	} {
		a := Sockaddr{size: 16}
		err := a.SetUnix(c.name)
		if a.size != c.size || (err == nil) != (c.size != 0) {
			t.Errorf("%q has size %d, %v", c.name, a.size, err)
		}
	}
}

// A refused address leaves nothing behind to be used by mistake.
func TestRefusedIsUnspecified(t *testing.T) {
	good := netip.MustParseAddrPort("192.0.2.1:1")
	for what, set := range map[string]func(a *Sockaddr) error{
		"invalid": func(a *Sockaddr) error { return a.SetAddrPort(AF_INET, netip.AddrPort{}) },
		"family":  func(a *Sockaddr) error { return a.SetAddrPort(AF_UNIX, good) },
		"zone": func(a *Sockaddr) error {
			return a.SetAddrPort(AF_INET6, netip.MustParseAddrPort("[fe80::1%nowhere]:1"))
		},
		"unix": func(a *Sockaddr) error { return a.SetUnix("") },
	} {
		var a Sockaddr
		if err := a.SetAddrPort(AF_INET, good); err != nil {
			t.Fatal(err)
		}
		if err := set(&a); err == nil || a != (Sockaddr{}) {
			t.Errorf("%s: %v, family %d", what, err, a.Family())
		}
	}
}

// A peer may fill sun_path without a NUL, and the kernel then reports one byte
// more than the structure has.
func TestUnixFullPath(t *testing.T) {
	directory := t.TempDir()
	t.Chdir(directory)
	name := strings.Repeat("p", maxUnix)
	var a Sockaddr
	a.begin(AF_UNIX, offsetPath+maxUnix)
	copy(a.raw[offsetPath:], name)
	fd := mustSocket(t, AF_UNIX, SOCK_DGRAM)
	if err := Bind(fd, &a); err != nil {
		t.Fatal(err)
	}
	if err := Getsockname(fd, &a); err != nil || a.Unix() != name {
		t.Errorf("the name is %q (size %d), %v", a.Unix(), a.size, err)
	}
}

// Whatever the kernel may write is understood without a panic.
func FuzzSockaddrKernel(f *testing.F) {
	f.Add(uint32(16), []byte{2, 0, 0, 80, 127, 0, 0, 1})
	f.Add(uint32(28), []byte{10, 0, 0, 80, 24: 1})
	f.Add(uint32(111), []byte{1, 0, 'x'})
	f.Add(uint32(1<<32-1), []byte{1, 0, 0, 'x'})
	f.Fuzz(func(t *testing.T, size uint32, raw []byte) {
		a := Sockaddr{size: size}
		copy(a.raw[:], raw)
		a.clip()
		if a.size > sizeofAny || a.size == 1 {
			t.Errorf("size %d became %d", size, a.size)
		}
		isIP := a.Family() == AF_INET && a.size >= sizeofInet4 || a.Family() == AF_INET6 && a.size >= sizeofInet6
		if a.AddrPort().IsValid() != isIP {
			t.Errorf("family %d, size %d: %v", a.Family(), a.size, a.AddrPort())
		}
		if name := a.Unix(); name != "" && a.Family() != AF_UNIX || len(name) > sizeofAny-offsetPath {
			t.Errorf("family %d, size %d: %q", a.Family(), a.size, name)
		}
	})
}

// Names of interfaces are remembered for a while only, and not too many.
func TestZoneCache(t *testing.T) {
	scope, err := zoneToScope("lo")
	if err != nil {
		t.Skip("there is no interface lo")
	}
	if got := scopeToZone(scope); got != "lo" {
		t.Errorf("interface %d is %q", scope, got)
	}
	zones.Lock()
	zones.names[scope] = "renamed"
	zones.Unlock()
	if got := scopeToZone(scope); got != "renamed" {
		t.Errorf("interface %d is not remembered: %q", scope, got)
	}
	zones.Lock()
	zones.until = zones.until.Add(-2 * zoneLifetime)
	zones.Unlock()
	if got := scopeToZone(scope); got != "lo" {
		t.Errorf("interface %d is remembered for too long: %q", scope, got)
	}
	const unknown = 1 << 30
	for i := range uint32(maxZones) {
		scopeToZone(unknown + i)
	}
	if got := scopeToZone(unknown); got != "1073741824" || len(zones.names) > maxZones {
		t.Errorf("an unknown interface is %q; %d are remembered", got, len(zones.names))
	}
}

// Abstract names carry data like paths, and come back with an @.
func TestAbstractName(t *testing.T) {
	var name Sockaddr
	if err := name.SetUnix("@lion-test-" + strings.ReplaceAll(t.TempDir(), "/", "\x00")); err != nil {
		t.Fatal(err)
	}
	server := mustSocket(t, AF_UNIX, SOCK_DGRAM)
	if err := Bind(server, &name); err != nil {
		t.Fatal(err)
	}
	client := mustSocket(t, AF_UNIX, SOCK_DGRAM)
	if _, err := SendMsg(client, &Msg{Buffers: [][]byte{[]byte("x")}, Name: name}, 0); err != nil {
		t.Fatal(err)
	}
	if n, err := Recv(server, make([]byte, 2), 0); n != 1 || err != nil {
		t.Errorf("received %d, %v", n, err)
	}
	var back Sockaddr
	if err := Getsockname(server, &back); err != nil || back.Unix() != name.Unix() || back.Unix()[0] != '@' {
		t.Errorf("%q came back as %q, %v", name.Unix(), back.Unix(), err)
	}
	if err := Bind(client, &name); err != syscall.EADDRINUSE {
		t.Errorf("the same name twice: %v", err)
	}
}
