package kqueue

import (
	"os"
	"syscall"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Arm registers fd under key for what is wanted. Errors are Errno values: of
// an earlier registration that the kernel refused, or of submitting a full
// list of changes; EINVAL if want asks for nothing or for Unusual; EEXIST if
// want has Once and fd is registered without, under another key. A closed
// poller answers os.ErrClosed.
func (p *Poller) Arm(fd seam.FD, key uint64, want seam.Interest) error {
	if err := p.check(fd, want); err != nil {
		return err
	}
	if int(fd) >= len(p.slots) {
		p.grow(fd)
	}
	s := &p.slots[fd]
	if s.serial != 0 && s.key == key {
		return p.armAgain(fd, s, want)
	}
	if s.serial != 0 && s.own && want&seam.Once != 0 {
		return syscall.EEXIST // and the registration stays
	}
	err := p.register(fd, key, want)
	if err == nil {
		err = p.armAgain(fd, s, want)
	}
	if err != nil {
		p.drop(fd)
	}
	return err
}

// armAgain is Arm for the present registration.
func (p *Poller) armAgain(fd seam.FD, s *slot, want seam.Interest) error {
	if err := s.failure(want); err != nil {
		return err
	}
	if want&seam.Once == 0 {
		s.own = true
		return p.armOwn(fd, s, want)
	}
	if err := p.armOnce(fd, s, want); err != nil {
		return err
	}
	if _, err := p.collect(0); err != nil {
		return err
	}
	return s.failure(want)
}

func (p *Poller) check(fd seam.FD, want seam.Interest) error {
	switch {
	case p.closed:
		return os.ErrClosed
	case fd < 0, fd >= maxFD:
		return syscall.EBADF
	case want&askable == 0, want&^(askable|seam.Once) != 0:
		return syscall.EINVAL
	}
	return nil
}

// grow makes room for fd; doubling keeps the copying linear.
func (p *Poller) grow(fd seam.FD) {
	slots := make([]slot, max(int(fd)+1, 2*len(p.slots), 64))
	copy(slots, p.slots)
	p.slots = slots
}

// register begins a new registration of fd.
func (p *Poller) register(fd seam.FD, key uint64, want seam.Interest) error {
	p.drop(fd)
	s := &p.slots[fd]
	if s.knotes&readOnce != 0 && want&seam.Once == 0 {
		// If the one-shot knote is still there, adding would not make it last.
		if err := p.change(fd, Kevent{Filter: FilterRead, Flags: FlagDelete}); err != nil {
			return err
		}
	}
	p.serial++
	s.key, s.serial, s.knotes = key, p.serial, 0 // and own is false
	p.stats.Registered++
	return nil
}

// armOwn adds the knotes that are missing. READ serves every interest but
// writing: it reports marks and pending errors too.
func (p *Poller) armOwn(fd seam.FD, s *slot, want seam.Interest) error {
	if want&^(seam.Writable|seam.Once) != 0 && s.knotes&(readKnote|readOnce) == 0 {
		if err := p.add(fd, s, FilterRead, readFlags); err != nil {
			return err
		}
		s.knotes |= readKnote
	}
	if want&seam.Writable != 0 && s.knotes&writeKnote == 0 {
		if err := p.add(fd, s, FilterWrite, writeFlags); err != nil {
			return err
		}
		s.knotes |= writeKnote
	}
	return nil
}

// armOnce adds what is wanted whatever there is: the descriptor may have been
// closed and made again. Its caller submits the changes.
func (p *Poller) armOnce(fd seam.FD, s *slot, want seam.Interest) error {
	if want&(seam.Readable|seam.ErrorQueue) != 0 {
		if err := p.add(fd, s, FilterRead, onceFlags); err != nil {
			return err
		}
		s.knotes |= readOnce
	}
	if want&seam.Writable != 0 {
		if err := p.add(fd, s, FilterWrite, onceFlags); err != nil {
			return err
		}
		s.knotes |= writeKnote
	}
	if want&seam.Priority != 0 {
		if err := p.add(fd, s, FilterExcept, readFlags); err != nil {
			return err
		}
		s.knotes |= exceptKnote
	}
	return nil
}

func (p *Poller) add(fd seam.FD, s *slot, filter int16, flags uint16) error {
	ch := Kevent{Filter: filter, Flags: flags, Udata: s.serial}
	if filter == FilterExcept || filter == FilterRead && flags&FlagClear != 0 {
		ch.Fflags = NoteOOB
	}
	return p.change(fd, ch)
}

// change puts ch, for fd, on the list. A full list is submitted first; the
// events that come with the answer are kept for the next Wait.
func (p *Poller) change(fd seam.FD, ch Kevent) error {
	for len(p.changes) == maxChanges {
		if _, err := p.collect(0); err != nil {
			return err
		}
	}
	ch.Ident = uint64(fd)
	p.changes = append(p.changes, ch)
	return nil
}

// Forget drops the registration of fd, if it is under key. The kernel is told
// nothing, see above.
func (p *Poller) Forget(fd seam.FD, key uint64) {
	if fd < 0 || int(fd) >= len(p.slots) {
		return
	}
	if s := &p.slots[fd]; s.serial != 0 && s.key == key {
		p.drop(fd)
	}
}

// drop drops the registration of fd, if there is one: its changes not yet
// submitted and its report not yet handed out.
func (p *Poller) drop(fd seam.FD) {
	p.withdraw(fd)
	s := &p.slots[fd]
	if s.serial == 0 {
		return
	}
	if s.ready != 0 {
		p.reports[s.ready-1].ready = 0
	}
	*s = slot{knotes: s.knotes}
	p.stats.Registered--
}

// withdraw takes the changes of fd off the list, which is mostly short.
func (p *Poller) withdraw(fd seam.FD) {
	kept := p.changes[:0]
	for _, ch := range p.changes {
		if ch.Ident != uint64(fd) {
			kept = append(kept, ch)
		}
	}
	p.changes = kept
}

// failure answers, once, why the kernel refused a registration for something
// that is wanted now.
func (s *slot) failure(want seam.Interest) error {
	if s.failed == [3]uint16{} {
		return nil
	}
	var err error
	for i, mask := range [3]seam.Interest{askable &^ seam.Writable, seam.Writable, seam.Priority} {
		if want&mask != 0 && s.failed[i] != 0 {
			err, s.failed[i] = syscall.Errno(s.failed[i]), 0
		}
	}
	return err
}

// failedIndex is where a slot keeps the error of a filter.
func failedIndex(filter int16) int {
	switch filter {
	case FilterRead:
		return 0
	case FilterWrite:
		return 1
	}
	return 2
}
