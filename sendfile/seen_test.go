package sendfile

import (
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// folder is t.TempDir, which fails where Wine cannot remove it.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "seen")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) }) // best effort
	return dir
}

// made is when the files of a test were modified: then alone, since a test that
// runs again may get the same inodes, at the same time of a virtual clock.
func made() time.Time { return time.Now().Round(0) }

// opened makes a file of a size that was modified at a time, and opens it.
func opened(t *testing.T, name string, size int, at time.Time) *File {
	t.Helper()
	if err := os.WriteFile(name, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(name, time.Time{}, at); err != nil {
		t.Fatal(err)
	}
	f, err := Open(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// spared reports whether sending a part of f would look at the page cache no more.
// There is nothing to look at: a look makes the transfer blind.
func spared(task *loop.Task, f *File, offset, n int64) bool {
	x := &transfer{t: task, offset: offset, left: n, key: f.key, size: f.Size()}
	none := sys.FD(sys.Invalid)
	x.lookNow(uintptr(none))
	return x.fresh && !x.blind
}

// What was seen whole is remembered for a moment, by what tells it from others.
func TestSeenLately(t *testing.T) {
	looptest.Config{Limit: time.Minute}.Run(t, func(task *loop.Task) error {
		name := filepath.Join(folder(t), "f")
		const size = 100_000
		at := made()
		f := opened(t, name, size, at)
		defer f.Close()
		if spared(task, f, 0, size) {
			t.Error("remembered before it was seen")
		}
		(&transfer{t: task, key: f.key}).remember()
		again, err := Open(name)
		if err != nil {
			return err
		}
		defer again.Close()
		if !spared(task, f, 0, size) || !spared(task, f, 500, 1000) || !spared(task, again, 0, size) {
			t.Error("what was seen is looked at again")
		}
		if spared(task, f, 1, size) || spared(task, f, 1<<62, 1<<62) {
			t.Error("what is behind the end was not seen")
		}
		other := opened(t, filepath.Join(folder(t), "g"), size, at)
		defer other.Close()
		if spared(task, other, 0, size) {
			t.Error("another file was not seen")
		}
		if err := os.WriteFile(name, make([]byte, size-1), 0o600); err != nil {
			return err
		}
		changed, err := Open(name)
		if err != nil {
			return err
		}
		defer changed.Close()
		if spared(task, changed, 0, size-1) {
			t.Error("what has changed was not seen")
		}
		if err := loop.Sleep(task, seenFor); err != nil {
			return err
		}
		if spared(task, f, 0, size) {
			t.Error("the moment does not end")
		}
		return nil
	})
}

// Small files are read and large ones sent in parts: neither is remembered.
func TestSeenLatelySizes(t *testing.T) {
	for size, remembered := range map[int]bool{
		0: false, small: false, small + 1: true, chunk: true, chunk + 1: false,
	} {
		f := opened(t, filepath.Join(folder(t), "f"), size, made())
		if (f.key != 0) != remembered {
			t.Errorf("%d bytes have the key %#x", size, f.key)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Sending all of a file remembers it where the system tells, and a part does not.
// One that has become shorter since is sent as far as it goes.
func TestSendRemembers(t *testing.T) {
	_, err := sys.Cached(sys.Invalid, 0, 1)
	tells := !errors.Is(err, errors.ErrUnsupported)
	looptest.Config{Limit: time.Minute}.Run(t, func(task *loop.Task) error {
		name := filepath.Join(folder(t), "f")
		const size, cut = 100_000, 30_001
		f := opened(t, name, size, made())
		defer f.Close()
		for _, step := range []struct{ n, left int64 }{{size / 2, size}, {size, size}, {size, cut}} {
			if err := os.Truncate(name, step.left); err != nil {
				return err
			}
			expect := min(step.n, step.left)
			sent, err := sendAway(task, f, step.n, expect)
			if sent != expect || (err == nil) != (expect == step.n) ||
				err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%d bytes of %d were sent: %v", sent, step.n, err)
			}
			if got := spared(task, f, 0, size); got != (tells && step.n == size) {
				t.Errorf("after %d bytes of %d it is remembered: %v", step.n, size, got)
			}
		}
		return nil
	})
}

// sendAway sends n bytes of f to a peer that receives as many as are expected.
func sendAway(t *loop.Task, f *File, n, expect int64) (sent int64, err error) {
	ln, err := socket.ListenTCP(t.Loop(), "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	a, err := socket.ConnectTCP(t, netip.MustParseAddrPort(ln.Addr().String()))
	if err != nil {
		return 0, err
	}
	defer a.Close()
	b, err := ln.Accept(t)
	if err != nil {
		return 0, err
	}
	defer b.Close()
	err = loop.Nurse(t, func(nursery *loop.Nursery) error {
		if err := nursery.Spawn(func(t *loop.Task) error {
			for buf := make([]byte, 4096); expect > 0; {
				got, err := b.Receive(t, buf)
				if err != nil || got == 0 {
					return err
				}
				expect -= int64(got)
			}
			return nil
		}); err != nil {
			return err
		}
		var err error
		sent, err = f.Send(t, a, 0, n)
		return err
	})
	return sent, err
}
