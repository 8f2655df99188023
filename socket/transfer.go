package socket

import (
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Receives and sends. The flags are those of recv(2) and send(2), as sys.MSG_
// constants; 0 is a plain one. A claim holds a direction of a stream until the
// call returns, and is released on every way out.

// Recv receives into b, see recv(2), waiting until there is something. On a
// stream 0 bytes without an error are the end, on others an empty message. It
// is a checkpoint; after Cancelled nothing has been taken.
func (s *Socket) Recv(t *loop.Task, b []byte, flags int) (int, error) {
	n, err := s.recv(t, b, flags)
	if err != nil {
		return n, s.dataError("recv", Addr{}, err)
	}
	return n, nil
}

func (s *Socket) recv(t *loop.Task, b []byte, flags int) (int, error) {
	if err := s.claimReceive(t, flags); err != nil {
		return 0, err
	}
	n, err := retry(t, s, s.receiveWant(flags), func() (int, error) { return s.tryRecv(b, flags) })
	s.releaseReceive(flags)
	return n, err
}

// claimReceive claims the receiving direction. Entries of the error queue come
// whole, and apart from the stream: who takes them needs no claim.
func (s *Socket) claimReceive(t *loop.Task, flags int) error {
	if flags&sys.MSG_ERRQUEUE != 0 {
		var unclaimed bool
		return s.claim(t, &unclaimed)
	}
	return s.claim(t, &s.receiving)
}

func (s *Socket) releaseReceive(flags int) {
	if flags&sys.MSG_ERRQUEUE == 0 {
		s.receiving = false
	}
}

func (s *Socket) receiveBusy(flags int) bool {
	return s.receiving && flags&sys.MSG_ERRQUEUE == 0
}

// RecvNowait is Recv that never suspends: ErrWouldBlock if there is nothing.
func (s *Socket) RecvNowait(b []byte, flags int) (int, error) {
	if s.receiveBusy(flags) {
		return 0, opError("recv", Addr{}, loop.ErrBusy)
	}
	n, err := once(s, s.receiveWant(flags), func() (int, error) { return s.tryRecv(b, flags) })
	if err != nil {
		return n, s.dataError("recv", Addr{}, err)
	}
	return n, nil
}

// Send sends b, see send(2), waiting until some of it is taken: on a stream
// that may be less than len(b), and the number is returned. It is a
// checkpoint; after Cancelled nothing has been sent.
func (s *Socket) Send(t *loop.Task, b []byte, flags int) (int, error) {
	n, err := s.send(t, b, flags)
	if err != nil {
		return n, s.dataError("send", Addr{}, err)
	}
	return n, nil
}

func (s *Socket) send(t *loop.Task, b []byte, flags int) (int, error) {
	if err := s.claim(t, &s.sending); err != nil {
		return 0, err
	}
	n, err := retry(t, s, sys.Writable, func() (int, error) { return s.trySend(b, flags) })
	s.sending = false
	return n, err
}

// SendNowait is Send that never suspends: ErrWouldBlock if nothing is taken.
func (s *Socket) SendNowait(b []byte, flags int) (int, error) {
	if s.sending {
		return 0, opError("send", Addr{}, loop.ErrBusy)
	}
	n, err := once(s, sys.Writable, func() (int, error) { return s.trySend(b, flags) })
	if err != nil {
		return n, s.dataError("send", Addr{}, err)
	}
	return n, nil
}

func (s *Socket) trySend(b []byte, flags int) (int, error) {
	n, err := sys.Send(s.d.FD(), b, flags)
	if err == nil {
		s.sent += uint64(n)
	}
	return n, err
}

// Msg is one message to be sent, or the room for one to be received: buffers,
// name, control data and flags. It may be reused, and nothing in it escapes.
type Msg = sys.Msg

// RecvMsg receives into m, see sys.RecvMsg for what it stores and recvmsg(2),
// waiting until there is something. A datagram that did not fit sets
// sys.MSG_TRUNC in m.Flags. Descriptors that come along are closed unless
// m.WantRights asks for them. With sys.MSG_ERRQUEUE it waits for the error
// queue (Linux), whose entries ControlMessage.ExtendedError decodes; that is a
// direction of its own, and does not disturb a task that receives. It is a
// checkpoint; after Cancelled nothing has been taken.
func (s *Socket) RecvMsg(t *loop.Task, m *Msg, flags int) (int, error) {
	if err := s.claimReceive(t, flags); err != nil {
		return 0, s.dataError("recvmsg", Addr{}, err)
	}
	n, err := retry(t, s, s.receiveWant(flags), func() (int, error) { return s.tryRecvMsg(m, flags) })
	s.releaseReceive(flags)
	if err != nil {
		return n, s.dataError("recvmsg", Addr{}, err)
	}
	return n, nil
}

// RecvMsgNowait is RecvMsg that never suspends: ErrWouldBlock if there is
// nothing.
func (s *Socket) RecvMsgNowait(m *Msg, flags int) (int, error) {
	if s.receiveBusy(flags) {
		return 0, opError("recvmsg", Addr{}, loop.ErrBusy)
	}
	n, err := once(s, s.receiveWant(flags), func() (int, error) { return s.tryRecvMsg(m, flags) })
	if err != nil {
		return n, s.dataError("recvmsg", Addr{}, err)
	}
	return n, nil
}

func (s *Socket) tryRecvMsg(m *Msg, flags int) (int, error) {
	n, err := sys.RecvMsg(s.d.FD(), m, flags)
	if err == nil {
		s.received += uint64(n)
		s.noteFlags(flags)
	}
	return n, err
}

// SendMsg sends m, see sendmsg(2), waiting until some of it is taken: on a
// stream that may be less than its buffers hold, and the number of bytes is
// returned. Control data, descriptors for example, went with the first of them:
// what is sent of the rest must not have them again. It is a checkpoint; after
// Cancelled nothing has been sent.
func (s *Socket) SendMsg(t *loop.Task, m *Msg, flags int) (int, error) {
	err := s.sendable(m)
	if err == nil {
		err = s.claim(t, &s.sending)
	}
	if err != nil {
		return 0, s.dataError("sendmsg", Addr{}, err)
	}
	n, err := retry(t, s, sys.Writable, func() (int, error) { return s.trySendMsg(m, flags) })
	s.sending = false
	if err != nil {
		return n, s.dataError("sendmsg", AddrFrom(&m.Name), err)
	}
	return n, nil
}

// SendMsgNowait is SendMsg that never suspends: ErrWouldBlock if nothing is
// taken.
func (s *Socket) SendMsgNowait(m *Msg, flags int) (int, error) {
	err := s.sendable(m)
	if err == nil && s.sending {
		err = loop.ErrBusy
	}
	if err != nil {
		return 0, opError("sendmsg", Addr{}, err)
	}
	n, err := once(s, sys.Writable, func() (int, error) { return s.trySendMsg(m, flags) })
	if err != nil {
		return n, s.dataError("sendmsg", AddrFrom(&m.Name), err)
	}
	return n, nil
}

func (s *Socket) trySendMsg(m *Msg, flags int) (int, error) {
	n, err := sys.SendMsg(s.d.FD(), m, flags)
	if err == nil {
		s.sent += uint64(n)
	}
	return n, err
}

// RecvFrom receives a message into b and returns its sender, see recvfrom(2),
// waiting until there is one. A message longer than b is cut: use RecvMsg to
// notice. It is a checkpoint; after Cancelled nothing has been taken.
func (s *Socket) RecvFrom(t *loop.Task, b []byte, flags int) (int, Addr, error) {
	m := Msg{WantName: true}
	buffers := [1][]byte{b}
	m.Buffers = buffers[:]
	n, err := s.RecvMsg(t, &m, flags)
	if err != nil {
		return n, Addr{}, err
	}
	return n, AddrFrom(&m.Name), nil
}

// RecvFromNowait is RecvFrom that never suspends: ErrWouldBlock if there is
// nothing.
func (s *Socket) RecvFromNowait(b []byte, flags int) (int, Addr, error) {
	m := Msg{WantName: true}
	buffers := [1][]byte{b}
	m.Buffers = buffers[:]
	n, err := s.RecvMsgNowait(&m, flags)
	if err != nil {
		return n, Addr{}, err
	}
	return n, AddrFrom(&m.Name), nil
}

// SendTo sends b as a message to an address, see sendto(2), waiting until the
// system takes it. It is a checkpoint; after Cancelled nothing has been sent.
func (s *Socket) SendTo(t *loop.Task, b []byte, flags int, to Addr) (int, error) {
	m := Msg{}
	buffers := [1][]byte{b}
	m.Buffers = buffers[:]
	var err error
	if m.Name, err = to.Sockaddr(int(s.family)); err != nil {
		return 0, opError("sendto", to, err)
	}
	return s.SendMsg(t, &m, flags)
}

// SendToNowait is SendTo that never suspends: ErrWouldBlock if the system
// takes nothing.
func (s *Socket) SendToNowait(b []byte, flags int, to Addr) (int, error) {
	m := Msg{}
	buffers := [1][]byte{b}
	m.Buffers = buffers[:]
	var err error
	if m.Name, err = to.Sockaddr(int(s.family)); err != nil {
		return 0, opError("sendto", to, err)
	}
	return s.SendMsgNowait(&m, flags)
}
