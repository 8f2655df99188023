package socket

import (
	"os"
	"strconv"
	"strings"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// A process can be started with sockets that are open already, from descriptor 3
// on: by a service manager, sd_listen_fds(3), or by the process that it replaces.
// The environment says how many there are, and for whom, since it is inherited
// further. A service manager forks and knows the process id of the child; a
// process that starts another one does not before it has started, so HandOver
// gives its own, which the child compares with that of its parent.

const (
	envPID    = "LISTEN_PID"
	envParent = "LION_LISTEN_PPID"
	envCount  = "LISTEN_FDS"
	envNames  = "LISTEN_FDNAMES"

	// inheritStart is the first descriptor, SD_LISTEN_FDS_START.
	inheritStart = 3

	// inheritMax bounds the sockets; more than any limit of descriptors that
	// systems set by default for one process.
	inheritMax = 1024
)

// Inherited is a socket that a process is started with.
type Inherited struct {
	Name   string  // FileDescriptorName of systemd.socket(5), "unknown" if it has none
	Socket *Socket // belongs to the loop that was given
}

// Inherit returns the sockets that the process was started with, by a service
// manager (sd_listen_fds(3)) or by HandOver; none if there are none, or if they
// are for another process. NewListener makes listeners of those that listen. It
// works once: the environment that tells of them is removed, and children do not
// inherit them. They are made nonblocking. Sockets for other loops are moved by
// Detach and Adopt.
//
// An environment that makes no sense is refused with ErrMisuse, and descriptors
// that are no sockets with the error of the system; all are closed then.
// Sync-coloured.
func Inherit(l *loop.Loop) ([]Inherited, error) {
	env := map[string]string{}
	for _, name := range []string{envPID, envParent, envCount, envNames} {
		env[name] = os.Getenv(name)
		_ = os.Unsetenv(name) // it fails for no name
	}
	ours := env[envPID] == strconv.Itoa(os.Getpid()) ||
		env[envParent] == strconv.Itoa(os.Getppid())
	if env[envCount] == "" || !ours {
		return nil, nil
	}
	names, err := inheritedNames(env[envCount], env[envNames])
	if err != nil {
		return nil, err
	}
	var all []Inherited
	for i, name := range names {
		fd := sys.FD(inheritStart + i)
		s, err := inheritOne(l, fd)
		if err != nil {
			for _, one := range all {
				_ = one.Socket.Close() // that one failed is the news
			}
			for ; i < len(names); i++ {
				_ = sys.Close(sys.FD(inheritStart + i)) // likewise
			}
			return nil, err
		}
		all = append(all, Inherited{name, s})
	}
	return all, nil
}

func inheritOne(l *loop.Loop, fd sys.FD) (*Socket, error) {
	if err := sys.CloseOnExec(fd); err != nil {
		return nil, &OpError{Op: "fcntl", Err: err}
	}
	return Adopt(l, fd)
}

// inheritedNames reads how many sockets there are and what they are called.
func inheritedNames(count, list string) ([]string, error) {
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > inheritMax {
		return nil, misuse("%s is %q", envCount, count)
	}
	names := make([]string, n)
	if list != "" {
		if names = strings.Split(list, ":"); len(names) != n {
			return nil, misuse("%s is %q, for %d sockets", envNames, list, n)
		}
	}
	for i, name := range names {
		if name == "" {
			names[i] = "unknown"
		}
	}
	return names, nil
}

// HandOver starts a program that takes sockets over, for an update without an
// interruption: listeners keep listening all the time, and the connections that
// wait in their queues are taken by whoever accepts first. argv includes the name
// of the program, env is that of os.Environ if it is nil, and standard input and
// outputs are those of this process. The new process calls Inherit. It has to be
// waited for.
//
// When it says that it serves (by a byte on a socket of a Pair that is handed
// over too, say), the old one stops its server with grace, and ends. Until the
// new one has called Inherit, the old one must live. A request loses its
// connection only if it comes over one that is idle at the very moment at which
// the old server closes it, as everywhere; clients of HTTP try it again. A
// listener with a path must not remove it, see Listener.UnlinkOnClose.
//
// Errors: ErrMisuse for names with a colon, too many sockets, and closed ones;
// those of starting a program; errors.ErrUnsupported on Windows. Sync-coloured;
// it takes as long as fork(2) and execve(2), a few milliseconds.
func HandOver(path string, argv, env []string, sockets ...Inherited) (*os.Process, error) {
	if len(sockets) > inheritMax {
		return nil, misuse("handing over %d sockets", len(sockets))
	}
	files := []sys.FD{0, 1, 2}
	var names []string
	for _, one := range sockets {
		if one.Socket == nil || one.Socket.closed || strings.ContainsAny(one.Name, ":\x00") {
			return nil, misuse("handing over the socket %q", one.Name)
		}
		files = append(files, one.Socket.d.FD())
		names = append(names, one.Name)
	}
	if env == nil {
		env = os.Environ()
	}
	env = withoutInherited(env)
	env = append(env, envParent+"="+strconv.Itoa(os.Getpid()),
		envCount+"="+strconv.Itoa(len(sockets)), envNames+"="+strings.Join(names, ":"))
	pid, err := sys.StartProcess(path, argv, env, files)
	if err != nil {
		return nil, &OpError{Op: "exec", Err: err}
	}
	return os.FindProcess(pid)
}

// withoutInherited leaves out what tells of other sockets.
func withoutInherited(env []string) (rest []string) {
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		switch name {
		case envPID, envParent, envCount, envNames:
		default:
			rest = append(rest, e)
		}
	}
	return rest
}
