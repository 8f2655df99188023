package socket_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// unixPath returns a name for a socket, on systems where paths can be locked.
func unixPath(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "unix")
	must(tb, err)
	tb.Cleanup(func() { _ = os.RemoveAll(dir) }) // Wine cannot
	name := filepath.Join(dir, "socket")
	lock, err := sys.TryLock(name + ".lock")
	if errors.Is(err, errors.ErrUnsupported) {
		tb.Skip("this system has no locks of files like flock(2)")
	}
	must(tb, err)
	must(tb, sys.Unlock(lock, name+".lock"))
	return name
}

// leaveStale leaves a path behind as a server does that was killed some time
// ago.
func leaveStale(t *loop.Task, tb testing.TB, name string, age time.Duration) {
	tb.Helper()
	ln, err := socket.ListenUnix(t.Loop(), name)
	must(tb, err)
	must(tb, ln.Close())
	then := time.Now().Add(-age)
	must(tb, os.Chtimes(name, then, then))
}

// A path that a dead server has left is replaced, if asked for; that of a living
// one, a fresh one, a file and a locked one are not.
func TestUnixReplaceStale(t *testing.T) {
	name := unixPath(t)
	run(t, func(task *loop.Task) error {
		replace := func() (*socket.Listener, error) {
			return socket.ListenUnix(task.Loop(), name, socket.UnixReplaceStale())
		}
		leaveStale(task, t, name, time.Hour)
		_, err := socket.ListenUnix(task.Loop(), name)
		want(t, "without the option", err, sys.EADDRINUSE)
		ln, err := replace()
		must(t, err)
		must(t, os.Chtimes(name, time.Time{}, time.Now().Add(-time.Hour)))
		_, err = replace()
		want(t, "a living server", err, sys.EADDRINUSE)
		c, err := socket.ConnectUnix(task, name)
		must(t, err)
		closeAll(c, ln)

		must(t, os.Remove(name))
		leaveStale(task, t, name, 0)
		_, err = replace()
		want(t, "a fresh path", err, sys.EADDRINUSE)

		must(t, os.Remove(name))
		leaveStale(task, t, name, time.Hour)
		lock, err := sys.TryLock(name + ".lock")
		must(t, err)
		_, err = replace()
		want(t, "a locked path", err, sys.EADDRINUSE)
		must(t, sys.Unlock(lock, name+".lock"))

		must(t, os.Remove(name))
		must(t, os.WriteFile(name, []byte("precious"), 0o600))
		_, err = replace()
		want(t, "a file", err, sys.EADDRINUSE)
		left, err := os.ReadDir(filepath.Dir(name))
		must(t, err)
		if len(left) != 1 {
			t.Errorf("left behind: %v", left)
		}
		return nil
	})
}

// Of many that want to replace the same stale path one gets it, and keeps it.
func TestUnixReplaceStaleRace(t *testing.T) {
	name := unixPath(t)
	for range 20 {
		run(t, func(task *loop.Task) error {
			leaveStale(task, t, name, time.Hour)
			return nil
		})
		const rivals = 4
		var got, ended atomic.Int32
		err := loop.RunEach(rivals, func(task *loop.Task, _ int) error {
			ln, err := socket.ListenUnix(task.Loop(), name, socket.UnixReplaceStale())
			if err == nil {
				got.Add(1)
				defer ln.Close()
				must(t, ln.UnlinkOnClose(true))
			} else if !errors.Is(err, sys.EADDRINUSE) {
				t.Error(err)
			}
			ended.Add(1)
			for ended.Load() < rivals {
				must(t, loop.Sleep(task, time.Millisecond))
			}
			if err == nil {
				c, err := socket.ConnectUnix(task, name)
				must(t, err)
				must(t, c.Close())
			}
			return nil
		})
		must(t, err)
		if got.Load() != 1 {
			t.Fatalf("%d have it", got.Load())
		}
		if _, err := os.Lstat(name); err == nil {
			t.Fatal("the path was left")
		}
	}
}

// UnlinkOnClose removes the path, unless it is somebody else's by then; UnixMode
// sets its permissions.
func TestUnixPath(t *testing.T) {
	name := unixPath(t)
	run(t, func(task *loop.Task) error {
		ln, err := socket.ListenUnix(task.Loop(), name, socket.UnixMode(0o640))
		must(t, err)
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode().Perm() != 0o640 {
			t.Errorf("mode %v", info.Mode())
		}
		must(t, ln.UnlinkOnClose(true))
		must(t, os.Rename(name, name+"-old"))
		other, err := socket.ListenUnix(task.Loop(), name)
		must(t, err)
		must(t, ln.Close())
		if _, err := os.Stat(name); err != nil {
			t.Errorf("the path of another one: %v", err)
		}
		must(t, other.UnlinkOnClose(true))
		must(t, other.Close())
		must(t, other.Close())
		if _, err := os.Stat(name); err == nil {
			t.Error("the path is there after Close")
		}
		for what, opt := range map[string]socket.SetupOption{
			"mode": socket.UnixMode(0o600), "replace": socket.UnixReplaceStale(),
		} {
			_, err = socket.ListenTCP(task.Loop(), "127.0.0.1:0", opt)
			want(t, what+" for TCP", err, loop.ErrMisuse)
			_, err = socket.ConnectUnix(task, name, opt)
			want(t, what+" for a client", err, loop.ErrMisuse)
		}
		_, err = socket.ListenUnix(task.Loop(), name, socket.UnixMode(os.ModeDir))
		want(t, "a mode", err, loop.ErrMisuse)
		tcp := listen(task, t)
		defer tcp.Close()
		want(t, "unlink", tcp.UnlinkOnClose(true), loop.ErrMisuse)
		return nil
	})
}
