package socket

import (
	"errors"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Batches of datagrams that go to few peers. What a datagram costs is its way
// through the kernel, not the system call: sendmmsg(2) saves a tenth. But
// neighbours in a batch that have one destination and one size, such as the
// answers to a client with many requests under way, are what segmentation is
// for: as one message they go that way once, and the peer cannot tell the
// difference. The last one of a message may be smaller; an empty datagram, and
// one with control data, stays alone.

// joinedMax bounds the buffers of a call. It is also what the system takes for
// all messages of a batch, and the most datagrams that one call sends.
const joinedMax = segmentsMax

// joints is a batch in which neighbours have been joined.
type joints struct {
	buffers [joinedMax][]byte
	spans   [MaxBatch]int // how many messages each joined one stands for
	count   int           // joined messages
	used    int           // of buffers
}

// SendBatch sends the messages in order, as Socket.SendBatch does, and returns
// how many the system took; the rest is the caller's to send again. Neighbours
// for the same destination and of the same size go as one message that is cut
// again by the kernel, as far as the destination allows it: what arrives is the
// same. Sending one by one from the first refusal on is its own doing. It is a
// checkpoint; after Cancelled nothing has been sent.
func (x *SegmentSender) SendBatch(t *loop.Task, ms []Msg, flags int) (int, error) {
	if x.never || len(ms) < 2 || flags != 0 || len(ms[0].Buffers) > joinedMax {
		n, err := x.s.SendBatch(t, ms, flags)
		x.stats.Singles += uint64(n)
		return n, err
	}
	if err := x.s.batchSendable(ms); err != nil {
		return 0, x.s.dataError("sendmmsg", Addr{}, err)
	}
	j := &x.joints
	x.join(ms)
	n, err := x.s.SendBatch(t, x.many[:j.count], 0)
	sent := 0
	for i := range n {
		x.count(ms[sent : sent+j.spans[i]])
		sent += j.spans[i]
	}
	span := 0
	if n < j.count {
		span = j.spans[n]
	}
	clear(j.buffers[:j.used])
	switch {
	case span < 2 || !refusal(err):
		return sent, err
	case sent > 0:
		return sent, nil // the next call finds it again
	}
	return x.parted(t, ms[:span], errors.Is(err, sys.EMSGSIZE))
}

// parted sends messages one by one that were refused as one. Where they were
// too large for the route, smaller ones may not be.
func (x *SegmentSender) parted(t *loop.Task, ms []Msg, large bool) (int, error) {
	n, err := x.s.SendBatch(t, ms, 0)
	x.stats.Singles += uint64(n)
	if n > 0 && !large { // so it was the segmentation, and nothing else
		x.refuse(AddrFrom(&ms[0].Name).ap.Addr())
	}
	return n, err
}

// count notes that messages went as one.
func (x *SegmentSender) count(ms []Msg) {
	for i := range ms {
		ms[i].N = size(&ms[i])
	}
	if len(ms) > 1 {
		x.stats.Messages++
	} else {
		x.stats.Singles++
	}
}

// join puts messages into x.many, neighbours together that may go as one.
func (x *SegmentSender) join(ms []Msg) {
	j := &x.joints
	j.count, j.used = 0, 0
	for len(ms) > 0 && j.count < MaxBatch && j.used+len(ms[0].Buffers) <= joinedMax {
		to := AddrFrom(&ms[0].Name)
		first := size(&ms[0])
		span, from := 1, j.used
		j.add(&ms[0])
		//lion:opt join-datagrams neighbours for one peer take the way through the kernel together
		if _, refused := x.refused[to.ap.Addr()]; !refused && joinable(&ms[0], first) {
			span += x.extend(ms[1:], to, first)
		}
		m := &x.many[j.count]
		m.Buffers, m.Name, m.Control = j.buffers[from:j.used:j.used], ms[0].Name, ms[0].Control
		if span > 1 {
			m.Control = x.sizes(j.count, first)
		}
		j.spans[j.count] = span
		j.count++
		ms = ms[span:]
	}
}

// extend adds messages that may go with those of first bytes before them, and
// returns how many.
func (x *SegmentSender) extend(ms []Msg, to Addr, first int) int {
	j := &x.joints
	room := min(most(first)/first, len(ms)+1) - 1
	for i := range room {
		m := &ms[i]
		n := size(m)
		if n > first || !joinable(m, n) || j.used+len(m.Buffers) > joinedMax ||
			AddrFrom(&m.Name) != to {
			return i
		}
		j.add(m)
		if n < first {
			return i + 1
		}
	}
	return room
}

func joinable(m *Msg, n int) bool { return 0 < n && n <= segmentBytes && len(m.Control) == 0 }

func (j *joints) add(m *Msg) { j.used += copy(j.buffers[j.used:], m.Buffers) }

// sizes is control data that have message i cut into datagrams of n bytes. A
// system without it has been found out by NewSegmentSender.
func (x *SegmentSender) sizes(i, n int) []byte {
	c := &x.controls[i]
	c.Reset()
	_ = c.AddSegmentSize(n)
	return c.Bytes()
}

// size is how many bytes a message has.
func size(m *Msg) (n int) {
	for _, b := range m.Buffers {
		n += len(b)
	}
	return n
}
