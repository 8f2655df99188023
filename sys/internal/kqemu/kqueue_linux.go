package kqemu

import (
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqueue"
)

// Two inner epolls, edge-triggered, one for reading and one for writing, only
// say where something happened: with both in one, an arrival would also look
// like new space. They and an eventfd, for triggers from other threads, are in
// an outer epoll that is waited on. What is ready is asked of the descriptor
// itself when an event is collected (filter_linux.go).

// batch is how many entries of an epoll are fetched at a time.
const batch = 64

// key names a knote.
type key struct {
	ident  uint64
	filter int16
}

// Kqueue is an emulated kqueue; it implements kqueue.Kernel.
type Kqueue struct {
	mu      sync.Mutex
	knotes  map[key]*knote
	active  []*knote // first in, first out
	waiting bool     // a thread sleeps in the outer epoll
	reading int      // inner epoll
	writing int      // inner epoll
	outer   int
	nudge   int // eventfd
}

// New makes an emulated kqueue of four descriptors.
func New() (*Kqueue, error) {
	k := &Kqueue{knotes: map[key]*knote{}, reading: -1, writing: -1, outer: -1, nudge: -1}
	if err := k.open(); err != nil {
		_ = k.Close() // The first error is the one to report.
		return nil, err
	}
	return k, nil
}

func (k *Kqueue) open() (err error) {
	for _, epoll := range []*int{&k.outer, &k.reading, &k.writing} {
		if *epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
			return err
		}
	}
	if k.nudge, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	for _, fd := range []int{k.reading, k.writing, k.nudge} {
		ev := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(k.outer, unix.EPOLL_CTL_ADD, fd, &ev); err != nil {
			return err
		}
	}
	return nil
}

// Close frees all descriptors.
func (k *Kqueue) Close() error {
	var first error
	for _, fd := range []*int{&k.outer, &k.reading, &k.writing, &k.nudge} {
		if *fd < 0 {
			continue
		}
		if err := unix.Close(*fd); err != nil && first == nil {
			first = err
		}
		*fd = -1
	}
	return first
}

// Kevent is kevent(2), see kqueue.Kernel.
func (k *Kqueue) Kevent(changes, events []kqueue.Kevent, timeout time.Duration) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n, err := k.change(changes, events)
	if n > 0 || err != nil || len(events) == 0 {
		return n, err
	}
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for left := time.Duration(0); ; {
		if err := k.pump(left); err != nil {
			return 0, err
		}
		n := k.scan(events)
		switch {
		case n > 0, timeout == 0:
			return n, nil
		case timeout < 0:
			left = -1
		default:
			if left = time.Until(deadline); left <= 0 {
				return 0, nil
			}
		}
	}
}

// change applies the changes and answers how many entries it made.
func (k *Kqueue) change(changes, events []kqueue.Kevent) (n int, err error) {
	for _, ch := range changes {
		e := k.apply(&ch)
		switch {
		case e == 0 && ch.Flags&kqueue.FlagReceipt == 0:
		case n < len(events):
			ch.Flags |= kqueue.FlagError
			ch.Data = int64(e)
			events[n] = ch
			n++
		case e != 0:
			return 0, e
		}
	}
	return n, nil
}

// pump waits until something happened, and marks the knotes that it may
// concern. The lock is free meanwhile.
func (k *Kqueue) pump(d time.Duration) error {
	var ready [3]unix.EpollEvent
	k.waiting = d != 0
	k.mu.Unlock()
	n, err := unix.EpollWait(k.outer, ready[:], milliseconds(d))
	k.mu.Lock()
	k.waiting = false
	if err != nil {
		return err
	}
	for _, ev := range ready[:n] {
		switch int(ev.Fd) {
		case k.reading:
			err = k.drain(k.reading, kqueue.FilterRead, kqueue.FilterExcept)
		case k.writing:
			err = k.drain(k.writing, kqueue.FilterWrite)
		case k.nudge:
			var count [8]byte
			_, err = unix.Read(k.nudge, count[:])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drain empties an inner epoll.
func (k *Kqueue) drain(epoll int, filters ...int16) error {
	var ready [batch]unix.EpollEvent
	for {
		n, err := unix.EpollWait(epoll, ready[:], 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		for _, ev := range ready[:n] {
			for _, filter := range filters {
				if kn := k.knotes[key{uint64(ev.Fd), filter}]; kn != nil {
					k.activate(kn)
				}
			}
		}
		if n < batch {
			return nil
		}
	}
}

// scan collects events of active knotes, each at most once.
func (k *Kqueue) scan(events []kqueue.Kevent) int {
	n, looked := 0, 0
	for limit := len(k.active); looked < limit && n < len(events); looked++ {
		kn := k.active[looked]
		kn.active = false
		if kn.dropped || kn.disabled || !k.ready(kn) {
			continue
		}
		events[n] = kn.event
		n++
		k.fired(kn)
	}
	k.active = append(k.active[:0], k.active[looked:]...)
	return n
}

// milliseconds rounds up, because a timeout must not end early.
func milliseconds(d time.Duration) int {
	if d < 0 {
		return -1
	}
	return int(min((d+time.Millisecond-1)/time.Millisecond, math.MaxInt32))
}
