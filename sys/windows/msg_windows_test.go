package windows

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
	"unsafe"
)

func ptr[T any](v *T) unsafe.Pointer { return unsafe.Pointer(v) }

func farAway() time.Time { return time.Now().Add(patience) }

func TestDatagrams(t *testing.T) {
	p := newPoller(t)
	a, from := bound(t, SOCK_DGRAM)
	b, to := bound(t, SOCK_DGRAM)
	out := Msg{Name: *to, Buffers: [][]byte{[]byte("gather"), nil, []byte("ed")}}
	if n := must(SendMsg(a, &out, 0))(t); n != 8 {
		t.Fatal("sent", n)
	}
	in := Msg{WantName: true, Buffers: [][]byte{make([]byte, 3), make([]byte, 0), make([]byte, 9)}}
	n := until(t, p, b, Readable, func() (int, error) { return RecvMsg(b, &in, 0) })
	if n != 8 || string(in.Buffers[0]) != "gat" || string(in.Buffers[2][:5]) != "hered" {
		t.Fatalf("received %d: %q", n, in.Buffers)
	}
	if in.Name.AddrPort() != from.AddrPort() || in.Flags != 0 {
		t.Fatal("sender", in.Name.AddrPort(), "flags", in.Flags)
	}
}

func TestDatagramsCutAndEmpty(t *testing.T) {
	p := newPoller(t)
	a, _ := bound(t, SOCK_DGRAM)
	b, to := bound(t, SOCK_DGRAM)
	ok(t, Connect(a, to))
	buf := make([]byte, 4)
	for _, control := range []int{0, 128} {
		must(Send(a, []byte("too long"), 0))(t)
		in := Msg{WantName: true, Buffers: [][]byte{buf}, Control: make([]byte, control)}
		n := until(t, p, b, Readable, func() (int, error) { return RecvMsg(b, &in, 0) })
		if n != 4 || string(buf) != "too " || in.Flags&MSG_TRUNC == 0 {
			t.Fatalf("cut datagram: %d %q, flags %#x", n, buf, in.Flags)
		}
	}
	must(Send(a, []byte("too long"), 0))(t)
	if n := until(t, p, b, Readable, func() (int, error) { return Recv(b, buf, 0) }); n != 4 {
		t.Fatal("cut datagram, plainly received:", n)
	}
	must(Send(a, nil, 0))(t)
	must(SendMsg(a, &Msg{}, 0))(t)
	must(Send(a, []byte("x"), 0))(t)
	for _, want := range []int{0, 0, 1} {
		in := Msg{Buffers: [][]byte{buf}}
		n := until(t, p, b, Readable, func() (int, error) { return RecvMsg(b, &in, 0) })
		if n != want || in.Flags != 0 {
			t.Fatalf("received %d, flags %#x, want %d", n, in.Flags, want)
		}
	}
	if _, err := RecvMsg(b, &Msg{Buffers: [][]byte{buf}}, 0); err != WouldBlock {
		t.Fatal("receive of nothing:", err)
	}
	if _, err := Send(a, make([]byte, 4*sendMax), 0); err != EMSGSIZE {
		t.Fatal("a datagram of half a megabyte:", err)
	}
	if _, err := SendMsg(a, &Msg{Buffers: [][]byte{make([]byte, 4*sendMax)}}, 0); err != EMSGSIZE {
		t.Fatal("a datagram of half a megabyte:", err)
	}
}

func TestDatagramPeek(t *testing.T) {
	p := newPoller(t)
	a, _ := bound(t, SOCK_DGRAM)
	b, to := bound(t, SOCK_DGRAM)
	ok(t, Connect(a, to))
	must(Send(a, []byte("twice"), 0))(t)
	for _, flags := range []int{MSG_PEEK, 0} {
		in := Msg{Buffers: [][]byte{make([]byte, 8)}}
		n := until(t, p, b, Readable, func() (int, error) { return RecvMsg(b, &in, flags) })
		if n != 5 || in.Flags != 0 {
			t.Fatalf("received %d, flags %#x", n, in.Flags)
		}
	}
}

func TestStreamVectors(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	var vector [][]byte
	var want []byte
	for i := range MaxBuffers {
		piece := bytes.Repeat([]byte{byte(i)}, i%5)
		vector = append(vector, piece)
		want = append(want, piece...)
	}
	if n := must(SendMsg(a, &Msg{Buffers: vector}, 0))(t); n != len(want) {
		t.Fatal("sent", n, "of", len(want))
	}
	if _, err := SendMsg(a, &Msg{Buffers: append(vector, nil)}, 0); err != EMSGSIZE {
		t.Fatal("one buffer too many:", err)
	}
	got := make([]byte, 0, len(want))
	for len(got) < len(want) {
		x, y := make([]byte, 7), make([]byte, 100)
		in := Msg{WantName: true, Buffers: [][]byte{x, y}, Control: make([]byte, 64)}
		n := until(t, p, b, Readable, func() (int, error) { return RecvMsg(b, &in, 0) })
		got = append(got, append(x, y...)[:n]...)
		if in.Name.Family() != AF_UNSPEC || len(in.Control) != 0 || in.Flags != 0 {
			t.Fatal("a stream gave", in.Name, in.Control, in.Flags)
		}
	}
	if !bytes.Equal(got, want) {
		t.Fatal("the bytes differ")
	}
}

// Control data: the address that a datagram was sent to.
func TestControlData(t *testing.T) {
	const ipPktinfo = 19 // IP_PKTINFO, ws2ipdef.h
	p := newPoller(t)
	a, from := bound(t, SOCK_DGRAM)
	b, to := bound(t, SOCK_DGRAM)
	ok(t, SetsockoptInt(b, IPPROTO_IP, ipPktinfo, 1))
	must(SendMsg(a, &Msg{Name: *to, Buffers: [][]byte{[]byte("hi")}}, 0))(t)
	room := make([]byte, 128)
	in := Msg{WantName: true, Buffers: [][]byte{make([]byte, 8)}, Control: room}
	n := until(t, p, b, Readable, func() (int, error) {
		in.Control = room
		return RecvMsg(b, &in, 0)
	})
	if n != 2 || in.Flags != 0 || in.Name.AddrPort() != from.AddrPort() {
		t.Fatal("received", n, in.Flags, in.Name.AddrPort())
	}
	const header = unsafe.Sizeof(uintptr(0)) + 8 // WSACMSGHDR: a size, level, type
	if len(in.Control) < int(header)+8 {
		t.Fatal("control data:", in.Control)
	}
	typ := binary.LittleEndian.Uint32(in.Control[header-4:])
	address := netip.AddrFrom4([4]byte(in.Control[header:]))
	if typ != ipPktinfo || address != loopback {
		t.Fatal("control data of type", typ, "with", address)
	}

	// The same back: it is sent from the address that it names.
	out := Msg{Name: in.Name, Buffers: [][]byte{[]byte("ho")}, Control: in.Control}
	if n := must(SendMsg(b, &out, 0))(t); n != 2 {
		t.Fatal("sent", n)
	}
	back := Msg{WantName: true, Buffers: [][]byte{make([]byte, 8)}}
	until(t, p, a, Readable, func() (int, error) { return RecvMsg(a, &back, 0) })
	if back.Name.AddrPort() != to.AddrPort() {
		t.Fatal("came from", back.Name.AddrPort())
	}
}

func TestControlDataCut(t *testing.T) {
	const ipPktinfo = 19
	p := newPoller(t)
	a, _ := bound(t, SOCK_DGRAM)
	b, to := bound(t, SOCK_DGRAM)
	ok(t, SetsockoptInt(b, IPPROTO_IP, ipPktinfo, 1))
	must(SendMsg(a, &Msg{Name: *to, Buffers: [][]byte{[]byte("hi")}}, 0))(t)
	room := make([]byte, 8)
	in := Msg{Buffers: [][]byte{make([]byte, 8)}, Control: room}
	n := until(t, p, b, Readable, func() (int, error) {
		in.Control = room
		return RecvMsg(b, &in, 0)
	})
	if n != 2 || in.Flags != MSG_CTRUNC || len(in.Control) != 0 {
		t.Fatalf("received %d, flags %#x, control %v", n, in.Flags, in.Control)
	}
}

// Sends to a closed port must not make later receives fail.
func TestUnreachablePeersAreNotReported(t *testing.T) {
	p := newPoller(t)
	a, to := bound(t, SOCK_DGRAM)
	gone, closed := bound(t, SOCK_DGRAM)
	ok(t, Close(gone))
	must(SendMsg(a, &Msg{Name: *closed, Buffers: [][]byte{[]byte("?")}}, 0))(t)
	must(SendMsg(a, &Msg{Name: *to, Buffers: [][]byte{[]byte("self")}}, 0))(t)
	buf := make([]byte, 8)
	if n := until(t, p, a, Readable, func() (int, error) { return Recv(a, buf, 0) }); n != 4 {
		t.Fatalf("received %q", buf[:n])
	}
}

func TestNoAllocations(t *testing.T) {
	p := newPoller(t)
	a, b := pair(t)
	c, from := bound(t, SOCK_DGRAM)
	buf := make([]byte, 64)
	in := Msg{Buffers: [][]byte{buf}, WantName: true}
	out := Msg{Buffers: [][]byte{buf[:8], buf[8:]}, Name: *from}
	ev := make([]Event, 4)
	check := func(name string, f func()) {
		t.Helper()
		if n := testing.AllocsPerRun(50, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	check("receiving nothing", func() { Recv(b, buf, 0) })
	check("sending and receiving", func() {
		var local [32]byte // on the stack, if it does not escape
		Send(a, local[:], 0)
		for n, err := Recv(b, local[:], 0); n == 0 && err == WouldBlock; {
			n, err = Recv(b, local[:], 0)
		}
	})
	check("messages", func() {
		SendMsg(c, &out, 0)
		for n, err := RecvMsg(c, &in, 0); n == 0 && err == WouldBlock; {
			n, err = RecvMsg(c, &in, 0)
		}
		_ = in.Name.AddrPort()
	})
	check("waiting", func() {
		ok(t, p.Arm(a, 1, Writable))
		if n, err := p.Wait(ev, -1); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	})
	check("registering and forgetting", func() {
		ok(t, p.Arm(b, 1, Readable))
		p.Wait(ev, 0)
		p.Forget(b, 1)
		p.Wait(ev, 0)
	})
	check("waking", func() {
		p.Wake()
		p.Wait(ev, -1)
	})
}

// TestRemembered has no socket to be had at first: that is not for ever.
func TestRemembered(t *testing.T) {
	asked := 0
	address := remembered(func() (uintptr, error) {
		if asked++; asked == 1 {
			return 0, EMFILE
		}
		return 42, nil
	})
	if _, err := address(); err != EMFILE {
		t.Error("at first:", err)
	}
	for range 2 {
		if a, err := address(); a != 42 || err != nil || asked != 2 {
			t.Errorf("later: %d, %v, asked %d times", a, err, asked)
		}
	}
}
