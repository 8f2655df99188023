//go:build !kqemu

package linux

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Descriptors of every pollable kind tell their readiness: a counter, a timer, a
// process, changes of files, and another epoll.
func TestForeignDescriptors(t *testing.T) {
	open := func(fd int, err error) int {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	dir := t.TempDir()
	event := open(unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK))
	timer := open(unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK))
	notify := open(unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK))
	if _, err := unix.InotifyAddWatch(notify, dir, unix.IN_CREATE); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^$")
	inner := open(unix.EpollCreate1(unix.EPOLL_CLOEXEC))
	for _, c := range []struct {
		what  string
		fd    int
		cause func() error
	}{
		{"eventfd", event, func() error {
			_, err := unix.Write(event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
			return err
		}},
		{"timerfd", timer, func() error {
			soon := unix.ItimerSpec{Value: unix.NsecToTimespec(1)}
			return unix.TimerfdSettime(timer, 0, &soon, nil)
		}},
		{"inotify", notify, func() error { return os.WriteFile(filepath.Join(dir, "x"), nil, 0o600) }},
		{"epoll", inner, func() error {
			e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(event)}
			return unix.EpollCtl(inner, unix.EPOLL_CTL_ADD, event, &e)
		}},
	} {
		foreign(t, c.what, c.fd, c.cause)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	pid := open(unix.PidfdOpen(child.Process.Pid, 0))
	p := mustPoller(t, true)
	if err := p.Arm(FD(pid), 1, Readable|Once); err != nil {
		t.Fatal("pidfd:", err)
	}
	if n, err := p.Wait(make([]Event, 1), 20*time.Second); n != 1 || err != nil {
		t.Errorf("pidfd: %d, %v", n, err)
	}
	if err := child.Wait(); err != nil {
		t.Error(err)
	}
}

// foreign expects no event before the cause and one after it.
func foreign(t *testing.T, what string, fd int, cause func() error) {
	t.Helper()
	p := mustPoller(t, true)
	if err := p.Arm(FD(fd), 7, Readable|Once); err != nil {
		t.Fatal(what, err)
	}
	ev := make([]Event, 1)
	if n, err := p.Wait(ev, 0); n != 0 || err != nil {
		t.Errorf("%s: %d events before anything happened, %v", what, n, err)
	}
	if err := cause(); err != nil {
		t.Fatal(what, err)
	}
	if n, err := p.Wait(ev, 20*time.Second); n != 1 || err != nil || ev[0].Key != 7 || ev[0].Ready&Readable == 0 {
		t.Errorf("%s: %d, %+v, %v", what, n, ev, err)
	}
}
