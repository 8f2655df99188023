package resolver

import (
	"encoding/binary"
	"strings"

	"github.com/miekg/dns"
)

// DNS messages, RFC 1035. The library that reads them is lenient where an
// enemy is not: it accepts counts that lie and bytes at the end. And it makes
// thirty objects of what here is two addresses. So questions and answers about
// addresses are written and read here, strictly; what else there is goes
// through the library after the same checks.

const (
	headerSize = 12
	// udpSize is how large a datagram we ask for: RFC 9715 and the flag day of
	// 2020 chose it since it needs no fragments.
	udpSize = 1232
	// maxAliases bounds a chain of CNAME records.
	maxAliases = 16
	// maxRecords bounds a message: with 11 bytes each, no more fit in 64 KiB.
	maxRecords = 65535 / 11
	// maxPointers bounds the jumps in one name; each has to go backwards, so
	// this only keeps a hostile message cheap.
	maxPointers = 64
	// clientCookie is the length of our half of a cookie, and maxCookie that of
	// both (RFC 7873).
	clientCookie = 8
	maxCookie    = 40
	// maxQuery bounds what pack writes: a header, a name, and EDNS with a cookie.
	maxQuery = headerSize + maxName + 2 + 4 + 11 + 4 + maxCookie
	// codeCookie is the number of the option.
	codeCookie = 10
)

// query is a question as it was sent.
type query struct {
	id     uint16
	name   string // without a dot at the end, in the case that was sent
	qtype  uint16
	edns   bool
	exact  bool // the answer has to keep the case of the letters
	cookie cookie
}

// cookie is what was sent of one: our half, and the server's if it is known.
type cookie struct {
	bytes [maxCookie]byte
	n     int
}

// pack appends the message to b: the name has been checked.
func (q *query) pack(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, q.id)
	additional := byte(0)
	if q.edns {
		additional = 1
	}
	b = append(b, 1, 0, 0, 1, 0, 0, 0, 0, 0, additional) // recursion desired, one question
	for label := range strings.SplitSeq(q.name, ".") {
		b = append(b, byte(len(label)))
		b = append(b, label...)
	}
	b = append(b, 0)
	b = binary.BigEndian.AppendUint16(b, q.qtype)
	b = append(b, 0, dns.ClassINET)
	if !q.edns {
		return b
	}
	b = append(b, 0, 0, byte(dns.TypeOPT))
	b = binary.BigEndian.AppendUint16(b, udpSize)
	b = append(b, 0, 0, 0, 0)
	if q.cookie.n == 0 {
		return append(b, 0, 0)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(4+q.cookie.n))
	b = append(b, 0, codeCookie, 0, byte(q.cookie.n))
	return append(b, q.cookie.bytes[:q.cookie.n]...)
}

// verdict is what a datagram turned out to be.
type verdict uint8

const (
	genuine   verdict = iota
	malformed         // no message
	forged            // a message that answers none of our questions
	caseLost          // the answer, but for the case of the letters
)

// reply is a message that answers a query. It refers to the bytes that it was
// read from.
type reply struct {
	wire      []byte
	body      int // where the answers begin; zero if there is only a header
	rcode     int
	truncated bool
	edns      bool
	tcp       bool   // it came over a connection
	cookie    []byte // the server's cookie, without ours; nil for none
}

// flag bits of a header.
const (
	flagQR     = 1 << 15
	flagOpcode = 0xf << 11
	flagAA     = 1 << 10
	flagTC     = 1 << 9
	flagRA     = 1 << 7
)

func (r *reply) flags() uint16 { return binary.BigEndian.Uint16(r.wire[2:]) }

// count is the number of records in a section: 1 for answers, 2 for the
// authority, 3 for additional ones.
func (r *reply) count(section int) int {
	return int(binary.BigEndian.Uint16(r.wire[4+2*section:]))
}

// read judges a message that should answer q.
func (q *query) read(wire []byte) (reply, verdict) {
	if len(wire) < headerSize {
		return reply{}, malformed
	}
	r := reply{wire: wire}
	flags := r.flags()
	if binary.BigEndian.Uint16(wire) != q.id || flags&flagQR == 0 || flags&flagOpcode != 0 {
		return reply{}, forged
	}
	r.rcode, r.truncated = int(flags&0xf), flags&flagTC != 0
	if len(wire) == headerSize {
		switch r.rcode {
		case dns.RcodeFormatError, dns.RcodeServerFailure, dns.RcodeNotImplemented, dns.RcodeRefused:
			return r, genuine // some servers fail without repeating the question
		}
		return reply{}, malformed
	}
	var buf [maxName + 2]byte
	name, at := readName(wire, headerSize, buf[:0])
	if r.count(0) != 1 || at < 0 || at+4 > len(wire) { // one question: RFC 9619
		return reply{}, malformed
	}
	r.body = at + 4
	kind, class := binary.BigEndian.Uint16(wire[at:]), binary.BigEndian.Uint16(wire[at+2:])
	if kind != q.qtype || class != dns.ClassINET || !equalName(name, q.name) {
		return reply{}, forged
	}
	if !r.wellFormed() {
		return reply{}, malformed
	}
	if !q.options(&r) {
		return reply{}, forged
	}
	if q.exact && string(name) != q.name {
		return r, caseLost
	}
	return r, genuine
}

// record is where a record of a message is.
type record struct {
	owner, data, end int // offsets
	kind, class      uint16
	ttl              uint32
}

// next returns the record at an offset; its end is negative if there is none.
func (r *reply) next(at int) record {
	const fixed = 10 // type, class, TTL, length
	rr := record{owner: at, end: -1}
	if at = skipName(r.wire, at); at < 0 || at+fixed > len(r.wire) {
		return rr
	}
	rr.kind = binary.BigEndian.Uint16(r.wire[at:])
	rr.class = binary.BigEndian.Uint16(r.wire[at+2:])
	rr.ttl = binary.BigEndian.Uint32(r.wire[at+4:])
	rr.data = at + fixed
	if end := rr.data + int(binary.BigEndian.Uint16(r.wire[at+8:])); end <= len(r.wire) {
		rr.end = end
	}
	return rr
}

// wellFormed reports whether the sections of a message are as long as its
// header says, and nothing is behind them. Of a truncated message only the
// question has to be whole.
func (r *reply) wellFormed() bool {
	records := r.count(1) + r.count(2) + r.count(3)
	if r.truncated {
		return true
	}
	if records > maxRecords {
		return false
	}
	at := r.body
	for range records {
		rr := r.next(at)
		if rr.end < 0 || !r.fits(&rr) {
			return false
		}
		at = rr.end
	}
	return at == len(r.wire)
}

// fits reports whether the data of a record that is used here has the right
// length.
func (r *reply) fits(rr *record) bool {
	if rr.class != dns.ClassINET {
		return true
	}
	switch rr.kind {
	case dns.TypeA:
		return rr.end-rr.data == 4
	case dns.TypeAAAA:
		return rr.end-rr.data == 16
	case dns.TypeCNAME:
		return skipName(r.wire, rr.data) == rr.end
	}
	return true
}

// options reads the OPT record of a reply, and reports whether the cookie in
// it, if there is one, is ours.
func (q *query) options(r *reply) bool {
	at := r.body
	for range r.count(1) + r.count(2) + r.count(3) {
		rr := r.next(at)
		if rr.end < 0 {
			return r.truncated
		}
		at = rr.end
		if rr.kind != dns.TypeOPT || r.wire[rr.owner] != 0 {
			continue
		}
		r.edns = true
		r.rcode |= int(rr.ttl>>24) << 4
		data := r.wire[rr.data:rr.end]
		for len(data) >= 4 {
			code, size := binary.BigEndian.Uint16(data), int(binary.BigEndian.Uint16(data[2:]))
			if data = data[4:]; size > len(data) {
				return false
			}
			if code == codeCookie && q.cookie.n > 0 {
				ours := q.cookie.bytes[:clientCookie]
				if size < clientCookie || size > maxCookie || string(data[:clientCookie]) != string(ours) {
					return false
				}
				r.cookie = data[clientCookie:size]
			}
			data = data[size:]
		}
	}
	return true
}

// skipName returns where the name at an offset ends, or -1 if it is none.
func skipName(wire []byte, at int) int {
	_, end := readName(wire, at, nil)
	return end
}

// strange stands for what may be in a label on the wire and never is in a
// name of a host: a dot, and what is not printable.
const strangeByte = '?'

// readName appends the name at an offset to text, unless that is nil, with dots
// between its labels, and returns where it ends: -1 if it is none.
func readName(wire []byte, at int, text []byte) ([]byte, int) {
	end, length, jumps := -1, 0, 0
	for at >= 0 && at < len(wire) {
		c := int(wire[at])
		switch {
		case c == 0:
			if end < 0 {
				end = at + 1
			}
			return text, end
		case c&0xc0 == 0 && at+1+c <= len(wire):
			if length += c + 1; length > maxName+1 {
				return nil, -1
			}
			if text != nil {
				text = appendLabel(text, wire[at+1:at+1+c])
			}
			at += c + 1
		case c&0xc0 == 0xc0 && at+1 < len(wire):
			to := c&0x3f<<8 | int(wire[at+1])
			if end < 0 {
				end = at + 2
			}
			if jumps++; to >= at || to < headerSize || jumps > maxPointers {
				return nil, -1
			}
			at = to
		default:
			return nil, -1
		}
	}
	return nil, -1
}

func appendLabel(text, label []byte) []byte {
	if len(text) > 0 {
		text = append(text, '.')
	}
	for _, c := range label {
		if c <= ' ' || c >= 0x7f || c == '.' {
			c = strangeByte
		}
		text = append(text, c)
	}
	return text
}

// equalName reports whether two names are the same but for the case of ASCII
// letters.
func equalName(a []byte, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i, c := range a {
		d := b[i]
		if c != d && (c|0x20 != d|0x20 || c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return true
}
