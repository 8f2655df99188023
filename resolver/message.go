package resolver

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
	"time"

	"github.com/miekg/dns"
)

// DNS messages, RFC 1035. The library that reads them is lenient where an
// enemy is not: it accepts counts that lie and bytes at the end. So the shape
// of a message is checked before, and what it says after.

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
	// clientCookie is the length of our half of a cookie (RFC 7873).
	clientCookie = 8
)

// query is a question as it was sent.
type query struct {
	id     uint16
	name   string // without a dot at the end, in the case that was sent
	qtype  uint16
	edns   bool
	cookie []byte // what was sent of a cookie; nil for none
	exact  bool   // the answer has to keep the case of the letters
}

// pack appends the message to b.
func (q *query) pack(b []byte) ([]byte, error) {
	m := dns.Msg{
		MsgHdr:   dns.MsgHdr{Id: q.id, RecursionDesired: true},
		Question: []dns.Question{{Name: q.name + ".", Qtype: q.qtype, Qclass: dns.ClassINET}},
	}
	if q.edns {
		opt := &dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: udpSize}}
		if q.cookie != nil {
			opt.Option = []dns.EDNS0{&dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: hex.EncodeToString(q.cookie)}}
		}
		m.Extra = []dns.RR{opt}
	}
	return m.PackBuffer(b)
}

// verdict is what a datagram turned out to be.
type verdict uint8

const (
	genuine   verdict = iota
	malformed         // no message
	forged            // a message that answers none of our questions
	caseLost          // the answer, but for the case of the letters
)

// reply is a message that answers a query.
type reply struct {
	msg       *dns.Msg // nil if there is only a header
	rcode     int
	truncated bool
	cookie    []byte // the server's cookie, behind ours; nil for none
}

// read judges a message that should answer q.
func (q *query) read(wire []byte) (reply, verdict) {
	if len(wire) < headerSize {
		return reply{}, malformed
	}
	flags := binary.BigEndian.Uint16(wire[2:])
	const qr, opcode, tc = 1 << 15, 0xf << 11, 1 << 9
	if binary.BigEndian.Uint16(wire) != q.id || flags&qr == 0 || flags&opcode != 0 {
		return reply{}, forged
	}
	r := reply{rcode: int(flags & 0xf), truncated: flags&tc != 0}
	if binary.BigEndian.Uint16(wire[4:]) == 0 && len(wire) == headerSize {
		switch r.rcode {
		case dns.RcodeFormatError, dns.RcodeServerFailure, dns.RcodeNotImplemented, dns.RcodeRefused:
			return r, genuine // some servers fail without repeating the question
		}
		return reply{}, malformed
	}
	if !wellFormed(wire, r.truncated) {
		return reply{}, malformed
	}
	m := new(dns.Msg)
	if err := m.Unpack(wire); err != nil && !r.truncated {
		return reply{}, malformed
	}
	if len(m.Question) != 1 || m.Question[0].Qtype != q.qtype || m.Question[0].Qclass != dns.ClassINET {
		return reply{}, forged
	}
	name := strings.TrimSuffix(m.Question[0].Name, ".")
	if !strings.EqualFold(name, q.name) {
		return reply{}, forged
	}
	r.msg, r.rcode = m, m.Rcode
	if !q.ownCookie(&r) {
		return reply{}, forged
	}
	if q.exact && name != q.name {
		return r, caseLost
	}
	return r, genuine
}

// ownCookie takes the server's cookie out of a reply, and reports whether it
// came with ours.
func (q *query) ownCookie(r *reply) bool {
	opt := r.msg.IsEdns0()
	if opt == nil || q.cookie == nil {
		return true
	}
	for _, option := range opt.Option {
		if c, ok := option.(*dns.EDNS0_COOKIE); ok {
			cookie, err := hex.DecodeString(c.Cookie)
			if err != nil || len(cookie) < clientCookie || string(cookie[:clientCookie]) != string(q.cookie[:clientCookie]) {
				return false
			}
			r.cookie = cookie[clientCookie:]
		}
	}
	return true
}

// wellFormed reports whether the sections of a message are as long as its
// header says, and nothing is behind them. Of a truncated message only the
// question has to be whole.
func wellFormed(wire []byte, truncated bool) bool {
	at := headerSize
	if binary.BigEndian.Uint16(wire[4:]) != 1 { // RFC 9619
		return false
	}
	if at = skipName(wire, at); at < 0 || at+4 > len(wire) {
		return false
	}
	at += 4
	if truncated {
		return true
	}
	records := 0
	for i := 6; i < headerSize; i += 2 {
		records += int(binary.BigEndian.Uint16(wire[i:]))
	}
	if records > maxRecords {
		return false
	}
	for range records {
		const fixed = 10 // type, class, TTL, length
		if at = skipName(wire, at); at < 0 || at+fixed > len(wire) {
			return false
		}
		at += fixed + int(binary.BigEndian.Uint16(wire[at+8:]))
		if at > len(wire) {
			return false
		}
	}
	return at == len(wire)
}

// skipName returns where the name at an offset ends, or -1 if it is none.
func skipName(wire []byte, at int) int {
	end, length := -1, 0
	for jumps := 0; at >= 0 && at < len(wire); {
		c := int(wire[at])
		switch c & 0xc0 {
		case 0x00:
			if c == 0 {
				if end < 0 {
					end = at + 1
				}
				return end
			}
			length += c + 1
			at += c + 1
			if length > maxName+1 {
				return -1
			}
		case 0xc0:
			if at+1 >= len(wire) {
				return -1
			}
			to := c&0x3f<<8 | int(wire[at+1])
			if end < 0 {
				end = at + 2
			}
			jumps++
			if to >= at || to < headerSize || jumps > maxPointers {
				return -1
			}
			at = to
		default:
			return -1
		}
	}
	return -1
}

// extract takes the addresses that a message has for a name, and counts the
// records that are about other names: nobody asked for them.
func extract(m *dns.Msg, name string, qtype uint16, now time.Time) (a answer, strangers int) {
	owner, ttl, err := follow(m, name)
	if err != nil {
		return answer{err: failure(Fail, name, err)}, 0
	}
	for _, rr := range m.Answer {
		if rr.Header().Rrtype == dns.TypeCNAME || rr.Header().Class != dns.ClassINET {
			continue
		}
		if !strings.EqualFold(strings.TrimSuffix(rr.Header().Name, "."), owner) {
			strangers++
			continue
		}
		if addr := address(rr, qtype); addr.IsValid() && len(a.addrs) < maxAddrs {
			a.addrs = append(a.addrs, addr)
			ttl = min(ttl, rr.Header().Ttl)
		}
	}
	if isHostName(owner) {
		a.canon = owner
	}
	switch {
	case len(a.addrs) > 0:
		a.expires = now.Add(keep(ttl, maxTTL))
	case m.Rcode == dns.RcodeNameError:
		a.err = failure(NoName, name, nil)
		a.expires = now.Add(negativeTTL(m))
	default:
		a.err = failure(NoData, name, nil)
		a.expires = now.Add(negativeTTL(m))
	}
	return a, strangers
}

// follow goes along the aliases in a message, in whatever order they are, and
// returns the last name and the lowest TTL.
func follow(m *dns.Msg, name string) (owner string, ttl uint32, err error) {
	owner, ttl = name, uint32(maxTTL/time.Second)
	for range maxAliases + 1 {
		next := ""
		for _, rr := range m.Answer {
			alias, ok := rr.(*dns.CNAME)
			if ok && strings.EqualFold(strings.TrimSuffix(alias.Hdr.Name, "."), owner) {
				next, ttl = strings.TrimSuffix(alias.Target, "."), min(ttl, alias.Hdr.Ttl)
				break
			}
		}
		if next == "" {
			return owner, ttl, nil
		}
		owner = next
	}
	return "", 0, ErrAliasLoop
}

func address(rr dns.RR, qtype uint16) netip.Addr {
	switch rr := rr.(type) {
	case *dns.A:
		if ip4 := rr.A.To4(); qtype == dns.TypeA && ip4 != nil {
			return netip.AddrFrom4([4]byte(ip4))
		}
	case *dns.AAAA:
		if ip6 := rr.AAAA.To16(); qtype == dns.TypeAAAA && ip6 != nil {
			return netip.AddrFrom16([16]byte(ip6))
		}
	}
	return netip.Addr{}
}

// keep is a TTL as a time. One with the highest bit set is zero (RFC 2181).
func keep(ttl uint32, most time.Duration) time.Duration {
	if ttl >= 1<<31 {
		return 0
	}
	return min(time.Duration(ttl)*time.Second, most)
}

// negativeTTL is how long "no" holds (RFC 2308); without an SOA record not at
// all.
func negativeTTL(m *dns.Msg) time.Duration {
	for _, rr := range m.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return keep(min(soa.Hdr.Ttl, soa.Minttl), maxNegativeTTL)
		}
	}
	return 0
}

// lame reports whether a server said nothing at all: it is neither the
// authority nor somebody who asks others.
func lame(m *dns.Msg) bool {
	return m.Rcode == dns.RcodeSuccess && len(m.Answer) == 0 && len(m.Ns) == 0 &&
		!m.Authoritative && !m.RecursionAvailable && m.IsEdns0() == nil && len(m.Extra) == 0
}
