package seam

import (
	"encoding/binary"
	"time"
)

// TCPInfo is what the system knows about a TCP connection. A field that it does
// not tell is zero.
type TCPInfo struct {
	State            string        // in the words of RFC 9293: "ESTABLISHED" and so on
	RTT              time.Duration // smoothed round-trip time
	RTTVariation     time.Duration
	MinRTT           time.Duration
	Timeout          time.Duration // before a segment is sent again
	SegmentSize      int           // largest segment that is sent, in bytes
	CongestionWindow uint64        // in bytes
	PeerWindow       uint64        // what the peer has room for, in bytes
	ReceiveWindow    uint64        // what is offered to the peer, in bytes
	Unsent           uint64        // bytes in the buffer that were never sent
	BytesSent        uint64        // with those sent again
	BytesAcked       uint64
	BytesReceived    uint64
	BytesResent      uint64
	SegmentsResent   uint64
	SegmentsLost     uint64 // of those under way, as the system believes
	DeliveryRate     uint64 // bytes a second, the newest measurement
	PacingRate       uint64 // bytes a second
}

// PutGroupRequest writes struct group_req, or with a source struct
// group_source_req (RFC 3678, section 5.1), to raw, and answers its length.
// Addresses are in the system's form and begin at offset first; each has room
// for a struct sockaddr_storage.
func PutGroupRequest(raw []byte, first int, index uint32, group, source []byte) int {
	const storage = 128
	clear(raw)
	binary.NativeEndian.PutUint32(raw, index)
	copy(raw[first:], group)
	if source == nil {
		return first + storage
	}
	copy(raw[first+storage:], source)
	return first + 2*storage
}
