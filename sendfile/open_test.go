package sendfile_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sendfile"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// Open opens regular files, and nothing else; what is closed stays closed.
func TestOpen(t *testing.T) {
	dir, err := os.MkdirTemp("", "open")
	must(t, err)
	defer os.RemoveAll(dir) // best effort: Wine cannot
	name := filepath.Join(dir, "f")
	must(t, os.WriteFile(name, []byte("abc"), 0o600))
	info, err := os.Stat(name)
	must(t, err)
	f, err := sendfile.Open(name)
	must(t, err)
	if f.Size() != 3 || f.Name() != name || !f.ModTime().Equal(info.ModTime()) {
		t.Errorf("%d bytes of %s, of %v", f.Size(), f.Name(), f.ModTime())
	}
	b := make([]byte, 3)
	if n, err := f.ReadAt(b, 1); n != 2 || err != io.EOF || string(b[:2]) != "bc" {
		t.Errorf("read %q, %v", b[:n], err)
	}
	must(t, f.Control(func(uintptr) { must(t, f.Close()) })) // it goes when this ends
	want(t, "closing again", f.Close(), os.ErrClosed)
	_, err = f.ReadAt(b, 0)
	want(t, "reading what is closed", err, os.ErrClosed)
	if _, err := sendfile.Open(filepath.Dir(name)); err == nil {
		t.Error("a directory was opened")
	}
	_, err = sendfile.Open(name + "x")
	want(t, "a file that is not there", err, fs.ErrNotExist)
}

// closedFile makes a file and returns its name.
func closedFile(tb testing.TB, data []byte) string {
	f := file(tb, data)
	must(tb, f.Close())
	return f.Name()
}

// A File is sent as any other: small and large, from one descriptor at once.
func TestFileSend(t *testing.T) {
	data := pattern(700_000)
	name := closedFile(t, data)
	run(t, func(task *loop.Task) error {
		f, err := sendfile.Open(name)
		must(t, err)
		defer f.Close()
		a, b := pair(task, t)
		defer a.Close()
		defer b.Close()
		head := []byte("a header")
		expect := bytes.Join([][]byte{head, data, head, data[5:1005]}, nil)
		return both(task, func(task *loop.Task) error {
			_, err := f.Send(task, a, -1, 1)
			want(t, "a negative offset", err, loop.ErrMisuse)
			n, err := f.Send(task, a, 0, -1, sendfile.WithHeader(head))
			must(t, err)
			more, err := f.Send(task, a, 5, 1000, sendfile.WithHeader(head))
			must(t, err)
			if n+more != int64(len(expect)) {
				t.Errorf("%d bytes sent", n+more)
			}
			gone, err := sendfile.Open(name)
			must(t, err)
			must(t, gone.Close())
			_, err = gone.Send(task, a, 0, -1)
			want(t, "a closed file", err, os.ErrClosed)
			return a.SendEOF(task)
		}, func(task *loop.Task) error { return receives(task, t, b, expect) })
	})
}

// Sending what is in the page cache allocates nothing.
func TestSendAllocates(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok &&
		slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector has pools forget")
	}
	for _, size := range []int{1000, 100_000} {
		f, err := sendfile.Open(closedFile(t, pattern(size)))
		must(t, err)
		limit := 0.0
		if _, err := sys.Cached(sys.Invalid, 0, 1); errors.Is(err, errors.ErrUnsupported) {
			limit = 4 // the refusal of sys.Sendfile
		}
		header := []byte("a header")
		run(t, func(task *loop.Task) error {
			a, b := pair(task, t)
			defer a.Close()
			defer b.Close()
			must(t, socket.SendBuffer.Set(a.Socket(), 1<<20))
			buf := make([]byte, 1<<20)
			got := testing.AllocsPerRun(50, func() {
				n, err := f.Send(task, a, 0, -1, sendfile.WithHeader(header))
				must(t, err)
				for n > 0 {
					got, err := b.Receive(task, buf)
					must(t, err)
					n -= int64(got)
				}
			})
			if got > limit {
				t.Errorf("%v allocations for %d bytes", got, size)
			}
			return nil
		})
		must(t, f.Close())
	}
}
