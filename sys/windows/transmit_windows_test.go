package windows

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/windows"
)

// fileSize is that of the file that the tests send: more than the buffers of a
// connection hold whose receiver does not look.
const fileSize = 16 << 20

// opened makes a file of fileSize bytes that differ and opens it as lion does.
func opened(t *testing.T) (FD, string, []byte) {
	t.Helper()
	data := make([]byte, fileSize)
	for i := range data {
		data[i] = byte(i*7 + i>>8*13 + i>>16*31)
	}
	dir := must(os.MkdirTemp("", "transmit"))(t) // Wine cannot clean up a t.TempDir
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	name := filepath.Join(dir, "file")
	ok(t, os.WriteFile(name, data, 0o600))
	fd, state, err := OpenFile(name)
	ok(t, err)
	if state.Size != fileSize {
		t.Fatalf("the file has %d bytes", state.Size)
	}
	t.Cleanup(func() { ok(t, CloseFile(fd)) })
	return fd, name, data
}

// ended fails the test if the system is still believed to own a transmission.
func ended(t *testing.T) {
	t.Helper()
	transmits.Lock()
	defer transmits.Unlock()
	if n := len(transmits.underway); n != 0 {
		t.Errorf("%d transmissions are under way", n)
	}
}

// received collects what comes on fd up to its end, or a reset.
func received(t *testing.T, fd FD) <-chan []byte {
	t.Helper()
	p, all := newPoller(t), make(chan []byte, 1)
	go func() {
		var got []byte
		defer func() { all <- got }()
		buf := make([]byte, 64<<10)
		var ev [8]Event
		for {
			n, err := Recv(fd, buf, 0)
			if err == WouldBlock {
				if err = p.Arm(fd, 1, Readable); err == nil {
					_, err = p.Wait(ev[:], patience)
				}
				if err == nil {
					continue
				}
			}
			if n == 0 || err != nil {
				return
			}
			got = append(got, buf[:n]...)
		}
	}()
	return all
}

// Parts of a file, with what goes before and after; beyond its end there is
// nothing, and what ends early has no tail.
func TestTransmit(t *testing.T) {
	defer ended(t)
	file, _, data := opened(t)
	head, tail := []byte("a head, "), []byte(", a tail")
	for name, part := range map[string]struct {
		offset     int64
		n          int
		head, tail []byte
		want       [][]byte
	}{
		"whole":      {0, fileSize, nil, nil, [][]byte{data}},
		"a byte":     {5, 1, nil, nil, [][]byte{data[5:6]}},
		"edges":      {12345, 100_000, head, tail, [][]byte{head, data[12345:112345], tail}},
		"a head":     {1 << 20, 70_000, head, nil, [][]byte{head, data[1<<20:][:70_000]}},
		"large edge": {0, 10, data[:MaxTransmitEdge], tail, [][]byte{data[:MaxTransmitEdge], data[:10], tail}},
		"the end":    {fileSize - 10, 10, head, tail, [][]byte{head, data[fileSize-10:], tail}},
		"ends early": {fileSize - 10, 11, head, tail, [][]byte{head, data[fileSize-10:]}},
		"at the end": {fileSize, 1, head, tail, nil},
		"beyond":     {1 << 40, 1, head, tail, nil},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pair(t)
			all := received(t, b)
			want := bytes.Join(part.want, nil)
			l := must(BeginTransmit(a, file, part.head, part.offset, part.n, part.tail))(t)
			if n, err := l.Wait(); n != len(want) || err != nil {
				t.Errorf("%d bytes of %d were sent: %v", n, len(want), err)
			}
			if _, err := l.Wait(); err != os.ErrClosed {
				t.Errorf("a second Wait: %v", err)
			}
			ok(t, l.Cancel()) // too late, and harmless
			ok(t, Shutdown(a, SHUT_WR))
			if got := <-all; !bytes.Equal(got, want) {
				t.Errorf("%d bytes came, other than the %d that were sent", len(got), len(want))
			}
		})
	}
}

// What cannot be is refused, and nothing is sent.
func TestTransmitRefuses(t *testing.T) {
	defer ended(t)
	file, _, _ := opened(t)
	a, b := pair(t)
	long := make([]byte, MaxTransmitEdge+1)
	for name, begin := range map[string]func() (*Transmit, error){
		"no bytes":         func() (*Transmit, error) { return BeginTransmit(a, file, nil, 0, 0, nil) },
		"fewer":            func() (*Transmit, error) { return BeginTransmit(a, file, nil, 0, -1, nil) },
		"too many":         func() (*Transmit, error) { return BeginTransmit(a, file, nil, 0, MaxTransmit+1, nil) },
		"before the file":  func() (*Transmit, error) { return BeginTransmit(a, file, nil, -1, 1, nil) },
		"a head":           func() (*Transmit, error) { return BeginTransmit(a, file, long, 0, 1, nil) },
		"a tail":           func() (*Transmit, error) { return BeginTransmit(a, file, nil, 0, 1, long) },
		"what is no file":  func() (*Transmit, error) { return BeginTransmit(a, Invalid, nil, 0, 1, nil) },
		"what is a socket": func() (*Transmit, error) { return BeginTransmit(a, a, nil, 0, 1, nil) },
		"no socket":        func() (*Transmit, error) { return BeginTransmit(Invalid, file, nil, 0, 1, nil) },
	} {
		if l, err := begin(); err == nil || l != nil {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
	fresh := must(Socket(AF_INET, SOCK_STREAM, 0))(t)
	defer Close(fresh)
	if l, err := BeginTransmit(fresh, file, nil, 0, 1, nil); err == nil {
		if n, err := l.Wait(); n != 0 || err == nil {
			t.Errorf("%d bytes went without a connection: %v", n, err)
		}
	}
	if n, err := Recv(b, make([]byte, 1), 0); err != WouldBlock {
		t.Errorf("%d bytes came: %v", n, err)
	}
}

// A transmission that is cancelled in flight says how much went, and no more comes.
func TestTransmitCancelled(t *testing.T) {
	defer ended(t)
	file, _, data := opened(t)
	for range 20 {
		a, b := pair(t)
		l := must(BeginTransmit(a, file, []byte("head"), 0, fileSize, []byte("tail")))(t)
		ok(t, l.Cancel())
		n, err := l.Wait()
		if err != Errno(windows.ERROR_OPERATION_ABORTED) || n >= fileSize {
			t.Errorf("%d bytes were sent: %v", n, err)
		}
		all := received(t, b)
		ok(t, Shutdown(a, SHUT_WR))
		whole := append([]byte("head"), data...)
		if got := <-all; !bytes.Equal(got, whole[:n]) {
			t.Errorf("%d bytes came, %d were sent", len(got), n)
		}
	}
}

// Cancelled while it moves.
func TestTransmitCancelledUnderway(t *testing.T) {
	defer ended(t)
	file, _, data := opened(t)
	for range 20 {
		a, b := pair(t)
		all := received(t, b)
		l := must(BeginTransmit(a, file, nil, 0, fileSize, nil))(t)
		cancelled := make(chan error)
		go func() { cancelled <- l.Cancel() }()
		n, err := l.Wait()
		if err == nil && n != fileSize || err != nil && err != Errno(windows.ERROR_OPERATION_ABORTED) {
			t.Errorf("%d bytes were sent: %v", n, err)
		}
		ok(t, <-cancelled)
		ok(t, Shutdown(a, SHUT_WR))
		if got := <-all; !bytes.Equal(got, data[:n]) {
			t.Errorf("%d bytes came, %d were sent", len(got), n)
		}
	}
}

// A peer that resets the connection ends it, and so does the end of the socket,
// whose number may be another's when the outcome is asked for.
func TestTransmitBroken(t *testing.T) {
	defer ended(t)
	file, _, _ := opened(t)
	a, b := pair(t)
	l := must(BeginTransmit(a, file, nil, 0, fileSize, nil))(t)
	reset(t, b)
	if wine() {
		ok(t, l.Cancel()) // it may have lost the reset
	}
	aborted := Errno(windows.ERROR_OPERATION_ABORTED)
	if n, err := l.Wait(); err != ECONNRESET && err != ECONNABORTED &&
		(err != aborted || !wine()) || n >= fileSize {
		t.Errorf("%d bytes were sent to a peer that has gone: %v", n, err)
	}
	if wine() {
		return // nor does it always end with its socket
	}
	a, b = pair(t)
	l = must(BeginTransmit(a, file, nil, 0, fileSize, nil))(t)
	ok(t, Close(a))
	c, d := pair(t) // as a rule it has the number of a
	ok(t, l.Cancel())
	all := received(t, b)
	if n, err := l.Wait(); n > fileSize || err == nil && n != fileSize {
		t.Errorf("%d bytes were sent: %v", n, err)
	}
	<-all
	if n := must(Send(c, []byte("x"), 0))(t); n != 1 {
		t.Errorf("%d bytes", n)
	}
	p := newPoller(t)
	if n := until(t, p, d, Readable, func() (int, error) { return Recv(d, make([]byte, 4), 0) }); n != 1 {
		t.Errorf("%d bytes came on another connection", n)
	}
}

// A file that is cut after the beginning has what there was sent.
func TestTransmitFileShrinks(t *testing.T) {
	defer ended(t)
	file, name, data := opened(t)
	a, b := pair(t)
	l := must(BeginTransmit(a, file, nil, 0, fileSize, nil))(t)
	if err := os.Truncate(name, fileSize/2); err != nil {
		t.Logf("the system does not let it: %v", err)
	}
	all := received(t, b)
	n, err := l.Wait()
	ok(t, err)
	ok(t, Shutdown(a, SHUT_WR))
	if got := <-all; !bytes.Equal(got, data[:n]) {
		t.Errorf("%d bytes came, %d were sent", len(got), n)
	}
}

// No packet comes for it where the socket belongs to a completion port.
func TestTransmitLeavesPortsAlone(t *testing.T) {
	defer ended(t)
	file, _, _ := opened(t)
	a, b := pair(t)
	port := must(windows.CreateIoCompletionPort(windows.Handle(a), 0, 1, 0))(t)
	defer windows.CloseHandle(port)
	all := received(t, b)
	l := must(BeginTransmit(a, file, nil, 0, fileSize, nil))(t)
	if _, err := l.Wait(); err != nil {
		t.Error(err)
	}
	ok(t, Close(a))
	<-all
	var n uint32
	var key uintptr
	var packet *windows.Overlapped
	err := windows.GetQueuedCompletionStatus(port, &n, &key, &packet, 50)
	if !errors.Is(err, windows.WAIT_TIMEOUT) {
		t.Errorf("a packet came, of %d bytes: %v", n, err)
	}
}

// Transmissions leave no handle behind.
func TestTransmitsLeaveNothing(t *testing.T) {
	defer ended(t)
	file, _, _ := opened(t)
	a, b := pair(t)
	received(t, b)
	const rounds = 30
	one := func() {
		l := must(BeginTransmit(a, file, nil, 0, 1, nil))(t)
		_, err := l.Wait()
		ok(t, err)
	}
	one()
	before := handles(t)
	for range rounds {
		one()
	}
	if after := handles(t); after >= before+rounds {
		t.Errorf("%d handles, then %d", before, after)
	}
}
