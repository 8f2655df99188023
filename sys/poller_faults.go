//go:build faults

package sys

import (
	"time"

	"github.com/lion-go/lion/sys/faults"
)

// The facade of a build in which calls can be made to fail has a poller of its
// own, around that of the system. Besides failing, it can report events in all
// the ways that the contract permits and kernels seldom show: without a cause,
// late and merged, one by one. And it gives the events that are due after a call
// on a descriptor was made to transfer less than it could: the rest counts as
// coming later.

// Poller waits for descriptors to become ready. It belongs to one thread,
// except for Wake.
type Poller struct {
	*systemPoller
	keys map[FD]uint64 // of the descriptors that were armed
	held []Event       // Merged: not reported yet
	rest bool          // Spurious: the next wait is a real one
}

// NewPoller makes a poller.
func NewPoller() (*Poller, error) {
	call := faults.Enter("NewPoller")
	if call.Err != nil {
		return nil, call.Err
	}
	p, err := newSystemPoller()
	if err != nil {
		return nil, err
	}
	call.Leave()
	return &Poller{systemPoller: p, keys: map[FD]uint64{}}, nil
}

// Arm promises an event.
func (p *Poller) Arm(fd FD, key uint64, want Interest) error {
	call := faults.Enter("Poller.Arm")
	if call.Err != nil {
		return call.Err
	}
	err := p.systemPoller.Arm(fd, key, want)
	if err == nil && want&Once == 0 {
		p.keys[fd] = key
	}
	call.Leave()
	return err
}

// Forget takes a descriptor from the poller.
func (p *Poller) Forget(fd FD, key uint64) {
	if p.keys[fd] == key {
		delete(p.keys, fd)
	}
	p.systemPoller.Forget(fd, key)
}

// ForgetClosing is Forget before a close.
func (p *Poller) ForgetClosing(fd FD, key uint64) {
	if p.keys[fd] == key {
		delete(p.keys, fd)
	}
	p.systemPoller.ForgetClosing(fd, key)
}

// Wait waits for events, and reports them as the plan in force says.
func (p *Poller) Wait(ev []Event, d time.Duration) (int, error) {
	call := faults.Enter("Poller.Wait")
	if call.Err != nil {
		return 0, call.Err
	}
	due := p.due()
	if len(due) > 0 {
		d = 0
	}
	room := ev
	if faults.How() == faults.Single {
		room = ev[:1]
	}
	if p.fresh(d) {
		d = 0
		for _, key := range p.keys {
			due = append(due, Event{Key: key, Ready: Readable | Writable | Priority | ErrorQueue})
		}
	}
	n, err := p.systemPoller.Wait(room, d)
	if err != nil {
		return n, err
	}
	n = p.merge(ev, n)
	for _, e := range due {
		if n < len(ev) {
			ev[n] = e
			n++
		}
	}
	call.Leave()
	return n, nil
}

// due are the events for descriptors on which less was transferred than there is.
func (p *Poller) due() (due []Event) {
	for fd, key := range p.keys {
		if faults.Nudged(fd) {
			due = append(due, Event{Key: key, Ready: Readable | Writable})
		}
	}
	return due
}

// fresh reports whether this wait is to give spurious events.
func (p *Poller) fresh(d time.Duration) bool {
	if faults.How() != faults.Spurious || d == 0 {
		return false
	}
	p.rest = !p.rest
	return p.rest
}

// merge holds events back, and adds to new ones those that were held.
func (p *Poller) merge(ev []Event, n int) int {
	if faults.How() == faults.Merged && n > 0 && len(p.held) == 0 {
		p.held = append(p.held, ev[:n]...)
		p.Wake() // the next wait is not to last
		return 0
	}
	for i, old := range p.held {
		joined := false
		for j := range ev[:n] {
			if ev[j].Key == old.Key {
				ev[j].Ready |= old.Ready
				joined = true
			}
		}
		if joined {
			continue
		}
		if n == len(ev) {
			p.held = append(p.held[:0], p.held[i:]...)
			return n
		}
		ev[n] = old
		n++
	}
	p.held = p.held[:0]
	return n
}

// Close gives everything back.
func (p *Poller) Close() error {
	call := faults.Enter("Poller.Close")
	err := p.systemPoller.Close()
	if call.Err != nil {
		return call.Err
	}
	call.Leave()
	return err
}

// WatchKevent changes what kqueue waits for.
func (p *Poller) WatchKevent(ch Kevent) error {
	call := faults.Enter("Poller.WatchKevent")
	if call.Err != nil {
		return call.Err
	}
	defer call.Leave()
	return p.systemPoller.WatchKevent(ch)
}

// RegisterHandle connects a handle with the port.
func (p *Poller) RegisterHandle(h FD) error {
	call := faults.Enter("Poller.RegisterHandle")
	if call.Err != nil {
		return call.Err
	}
	defer call.Leave()
	return p.systemPoller.RegisterHandle(h)
}

// Begin makes the record of an operation.
func (p *Poller) Begin(h FD) (*Overlapped, error) {
	call := faults.Enter("Poller.Begin")
	if call.Err != nil {
		return nil, call.Err
	}
	defer call.Leave()
	return p.systemPoller.Begin(h)
}

// Cancel asks for the end of an operation.
func (p *Poller) Cancel(o *Overlapped) error {
	call := faults.Enter("Poller.Cancel")
	if call.Err != nil {
		return call.Err
	}
	defer call.Leave()
	return p.systemPoller.Cancel(o)
}

// PostCompletion posts a packet.
func (p *Poller) PostCompletion(c Completion) error {
	call := faults.Enter("Poller.PostCompletion")
	if call.Err != nil {
		return call.Err
	}
	defer call.Leave()
	return p.systemPoller.PostCompletion(c)
}

// cutStream shortens a transfer, if that is a stream's: of a message the rest
// would be lost.
func cutStream(call faults.Call, fd FD, b []byte) []byte {
	if !call.Cutting() || !isStream(fd) {
		return b
	}
	return b[:call.Cut(len(b))]
}

// cutMsg shortens the buffers of m likewise, until the call has been made.
func cutMsg(call faults.Call, fd FD, m *Msg) (restore func()) {
	whole := m.Buffers
	if !call.Cutting() || !isStream(fd) {
		return func() {}
	}
	total := 0
	for _, b := range whole {
		total += len(b)
	}
	left := call.Cut(total)
	if left == total {
		return func() {}
	}
	m.Buffers = nil
	for _, b := range whole {
		b = b[:min(left, len(b))]
		left -= len(b)
		m.Buffers = append(m.Buffers, b)
	}
	return func() { m.Buffers = whole }
}

// cutTransmit shortens the part of a file that is sent; the tail belongs behind
// the whole of it.
func cutTransmit(call faults.Call, n int, tail []byte) (int, []byte) {
	if cut := call.Cut(n); cut != n {
		return cut, nil
	}
	return n, tail
}

func isStream(fd FD) bool {
	typ, err := systemOption(fd, SOL_SOCKET, SO_TYPE)
	return err == nil && typ == SOCK_STREAM
}
