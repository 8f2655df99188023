package resolver_test

import (
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
)

// bend changes an honest answer into what an enemy sends.
type bend func(q *asking, m *dns.Msg) []byte

// wireOf bends bytes: at an offset, to a value of 16 bits.
func wireOf(at int, value uint16) bend {
	return func(_ *asking, m *dns.Msg) []byte {
		wire := packed(m)
		binary.BigEndian.PutUint16(wire[at:], value)
		return wire
	}
}

// answerOf is a message whose answer section is the given bytes, of one record.
func answerOf(count uint16, records ...byte) bend {
	return func(_ *asking, m *dns.Msg) []byte {
		m.Answer = nil
		wire := packed(m)
		binary.BigEndian.PutUint16(wire[6:], count)
		return append(wire, records...)
	}
}

func pointerTo(n int) []byte { return []byte{0xc0, byte(n)} }

// fixed is the rest of a record behind its name: type A, class IN, a TTL and
// an address.
var fixed = []byte{0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 6, 6, 6, 6}

// R106 to R112: each is sent at once, and the genuine answer 30 ms later. That
// is the one that counts, and the other is counted.
func TestR106Forged(t *testing.T) {
	const nameEnd = 12 + len("\x01x\x04test\x00")
	for _, c := range []struct {
		id      string
		bend    bend
		garbage bool // counted as malformed, not as forged
	}{
		{"wrong id", func(_ *asking, m *dns.Msg) []byte { m.Id ^= 0x55; return packed(m) }, false},
		{"a query", func(_ *asking, m *dns.Msg) []byte { m.Response = false; return packed(m) }, false},
		{"opcode 5", func(_ *asking, m *dns.Msg) []byte { m.Opcode = 5; return packed(m) }, false},
		{"wrong name", func(_ *asking, m *dns.Msg) []byte { m.Question[0].Name = "evil.test."; return packed(m) }, false},
		{"wrong type", func(_ *asking, m *dns.Msg) []byte { m.Question[0].Qtype = dns.TypeMX; return packed(m) }, false},
		{"wrong class", func(_ *asking, m *dns.Msg) []byte { m.Question[0].Qclass = dns.ClassCHAOS; return packed(m) }, false},
		{"no question", func(_ *asking, m *dns.Msg) []byte { m.Question = nil; return packed(m) }, true},
		{"two questions", func(_ *asking, m *dns.Msg) []byte {
			m.Question = append(m.Question, m.Question[0])
			return packed(m)
		}, true},
		{"5 bytes", func(*asking, *dns.Msg) []byte { return []byte("12345") }, true},
		{"nothing", func(*asking, *dns.Msg) []byte { return []byte{} }, true},
		{"bare success", func(_ *asking, m *dns.Msg) []byte {
			wire := packed(m)[:12]
			copy(wire[4:], make([]byte, 8))
			return wire
		}, true},
		{"200 of 1 record", wireOf(6, 200), true},
		{"65535 of 1 record", wireOf(6, 65535), true},
		{"trailing bytes", func(_ *asking, m *dns.Msg) []byte { return append(packed(m), 1, 2, 3) }, true},
		{"cut off", func(_ *asking, m *dns.Msg) []byte { wire := packed(m); return wire[:len(wire)-2] }, true},
		{"length 3", answerOf(1, append(pointerTo(12), 0, 1, 0, 1, 0, 0, 0, 9, 0, 3, 6, 6, 6)...), true},
		{"pointer to itself", answerOf(1, append(pointerTo(nameEnd+4), fixed...)...), true},
		{"pointer forward", answerOf(1, append(pointerTo(nameEnd+8), fixed...)...), true},
		{"pointer into the header", answerOf(1, append(pointerTo(4), fixed...)...), true},
		{"label bits 01", answerOf(1, append([]byte{0x41, 'a', 0}, fixed...)...), true},
		{"label bits 10", answerOf(1, append([]byte{0x81, 'a', 0}, fixed...)...), true},
		{"a name of 260 bytes", answerOf(1, append(append([]byte(strings.Repeat("\x0cabcdefghijkl", 20)), 0), fixed...)...), true},
	} {
		t.Run(c.id, func(t *testing.T) {
			handle := func(q *asking) []event {
				if q.tcp {
					return nil
				}
				return []event{{0, c.bend(q, positive(q))}, {30 * ms, packed(positive(q))}}
			}
			withServers(t, []func(*asking) []event{handle}, func(task *loop.Task, servers []*fake) error {
				r := newResolver(t, resolver.Config{}, servers...)
				warm(task, t, r)
				start := task.Now()
				got, err := lookup(task, r, "x.test")
				if took := task.Now().Sub(start); err != nil || got != "46" || took != 30*ms {
					t.Errorf("%s, %v after %v", got, err, took)
				}
				st := r.Statistics()
				if c.garbage && st.Malformed != 2 || !c.garbage && st.Forged != 2 || st.TCP != 1 {
					t.Errorf("statistics: %+v", st)
				}
				return nil
			})
		})
	}
}

// The first forgery makes the questions go out by TCP; too many end the
// listening to datagrams.
func TestForgedThenTCP(t *testing.T) {
	handle := func(q *asking) []event {
		if q.tcp {
			return []event{{10 * ms, packed(positive(q))}}
		}
		evil := positive(q)
		evil.Id ^= 1 << 9
		return slices.Repeat([]event{{0, packed(evil)}}, 20)
	}
	withServers(t, []func(*asking) []event{handle}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{}, servers...)
		got, err := lookup(task, r, "x.test")
		st := r.Statistics()
		if err != nil || got != "46" || st.Forged > 16 || st.TCP != 1 || servers[0].clients != 1 {
			t.Errorf("%s, %v, %+v", got, err, st)
		}
		return nil
	})
}

// chain is an answer of aliases, a0 to an, and perhaps an address at the end.
func chain(n int, last string) func(*asking, *dns.Msg) {
	return func(q *asking, m *dns.Msg) {
		m.Answer = nil
		name := m.Question[0].Name
		for i := range n {
			next := "a" + string(rune('a'+i)) + ".test."
			if i == n-1 && last != "" {
				next = last
			}
			m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(name, dns.TypeCNAME), Target: next})
			name = next
		}
		m.Answer = append(m.Answer, record(name, q.kind))
	}
}

// R114 to R120: answers that lie about whom they are for.
func TestR114Records(t *testing.T) {
	for _, c := range []struct {
		id    string
		bend  func(q *asking, m *dns.Msg)
		want  string
		canon string
	}{
		{"another owner", func(q *asking, m *dns.Msg) { m.Answer = []dns.RR{record("evil.test.", q.kind)} }, "NODATA", ""},
		{"alias, then another owner", func(q *asking, m *dns.Msg) {
			m.Answer = []dns.RR{&dns.CNAME{Hdr: header("x.test.", dns.TypeCNAME), Target: "t.test."}, record("evil.test.", q.kind)}
		}, "NODATA", ""},
		{"alias to itself", chain(1, "x.test."), "FAIL", ""},
		{"16 aliases", chain(16, ""), "46", "ap.test"},
		{"17 aliases", chain(17, ""), "FAIL", ""},
		{"out of order", func(q *asking, m *dns.Msg) { chain(3, "")(q, m); slices.Reverse(m.Answer) }, "46", "ac.test"},
		{"alias that is no host name", chain(1, "*.x.test."), "46", "x.test"},
		{"additional records", func(q *asking, m *dns.Msg) {
			m.Answer, m.Extra = nil, []dns.RR{record("x.test.", q.kind)}
		}, "NODATA", ""},
		{"mapped address", func(q *asking, m *dns.Msg) {
			if q.kind == dns.TypeAAAA {
				m.Answer = []dns.RR{&dns.AAAA{Hdr: header("x.test.", q.kind), AAAA: net.ParseIP("192.0.2.9").To16()}}
			}
		}, "46", "x.test"},
	} {
		t.Run(c.id, func(t *testing.T) {
			handle := func(q *asking) []event {
				m := positive(q)
				c.bend(q, m)
				return []event{{0, packed(m)}}
			}
			withServers(t, []func(*asking) []event{handle}, func(task *loop.Task, servers []*fake) error {
				r := newResolver(t, resolver.Config{}, servers...)
				got, err := lookup(task, r, "x.test")
				if err != nil || got != c.want {
					t.Errorf("%s, %v", got, err)
				}
				infos, _ := r.Getaddrinfo(task, "x.test", "80", resolver.Hints{Flags: resolver.CanonName})
				if len(infos) > 0 && infos[0].CanonName != c.canon {
					t.Errorf("canonical name %q", infos[0].CanonName)
				}
				return nil
			})
		})
	}
}
