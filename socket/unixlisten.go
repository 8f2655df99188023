package socket

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// The path of a unix socket outlives the server that made it, see unix(7), and
// bind(2) refuses a path that exists. So a server that died leaves a path that is
// in the way of its successor. To remove it is dangerous in three ways:
//
//   - A server lives at it. A connect tells: it is refused only if nobody
//     listens there.
//   - A server has bound it, and is about to listen. Its connects are refused as
//     well. So a path that was made within the last second counts as in use.
//   - Two servers find the same path stale. The first one removes it and binds
//     it anew, the second one removes that. So all this is done under the lock
//     of a file beside it, up to listen(2); it exists only meanwhile.
//
// What remains is a program that removes paths without any of this.

// pathSettles is how long a path that nobody listens on may be about to be
// listened on: far longer than the microseconds from bind to listen.
const pathSettles = time.Second

// unixSetup is what the options for unix sockets say.
type unixSetup struct {
	mode    fs.FileMode
	chmod   bool
	replace bool
}

// UnixMode sets the permissions of the path, which decide on Linux who may
// connect (the permission to write is what counts, see unix(7); other systems
// may look at those of the directory only). They are set before anybody can
// connect. The default is what the umask leaves of 0777. For ListenUnix.
func UnixMode(mode fs.FileMode) SetupOption {
	return func(c *setup) error {
		if mode&^fs.ModePerm != 0 {
			return misuse("a path with the mode %v", mode)
		}
		c.unix.mode, c.unix.chmod = mode, true
		return nil
	}
}

// UnixReplaceStale removes a path that a dead server has left, and never that of
// a living one: of two that try it at once one gets sys.EADDRINUSE, and so does
// who finds a server there, anything else than a socket, or a path that is not a
// second old. A living server sees a connection that ends at once. Meanwhile
// there is a file with ".lock" behind the name. For ListenUnix;
// errors.ErrUnsupported on Windows.
func UnixReplaceStale() SetupOption {
	return func(c *setup) error { c.unix.replace = true; return nil }
}

// refuse is for what has no path.
func (u *unixSetup) refuse() error {
	if *u != (unixSetup{}) {
		return misuse("options for the path of a unix listener, and no path")
	}
	return nil
}

// bound sets up the path that was just bound.
func (u *unixSetup) bound(at Addr) error {
	path, ok := pathOf(at)
	if !ok {
		return u.refuse()
	}
	if !u.chmod {
		return nil
	}
	return opError("chmod", at, os.Chmod(path, u.mode))
}

// pathOf returns the path of a unix address that has one.
func pathOf(a Addr) (path string, ok bool) {
	path, ok = a.Unix()
	return path, ok && path != "" && !strings.HasPrefix(path, "@")
}

// ListenUnix listens on a unix stream socket called name, see ConnectUnix. A
// file of that name must not exist, but see UnixReplaceStale; it stays behind
// when the listener is closed, but see Listener.UnlinkOnClose. Sync-coloured.
func ListenUnix(l *loop.Loop, name string, opts ...SetupOption) (*Listener, error) {
	c, err := newSetup(opts)
	if err != nil {
		return nil, err
	}
	at := UnixAddr(name)
	path, ok := pathOf(at)
	if !ok || !c.unix.replace {
		return c.listen(l, at)
	}
	lock, err := sys.TryLock(path + ".lock")
	if err == sys.WouldBlock {
		err = fmt.Errorf("another process is about to listen there: %w", sys.EADDRINUSE)
	}
	if err != nil {
		return nil, opError("lock", at, err)
	}
	ln, err := c.replaceAndListen(l, at, path)
	if unlocked := sys.Unlock(lock, path+".lock"); err == nil && unlocked != nil {
		return nil, errors.Join(opError("unlock", at, unlocked), ln.Close())
	}
	return ln, err
}

func (c *setup) replaceAndListen(l *loop.Loop, at Addr, path string) (*Listener, error) {
	if err := removeStale(at, path); err != nil {
		return nil, opError("listen", at, err)
	}
	return c.listen(l, at)
}

// removeStale removes the path of a server that is dead, for sure.
func removeStale(at Addr, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode().Type() != fs.ModeSocket:
		return fmt.Errorf("there is something that is no socket: %w", sys.EADDRINUSE)
	case time.Since(info.ModTime()) < pathSettles:
		return fmt.Errorf("somebody has just bound it: %w", sys.EADDRINUSE)
	}
	fd, err := sys.Socket(sys.AF_UNIX, sys.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer sys.Close(fd)
	sa, err := at.Sockaddr(sys.AF_UNIX)
	if err != nil {
		return err
	}
	if err := sys.Connect(fd, &sa); err != sys.ECONNREFUSED {
		return fmt.Errorf("a server may live there: connecting: %v: %w", err, sys.EADDRINUSE)
	}
	p := &socketPath{path, info}
	if !p.same() {
		return fmt.Errorf("somebody has replaced it: %w", sys.EADDRINUSE)
	}
	return os.Remove(path)
}

// socketPath is the path of a socket, and which one it was.
type socketPath struct {
	name string
	info fs.FileInfo
}

func (p *socketPath) same() bool {
	now, err := os.Lstat(p.name)
	return err == nil && os.SameFile(now, p.info)
}

func (p *socketPath) remove() {
	if p.same() {
		_ = os.Remove(p.name) // it stays behind, as it would have without
	}
}

// UnlinkOnClose says whether Close removes the path of a unix listener, unless
// it has been replaced; it goes before the socket, so that nobody takes it for
// stale. A process that has handed its listener over says false: the path is the
// successor's, who may say true. A listener without a path is refused with
// ErrMisuse. Sync-coloured.
func (ln *Listener) UnlinkOnClose(on bool) error {
	name, ok := pathOf(ln.Addr())
	if !ok {
		return misuse("%v has no path", ln)
	}
	ln.path = nil
	if on {
		info, err := os.Lstat(name)
		if err != nil {
			return opError("lstat", ln.Addr(), err)
		}
		ln.path = &socketPath{name, info}
	}
	return nil
}
