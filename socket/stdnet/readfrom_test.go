package stdnet_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket/stdnet"
)

// Files are sent from where they stand, as far as they are asked for, and stand
// behind what went then; other readers are copied.
func TestReadFrom(t *testing.T) {
	made, err := os.CreateTemp("", "readfrom")
	must(t, err)
	name := made.Name()
	defer os.Remove(name)
	_, err = made.WriteString("0123456789")
	must(t, errors.Join(err, made.Close()))
	run(t, func(task *loop.Task, t *testing.T, a, b stream.Stream) error {
		c := stdnet.Bind(task, a)
		f, err := os.Open(name)
		must(t, err)
		defer f.Close()
		_, err = f.Seek(2, io.SeekStart)
		must(t, err)
		sends := func(what string, n int64, err error, text string) {
			t.Helper()
			must(t, err)
			got := make([]byte, len(text))
			_, err = stream.ReceiveExactly(task, b, got)
			must(t, err)
			if n != int64(len(text)) || string(got) != text {
				t.Errorf("%s: sent %d bytes, received %q, want %q", what, n, got, text)
			}
		}
		part := &io.LimitedReader{R: f, N: 3}
		n, err := c.ReadFrom(part)
		sends("a part", n, err, "234")
		if at, _ := f.Seek(0, io.SeekCurrent); at != 5 || part.N != 0 {
			t.Errorf("the file stands at %d, %d are left", at, part.N)
		}
		part.N = 100
		n, err = c.ReadFrom(part)
		sends("more than there is", n, err, "56789")
		n, err = c.ReadFrom(f)
		sends("the end", n, err, "")
		n, err = c.ReadFrom(strings.NewReader("text"))
		sends("a reader", n, err, "text")
		if proc, err := os.Open("/proc/self/limits"); err == nil { // which says that it is empty
			defer proc.Close()
			all, err := os.ReadFile(proc.Name())
			must(t, err)
			n, err = c.ReadFrom(proc)
			sends("a file without a size", n, err, string(all))
		}
		must(t, c.Close())
		_, err = c.ReadFrom(f)
		want(t, "closed", err, loop.ErrClosed)
		return nil
	})
}
