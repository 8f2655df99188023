package resolver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
)

// asNamed answers after the time that the first label of a name says. With "tc"
// as the next one the datagram is cut off at once, and the connection takes the
// time; with "plain" it is a question with EDNS that is refused at once.
func asNamed(q *asking) []event {
	labels := strings.Split(q.name, ".")
	after, err := time.ParseDuration(labels[0])
	if err != nil {
		panic(err) // a test asks for another name
	}
	var m dns.Msg
	m.SetReply(q.msg)
	m.RecursionAvailable = true
	switch {
	case labels[1] == "tc" && !q.tcp:
		m.Truncated, after = true, 0
	case labels[1] == "plain" && q.msg.IsEdns0() != nil:
		m.Rcode, after = dns.RcodeFormatError, 0
	default:
		m.Answer = []dns.RR{mustRR(q.name + ". 0 IN A 192.0.2.1")}
	}
	return []event{{after, packed(&m)}}
}

// The usual time of a server is smoothed as RFC 6298 has it, decides when the
// next question is repeated, and knows nothing of connections and of questions
// that were put again.
func TestUsualTime(t *testing.T) {
	withServers(t, []func(*asking) []event{asNamed}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{CacheSize: -1}, servers...)
		warm(task, t, r)
		for _, c := range []struct {
			name   string
			usual  time.Duration
			hedges uint64
		}{
			{"80ms.a.test", 80 * ms, 0},
			{"160ms.a.test", 90 * ms, 0},                       // 80 + (160-80)/8
			{"10ms.a.test", 80 * ms, 0},                        // 90 + (10-90)/8
			{"300ms.tc.test", 80 * ms, 0},                      // by TCP
			{"319ms.a.test", 109875 * time.Microsecond, 0},     // before 4 x 80
			{"440ms.a.test", 151141 * time.Microsecond, 1},     // after 4 x 109.875
			{"500ms.plain.test", 132248 * time.Microsecond, 1}, // refused within 0 ms
		} {
			if _, err := r.Getaddrinfo(task, c.name, "80", v4only); err != nil {
				return err
			}
			if got, st := resolver.SRTT(r), r.Statistics(); got.Round(time.Microsecond) != c.usual || st.Hedges != c.hedges {
				t.Errorf("%s: usual time %v, want %v; %d repeated, want %d", c.name, got, c.usual, st.Hedges, c.hedges)
			}
		}
		return nil
	})
}
