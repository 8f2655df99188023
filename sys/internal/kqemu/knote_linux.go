package kqemu

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/lion-go/lion/sys/internal/kqueue"
)

// fixed are the flags that a knote keeps from its making.
const fixed = kqueue.FlagClear | kqueue.FlagOneshot | kqueue.FlagDispatch

// Operations on the flags of USER, NOTE_FF* in <sys/event.h>.
const (
	ffCtrlMask = 0xc0000000
	ffAnd      = 0x40000000
	ffOr       = 0x80000000
	ffCopy     = 0xc0000000
	ffFlags    = 0x00ffffff
)

// knote is one registration.
type knote struct {
	event    kqueue.Kevent // as it is reported
	wanted   uint32        // fflags of the last touch
	file     file          // what the descriptor was when the knote was made
	disabled bool
	active   bool // in Kqueue.active
	dropped  bool // in Kqueue.active only
	trigger  bool // USER
}

// file tells whether a descriptor still is what it was.
type file struct{ dev, ino uint64 }

func identify(fd uint64) (file, error) {
	var st unix.Stat_t
	err := unix.Fstat(int(fd), &st)
	return file{st.Dev, st.Ino}, err
}

// apply makes one change and answers 0 or why it failed.
func (k *Kqueue) apply(ch *kqueue.Kevent) unix.Errno {
	switch ch.Filter {
	case kqueue.FilterRead, kqueue.FilterWrite, kqueue.FilterExcept, kqueue.FilterUser:
	default:
		return unix.EINVAL
	}
	kn := k.find(ch)
	switch {
	case kn == nil && (ch.Flags&kqueue.FlagAdd == 0 || ch.Flags&kqueue.FlagDelete != 0):
		return unix.ENOENT
	case ch.Flags&kqueue.FlagDelete != 0:
		k.drop(kn)
		return 0
	case kn == nil:
		return k.add(ch)
	}
	k.touch(kn, ch)
	return 0
}

// find answers the knote of a change unless its descriptor was closed.
func (k *Kqueue) find(ch *kqueue.Kevent) *knote {
	kn := k.knotes[key{ch.Ident, ch.Filter}]
	if kn != nil && !kn.current() {
		k.drop(kn)
		return nil
	}
	return kn
}

func (kn *knote) current() bool {
	if kn.event.Filter == kqueue.FilterUser {
		return true
	}
	now, err := identify(kn.event.Ident)
	return err == nil && now == kn.file
}

func (k *Kqueue) add(ch *kqueue.Kevent) unix.Errno {
	kn := &knote{event: *ch, wanted: ch.Fflags, disabled: ch.Flags&kqueue.FlagDisable != 0}
	kn.event.Flags &= fixed
	kn.event.Fflags, kn.event.Data = 0, 0
	if ch.Filter != kqueue.FilterUser {
		var err error
		if kn.file, err = identify(ch.Ident); err != nil {
			return number(err)
		}
		if err := k.watch(ch); err != nil {
			return number(err)
		}
	}
	k.knotes[key{ch.Ident, ch.Filter}] = kn
	k.touch(kn, ch)
	return 0
}

// watch puts a descriptor into the inner epoll of a filter.
func (k *Kqueue) watch(ch *kqueue.Kevent) error {
	ev := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLPRI | unix.EPOLLRDHUP, Fd: int32(ch.Ident)}
	if ch.Filter == kqueue.FilterWrite {
		ev.Events = unix.EPOLLOUT
	}
	ev.Events |= unix.EPOLLET & 0xffffffff
	err := unix.EpollCtl(k.inner(ch.Filter), unix.EPOLL_CTL_ADD, int(ch.Ident), &ev)
	if err == unix.EEXIST {
		return nil // READ and EXCEPT share an entry.
	}
	return err
}

func (k *Kqueue) inner(filter int16) int {
	if filter == kqueue.FilterWrite {
		return k.writing
	}
	return k.reading
}

// touch applies what a change says to an existing knote, and runs the filter.
func (k *Kqueue) touch(kn *knote, ch *kqueue.Kevent) {
	kn.event.Udata = ch.Udata
	if kn.event.Filter == kqueue.FilterUser {
		kn.operate(ch.Fflags)
	} else {
		kn.wanted = ch.Fflags
	}
	switch {
	case ch.Flags&kqueue.FlagDisable != 0:
		kn.disabled = true
	case ch.Flags&kqueue.FlagEnable != 0:
		kn.disabled = false
	}
	if !kn.disabled && k.ready(kn) {
		k.activate(kn)
	}
}

// operate combines the flags of a USER knote and triggers it.
func (kn *knote) operate(fflags uint32) {
	flags := fflags & ffFlags &^ kqueue.NoteTrigger
	switch fflags & ffCtrlMask {
	case ffAnd:
		kn.wanted &= flags
	case ffOr:
		kn.wanted |= flags
	case ffCopy:
		kn.wanted = flags
	}
	if fflags&kqueue.NoteTrigger != 0 {
		kn.trigger = true
	}
}

// activate puts a knote into the queue, and wakes a sleeper.
func (k *Kqueue) activate(kn *knote) {
	if kn.active || kn.dropped {
		return
	}
	kn.active = true
	k.active = append(k.active, kn)
	if k.waiting {
		one := [8]byte{1} // Whatever the byte order, it is not zero.
		if _, err := unix.Write(k.nudge, one[:]); err != nil && err != unix.EAGAIN {
			panic("kqemu: nudge: " + err.Error())
		}
	}
}

// fired does what the flags say after an event.
func (k *Kqueue) fired(kn *knote) {
	switch flags := kn.event.Flags; {
	case flags&kqueue.FlagOneshot != 0:
		k.drop(kn)
	case flags&kqueue.FlagDispatch != 0:
		kn.disabled = true
	case flags&kqueue.FlagClear == 0:
		k.activate(kn)
	}
	if kn.event.Flags&(kqueue.FlagClear|kqueue.FlagDispatch) != 0 {
		kn.trigger = false
	}
}

// drop removes a knote, and its descriptor from the inner epoll if no other
// knote needs it there. The descriptor may have been closed: then it has left
// by itself.
func (k *Kqueue) drop(kn *knote) {
	kn.dropped = true
	ev := &kn.event
	delete(k.knotes, key{ev.Ident, ev.Filter})
	if ev.Filter == kqueue.FilterUser || !kn.current() {
		return
	}
	twin := key{ev.Ident, kqueue.FilterRead + kqueue.FilterExcept - ev.Filter}
	if ev.Filter != kqueue.FilterWrite && k.knotes[twin] != nil {
		return
	}
	_ = unix.EpollCtl(k.inner(ev.Filter), unix.EPOLL_CTL_DEL, int(ev.Ident), nil)
}

// number answers the number of an error of x/sys.
func number(err error) unix.Errno {
	var e unix.Errno
	if !errors.As(err, &e) {
		panic("kqemu: not an error number: " + err.Error())
	}
	return e
}
