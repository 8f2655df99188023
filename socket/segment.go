package socket

import (
	"errors"
	"net/netip"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Segmentation. A burst of datagrams to one peer can cross the kernel as a
// single message, to be cut by the network card or right before it: udp(7),
// UDP_SEGMENT. That costs about a seventh of sending them one by one. It is a
// matter of the route, not of the system alone, whether it works:
//
//   - EIO: the network card of this route computes no checksums;
//   - EMSGSIZE, EINVAL in earlier kernels: the segments are larger than what the
//     route takes in one piece, while datagrams may go in several;
//   - EINVAL: the kernel has not heard of it;
//   - ENOPROTOOPT, ENOSYS and their like: nor has the system.
//
//   - nothing at all: Wine, and a Windows from before segmentation, ignore the
//     control data and send one datagram that is far too long.
//
// The last is found out once, by asking for the option of that name. Otherwise a
// destination that answers so gets its datagrams one by one from then on,
// in batches, and other destinations are not affected. A true EINVAL shows
// itself again when the datagrams are sent singly.

const (
	// segmentsMax is how many segments a message may have: UDP_MAX_SEGMENTS in
	// include/linux/udp.h was 64 before it became 128.
	segmentsMax = 64

	// segmentBytes is the most bytes of a message, for IPv4 and IPv6 alike: a
	// datagram's length has 16 bits, and its headers count.
	segmentBytes = 65535 - 40 - 8

	// refusedMax bounds the destinations that are remembered as refusing. One
	// beyond that starts the list anew; each costs a failed call.
	refusedMax = 1024
)

// A SegmentSender sends bursts of datagrams over a Socket. It belongs to one
// task at a time.
type SegmentSender struct {
	s       *Socket
	refused map[netip.Addr]struct{}
	control Control
	one     [1]Msg
	many    [MaxBatch]Msg
	buffers [MaxBatch][1][]byte
	stats   SegmentStatistics
	never   bool // no segmentation: the system knows none, or the socket has its own

	joints   joints // of SendBatch
	controls [MaxBatch]Control
}

// SegmentStatistics counts what a SegmentSender did.
type SegmentStatistics struct {
	Messages uint64 // that the kernel was to cut
	Singles  uint64 // datagrams that were sent as such
	Refusals uint64 // messages that the kernel did not cut
}

// NewSegmentSender makes a SegmentSender for a datagram socket, which is not
// taken over. Others are refused with ErrMisuse, closed ones with ErrClosed. On
// a socket that has SegmentSizeAlways set it sends one by one.
func NewSegmentSender(s *Socket) (*SegmentSender, error) {
	if s.typ != sys.SOCK_DGRAM {
		return nil, misuse("segments over a socket that is not for datagrams")
	}
	always, err := SegmentSizeAlways.Get(s)
	if errors.Is(err, loop.ErrClosed) {
		return nil, err
	}
	return &SegmentSender{s: s, refused: map[netip.Addr]struct{}{}, never: err != nil || always > 0}, nil
}

// Send sends b as datagrams of size bytes, the last one with the rest, to an
// address (an invalid one on a connected socket), with control data for each of
// them, which may be nil. It returns how many bytes went, always whole
// datagrams, and an error if that is not all of them. A size that is not
// positive, or beyond 65487 bytes, is ErrMisuse. It is a checkpoint; after
// Cancelled the number of bytes is right as well.
func (x *SegmentSender) Send(
	t *loop.Task, b []byte, size int, to Addr, control []byte,
) (sent int, err error) {
	name, err := x.prepare(size, to)
	if err != nil {
		return 0, err
	}
	for first := true; first || sent < len(b); first = false {
		n, err := x.some(t, b[sent:], size, to, name, control)
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// Statistics returns the counts so far.
func (x *SegmentSender) Statistics() SegmentStatistics { return x.stats }

func (x *SegmentSender) prepare(size int, to Addr) (name sys.Sockaddr, err error) {
	if size < 1 || size > segmentBytes {
		return name, opError("sendmsg", to, misuse("segments of %d bytes", size))
	}
	if to.IsValid() {
		name, err = to.Sockaddr(int(x.s.family))
	}
	return name, opError("sendmsg", to, err)
}

// some sends some of b, at least a datagram.
func (x *SegmentSender) some(
	t *loop.Task, b []byte, size int, to Addr, name sys.Sockaddr, control []byte,
) (int, error) {
	peer := to.ap.Addr()
	if _, known := x.refused[peer]; known || x.never || len(b) <= size {
		return x.singly(t, b, size, name, control)
	}
	x.control.Reset()
	x.control.data = append(x.control.data, control...)
	err := x.control.AddSegmentSize(size)
	if err == nil {
		var n int
		n, err = x.together(t, b[:min(len(b), most(size))], name)
		if err == nil {
			return n, nil
		}
	}
	if !refusal(err) {
		return 0, err
	}
	n, singly := x.singly(t, b, size, name, control)
	if n > 0 && !errors.Is(err, sys.EMSGSIZE) { // so it was the segmentation, and nothing else
		x.refuse(peer)
	}
	return n, singly
}

// most is how many bytes of datagrams of size bytes one message takes.
func most(size int) int { return min(segmentsMax, segmentBytes/size) * size }

func refusal(err error) bool {
	return errors.Is(err, sys.EIO) || errors.Is(err, sys.EINVAL) || errors.Is(err, sys.EMSGSIZE) ||
		errors.Is(err, sys.ENOPROTOOPT) || errors.Is(err, sys.EOPNOTSUPP) ||
		errors.Is(err, errors.ErrUnsupported)
}

func (x *SegmentSender) refuse(peer netip.Addr) {
	x.stats.Refusals++
	if len(x.refused) >= refusedMax {
		clear(x.refused)
	}
	x.refused[peer] = struct{}{}
}

func (x *SegmentSender) together(t *loop.Task, b []byte, name sys.Sockaddr) (int, error) {
	m := &x.one[0]
	x.buffers[0][0] = b
	m.Buffers, m.Name, m.Control = x.buffers[0][:], name, x.control.Bytes()
	n, err := x.s.SendMsg(t, m, 0)
	x.buffers[0][0] = nil
	if err == nil {
		x.stats.Messages++
	}
	return n, err
}

// singly sends up to MaxBatch datagrams as such, an empty one if b is.
func (x *SegmentSender) singly(
	t *loop.Task, b []byte, size int, name sys.Sockaddr, control []byte,
) (sent int, err error) {
	count := 0
	for rest := b; count == 0 || len(rest) > 0 && count < MaxBatch; count++ {
		n := min(size, len(rest))
		x.buffers[count][0] = rest[:n]
		m := &x.many[count]
		m.Buffers, m.Name, m.Control = x.buffers[count][:], name, control
		rest = rest[n:]
	}
	n, err := x.s.SendBatch(t, x.many[:count], 0)
	for i := range count {
		if i < n {
			sent += x.many[i].N
		}
		x.buffers[i][0] = nil
	}
	x.stats.Singles += uint64(n)
	return sent, err
}
