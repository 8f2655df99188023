package sendfile_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/sendfile"
)

// Files of /proc say that they are empty, and are not. All that is in them goes,
// over connections and other streams, with a header and a trailer, twice.
func TestSendOfAFileWithoutASize(t *testing.T) {
	const name = "/proc/self/limits" // the same each time
	data, err := os.ReadFile(name)
	if err != nil {
		t.Skip("this system has no files that do not tell their size:", err)
	}
	want := bytes.Join([][]byte{[]byte("head"), data, []byte("tail")}, nil)
	run(t, func(task *loop.Task) error {
		f, err := os.Open(name)
		must(t, err)
		defer f.Close()
		a, b := pair(task, t)
		defer b.Close()
		defer a.Close()
		c, d := stream.NewMemory(64 << 10)
		defer c.Close()
		defer d.Close()
		own, err := sendfile.Open(name)
		must(t, err)
		defer own.Close()
		for i := range 4 {
			for _, ends := range [][2]stream.Stream{{a, b}, {c, d}} {
				opts := []sendfile.Option{
					sendfile.WithHeader([]byte("head")), sendfile.WithTrailer([]byte("tail")),
				}
				n, err := int64(0), error(nil)
				if i < 2 {
					n, err = sendfile.Send(task, ends[0], f, 0, -1, opts...)
				} else {
					n, err = own.Send(task, ends[0], 0, -1, opts...)
				}
				must(t, err)
				if n != int64(len(want)) {
					t.Fatalf("%d bytes went of %d", n, len(want))
				}
				got := make([]byte, n)
				_, err = stream.ReceiveExactly(task, ends[1], got)
				must(t, err)
				if !bytes.Equal(got, want) {
					t.Errorf("received %q", got)
				}
			}
		}
		return nil
	})
}

// A file that is empty has nothing come after the header, which waits for nothing then.
func TestSendOfAnEmptyFileHoldsNothingBack(t *testing.T) {
	dir, err := os.MkdirTemp("", "empty") // Wine cannot remove t.TempDir
	must(t, err)
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "empty")
	must(t, os.WriteFile(name, nil, 0o600))
	var silent error
	run(t, func(task *loop.Task) error {
		f, err := sendfile.Open(name)
		must(t, err)
		defer f.Close()
		a, b := pair(task, t)
		defer b.Close()
		defer a.Close()
		n, err := f.Send(task, a, 0, -1, sendfile.WithHeader([]byte("head")))
		must(t, err)
		info, err := a.Socket().Info()
		if errors.Is(err, errors.ErrUnsupported) {
			silent = err
			return nil
		}
		must(t, err)
		if n != 4 || info.Unsent != 0 {
			t.Errorf("%d bytes were sent, of which the kernel holds back %d", n, info.Unsent)
		}
		return nil
	})
	if silent != nil {
		t.Skip("this system does not tell what has been sent:", silent)
	}
}
