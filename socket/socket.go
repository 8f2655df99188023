package socket

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// A Socket is a socket of the kernel, nonblocking and not inherited by
// children, that belongs to a loop. Operations mean what their man pages say.
// On streams at most one task receives and at most one sends: another one gets
// ErrBusy. On other sockets tasks may share a direction, since each operation
// is a message of its own, but only one of them can wait at a time.
type Socket struct {
	d        *loop.Descriptor
	received uint64
	sent     uint64
	family   uint16
	typ      uint8

	closed     bool
	receiving  bool // a task is in a receive; streams only
	sending    bool // a task is in a send or a connect; streams only
	connected  bool
	sentEOF    bool
	lingers    bool // closing it may take time
	lingered   bool // so it was once: what a listener had accepted by then inherits it
	shortReads bool // the short-read rule may apply
	shared     bool // others may have a duplicate of the descriptor

	lent func() // by Claim.Lend: has its call end soon
}

// New makes a socket, see socket(2). Errors are those of the system;
// EAFNOSUPPORT for a family that it does not have. Sync-coloured.
func New(l *loop.Loop, family, typ, proto int) (*Socket, error) {
	if l == nil {
		return nil, noLoop("socket")
	}
	fd, err := sys.Socket(family, typ, proto)
	if err != nil {
		return nil, opError("socket", Addr{}, err)
	}
	s := &Socket{}
	s.init(l, fd, family, typ)
	return s, nil
}

// noLoop is for a nil loop: that of a nil task, as a rule.
func noLoop(op string) error {
	return opError(op, Addr{}, fmt.Errorf("no loop, or a nil task: %w", loop.ErrWrongTask))
}

// init registers a new descriptor. TCP is the only stream protocol of the two
// IP families that sys.Socket makes when asked for a stream with protocol 0;
// others (SCTP, MPTCP) are left out of the short-read rule by streamIsTCP.
func (s *Socket) init(l *loop.Loop, fd sys.FD, family, typ int) {
	*s = Socket{d: l.Register(fd), family: uint16(family), typ: uint8(typ)}
	inet := family == sys.AF_INET || family == sys.AF_INET6
	s.shortReads = inet && typ == sys.SOCK_STREAM && streamIsTCP(fd)
}

// streamIsTCP reports whether a stream socket of an IP family speaks TCP. Only
// TCP has the option; where a system cannot tell, TCP is all that it has.
func streamIsTCP(fd sys.FD) bool {
	proto, err := sys.GetsockoptInt(fd, sys.SOL_SOCKET, sys.SO_PROTOCOL)
	return errors.Is(err, errors.ErrUnsupported) || err == nil && proto == sys.IPPROTO_TCP
}

// Pair makes two sockets that are connected to each other, see socketpair(2).
// Where the system has none for the family, a stream pair over loopback stands
// in. Sync-coloured.
func Pair(l *loop.Loop, family, typ, proto int) (a, b *Socket, err error) {
	fa, fb, err := sys.SocketPair(family, typ, proto)
	if err != nil {
		return nil, nil, opError("socketpair", Addr{}, err)
	}
	if a, err = Adopt(l, fa); err != nil {
		return nil, nil, errors.Join(err, sys.Close(fa), sys.Close(fb))
	}
	if b, err = Adopt(l, fb); err != nil {
		return nil, nil, errors.Join(err, a.Close(), sys.Close(fb))
	}
	a.connected, b.connected = true, true
	return a, b, nil
}

// Adopt makes a Socket of fd, which must be a socket and belongs to the Socket
// from then on; it is made nonblocking. Anything else is refused with the
// error of the system, ENOTSOCK as a rule, and stays the caller's.
// Sync-coloured.
func Adopt(l *loop.Loop, fd sys.FD) (*Socket, error) {
	if l == nil {
		return nil, noLoop("adopt")
	}
	typ, err := sys.GetsockoptInt(fd, sys.SOL_SOCKET, sys.SO_TYPE)
	if err != nil {
		return nil, &OpError{Op: "getsockopt", Err: err}
	}
	family, err := familyOf(fd)
	if err != nil {
		return nil, &OpError{Op: "getsockname", Err: err}
	}
	if err := sys.SetNonblock(fd, true); err != nil {
		return nil, &OpError{Op: "fcntl", Err: err}
	}
	s := &Socket{}
	s.init(l, fd, family, typ)
	s.shared = true
	var peer sys.Sockaddr
	s.connected = sys.Getpeername(fd, &peer) == nil
	linger, err := getLinger(fd)
	s.lingers = err == nil && linger.On && linger.Time > 0
	return s, nil
}

func familyOf(fd sys.FD) (int, error) {
	family, err := sys.GetsockoptInt(fd, sys.SOL_SOCKET, sys.SO_DOMAIN)
	if err == nil {
		return family, nil
	}
	var name sys.Sockaddr
	if err := sys.Getsockname(fd, &name); err != nil {
		return 0, err
	}
	return name.Family(), nil
}

// Detach takes the descriptor out of the Socket and its loop without closing
// it, and returns it; it stays nonblocking. The Socket is closed: tasks that
// wait get ErrClosed. While it is lent, see Claim.Lend, it is loop.ErrBusy.
// Sync-coloured.
func (s *Socket) Detach() (sys.FD, error) {
	if s.closed {
		return sys.Invalid, &OpError{Op: "detach", Err: loop.ErrClosed}
	}
	if s.lent != nil {
		return sys.Invalid, &OpError{Op: "detach", Err: loop.ErrBusy}
	}
	s.closed = true
	s.d.Forget()
	return s.d.FD(), nil
}

// Dup makes a second Socket for the same socket of the kernel, see dup(2): it
// stays open until both have been closed. Sync-coloured.
func (s *Socket) Dup() (*Socket, error) {
	if s.closed {
		return nil, &OpError{Op: "dup", Err: loop.ErrClosed}
	}
	fd, err := sys.Dup(s.d.FD())
	if err != nil {
		return nil, opError("dup", Addr{}, err)
	}
	dup := &Socket{}
	dup.init(s.d.Loop(), fd, int(s.family), int(s.typ))
	dup.shared, s.shared = true, true
	dup.connected, dup.lingers, dup.shortReads = s.connected, s.lingers, s.shortReads
	return dup, nil
}

// Close closes the socket; tasks that wait on it get ErrClosed. It is
// idempotent, sync-coloured and never blocks: a socket with a positive linger
// time is closed by a goroutine of its own, which ends within that time; if 64
// are at it already the socket does not linger. The error is that of close(2),
// and the socket is closed nevertheless.
//
// What was sent is still delivered by the system. But if received bytes have
// not been read, TCP resets the connection, which can destroy output on its
// way: read to the end first if the output matters.
func (s *Socket) Close() error {
	if s.closed {
		return nil
	}
	s.closed = true
	if s.lent != nil {
		s.d.Forget()
		s.lent() // who has the descriptor closes it
		return nil
	}
	if s.shared || s.lingers {
		s.d.Forget()
	} else {
		s.d.ForgetClosing()
	}
	return s.closeNow()
}

// closeNow closes the descriptor.
func (s *Socket) closeNow() error {
	fd := s.d.FD()
	if s.lingers && closeLingering(fd) {
		return nil
	}
	closing := sys.Close
	if s.closesAtOnce() {
		closing = sys.CloseNowait
	}
	if err := closing(fd); err != nil {
		return &OpError{Op: "close", Err: err}
	}
	return nil
}

// closesAtOnce tells whether close(2) has nothing to wait for: a connection of
// TCP, of which nobody else has a descriptor and which cannot linger. Other
// sockets may carry descriptors, whose close may take any time.
func (s *Socket) closesAtOnce() bool {
	tcp := s.typ == sys.SOCK_STREAM && (s.family == sys.AF_INET || s.family == sys.AF_INET6)
	return tcp && s.connected && !s.shared && !s.lingers && !s.lingered
}

// lingeringMax bounds the closes that wait at once. Each holds a thread, and
// peers decide how long; Go ends a program that has 10,000 of them.
const lingeringMax = 64

// lingering counts the closes that wait, of all loops.
var lingering atomic.Int32

// closeLingering has a goroutine close fd, and reports whether it does. If there
// are too many already it switches lingering off: the system then goes on
// delivering what was sent, and nobody waits for that.
func closeLingering(fd sys.FD) bool {
	if lingering.Add(1) > lingeringMax {
		lingering.Add(-1)
		_ = sys.SetLinger(fd, false, 0) // it fails if there is nothing to deliver to
		return false
	}
	go func() {
		defer lingering.Add(-1)
		_ = sys.Close(fd) // nobody is left who could be told
	}()
	return true
}

// Closed reports whether the socket was closed or detached.
func (s *Socket) Closed() bool { return s.closed }

// FD returns the descriptor, which stays the socket's; sys.Invalid once it has
// been closed. It may be duplicated and passed on.
func (s *Socket) FD() sys.FD {
	if s.closed {
		return sys.Invalid
	}
	s.shared = true
	return s.d.FD()
}

// Loop returns the loop of the socket.
func (s *Socket) Loop() *loop.Loop { return s.d.Loop() }

// Family returns the address family: sys.AF_INET and so on.
func (s *Socket) Family() int { return int(s.family) }

// Type returns the type: sys.SOCK_STREAM and so on.
func (s *Socket) Type() int { return int(s.typ) }

// Bind gives the socket its own address, see bind(2). Binding a path touches
// the file system, which may take time. Sync-coloured.
func (s *Socket) Bind(a Addr) error {
	sa, err := a.Sockaddr(int(s.family))
	if err == nil {
		err = s.open()
	}
	if err == nil {
		err = sys.Bind(s.d.FD(), &sa)
	}
	return opError("bind", a, err)
}

// Listen lets the socket accept connections, see listen(2). Backlogs beyond
// what the system allows are lowered by it. Sync-coloured.
func (s *Socket) Listen(backlog int) error {
	err := s.open()
	if err == nil {
		err = sys.Listen(s.d.FD(), backlog)
	}
	return opError("listen", Addr{}, err)
}

// Shutdown ends one or both directions, see shutdown(2); how is sys.SHUT_RD,
// sys.SHUT_WR or sys.SHUT_RDWR. A task that waits to receive sees the end.
// Sync-coloured.
func (s *Socket) Shutdown(how int) error {
	err := s.open()
	if err == nil {
		err = sys.Shutdown(s.d.FD(), how)
	}
	if err != nil {
		return opError("shutdown", Addr{}, err)
	}
	if how != sys.SHUT_RD {
		s.sentEOF = true
	}
	if how != sys.SHUT_WR {
		old := s.d
		s.d = s.d.Loop().Register(old.FD())
		old.Forget() // wakes who waits; see nonblocking.go
	}
	return nil
}

// Name returns the socket's own address, see getsockname(2).
func (s *Socket) Name() (Addr, error) {
	return s.ask("getsockname", sys.Getsockname)
}

// PeerName returns the address of the peer, see getpeername(2).
func (s *Socket) PeerName() (Addr, error) {
	return s.ask("getpeername", sys.Getpeername)
}

func (s *Socket) ask(op string, call func(sys.FD, *sys.Sockaddr) error) (Addr, error) {
	var sa sys.Sockaddr
	err := s.open()
	if err == nil {
		err = call(s.d.FD(), &sa)
	}
	if err != nil {
		return Addr{}, opError(op, Addr{}, err)
	}
	return AddrFrom(&sa), nil
}

// Statistics describes a socket.
type Statistics struct {
	Received uint64 // bytes received
	Sent     uint64 // bytes sent, or rather taken by the system
	Drained  bool   // nothing has become readable since the last receive
	Unusual  bool   // a hang-up, an error or urgent data has been seen
	Closed   bool   // closed or detached on this side
}

// Statistics returns the present numbers.
func (s *Socket) Statistics() Statistics {
	return Statistics{
		Received: s.received, Sent: s.sent,
		Drained: s.d.Drained(sys.Readable), Unusual: s.d.Unusual(), Closed: s.closed,
	}
}

// String names the socket by its descriptor and addresses.
func (s *Socket) String() string {
	if s.closed {
		return "socket(closed)"
	}
	text := fmt.Sprintf("socket(fd %d", s.d.FD())
	if own, err := s.Name(); err == nil {
		text += ", " + own.String()
	}
	if peer, err := s.PeerName(); err == nil {
		text += " to " + peer.String()
	}
	return text + ")"
}

func (s *Socket) open() error {
	if s.closed {
		return loop.ErrClosed
	}
	return nil
}

// claim reserves a direction of a stream for the task that is about to use it,
// until the flag is cleared. Tasks of other loops are refused here, since a
// call that does not have to wait would not notice them.
func (s *Socket) claim(t *loop.Task, flag *bool) error { return s.hold(t.Loop(), flag) }

func (s *Socket) hold(l *loop.Loop, flag *bool) error {
	switch {
	case s.closed:
		return loop.ErrClosed
	case l != s.d.Loop():
		return fmt.Errorf("a socket of another loop, or a nil task: %w", loop.ErrWrongTask)
	case s.typ != sys.SOCK_STREAM:
	case *flag:
		return loop.ErrBusy
	default:
		*flag = true
	}
	return nil
}
