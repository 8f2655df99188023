package seam

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"
)

// dialects have the layouts of all systems, and numbers for every kind.
func dialects() []*Dialect {
	all := Dialect{
		PacketInfo4: Number{0, 8}, PacketInfo6: Number{41, 50}, HopLimit4: Number{0, 2},
		HopLimit6: Number{41, 52}, SetHopLimit4: Number{0, 2}, SetHopLimit6: Number{41, 52}, Class4: Number{0, 1},
		SetClass4: Number{0, 1}, SetClass6: Number{41, 67}, Class6: Number{41, 67}, TimeMicro: Number{1, 29},
		TimeNano: Number{1, 35}, Times: Number{1, 37}, Rights: Number{1, 1},
		Credentials: Number{1, 2}, Segment: Number{17, 104}, SetSegment: Number{17, 104},
		Dropped: Number{1, 40}, Error4: Number{0, 11}, Error6: Number{41, 25},
	}
	layout := func(header, align, length, seconds, fraction, space int, first, two bool) *Dialect {
		d := all
		d.Header, d.Align, d.Length = header, align, length
		d.Seconds, d.Fraction, d.Space = seconds, fraction, space
		d.AddrFirst, d.SegmentIn2 = first, two
		return &d
	}
	return []*Dialect{
		layout(16, 8, 8, 8, 8, 16, false, true),  // Linux, 64 bits
		layout(12, 4, 4, 4, 4, 8, false, true),   // Linux, 32 bits
		layout(12, 4, 4, 8, 4, 16, false, false), // macOS
		layout(16, 8, 8, 8, 4, 16, true, false),  // Windows
	}
}

// must adds what cannot be refused.
func must(t testing.TB, b []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever is built is read again, in any number and order, in every layout.
func TestControlRoundTrip(t *testing.T) {
	infos := []PacketInfo{
		{Addr: netip.MustParseAddr("192.0.2.1"), Interface: 7},
		{Addr: netip.MustParseAddr("2001:db8::1"), Interface: 1 << 20},
		{Addr: netip.MustParseAddr("::ffff:192.0.2.1")},
	}
	for _, d := range dialects() {
		var b []byte
		for _, info := range infos {
			data := len(b) + d.Header
			out, err := d.AppendPacketInfo(b, info)
			b = must(t, out, err)
			if info.Addr.Is4() && !d.AddrFirst {
				copy(b[data+8:], info.Addr.AsSlice()) // as the kernel fills in ipi_addr
			}
		}
		b = d.Append(b, 99, 98, []byte("odd"))
		for _, is4 := range []bool{true, false} {
			out, err := d.AppendHopLimit(b, is4, 255)
			out, err2 := d.AppendTrafficClass(must(t, out, err), is4, 0xb9)
			b = must(t, out, err2)
		}
		out, err := d.AppendRights(b, 3, 4, 5)
		out, err2 := d.AppendCredentials(must(t, out, err), Credentials{PID: 1, UID: 2, GID: 1<<31 - 1})
		b = must(t, out, err2)
		checkMessages(t, d, b, infos)
		for cut := range b { // nothing is read beyond the end
			for range d.All(b[:cut]) {
			}
		}
	}
}

func checkMessages(t *testing.T, d *Dialect, b []byte, infos []PacketInfo) {
	t.Helper()
	var got []PacketInfo
	hops, classes, odd := 0, 0, 0
	for m := range d.All(b) {
		if p, ok := m.PacketInfo(); ok {
			got = append(got, p)
		}
		if n, ok := m.HopLimit(); ok && n == 255 {
			hops++
		}
		if n, ok := m.TrafficClass(); ok && n == 0xb9 {
			classes++
		}
		if m.Level == 99 && m.Type == 98 && bytes.Equal(m.Data, []byte("odd")) {
			odd++
		}
		if fds := m.AppendRightsTo(nil); fds != nil && !slices.Equal(fds, []FD{3, 4, 5}) {
			t.Errorf("rights %v", fds)
		}
		if c, ok := m.Credentials(); ok && (c != Credentials{1, 2, 1<<31 - 1}) {
			t.Errorf("credentials %v", c)
		}
	}
	if !slices.Equal(got, infos) || hops != 2 || classes != 2 || odd != 1 {
		t.Errorf("%d/%d: %v, %d hop limits, %d classes, %d odd", d.Header, d.Align, got, hops, classes, odd)
	}
}

// Times come in three forms.
func TestControlTimes(t *testing.T) {
	for _, d := range dialects()[:3] {
		data := make([]byte, 2*d.Space+d.Seconds+d.Fraction)
		data[0], data[d.Seconds] = 9, 7
		size := d.Seconds + d.Fraction
		for _, c := range []struct {
			n    Number
			size int
			want time.Time
		}{
			{d.TimeMicro, size, time.Unix(9, 7000)}, {d.TimeNano, size, time.Unix(9, 7)},
			{d.Times, len(data), time.Unix(9, 7)},
		} {
			m, _, ok := d.Next(d.Append(nil, c.n.Level, c.n.Type, data[:c.size]))
			if at, is := m.Timestamp(); !ok || !is || !at.Equal(c.want) {
				t.Errorf("%v: %v, want %v", c.n, at, c.want)
			}
			if at, is := m.HardwareTimestamp(); is {
				t.Errorf("%v: hardware time %v out of nothing", c.n, at)
			}
		}
		data[2*d.Space] = 5
		m, _, _ := d.Next(d.Append(nil, d.Times.Level, d.Times.Type, data))
		if at, ok := m.HardwareTimestamp(); !ok || !at.Equal(time.Unix(5, 0)) {
			t.Errorf("hardware time %v", at)
		}
	}
}

// Values that mean nothing are refused and leave what was there as it was; a
// kind that a system lacks is errors.ErrUnsupported.
func TestControlRefused(t *testing.T) {
	full, bare := dialects()[0], &Dialect{Header: 16, Align: 8, Length: 8}
	b := full.Append(nil, 1, 2, nil)
	check := func(what string, out []byte, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || !bytes.Equal(out, b) {
			t.Errorf("%s: % x, %v, want %v", what, out, err, want)
		}
	}
	for _, n := range []int{-1, 256} {
		out, err := full.AppendHopLimit(b, true, n)
		check("hop limit", out, err, syscall.EINVAL)
		out, err = full.AppendTrafficClass(b, false, n)
		check("class", out, err, syscall.EINVAL)
	}
	for _, n := range []int{-1, 0, 65536} {
		out, err := full.AppendSegmentSize(b, n)
		check("segment", out, err, syscall.EINVAL)
	}
	for _, p := range []PacketInfo{{}, {Interface: 1}, {Addr: netip.IPv4Unspecified(), Interface: -1},
		{Addr: netip.MustParseAddr("fe80::1%lo")}} {
		out, err := full.AppendPacketInfo(b, p)
		check("packet info", out, err, syscall.EINVAL)
	}
	out, err := full.AppendRights(b)
	check("no rights", out, err, syscall.EINVAL)
	out, err = bare.AppendRights(b, 1)
	check("rights", out, err, errors.ErrUnsupported)
	out, err = bare.AppendCredentials(b, Credentials{})
	check("credentials", out, err, errors.ErrUnsupported)
	out, err = bare.AppendSegmentSize(b, 1)
	check("segment", out, err, errors.ErrUnsupported)
	out, err = bare.AppendHopLimit(b, true, 1)
	check("hop limit", out, err, errors.ErrUnsupported)
}

// Control data of anybody's making are read without a fault, within their
// bounds, and to their end.
func FuzzControl(f *testing.F) {
	for _, d := range dialects() {
		b, _ := d.AppendPacketInfo(nil, PacketInfo{Addr: netip.IPv6Loopback(), Interface: 1})
		b, _ = d.AppendRights(b, 1, 2)
		f.Add(d.Append(b, 0, 11, make([]byte, 40)))
		f.Add(d.Append(b, 41, 25, make([]byte, 44)))
	}
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, control []byte) {
		for _, d := range append(dialects(), &Dialect{Header: 16, Align: 8, Length: 8}) {
			count := 0
			for m := range d.All(control) {
				if count++; count > len(control)/d.Header {
					t.Fatalf("%d messages in %d bytes", count, len(control))
				}
				m.PacketInfo()
				m.HopLimit()
				m.TrafficClass()
				m.SegmentSize()
				m.Dropped()
				m.Credentials()
				m.Timestamp()
				m.HardwareTimestamp()
				m.ExtendedError()
				if fds := m.AppendRightsTo(nil); len(fds) > len(m.Data)/4 {
					t.Errorf("%d descriptors in %d bytes", len(fds), len(m.Data))
				}
			}
		}
	})
}

// What fits are whole messages, whether or not the padding of the last one does.
func TestControlFit(t *testing.T) {
	for _, d := range dialects() {
		first, second := d.Room(4), d.Header+1 // the second one's padding is left out
		b := d.Append(d.Append(nil, 1, 1, make([]byte, 4)), 1, 2, make([]byte, 1))
		for room, want := range map[int]int{
			0: 0, d.Header + 3: 0, d.Header + 4: d.Header + 4, first: first,
			first + second - 1: first, first + second: first + second,
			len(b): len(b), len(b) + 100: len(b),
		} {
			if got := d.Fit(b, room); got != want {
				t.Errorf("%+v: of %d bytes %d fit in %d, want %d", d, len(b), got, room, want)
			}
		}
		if got := d.Fit(b[:first+d.Header-1], 1000); got != first {
			t.Errorf("half a message fits: %d", got)
		}
	}
}
