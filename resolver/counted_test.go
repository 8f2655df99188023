package resolver_test

import (
	"errors"
	"net/netip"
	"path/filepath"
	"testing"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/resolver"
)

// What files say that makes no sense is counted, line by line and word by word.
func TestIgnoredLinesAreCounted(t *testing.T) {
	dir := tempDir(t)
	for name, text := range map[string]string{
		"resolv.conf":   "nameserver 127.0.0.1\nnameserver nonsense\nwhat is this\nsearch\noptions rotate woozle\nsortlist x\n# c\n", // 4
		"hosts":         "10.0.0.1 one.test\nnonsense two.test\n10.0.0.3\n\n# c\n",                                                   // 2
		"nsswitch.conf": "hosts: [x=y] files [NOTFOUND=return WOOZLE=return]\n",                                                      // 2
		"gai.conf":      "precedence ::1/128 50\nprecedence nonsense 5\nlabel\nwoozle ::/0 1\nscopev4 x y\nreload yes\n# c\n",        // 3
		"services":      "http 80/tcp\nwoozle\nwoozle x/tcp\n\n",                                                                     // 2
	} {
		writeFile(t, filepath.Join(dir, name), text)
	}
	looptest.Run(t, func(task *loop.Task) error {
		r, err := resolver.New(resolver.Config{Files: resolver.Files{Dir: dir}})
		if err != nil {
			return err
		}
		got, err := lookup(task, r, "one.test")
		if st := r.Statistics(); got != "4" || st.Ignored != 13 {
			t.Errorf("%s, %d ignored, want 13", got, st.Ignored)
		}
		return err
	})
}

// Answers that are no help are counted by what is wrong with them.
func TestRejectedAnswersAreCounted(t *testing.T) {
	answer := func(q *asking) []event {
		var m dns.Msg
		m.SetReply(q.msg)
		m.RecursionAvailable = true
		switch q.name {
		case "circle.test":
			m.Answer = []dns.RR{mustRR("circle.test. 60 IN CNAME b.test."), mustRR("b.test. 60 IN CNAME circle.test.")}
		case "refused.test":
			m.Rcode = dns.RcodeRefused
		case "other.test":
			m.Answer = []dns.RR{mustRR("evil.test. 60 IN A 192.0.2.66"), mustRR("other.test. 60 IN A 192.0.2.1")}
		}
		return []event{{0, packed(&m)}}
	}
	withServers(t, []func(*asking) []event{answer}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{CacheSize: -1}, servers...)
		warm(task, t, r)
		for name, count := range map[string]func(resolver.Statistics) uint64{
			"circle.test":  func(s resolver.Statistics) uint64 { return s.Circles },
			"refused.test": func(s resolver.Statistics) uint64 { return s.Unhelpful },
			"other.test":   func(s resolver.Statistics) uint64 { return s.Strangers },
		} {
			before := count(r.Statistics())
			if _, err := r.Getaddrinfo(task, name, "", v4only); (err == nil) != (name == "other.test") {
				t.Errorf("%s: %v", name, err)
			}
			if got := count(r.Statistics()); got != before+1 {
				t.Errorf("%s: %d counted", name, got-before)
			}
		}
		return nil
	})
}

// R087: what is there of an answer that is cut off over TCP too is used once, and
// counted; that nothing is there says nothing.
func TestCutOffOverTCP(t *testing.T) {
	answer := func(q *asking) []event {
		m := positive(q)
		m.Truncated = true
		if q.name == "empty.test" {
			m.Answer = nil
		}
		return []event{{0, packed(m)}}
	}
	withServers(t, []func(*asking) []event{answer}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{}, servers...)
		warm(task, t, r)
		for i := range 2 {
			if got, err := lookup(task, r, "some.test"); err != nil || got != "46" {
				t.Errorf("%s, %v", got, err)
			}
			if st := r.Statistics(); st.Truncated != uint64(2*i+2) || st.Cached != 0 {
				t.Errorf("after lookup %d: %+v", i+1, st)
			}
		}
		_, err := r.Getaddrinfo(task, "empty.test", "", resolver.Hints{})
		if st := r.Statistics(); !errors.Is(err, resolver.ErrMalformed) || st.Unhelpful != 2 {
			t.Errorf("%v, %+v", err, st)
		}
		return nil
	})
}

// Addresses beyond what one name may have are counted.
func TestDroppedAddressesAreCounted(t *testing.T) {
	const most, more = 4096, 10
	var list []netip.Addr
	for i := range most + more {
		list = append(list, netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}))
	}
	r := newBackend(t, resolver.Config{Backend: resolver.Static{"big.test": list}})
	looptest.Run(t, func(task *loop.Task) error {
		infos, err := r.Getaddrinfo(task, "big.test", "", v4only)
		if st := r.Statistics(); len(infos) != most || st.Dropped != more {
			t.Errorf("%d addresses, %d dropped", len(infos), st.Dropped)
		}
		return err
	})
}
