package kqemu

import (
	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqueue"
)

// ready runs a knote's filter and brings its event up to date.
func (k *Kqueue) ready(kn *knote) bool {
	if kn.event.Filter == kqueue.FilterUser {
		kn.event.Fflags = kn.wanted
		return kn.trigger
	}
	if !kn.current() {
		k.drop(kn)
		return false
	}
	s, err := look(int(kn.event.Ident))
	if err != nil {
		return false
	}
	ev := &kn.event
	ev.Flags &= fixed
	ev.Fflags, ev.Data = 0, 0
	if ev.Filter == kqueue.FilterWrite {
		return s.writable(ev)
	}
	return s.readable(ev, kn.wanted)
}

// state is what Linux tells about a descriptor.
type state struct {
	fd     int
	events int16 // poll(2)
	kind   int   // SOCK_*, 0 for what is not a socket
	listen bool
}

func look(fd int) (state, error) {
	s := state{fd: fd}
	if kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE); err == nil {
		s.kind = kind
		on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
		s.listen = err == nil && on != 0
	}
	p := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN | unix.POLLOUT | unix.POLLPRI | unix.POLLRDHUP}}
	for {
		_, err := unix.Poll(p, 0)
		if err != unix.EINTR {
			s.events = p[0].Revents
			return s, err
		}
	}
}

func (s *state) has(events int16) bool { return s.events&events != 0 }

// fresh says that a stream was never connected: Linux reports POLLHUP for it,
// but not the POLLRDHUP that comes with every end of a connection.
func (s *state) fresh() bool {
	return s.kind != 0 && s.kind != unix.SOCK_DGRAM && s.has(unix.POLLHUP) && !s.has(unix.POLLRDHUP)
}

// readable is the filter READ, and EXCEPT, which is the same with NOTE_OOB.
func (s *state) readable(ev *kqueue.Kevent, wanted uint32) bool {
	if s.listen {
		ev.Data = s.backlog()
		return s.has(unix.POLLIN)
	}
	if s.fresh() {
		return false
	}
	if n, err := unix.IoctlGetInt(s.fd, unix.TIOCINQ); err == nil {
		ev.Data = int64(n)
	}
	if wanted&kqueue.NoteOOB != 0 && s.has(unix.POLLPRI) {
		ev.Fflags |= kqueue.NoteOOB
		return true
	}
	if s.ended() {
		s.end(ev)
		return true
	}
	return s.has(unix.POLLIN | unix.POLLERR)
}

// ended says that nothing more can arrive. What is not a socket says so by
// POLLHUP.
func (s *state) ended() bool {
	if s.kind == 0 {
		return s.has(unix.POLLHUP)
	}
	return s.has(unix.POLLRDHUP)
}

// backlog is how many connections wait to be accepted; Linux tells only TCP's.
func (s *state) backlog() int64 {
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 1
	}
	return max(1, int64(info.Unacked))
}

// writable is the filter WRITE.
func (s *state) writable(ev *kqueue.Kevent) bool {
	if s.listen || s.fresh() {
		return false
	}
	ev.Data = s.space()
	if s.shut() {
		s.end(ev)
		return true
	}
	return s.has(unix.POLLOUT | unix.POLLERR)
}

// shut says that nothing more can be sent. POLLHUP means that both directions
// are over; for a pipe, POLLERR means that nobody can read it. Linux does not
// tell a socket's own shutdown, but TCP's state does.
func (s *state) shut() bool {
	if s.kind == 0 {
		return s.has(unix.POLLERR)
	}
	if s.has(unix.POLLHUP) {
		return true
	}
	info, err := unix.GetsockoptTCPInfo(s.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return false
	}
	switch info.State {
	case unix.BPF_TCP_FIN_WAIT1, unix.BPF_TCP_FIN_WAIT2, unix.BPF_TCP_CLOSING,
		unix.BPF_TCP_LAST_ACK, unix.BPF_TCP_TIME_WAIT:
		return true
	}
	return false
}

// space is about how much can be sent.
func (s *state) space() int64 {
	size, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
	if err != nil {
		return 1
	}
	used, err := unix.IoctlGetInt(s.fd, unix.TIOCOUTQ)
	if err != nil {
		return 1
	}
	return max(1, int64(size-used))
}

// end marks an event as the last one. The error number cannot be read without
// consuming it, so any will do.
func (s *state) end(ev *kqueue.Kevent) {
	ev.Flags |= kqueue.FlagEOF
	if s.has(unix.POLLERR) {
		ev.Fflags = uint32(unix.ECONNRESET)
	}
}
