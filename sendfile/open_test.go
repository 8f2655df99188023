package sendfile_test

import (
	"errors"
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

// Open opens regular files, and nothing else.
func TestOpen(t *testing.T) {
	dir, err := os.MkdirTemp("", "open")
	must(t, err)
	defer os.RemoveAll(dir) // best effort: Wine cannot
	name := filepath.Join(dir, "f")
	must(t, os.WriteFile(name, []byte("abc"), 0o600))
	f, info, err := sendfile.Open(name)
	must(t, err)
	if info.Size() != 3 {
		t.Errorf("%d bytes", info.Size())
	}
	must(t, f.Close())
	if _, _, err := sendfile.Open(filepath.Dir(name)); err == nil {
		t.Error("a directory was opened")
	}
	_, _, err = sendfile.Open(name + "x")
	want(t, "a file that is not there", err, fs.ErrNotExist)
}

// A sender that is warm allocates no more than what package os does to lend a
// descriptor; where there is no sendfile, no more with each byte either.
func TestSendAllocates(t *testing.T) {
	if info, ok := debug.ReadBuildInfo(); ok &&
		slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		t.Skip("the race detector has pools forget")
	}
	for _, size := range []int{1000, 100_000} {
		f := file(t, pattern(size))
		limit := 1.0
		if _, err := sys.Cached(sys.FD(f.Fd()), 0, 1); errors.Is(err, errors.ErrUnsupported) {
			limit = 4 // os.File.Stat, where it allocates, and the refusal of sys.Sendfile
		}
		header := []byte("a header")
		run(t, func(task *loop.Task) error {
			a, b := pair(task, t)
			defer a.Close()
			defer b.Close()
			must(t, socket.SendBuffer.Set(a.Socket(), 1<<20))
			buf := make([]byte, 1<<20)
			got := testing.AllocsPerRun(50, func() {
				n, err := sendfile.Send(task, a, f, 0, int64(size), sendfile.WithHeader(header))
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
