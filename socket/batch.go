package socket

import (
	"fmt"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Batches of datagrams: one system call for up to MaxBatch messages where the
// system has such a call (Linux), a bounded loop elsewhere. They save half of
// the cost of small datagrams when many are under way, and cost nothing when
// there is only one. Each message is one of its own: it comes and goes whole.

// MaxBatch is the most messages that one call transfers; what is beyond is left
// for the next one.
const MaxBatch = sys.MaxBatch

// RecvBatch receives into the messages, one after the other, as many as there
// are, waiting until there is at least one, and returns their number; the field
// N of each is its size. It does not wait until all have come. A Msg whose
// Control was cut to what came needs its room again before the next call:
//
//	m.Control = m.Control[:cap(m.Control)]
//
// An error beside messages says why there are no more of them. It is a
// checkpoint; after Cancelled nothing has been taken.
func (s *Socket) RecvBatch(t *loop.Task, ms []Msg, flags int) (int, error) {
	err := batchable(ms)
	if err == nil {
		err = s.claimReceive(t, flags)
	}
	if err != nil {
		return 0, s.dataError("recvmmsg", Addr{}, err)
	}
	n, err := retry(t, s, s.receiveWant(flags), func() (int, error) {
		return s.tryRecvBatch(ms, flags)
	})
	s.releaseReceive(flags)
	if err != nil {
		return n, s.dataError("recvmmsg", Addr{}, err)
	}
	return n, nil
}

// RecvBatchNowait is RecvBatch that never suspends: ErrWouldBlock if there is
// nothing.
func (s *Socket) RecvBatchNowait(ms []Msg, flags int) (int, error) {
	err := batchable(ms)
	if err == nil && s.receiveBusy(flags) {
		err = loop.ErrBusy
	}
	if err != nil {
		return 0, opError("recvmmsg", Addr{}, err)
	}
	n, err := once(s, s.receiveWant(flags), func() (int, error) {
		return s.tryRecvBatch(ms, flags)
	})
	if err != nil {
		return n, s.dataError("recvmmsg", Addr{}, err)
	}
	return n, nil
}

func (s *Socket) tryRecvBatch(ms []Msg, flags int) (int, error) {
	n, err := sys.RecvMMsg(s.d.FD(), ms, flags)
	for i := range ms[:n] {
		s.received += uint64(ms[i].N)
	}
	if err == nil {
		s.noteFlags(flags)
	}
	return n, err
}

// SendBatch sends the messages in order, as many as the system takes at once,
// waiting until it takes at least one, and returns their number; the rest is
// the caller's to send again. An error concerns the message after those. It is
// a checkpoint; after Cancelled nothing has been sent.
//
// Linux forgets the error of a message that is not the first one; the next call
// finds it again, for then it is the first.
func (s *Socket) SendBatch(t *loop.Task, ms []Msg, flags int) (int, error) {
	err := s.batchSendable(ms)
	if err == nil {
		err = s.claim(t, &s.sending)
	}
	if err != nil {
		return 0, s.dataError("sendmmsg", Addr{}, err)
	}
	n, err := retry(t, s, sys.Writable, func() (int, error) { return s.trySendBatch(ms, flags) })
	s.sending = false
	if err != nil {
		return n, s.dataError("sendmmsg", destination(ms, n), err)
	}
	return n, nil
}

// SendBatchNowait is SendBatch that never suspends: ErrWouldBlock if the system
// takes nothing.
func (s *Socket) SendBatchNowait(ms []Msg, flags int) (int, error) {
	err := s.batchSendable(ms)
	if err == nil && s.sending {
		err = loop.ErrBusy
	}
	if err != nil {
		return 0, opError("sendmmsg", Addr{}, err)
	}
	n, err := once(s, sys.Writable, func() (int, error) { return s.trySendBatch(ms, flags) })
	if err != nil {
		return n, s.dataError("sendmmsg", destination(ms, n), err)
	}
	return n, nil
}

func (s *Socket) trySendBatch(ms []Msg, flags int) (int, error) {
	n, err := sys.SendMMsg(s.d.FD(), ms, flags)
	for i := range ms[:n] {
		s.sent += uint64(ms[i].N)
	}
	return n, err
}

// destination is the address of the message that failed.
func destination(ms []Msg, n int) Addr {
	if n < len(ms) {
		return AddrFrom(&ms[n].Name)
	}
	return Addr{}
}

func batchable(ms []Msg) error {
	if len(ms) == 0 {
		return misuse("a batch without messages")
	}
	return nil
}

func (s *Socket) batchSendable(ms []Msg) error {
	if err := batchable(ms); err != nil {
		return err
	}
	for i := range ms {
		if err := s.sendable(&ms[i]); err != nil {
			return fmt.Errorf("message %d: %w", i, err)
		}
	}
	return nil
}

// sendable refuses control data that would go with no byte of a stream: systems
// drop them without a word, or hold them back for whatever is sent next.
func (s *Socket) sendable(m *Msg) error {
	if len(m.Control) == 0 || s.typ != sys.SOCK_STREAM {
		return nil
	}
	for _, b := range m.Buffers {
		if len(b) > 0 {
			return nil
		}
	}
	return misuse("control data without a byte of data on a stream")
}

// receiveWant is what a receive with these flags waits for.
func (s *Socket) receiveWant(flags int) sys.Interest {
	if flags&sys.MSG_ERRQUEUE != 0 {
		return sys.ErrorQueue
	}
	return sys.Readable
}
