package kqemu

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqueue"
)

const (
	add     = kqueue.FlagAdd | kqueue.FlagEnable
	clear   = kqueue.FlagClear
	oneshot = kqueue.FlagOneshot
	eof     = kqueue.FlagEOF
	rd      = kqueue.FilterRead
	wr      = kqueue.FilterWrite
	user    = kqueue.FilterUser
	except  = kqueue.FilterExcept
)

func newKqueue(t *testing.T) *Kqueue {
	t.Helper()
	k, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	return k
}

// socket makes a nonblocking socket that lives as long as the test, unless
// shut closes it earlier.
func socket(t *testing.T, family, typ int) int {
	t.Helper()
	fd, err := unix.Socket(family, typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return owned(t, fd)
}

var open = map[int]bool{}

func owned(t *testing.T, fd int) int {
	open[fd] = true
	t.Cleanup(func() {
		if open[fd] {
			shut(t, fd)
		}
	})
	return fd
}

func shut(t *testing.T, fd int) {
	t.Helper()
	delete(open, fd)
	if err := unix.Close(fd); err != nil {
		t.Error(err)
	}
}

func pair(t *testing.T, typ int) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, typ|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return owned(t, fds[0]), owned(t, fds[1])
}

// listen makes a TCP listener on the loopback.
func listen(t *testing.T) (fd int, name unix.Sockaddr) {
	t.Helper()
	fd = socket(t, unix.AF_INET, unix.SOCK_STREAM)
	check(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	check(t, unix.Listen(fd, 10))
	name, err := unix.Getsockname(fd)
	check(t, err)
	return fd, name
}

// tcp makes two connected TCP sockets.
func tcp(t *testing.T) (a, b int) {
	t.Helper()
	l, name := listen(t)
	a = socket(t, unix.AF_INET, unix.SOCK_STREAM)
	if err := unix.Connect(a, name); err != nil && err != unix.EINPROGRESS {
		t.Fatal(err)
	}
	until(t, l, unix.POLLIN)
	b, _, err := unix.Accept4(l, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	check(t, err)
	until(t, a, unix.POLLOUT)
	return a, owned(t, b)
}

// until waits for a condition of fd by poll(2).
func until(t *testing.T, fd int, events int16) {
	t.Helper()
	p := []unix.PollFd{{Fd: int32(fd), Events: events}}
	for {
		n, err := unix.Poll(p, 10_000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 || err != nil {
			t.Fatalf("poll of %d for %#x: %d, %v", fd, events, n, err)
		}
		return
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, fd int, s string) {
	t.Helper()
	check(t, unix.Send(fd, []byte(s), unix.MSG_NOSIGNAL))
}

func ident(fd int, filter int16, flags uint16) kqueue.Kevent {
	return kqueue.Kevent{Ident: uint64(fd), Filter: filter, Flags: flags, Udata: uint64(fd)<<8 | uint64(-filter)}
}

// kevent makes one call and hides EINTR.
func kevent(t *testing.T, k *Kqueue, d time.Duration, changes ...kqueue.Kevent) []kqueue.Kevent {
	t.Helper()
	var events [16]kqueue.Kevent
	n, err := k.Kevent(changes, events[:], d)
	for err == unix.EINTR {
		n, err = k.Kevent(nil, events[:], d)
	}
	check(t, err)
	return events[:n]
}

// want checks the filters of events, in any order, and answers them.
func want(t *testing.T, events []kqueue.Kevent, filters ...int16) map[int16]kqueue.Kevent {
	t.Helper()
	got := map[int16]kqueue.Kevent{}
	for _, ev := range events {
		if ev.Flags&kqueue.FlagError != 0 {
			t.Fatalf("error entry %+v", ev)
		}
		got[ev.Filter] = ev
	}
	if len(events) != len(filters) {
		t.Fatalf("%d events, want %d: %+v", len(events), len(filters), events)
	}
	for _, f := range filters {
		if _, ok := got[f]; !ok {
			t.Fatalf("no event of filter %d: %+v", f, events)
		}
	}
	return got
}

// collect waits until all filters have fired, and answers their last events.
func collect(t *testing.T, k *Kqueue, filters ...int16) map[int16]kqueue.Kevent {
	t.Helper()
	got := map[int16]kqueue.Kevent{}
	for len(got) < len(filters) {
		events := kevent(t, k, 10*time.Second)
		if len(events) == 0 {
			t.Fatalf("only %+v fired, want filters %v", got, filters)
		}
		for _, ev := range events {
			got[ev.Filter] = ev
		}
	}
	return got
}

// whileInterrupted runs f, which must block, on a thread that gets SIGURG
// until f returns. The Go runtime handles that signal in every program.
func whileInterrupted(t *testing.T, f func() error) error {
	t.Helper()
	thread, result := make(chan int), make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		result <- f()
	}()
	tid := <-thread
	for {
		check(t, unix.Tgkill(unix.Getpid(), tid, unix.SIGURG))
		select {
		case err := <-result:
			return err
		default:
			runtime.Gosched()
		}
	}
}
