package micro

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The floor of static files: an endless loop of raw system calls on one thread, which
// knows its requests and its file, looks for nothing and handles no error. What it
// costs is the kernel's share, and no server can do with less by the same calls.

type fileFloor struct {
	b              *testing.B
	listener, poll int
	file, size     int
	buf            []byte
	ended          atomic.Bool
}

func filesOverFloor(b *testing.B, name string, size int) (string, func()) {
	s := &fileFloor{b: b, size: size, buf: make([]byte, len(fileHeader)+size)}
	copy(s.buf, fileHeader)
	var err error
	s.listener, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	s.must(err)
	s.must(unix.Bind(s.listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	s.must(unix.Listen(s.listener, fileClients))
	name4, err := unix.Getsockname(s.listener)
	s.must(err)
	f, err := os.Open(name)
	s.must(err)
	s.file = int(f.Fd())
	s.poll, err = unix.EpollCreate1(0)
	s.must(err)
	s.add(s.listener, unix.EPOLLIN)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.serve()
	}()
	return fmt.Sprintf("127.0.0.1:%d", name4.(*unix.SockaddrInet4).Port), func() {
		s.ended.Store(true)
		<-done
		unix.Close(s.listener)
		unix.Close(s.poll)
		f.Close()
	}
}

func (s *fileFloor) must(err error) {
	if err != nil {
		s.b.Fatal(err)
	}
}

func (s *fileFloor) add(fd int, events uint32) {
	err := unix.EpollCtl(s.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: events, Fd: int32(fd)})
	if err != nil {
		s.b.Error(err)
	}
}

func (s *fileFloor) serve() {
	runtime.LockOSThread()
	var events [64]unix.EpollEvent
	for !s.ended.Load() {
		n := int(call(unix.SYS_EPOLL_PWAIT, s.poll, unsafe.Pointer(&events[0]), len(events), 0))
		if n <= 0 { // nothing is there: the scheduler may have this processor
			n, _ = unix.EpollWait(s.poll, events[:], 100) // milliseconds
		}
		for i := range max(n, 0) {
			if fd := int(events[i].Fd); fd == s.listener {
				s.accept()
			} else {
				s.answer(fd)
			}
		}
	}
}

func (s *fileFloor) accept() {
	for {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK)
		if err != nil {
			return
		}
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			s.b.Error(err)
		}
		s.add(fd, unix.EPOLLIN|unix.EPOLLET)
	}
}

// answer reads a small file and sends it, as lion does; a large one is sent by the
// kernel.
func (s *fileFloor) answer(fd int) {
	var request [4096]byte
	switch n := call(unix.SYS_RECVFROM, fd, unsafe.Pointer(&request), len(request), 0); {
	case n == 0:
		unix.Close(fd)
		return
	case n < 0:
		return
	}
	header, body := s.buf, s.buf[len(fileHeader):]
	sent := 0
	if s.size <= 16<<10 {
		call(unix.SYS_PREAD64, s.file, unsafe.Pointer(&body[0]), s.size, 0)
		sent = call(unix.SYS_SENDTO, fd, unsafe.Pointer(&header[0]), len(header), 0)
	} else {
		offset := int64(0)
		sent = call(unix.SYS_SENDTO, fd, unsafe.Pointer(&header[0]), len(fileHeader), unix.MSG_MORE)
		n, _, _ := syscall.RawSyscall6(unix.SYS_SENDFILE, uintptr(fd), uintptr(s.file),
			uintptr(unsafe.Pointer(&offset)), uintptr(s.size), 0, 0)
		sent += int(n)
	}
	if sent != len(s.buf) {
		s.b.Errorf("%d bytes of %d were sent", sent, len(s.buf))
	}
}

// call makes a raw system call: -1 is an error.
func call(trap uintptr, fd int, p unsafe.Pointer, n, flags int) int {
	r, _, e := syscall.RawSyscall6(trap, uintptr(fd), uintptr(p), uintptr(n), uintptr(flags), 0, 0)
	if e != 0 {
		return -1
	}
	return int(r)
}
