package sys_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/lion-go/lion/sys"
)

// udp makes a datagram socket of a family, bound to its loopback address. The
// test is skipped where there is no such family.
func udp(t *testing.T, family int) (sys.FD, *sys.Sockaddr) {
	t.Helper()
	fd, err := sys.Socket(family, sys.SOCK_DGRAM, 0)
	owned(t, fd, err)
	at := loopback4
	if family == sys.AF_INET6 {
		at = netip.IPv6Loopback()
	}
	if err := sys.Bind(fd, address(t, family, netip.AddrPortFrom(at, 0))); err != nil {
		t.Skipf("this host has no address of family %d: %v", family, err)
	}
	var name sys.Sockaddr
	must(t, sys.Getsockname(fd, &name))
	return fd, &name
}

// asked switches an option on, and reports whether the system has it.
func asked(t *testing.T, fd sys.FD, level, name int) bool {
	t.Helper()
	err := sys.SetsockoptInt(fd, level, name, 1)
	if err != nil {
		t.Logf("option %d at %d: %v", name, level, err)
	}
	return err == nil
}

// A datagram brings where it went to, how far it came and its class, in both
// families, if the receiver asked for it and as the sender said. S288, S290.
func TestDatagramControl(t *testing.T) {
	for _, c := range []struct{ family, level, info, hops, class int }{
		{sys.AF_INET, sys.IPPROTO_IP, sys.IP_PKTINFO, sys.IP_RECVTTL, sys.IP_RECVTOS},
		{sys.AF_INET6, sys.IPPROTO_IPV6, sys.IPV6_RECVPKTINFO, sys.IPV6_RECVHOPLIMIT,
			sys.IPV6_RECVTCLASS},
	} {
		a, _ := udp(t, c.family)
		b, to := udp(t, c.family)
		withInfo := asked(t, b, c.level, c.info)
		withHops := asked(t, b, c.level, c.hops)
		withClass := asked(t, b, c.level, c.class)
		is4 := c.family == sys.AF_INET
		out := sys.Msg{Buffers: [][]byte{[]byte("x")}, Name: *to}
		var err error
		out.Control, err = sys.Controls.AppendPacketInfo(nil, sys.PacketInfo{Addr: to.AddrPort().Addr()})
		must(t, err)
		hops, hopsErr := sys.Controls.AppendHopLimit(out.Control, is4, 33)
		if hopsErr == nil {
			out.Control = hops
		}
		class, classErr := sys.Controls.AppendTrafficClass(out.Control, is4, 0x2a)
		if classErr == nil {
			out.Control = class
		}
		if _, err := sys.SendMsg(a, &out, 0); err != nil {
			t.Fatalf("family %d: sending with control data: %v", c.family, err)
		}
		in := sys.Msg{Buffers: [][]byte{make([]byte, 4)}, Control: make([]byte, 256)}
		if n := recvMsg(t, b, &in); n != 1 || in.Flags != 0 {
			t.Errorf("%d bytes, flags %#x", n, in.Flags)
		}
		for m := range sys.Controls.All(in.Control) {
			if p, ok := m.PacketInfo(); ok {
				withInfo = false
				if p.Addr != to.AddrPort().Addr() || p.Interface == 0 {
					t.Errorf("came to %v", p)
				}
			}
			if n, ok := m.HopLimit(); ok {
				withHops = false
				if hopsErr == nil && n != 33 {
					t.Errorf("hop limit %d", n)
				}
			}
			if n, ok := m.TrafficClass(); ok {
				withClass = false
				if classErr == nil && n != 0x2a {
					t.Errorf("class %#x", n)
				}
			}
		}
		if withInfo || withHops || withClass {
			t.Errorf("family %d: missing: info %t, hops %t, class %t", c.family, withInfo, withHops, withClass)
		}
	}
}

// Several messages go in one call and come in one, each with its own size,
// name, flags and control data; fewer than asked for are no error, none are
// WouldBlock.
func TestBatch(t *testing.T) {
	noLeaks(t)
	a, nameA := bound(t, sys.SOCK_DGRAM)
	b, nameB := bound(t, sys.SOCK_DGRAM)
	if _, err := sys.RecvMMsg(b, nil, 0); err != sys.EINVAL {
		t.Errorf("no room: %v", err)
	}
	if _, err := sys.SendMMsg(a, []sys.Msg{}, 0); err != sys.EINVAL {
		t.Errorf("no message: %v", err)
	}
	in := make([]sys.Msg, 5)
	for i := range in {
		in[i] = sys.Msg{Buffers: [][]byte{make([]byte, 2), make([]byte, 2)}, WantName: true}
	}
	if n, err := sys.RecvMMsg(b, in, 0); n != 0 || err != sys.WouldBlock {
		t.Fatalf("receiving nothing: %d, %v", n, err)
	}
	out := []sys.Msg{
		{Buffers: [][]byte{[]byte("o"), []byte("ne")}, Name: *nameB},
		{Name: *nameB}, // empty
		{Buffers: [][]byte{[]byte("too long")}, Name: *nameB},
	}
	n, err := sys.SendMMsg(a, out, 0)
	if n != 3 || err != nil || out[0].N != 3 || out[1].N != 0 || out[2].N != 8 {
		t.Fatalf("sent %d, %v: %d %d %d", n, err, out[0].N, out[1].N, out[2].N)
	}
	came := 0
	for came < 3 {
		must(t, retry(t, b, sys.Readable, func() error {
			n, err := sys.RecvMMsg(b, in[came:], 0)
			came += n
			return err
		}))
	}
	for i, want := range []int{3, 0, 4} {
		m := &in[i]
		if m.N != want || m.Name.AddrPort() != nameA.AddrPort() || m.Flags&sys.MSG_TRUNC != 0 != (i == 2) {
			t.Errorf("message %d: %d bytes from %v, flags %#x", i, m.N, m.Name.AddrPort(), m.Flags)
		}
	}
	if string(in[0].Buffers[0])+string(in[0].Buffers[1][:1]) != "one" {
		t.Errorf("%q", in[0].Buffers)
	}
}

// More messages, or more buffers, than one call takes: it takes some.
func TestBatchBounds(t *testing.T) {
	a, _ := bound(t, sys.SOCK_DGRAM)
	_, nameB := bound(t, sys.SOCK_DGRAM)
	many := make([]sys.Msg, 2*sys.MaxBatch)
	for i := range many {
		many[i] = sys.Msg{Buffers: [][]byte{{1}, {2}, {3}, {4}, {5}}, Name: *nameB}
	}
	for left := many; len(left) > 0; {
		n, err := sys.SendMMsg(a, left, 0)
		if n < 1 || n > sys.MaxBatch || err != nil {
			t.Fatalf("sent %d, %v", n, err)
		}
		left = left[n:]
	}
	wide := []sys.Msg{{Buffers: make([][]byte, sys.MaxBuffers), Name: *nameB}, many[0]}
	if n, err := sys.SendMMsg(a, wide, 0); n < 1 || err != nil {
		t.Errorf("a message of %d buffers: %d, %v", sys.MaxBuffers, n, err)
	}
	wide[0].Buffers = make([][]byte, sys.MaxBuffers+1)
	if n, err := sys.SendMMsg(a, wide, 0); n != 0 || err != sys.EMSGSIZE {
		t.Errorf("a message of too many buffers: %d, %v", n, err)
	}
	wide[0], wide[1] = wide[1], wide[0]
	if n, _ := sys.SendMMsg(a, wide, 0); n != 1 {
		t.Errorf("before a message of too many buffers: %d", n)
	}
}

// A group is joined and left; what cannot be is an error.
func TestMembership(t *testing.T) {
	fd, _ := udp(t, sys.AF_INET)
	group, source := netip.MustParseAddr("232.1.2.3"), netip.MustParseAddr("127.0.0.1")
	none := netip.Addr{}
	if err := sys.SetMembership(fd, sys.MCAST_JOIN_SOURCE_GROUP, group, source, 0); err != nil {
		t.Logf("this system has no groups for single sources: %v", err)
		if err != sys.ENOPROTOOPT || resets { // Wine, and nobody else
			t.Error(err)
		}
	} else {
		must(t, sys.SetMembership(fd, sys.MCAST_LEAVE_SOURCE_GROUP, group, source, 0))
	}
	must(t, sys.SetMembership(fd, sys.MCAST_JOIN_GROUP, group, none, 0))
	must(t, sys.SetMembership(fd, sys.MCAST_LEAVE_GROUP, group, none, 0))
	if err := sys.SetMembership(fd, sys.MCAST_LEAVE_GROUP, group, none, 0); err == nil {
		t.Error("left a group twice")
	}
	if err := sys.SetMembership(fd, sys.MCAST_JOIN_GROUP, source, none, 1); err == nil {
		t.Error("joined a unicast address")
	}
	err := sys.SetMembership(fd, sys.MCAST_JOIN_SOURCE_GROUP, group, netip.IPv6Loopback(), 1)
	if err != sys.EAFNOSUPPORT {
		t.Errorf("a source of another family: %v", err)
	}
	if err := sys.SetMulticastInterface(fd, sys.AF_INET, 1); err != nil && resets {
		t.Error(err) // Wine takes addresses only
	}
}

// A connection tells about itself, or the system says that it cannot.
func TestTCPInfo(t *testing.T) {
	fd, _ := listener(t)
	info, err := sys.GetTCPInfo(fd)
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("this system does not tell:", err)
	}
	if err != nil || info.State != "LISTEN" {
		t.Errorf("a listener: %+v, %v", info, err)
	}
	other, _ := bound(t, sys.SOCK_DGRAM)
	if _, err := sys.GetTCPInfo(other); err == nil {
		t.Error("a datagram socket has TCP_INFO")
	}
}

// Addresses of other families, and those in the kernel's form, come back.
func TestOtherFamilies(t *testing.T) {
	var a, b sys.Sockaddr
	if err := a.SetVsock(2, 1024); err == nil {
		if c, p, ok := a.Vsock(); c != 2 || p != 1024 || !ok || a.Family() != sys.AF_VSOCK {
			t.Errorf("vsock %d:%d", c, p)
		}
	} else if !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	if err := a.SetNetlink(3, 5); err == nil {
		if p, g, ok := a.Netlink(); p != 3 || g != 5 || !ok || a.Family() != sys.AF_NETLINK {
			t.Errorf("netlink %d:%d", p, g)
		}
		if err := a.SetPacket(0x88b5, 2, make([]byte, 9)); err == nil || a.Family() != sys.AF_UNSPEC {
			t.Errorf("a hardware address that is too long: %v", err)
		}
	}
	if err := a.SetPacket(0x88b5, 2, []byte{1, 2, 3, 4, 5, 6}); err == nil {
		if p, i, ok := a.Packet(); p != 0x88b5 || i != 2 || !ok || a.Family() != sys.AF_PACKET {
			t.Errorf("packet %x:%d", p, i)
		}
	}
	_, name := udp(t, sys.AF_INET)
	raw := name.AppendRaw(nil)
	must(t, b.SetRaw(raw))
	if b.AddrPort() != name.AddrPort() {
		t.Errorf("raw: %v, not %v", b.AddrPort(), name.AddrPort())
	}
	if b.SetRaw(make([]byte, 1)) == nil || b.SetRaw(make([]byte, 500)) == nil {
		t.Error("an address of impossible size was taken")
	}
}

// A batch, and messages with control data, allocate nothing.
func TestControlAllocatesNothing(t *testing.T) {
	a, _ := udp(t, sys.AF_INET)
	b, to := udp(t, sys.AF_INET)
	must(t, sys.SetsockoptInt(b, sys.IPPROTO_IP, sys.IP_PKTINFO, 1))
	var out, in [4]sys.Msg
	data, room, control := make([]byte, 10), make([]byte, 100), make([]byte, 0, 256)
	buffers, rooms := [][]byte{data}, [][]byte{room}
	infos := 0
	exchange := func() {
		control = control[:0]
		control, _ = sys.Controls.AppendPacketInfo(control, sys.PacketInfo{Addr: loopback4})
		for i := range out {
			out[i].Buffers, out[i].Name, out[i].Control = buffers, *to, control
			in[i].Buffers, in[i].WantName = rooms, true
			if in[i].Control == nil {
				in[i].Control = make([]byte, 64)
			}
			in[i].Control = in[i].Control[:64]
		}
		if n, err := sys.SendMMsg(a, out[:], 0); n != len(out) || err != nil {
			t.Fatal(n, err)
		}
		for got := 0; got < len(in); {
			n, err := sys.RecvMMsg(b, in[got:], 0)
			if err != nil && err != sys.WouldBlock {
				t.Fatal(err)
			}
			got += n
		}
		for i := range in {
			for m, rest, ok := sys.Controls.Next(in[i].Control); ok; m, rest, ok = sys.Controls.Next(rest) {
				if _, ok := m.PacketInfo(); ok {
					infos++
				}
			}
		}
	}
	exchange()
	if n := testing.AllocsPerRun(100, exchange); n != 0 || infos != 4*102 {
		t.Errorf("%v allocations, %d packet infos", n, infos)
	}
}
