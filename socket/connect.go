package socket

import (
	"errors"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Connect connects the socket, see connect(2), and waits until that has
// succeeded or failed. It is a checkpoint.
//
// It is an exception to the rule that Cancelled means that nothing happened: a
// connect that has begun cannot be taken back. So a stream socket whose connect
// is cancelled, even before it began, or fails, is closed. A socket for
// datagrams only notes the address, and stays open. An address that cannot be
// meant, and a socket that is connected already, are refused without effect.
func (s *Socket) Connect(t *loop.Task, to Addr) error {
	sa, err := to.Sockaddr(int(s.family))
	if err == nil {
		err = s.open()
	}
	if err == nil && s.connected && !s.readdressable() {
		err = sys.EISCONN
	}
	if err == nil {
		err = s.claim(t, &s.sending)
	}
	if err != nil {
		return opError("connect", to, err)
	}
	begun := false
	_, err = retry(t, s, sys.Writable, func() (struct{}, error) {
		if !begun {
			begun = true
			return struct{}{}, sys.Connect(s.d.FD(), &sa)
		}
		return struct{}{}, sys.FinishConnect(s.d.FD())
	})
	s.sending = false
	if err == nil && s.connectedToItself(to) {
		err = ErrSelfConnect
	}
	if err != nil {
		if !s.readdressable() && !errors.Is(err, loop.ErrWrongTask) {
			_ = s.Close() // the connect has failed; that is the news
		}
		return opError("connect", to, err)
	}
	s.connected = true
	return nil
}

// readdressable reports whether connecting only notes an address, which can be
// done again: on sockets for single messages. (SOCK_SEQPACKET has connections.)
func (s *Socket) readdressable() bool {
	return s.typ == sys.SOCK_DGRAM || s.typ == sys.SOCK_RAW
}

// connectedToItself reports whether both ends of a TCP connection are one. The
// peer is asked for only if the ports are the same: the address that was asked
// for may be another name of it, such as the unspecified one.
func (s *Socket) connectedToItself(to Addr) bool {
	if s.typ != sys.SOCK_STREAM || s.family == sys.AF_UNIX {
		return false
	}
	own, err := s.Name()
	if err != nil || own.ap.Port() != to.ap.Port() {
		return false
	}
	peer, err := s.PeerName()
	return err == nil && own.IsValid() && own == peer
}

// Accept takes the next connection of a listening socket, see accept(2),
// waiting until there is one. Errors of single connections are returned too:
// a Listener deals with them. It is a checkpoint; after Cancelled nothing has
// been taken.
func (s *Socket) Accept(t *loop.Task) (*Socket, Addr, error) {
	if t.Loop() != s.d.Loop() {
		return nil, Addr{}, opError("accept", Addr{}, loop.ErrWrongTask)
	}
	a, err := retry(t, s, sys.Readable, s.tryAccept)
	if err != nil {
		return nil, Addr{}, opError("accept", Addr{}, err)
	}
	return s.accepted(a)
}

// AcceptNowait is Accept that never suspends: ErrWouldBlock if no connection
// waits.
func (s *Socket) AcceptNowait() (*Socket, Addr, error) {
	a, err := once(s, sys.Readable, s.tryAccept)
	if err != nil {
		return nil, Addr{}, opError("accept", Addr{}, err)
	}
	return s.accepted(a)
}

// acceptance is what accept(2) answers.
type acceptance struct {
	fd   sys.FD
	from sys.Sockaddr
}

func (s *Socket) tryAccept() (acceptance, error) {
	var a acceptance
	var err error
	a.fd, err = sys.Accept(s.d.FD(), &a.from)
	return a, err
}

func (s *Socket) accepted(a acceptance) (*Socket, Addr, error) {
	conn := &Socket{}
	s.initAccepted(conn, a.fd)
	return conn, AddrFrom(&a.from), nil
}

// initAccepted makes conn the socket of an accepted descriptor, which is of
// the listener's kind.
func (s *Socket) initAccepted(conn *Socket, fd sys.FD) {
	*conn = Socket{d: s.d.Loop().Register(fd), family: s.family, typ: s.typ}
	conn.connected, conn.shortReads = true, s.shortReads
	conn.lingers, conn.lingered = s.lingers, s.lingered
}
