package sys_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/lion-go/lion/sys"
)

func recvMsg(t testing.TB, fd sys.FD, m *sys.Msg) int {
	t.Helper()
	var n int
	must(t, retry(t, fd, sys.Readable, func() (err error) {
		n, err = sys.RecvMsg(fd, m, 0)
		return err
	}))
	return n
}

// A datagram is gathered from several buffers, some of them empty, and
// scattered over others, and brings the name of its sender.
func TestDatagram(t *testing.T) {
	noLeaks(t)
	a, nameA := bound(t, sys.SOCK_DGRAM)
	b, nameB := bound(t, sys.SOCK_DGRAM)
	out := sys.Msg{
		Buffers: [][]byte{[]byte("ga"), nil, []byte("the"), {}, []byte("red")},
		Name:    *nameB,
	}
	if n, err := sys.SendMsg(a, &out, 0); err != nil || n != 8 {
		t.Fatalf("sending: %d, %v", n, err)
	}
	x, y, z := make([]byte, 3), make([]byte, 4), make([]byte, 5)
	in := sys.Msg{Buffers: [][]byte{x, {}, y, z}, WantName: true, Flags: -1}
	if n := recvMsg(t, b, &in); n != 8 || string(x)+string(y)+string(z[:1]) != "gathered" {
		t.Errorf("received %d bytes: %q %q %q", n, x, y, z)
	}
	if in.Name.AddrPort() != nameA.AddrPort() {
		t.Errorf("from %v, not %v", in.Name.AddrPort(), nameA.AddrPort())
	}
	if in.Flags != 0 {
		t.Errorf("flags %#x", in.Flags)
	}
	// Back to the sender, with the name that came.
	in.Buffers = [][]byte{x}
	if n, err := sys.SendMsg(b, &in, 0); err != nil || n != 3 {
		t.Fatalf("sending back: %d, %v", n, err)
	}
	if n := recvMsg(t, a, &sys.Msg{Buffers: [][]byte{y}}); n != 3 || string(y[:n]) != "gat" {
		t.Errorf("back came %q", y[:n])
	}
}

// A datagram that does not fit is cut, which the flags say; the next one is
// whole.
func TestDatagramTruncated(t *testing.T) {
	noLeaks(t)
	a, _ := bound(t, sys.SOCK_DGRAM)
	b, name := bound(t, sys.SOCK_DGRAM)
	for _, text := range []string{"too long", "ok"} {
		out := sys.Msg{Buffers: [][]byte{[]byte(text)}, Name: *name}
		if _, err := sys.SendMsg(a, &out, 0); err != nil {
			t.Fatal(err)
		}
	}
	buffer := make([]byte, 4)
	in := sys.Msg{Buffers: [][]byte{buffer}}
	if n := recvMsg(t, b, &in); n != 4 || in.Flags&sys.MSG_TRUNC == 0 || string(buffer) != "too " {
		t.Errorf("cut: %d bytes %q, flags %#x", n, buffer, in.Flags)
	}
	if n := recvMsg(t, b, &in); n != 2 || in.Flags&sys.MSG_TRUNC != 0 || string(buffer[:n]) != "ok" {
		t.Errorf("whole: %d bytes %q, flags %#x", n, buffer[:n], in.Flags)
	}
}

// A receive that would block leaves the message as it was, so that it can be
// made again, but for the name that it would have stored.
func TestRecvMsgWouldBlock(t *testing.T) {
	noLeaks(t)
	stream, _ := pair(t)
	datagram, name := bound(t, sys.SOCK_DGRAM)
	for _, fd := range []sys.FD{stream, datagram} {
		for _, control := range []int{0, 64} {
			m := sys.Msg{Buffers: [][]byte{make([]byte, 3), make([]byte, 4)},
				Control: make([]byte, control), Flags: 7, Name: *name}
			for _, m.WantName = range []bool{false, true} {
				if n, err := sys.RecvMsg(fd, &m, 0); n != 0 || err != sys.WouldBlock {
					t.Fatalf("receiving nothing: %d, %v", n, err)
				}
				if len(m.Buffers) != 2 || len(m.Buffers[1]) != 4 || len(m.Control) != control || m.Flags != 7 {
					t.Errorf("%d bytes of control data: %+v", control, m)
				}
				if named := m.Name == *name; named == m.WantName || !named && m.Name != (sys.Sockaddr{}) {
					t.Errorf("wanted: %t, the name is %v", m.WantName, m.Name.AddrPort())
				}
			}
		}
	}
}

// Empty datagrams are datagrams: sent without buffers, or with empty ones, and
// received with a name though without a byte.
func TestDatagramEmpty(t *testing.T) {
	noLeaks(t)
	a, nameA := bound(t, sys.SOCK_DGRAM)
	b, nameB := bound(t, sys.SOCK_DGRAM)
	for _, buffers := range [][][]byte{nil, {}, {nil}, {{}, {}}} {
		if n, err := sys.SendMsg(a, &sys.Msg{Buffers: buffers, Name: *nameB}, 0); n != 0 || err != nil {
			t.Fatalf("sending %v: %d, %v", buffers, n, err)
		}
		in := sys.Msg{Buffers: [][]byte{make([]byte, 4)}, WantName: true}
		if n := recvMsg(t, b, &in); n != 0 {
			t.Errorf("an empty datagram has %d bytes", n)
		}
		if in.Name.AddrPort() != nameA.AddrPort() {
			t.Errorf("from %v, not %v", in.Name.AddrPort(), nameA.AddrPort())
		}
	}
	// A receive without buffers takes the whole datagram, and says that it cut.
	if _, err := sys.SendMsg(a, &sys.Msg{Buffers: [][]byte{{1}}, Name: *nameB}, 0); err != nil {
		t.Fatal(err)
	}
	var in sys.Msg
	if n := recvMsg(t, b, &in); n != 0 || in.Flags&sys.MSG_TRUNC == 0 {
		t.Errorf("without buffers: %d bytes, flags %#x", n, in.Flags)
	}
	if _, err := sys.RecvMsg(b, &in, 0); err != sys.WouldBlock {
		t.Errorf("the datagram is still there: %v", err)
	}
}

// A connected datagram socket needs no name.
func TestDatagramConnected(t *testing.T) {
	noLeaks(t)
	a, _ := bound(t, sys.SOCK_DGRAM)
	b, name := bound(t, sys.SOCK_DGRAM)
	must(t, sys.Connect(a, name))
	send(t, a, []byte("plain"), 0)
	b1 := make([]byte, 8)
	if n := recv(t, b, b1, 0); string(b1[:n]) != "plain" {
		t.Errorf("received %q", b1[:n])
	}
	if n, err := sys.SendMsg(a, &sys.Msg{Buffers: [][]byte{[]byte("msg")}}, 0); err != nil || n != 3 {
		t.Fatalf("sending: %d, %v", n, err)
	}
	if n := recv(t, b, b1, 0); string(b1[:n]) != "msg" {
		t.Errorf("received %q", b1[:n])
	}
}

// As many buffers as the limit are sent and received, at each number where the
// way of the call may change; more are refused and nothing is sent.
func TestBufferCounts(t *testing.T) {
	noLeaks(t)
	a, b := pair(t)
	for _, count := range []int{1, 2, 15, 16, 17, 64, 65, 1000, sys.MaxBuffers} {
		data := make([]byte, 3*count)
		for i := range data {
			data[i] = byte(i * 11)
		}
		got := make([]byte, len(data))
		var out, in sys.Msg
		for i := range count {
			out.Buffers = append(out.Buffers, data[3*i:3*i+3])
			in.Buffers = append(in.Buffers, got[3*i:3*i+3])
		}
		if n, err := sys.SendMsg(a, &out, 0); err != nil || n != len(data) {
			t.Fatalf("sending %d buffers: %d, %v", count, n, err)
		}
		for n := 0; n < len(data); { // what came in parts is gathered by offset
			k := recvMsg(t, b, &in)
			if k < len(data)-n {
				copy(got[n:], got[:k])
				in.Buffers = [][]byte{got[n+k:]}
			}
			n += k
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d buffers arrived changed", count)
		}
	}
	var m sys.Msg
	m.Buffers = make([][]byte, sys.MaxBuffers+1)
	m.Buffers[0] = []byte("x")
	if _, err := sys.SendMsg(a, &m, 0); err != sys.EMSGSIZE {
		t.Errorf("sending too many buffers: %v, want EMSGSIZE", err)
	}
	if _, err := sys.RecvMsg(b, &m, 0); err != sys.EMSGSIZE {
		t.Errorf("receiving too many buffers: %v, want EMSGSIZE", err)
	}
	if _, err := sys.Recv(b, make([]byte, 1), 0); err != sys.WouldBlock {
		t.Errorf("something was sent: %v", err)
	}
}

// A message for a stream works like Send and Recv, and its name is nobody's.
func TestStreamMsg(t *testing.T) {
	noLeaks(t)
	a, b := ownedTCPPair(t)
	big := make([]byte, 100<<10) // more than the short path takes
	m := sys.Msg{Buffers: [][]byte{[]byte("head"), big}}
	n, err := sys.SendMsg(a, &m, 0)
	if err != nil || n < 4 {
		t.Fatalf("sending: %d, %v", n, err)
	}
	head := make([]byte, 4)
	in := sys.Msg{Buffers: [][]byte{head, make([]byte, 200<<10)}, WantName: true}
	in.Name = *address(t, sys.AF_INET, addrPort("192.0.2.1:9"))
	if k := recvMsg(t, b, &in); k < 4 || k > n || string(head) != "head" {
		t.Errorf("received %d of %d: %q", k, n, head)
	}
	if f := in.Name.Family(); f != sys.AF_UNSPEC && in.Name.AddrPort() == addrPort("192.0.2.1:9") {
		t.Errorf("the old name stayed: %v", in.Name.AddrPort())
	}
}

// A receive that would block leaves the message as it was, so that it can be
// tried again.
func TestMsgUnchanged(t *testing.T) {
	noLeaks(t)
	fd, name := bound(t, sys.SOCK_DGRAM)
	m := sys.Msg{Buffers: [][]byte{make([]byte, 4)}, Control: make([]byte, 64), WantName: true}
	for range 2 {
		if _, err := sys.RecvMsg(fd, &m, 0); err != sys.WouldBlock {
			t.Fatalf("receiving nothing: %v, want WouldBlock", err)
		}
	}
	if len(m.Buffers) != 1 || len(m.Buffers[0]) != 4 || len(m.Control) != 64 || !m.WantName {
		t.Errorf("the message has changed: %+v", m)
	}
	if _, err := sys.SendMsg(fd, &sys.Msg{Name: *name}, 0); err != nil {
		t.Fatal(err)
	}
	if recvMsg(t, fd, &m); m.Name.AddrPort() != name.AddrPort() || len(m.Control) != 0 {
		t.Errorf("received from %v, control data %v", m.Name.AddrPort(), m.Control)
	}
}

// A refused datagram is reported once, and the socket goes on.
func TestDatagramRefused(t *testing.T) {
	noLeaks(t)
	gone, err := sys.Socket(sys.AF_INET, sys.SOCK_DGRAM, 0)
	must(t, err)
	must(t, sys.Bind(gone, address(t, sys.AF_INET, addrPort("127.0.0.1:0"))))
	var name sys.Sockaddr
	must(t, sys.Getsockname(gone, &name))
	must(t, sys.Close(gone))
	a, own := bound(t, sys.SOCK_DGRAM)
	must(t, sys.Connect(a, &name))
	send(t, a, []byte("x"), 0)
	_, err = sys.Recv(a, make([]byte, 1), 0)
	switch {
	case err == sys.WouldBlock:
		t.Skip("this system does not report refused datagrams")
	case err != sys.ECONNREFUSED && err != sys.ECONNRESET:
		t.Errorf("receiving from nobody: %v", err)
	}
	if _, err := sys.Recv(a, make([]byte, 1), 0); err != sys.WouldBlock {
		t.Errorf("reported again: %v", err)
	}
	must(t, sys.Connect(a, own)) // to itself
	send(t, a, []byte("y"), 0)
	recvFull(t, a, make([]byte, 1))
}

// Streams between unix sockets with names, and the names of both sides.
func TestUnixSockets(t *testing.T) {
	noLeaks(t)
	l, err := sys.Socket(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if err == sys.EAFNOSUPPORT {
		t.Skip("this system has no unix sockets")
	}
	owned(t, l, err)
	var name sys.Sockaddr
	if err := name.SetUnix(shortPath(t)); errors.Is(err, errors.ErrUnsupported) {
		t.Skip("unix sockets have no names on this system")
	} else {
		must(t, err)
	}
	must(t, sys.Bind(l, &name))
	must(t, sys.Listen(l, 1))
	client := socket(t, sys.AF_UNIX, sys.SOCK_STREAM)
	connect(t, client, &name)
	var from sys.Sockaddr
	server, err := sys.Accept(l, &from)
	owned(t, server, err)
	if from.Family() != sys.AF_UNIX || from.Unix() != "" {
		t.Errorf("an unnamed client has family %d, name %q", from.Family(), from.Unix())
	}
	must(t, sys.Getpeername(client, &from))
	if from.Unix() != name.Unix() || from.Unix() == "" {
		t.Errorf("the peer is %q, not %q", from.Unix(), name.Unix())
	}
	if from.AddrPort().IsValid() {
		t.Errorf("a path became %v", from.AddrPort())
	}
	send(t, client, []byte("x"), 0)
	recvFull(t, server, make([]byte, 1))
}
