package sendfile_test

import (
	"bytes"
	"os"
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
