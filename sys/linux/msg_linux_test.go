package linux

import (
	"encoding/binary"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The structures that RawSyscall hands to the kernel have the sizes of
// include/linux/socket.h and uio.h: all fields are ints and pointers.
func TestMsgLayout(t *testing.T) {
	const word = unsafe.Sizeof(uintptr(0))
	if got, want := unsafe.Sizeof(unix.Msghdr{}), 7*word; got != want {
		t.Errorf("struct msghdr has %d bytes, want %d", got, want)
	}
	if got, want := unsafe.Sizeof(unix.Iovec{}), 2*word; got != want {
		t.Errorf("struct iovec has %d bytes, want %d", got, want)
	}
	if unix.SizeofCmsghdr != cmsgHeader || unix.CmsgLen(0) != cmsgHeader || unix.CmsgSpace(1) != cmsgHeader+int(word) {
		t.Errorf("struct cmsghdr has %d bytes, want %d", unix.SizeofCmsghdr, cmsgHeader)
	}
	var e unix.EpollEvent
	if unsafe.Offsetof(e.Pad) != unsafe.Offsetof(e.Fd)+4 || unsafe.Offsetof(e.Pad)+4 != unsafe.Sizeof(e) {
		t.Errorf("struct epoll_event keeps its 64 bits elsewhere: %d, %d of %d",
			unsafe.Offsetof(e.Fd), unsafe.Offsetof(e.Pad), unsafe.Sizeof(e))
	}
}

// sendRights sends one byte with a number of descriptors.
func sendRights(t *testing.T, to FD, count int) {
	t.Helper()
	r, w, err := Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer Close(r)
	defer Close(w)
	rights := unix.UnixRights(slices.Repeat([]int{int(r)}, count)...)
	if n, err := SendMsg(to, &Msg{Buffers: [][]byte{{1}}, Control: rights}, 0); n != 1 || err != nil {
		t.Fatalf("sending %d descriptors: %d, %v", count, n, err)
	}
}

func openCount(t *testing.T) int {
	t.Helper()
	fds, err := OpenFDs()
	if err != nil {
		t.Fatal(err)
	}
	return len(fds)
}

// Descriptors that came are the caller's, are not inherited, and no flag is
// reported that nobody asked for.
func TestRights(t *testing.T) {
	a, b := mustPair(t, SOCK_STREAM)
	sendRights(t, a, 3)
	m := Msg{Buffers: [][]byte{make([]byte, 4)}, Control: make([]byte, unix.CmsgSpace(3*4)),
		WantRights: true}
	if n, err := RecvMsg(b, &m, 0); n != 1 || err != nil || m.Flags != 0 {
		t.Fatalf("received %d, %v, flags %#x", n, err, m.Flags)
	}
	parts, err := unix.ParseSocketControlMessage(m.Control)
	if err != nil || len(parts) != 1 {
		t.Fatal(len(parts), err)
	}
	fds, err := unix.ParseUnixRights(&parts[0])
	if err != nil || len(fds) != 3 {
		t.Fatal(fds, err)
	}
	for _, fd := range fds {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("descriptor %d: flags %#x, %v", fd, flags, err)
		}
		if err := Close(FD(fd)); err != nil {
			t.Error(err)
		}
	}
}

// If some were lost, none stays open, and no number is left to be misused.
func TestRightsTruncated(t *testing.T) {
	for _, c := range []struct{ sent, room int }{
		{3, unix.CmsgSpace(4)}, {253, unix.CmsgSpace(100 * 4)}, {2, unix.CmsgLen(4)}, {1, 0}, {2, 4},
		{2, unix.CmsgLen(0)}, {4, unix.CmsgLen(3*4) - 1},
	} {
		a, b := mustPair(t, SOCK_STREAM)
		before := openCount(t)
		sendRights(t, a, c.sent)
		m := Msg{Buffers: [][]byte{make([]byte, 4)}, Control: make([]byte, c.room), WantRights: true}
		n, err := RecvMsg(b, &m, 0)
		if n != 1 || err != nil || m.Flags&MSG_CTRUNC == 0 {
			t.Errorf("%+v: received %d, %v, flags %#x", c, n, err, m.Flags)
		}
		if now := openCount(t); now != before {
			t.Errorf("%+v: %d descriptors were left open", c, now-before)
		}
		for rest := m.Control; len(rest) > unix.CmsgLen(3); rest = rest[4:] {
			if at := unix.CmsgLen(0); int32(binary.NativeEndian.Uint32(rest[at:])) != -1 {
				t.Errorf("%+v: % x is left", c, m.Control)
				break
			}
		}
	}
}

// With SO_PASSPIDFD each message brings a descriptor of the sender: the caller's if he
// wants it, else closed like those that were passed, also with a message that was cut.
func TestPIDFD(t *testing.T) {
	const passPIDFD = 76 // SO_PASSPIDFD, include/uapi/asm-generic/socket.h
	one, two := unix.CmsgSpace(4), unix.CmsgSpace(4)+unix.CmsgSpace(3*4)
	for _, c := range []struct {
		sent, room int
		want       bool
		left       int
	}{
		{0, one, true, 1}, {0, one, false, 0}, // the pidfd alone
		{3, two, true, 4}, {3, two, false, 0}, // all fit
		{3, two - 8, true, 0}, {3, one, true, 0}, {3, one, false, 0}, // the rest is cut off
	} {
		a, b := mustPair(t, SOCK_STREAM)
		if err := SetsockoptInt(b, SOL_SOCKET, passPIDFD, 1); err == ENOPROTOOPT {
			t.Skip("this kernel has no SO_PASSPIDFD (since 6.5)")
		} else if err != nil {
			t.Fatal(err)
		}
		before := openCount(t)
		sendRights(t, a, c.sent)
		m := Msg{Buffers: [][]byte{make([]byte, 4)}, Control: make([]byte, c.room),
			WantRights: c.want}
		if n, err := RecvMsg(b, &m, 0); n != 1 || err != nil {
			t.Fatalf("%+v: received %d, %v", c, n, err)
		}
		if cut := c.room < two && c.sent > 0; m.Flags&MSG_CTRUNC == 0 && cut {
			t.Errorf("%+v: nothing was cut: flags %#x", c, m.Flags)
		}
		if left := openCount(t) - before; left != c.left {
			t.Errorf("%+v: %d descriptors are open", c, left)
		}
		parts, err := unix.ParseSocketControlMessage(m.Control)
		if err != nil || len(parts) == 0 {
			t.Fatalf("%+v: % x, %v", c, m.Control, err)
		}
		for _, part := range parts {
			for data := part.Data; len(data) >= 4; data = data[4:] {
				switch fd := int(int32(binary.NativeEndian.Uint32(data))); {
				case c.left == 0 && fd != -1:
					t.Errorf("%+v: %d is left", c, fd)
				case c.left > 0:
					if err := Close(FD(fd)); err != nil {
						t.Errorf("%+v: %v", c, err)
					}
				}
			}
		}
	}
}

// Malformed control data does not close anything that is not named in it.
func FuzzCloseRights(f *testing.F) {
	f.Add(unix.UnixRights(-1, -1))
	f.Add([]byte{1, 2, 3})
	f.Add(make([]byte, 64))
	f.Add(append(unix.UnixRights(-1, -1, -1), unix.UnixRights(-1)...))
	f.Add(append([]byte{40}, make([]byte, 47)...))
	f.Fuzz(func(t *testing.T, control []byte) {
		// Replace whatever looks like a descriptor, lest the test closes its own.
		for i := unix.CmsgLen(0); i+4 <= len(control); i += 4 {
			control[i+3] |= 0x80
		}
		before := len(control)
		closeRights(control)
		if len(control) != before {
			t.Error("the length changed")
		}
	})
}

// Messages, names and buffers on the stack stay there.
func TestMsgStaysOnStack(t *testing.T) {
	fd := mustSocket(t, AF_UNIX, SOCK_DGRAM)
	var name Sockaddr
	if err := name.SetUnix("@" + t.Name() + t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := Bind(fd, &name); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, count := range []int{1, fewBuffers, fewBuffers + 1, 100} {
		n := testing.AllocsPerRun(100, func() {
			var data [100]byte
			var buffers [100][]byte
			for i := range count {
				buffers[i] = data[i : i+1]
			}
			m := Msg{Buffers: buffers[:count], Name: name}
			if n, err := SendMsg(fd, &m, 0); n != count || err != nil {
				failed++
			}
			var control [64]byte
			m = Msg{Buffers: buffers[:count], WantName: true, Control: control[:]}
			if n, err := RecvMsg(fd, &m, 0); n != count || err != nil || m.Name != name {
				failed++
			}
		})
		if n != 0 || failed != 0 {
			t.Errorf("%d buffers: %v allocations, %d failures", count, n, failed)
		}
	}
}
