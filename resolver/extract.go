package resolver

import (
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// extract takes the addresses that a message has for a name, and counts the
// records that are about other names: nobody asked for them.
func (r *reply) extract(name string, qtype uint16, now time.Time) (a answer, strangers int) {
	var buf [maxName + 2]byte
	owner, ttl, err := r.follow(append(buf[:0], name...))
	if err != nil {
		return answer{err: failure(Fail, name, err)}, 0
	}
	var other [maxName + 2]byte
	at := r.body
	for range r.count(1) {
		rr := r.next(at)
		if rr.end < 0 {
			break // cut off
		}
		at = rr.end
		if rr.kind == dns.TypeCNAME || rr.class != dns.ClassINET {
			continue
		}
		text, _ := readName(r.wire, rr.owner, other[:0])
		if !equalName(text, string(owner)) {
			strangers++
			continue
		}
		if addr := r.address(&rr, qtype); addr.IsValid() && len(a.addrs) < maxAddrs {
			a.addrs = append(a.addrs, addr)
			ttl = min(ttl, rr.ttl)
		}
	}
	if string(owner) == name {
		a.canon = name
	} else if canon := string(owner); isHostName(canon) {
		a.canon = canon
	}
	r.conclude(&a, name, ttl, now)
	return a, strangers
}

// conclude says why there are no addresses, and how long the answer holds.
func (r *reply) conclude(a *answer, name string, ttl uint32, now time.Time) {
	switch {
	case len(a.addrs) > 0:
		a.expires = now.Add(keep(ttl, maxTTL))
		return
	case r.rcode == dns.RcodeNameError:
		a.err = failure(NoName, name, nil)
	default:
		a.err = failure(NoData, name, nil)
	}
	a.expires = now.Add(r.negativeTTL())
}

// follow goes along the aliases in a message, in whatever order they are, from
// the name in owner to the last one, and returns that and the lowest TTL.
func (r *reply) follow(owner []byte) ([]byte, uint32, error) {
	ttl := uint32(maxTTL / time.Second)
	var buf, target [maxName + 2]byte
	for range maxAliases + 1 {
		found := false
		at := r.body
		for range r.count(1) {
			rr := r.next(at)
			if rr.end < 0 {
				break // cut off
			}
			at = rr.end
			if rr.kind != dns.TypeCNAME || rr.class != dns.ClassINET {
				continue
			}
			text, _ := readName(r.wire, rr.owner, buf[:0])
			if !equalName(text, string(owner)) {
				continue
			}
			next, end := readName(r.wire, rr.data, target[:0])
			if end < 0 {
				break
			}
			owner, ttl, found = append(owner[:0], next...), min(ttl, rr.ttl), true
			break
		}
		if !found {
			return owner, ttl, nil
		}
	}
	return nil, 0, ErrAliasLoop
}

func (r *reply) address(rr *record, qtype uint16) netip.Addr {
	data := r.wire[rr.data:rr.end]
	switch {
	case rr.kind != qtype:
	case qtype == dns.TypeA && len(data) == 4:
		return netip.AddrFrom4([4]byte(data))
	case qtype == dns.TypeAAAA && len(data) == 16:
		return netip.AddrFrom16([16]byte(data))
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
func (r *reply) negativeTTL() time.Duration {
	at := r.body
	for i := range r.count(1) + r.count(2) {
		rr := r.next(at)
		if rr.end < 0 {
			return 0
		}
		at = rr.end
		if i >= r.count(1) && rr.kind == dns.TypeSOA && rr.end-rr.data >= 4 {
			minimum := binary.BigEndian.Uint32(r.wire[rr.end-4:])
			return keep(min(rr.ttl, minimum), maxNegativeTTL)
		}
	}
	return 0
}

// lame reports whether a server said nothing at all: it is neither the
// authority nor somebody who asks others.
func (r *reply) lame() bool {
	return r.rcode == dns.RcodeSuccess && r.count(1) == 0 && r.count(2) == 0 && r.count(3) == 0 &&
		r.flags()&(flagAA|flagRA) == 0
}
