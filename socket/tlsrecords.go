package socket

import (
	"crypto/tls"
	"strings"
)

// What crypto/tls holds, it does not tell: plaintext that the last read had no
// room for, and whole records that came with one that was asked for. To wait
// for the transport while there is something would be a stall; to make a read
// each time that finds nothing, before each wait, costs an allocation and as
// much as a small record does. So the headers of the records that pass are
// followed, which are in the clear: a type, a version, and 2 bytes of length
// (RFC 8446, section 5.1). A record holds no more plaintext than its length
// less what its cipher adds, and of application data, unless it is padded, just
// as much. Hence a bound on what can be read, which is exact where it matters:
//
//   - A whole record adds its bound, at least 1. What is read is subtracted.
//   - A read that found nothing has used up all whole records: then it is 0.
//
// When it is 0, all whole records since a read found nothing were application
// data that has been read. Alerts, key updates, tickets and padding leave more
// than 0, until a read finds nothing.

// tlsRecords follows records on their way to crypto/tls.
type tlsRecords struct {
	held     int    // at most so much plaintext can be read
	length   uint16 // of the record, as far as its header has passed
	left     uint16 // bytes to come of a record whose header has passed
	header   uint8  // bytes of the header that have passed
	overhead uint8  // what the cipher adds to the plaintext of a record, at least
}

const tlsHeaderSize = 5

// heldMax bounds held, which grows as long as no read finds nothing, by what
// padded records seem to hold. crypto/tls never holds as much as that: it is given
// a few records at a time.
const heldMax = 1 << 30

// pass notes that b was given to crypto/tls.
func (r *tlsRecords) pass(b []byte) {
	for len(b) > 0 {
		n := 1
		if r.header < tlsHeaderSize {
			r.length = r.length<<8 | uint16(b[0]) // the last two stay
			if r.header++; r.header == tlsHeaderSize {
				r.left = r.length
			}
		} else {
			n = min(int(r.left), len(b))
			r.left -= uint16(n)
		}
		if b = b[n:]; r.header == tlsHeaderSize && r.left == 0 {
			r.held = min(r.held+max(1, int(r.length)-int(r.overhead)), heldMax)
			r.header = 0
		}
	}
}

// tlsOverhead is how many bytes a record has more than the application data in
// it, at least. Where that is not known, or differs, records seem to hold more
// than they do, which costs a read that finds nothing.
func tlsOverhead(state tls.ConnectionState) uint8 {
	const tag, explicitNonce, contentType = 16, 8, 1
	name := tls.CipherSuiteName(state.CipherSuite)
	switch {
	case !strings.Contains(name, "_GCM_") && !strings.Contains(name, "_CHACHA20_POLY1305"):
		return 0
	case state.Version == tls.VersionTLS13:
		return contentType + tag
	case strings.Contains(name, "_GCM_"):
		return explicitNonce + tag
	}
	return tag
}
