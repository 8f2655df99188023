package kqemu

import (
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

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
