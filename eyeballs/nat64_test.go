package eyeballs

import (
	"errors"
	"net/netip"
	"slices"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/socket"
)

// The table of RFC 6052, section 2.4.
var rfc6052 = []struct{ prefix, want string }{
	{"2001:db8::/32", "2001:db8:c000:221::"},
	{"2001:db8:100::/40", "2001:db8:1c0:2:21::"},
	{"2001:db8:122::/48", "2001:db8:122:c000:2:2100::"},
	{"2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"},
	{"2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"},
	{"2001:db8:122:344::/96", "2001:db8:122:344::c000:221"},
	{"64:ff9b::/96", "64:ff9b::c000:221"},
}

// Scenario E100: there and back, and the prefix is found again from the
// addresses of the well-known name.
func TestE100Synthesis(t *testing.T) {
	v4 := netip.MustParseAddr("192.0.2.33")
	for _, c := range rfc6052 {
		prefix := netip.MustParsePrefix(c.prefix)
		v6, ok := Synthesize(prefix, v4)
		if !ok || v6 != netip.MustParseAddr(c.want) {
			t.Errorf("%v: %v %v, want %v", prefix, v6, ok, c.want)
		}
		if v6.As16()[8] != 0 && prefix.Bits() != 96 {
			t.Errorf("%v: bits 64 to 71 of %v are not zero", prefix, v6)
		}
		if back, ok := Extract(prefix, v6); !ok || back != v4 {
			t.Errorf("%v: back comes %v %v", prefix, back, ok)
		}
		for _, known := range wellKnown {
			made, _ := Synthesize(prefix, known)
			if found, ok := nat64Prefix(made); !ok || found != prefix {
				t.Errorf("%v: from %v the prefix %v %v is found", prefix, made, found, ok)
			}
		}
	}
}

// Scenario E97: addresses that mean something here only have no place behind a
// NAT64, and neither do addresses of other prefixes or with stray bits.
func TestE97NeverSynthesised(t *testing.T) {
	prefix := netip.MustParsePrefix("2001:db8:122:344::/64")
	for _, v4 := range []string{"127.0.0.1", "169.254.1.1", "0.1.2.3", "255.255.255.255", "::1"} {
		if v6, ok := Synthesize(prefix, netip.MustParseAddr(v4)); ok {
			t.Errorf("%s becomes %v", v4, v6)
		}
	}
	for _, v6 := range []string{"2001:db8:122:345:c0:2:2100::", "2001:db8:122:344:1c0:2:2100::",
		"2001:db8:122:344:c0:2:2100:1", "2001:db8:122:344:7f:0:100::", "192.0.2.33"} {
		if v4, ok := Extract(prefix, netip.MustParseAddr(v6)); ok {
			t.Errorf("%s stands for %v", v6, v4)
		}
	}
	if _, ok := Synthesize(netip.MustParsePrefix("2001:db8::/65"), wellKnown[0]); ok {
		t.Error("a prefix of 65 bits was accepted")
	}
}

// Scenario E100, too: the prefixes of the network come from a lookup.
func TestDiscoverNAT64(t *testing.T) {
	answer := socket.Answer{Family: kernelFamily(ipv6)}
	for _, c := range rfc6052 {
		v6, _ := Synthesize(netip.MustParsePrefix(c.prefix), wellKnown[0])
		answer.Addrs = append(answer.Addrs, netip.AddrPortFrom(v6, 0))
	}
	var failure error
	resolve := func(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
		if q.Host != nat64Name || q.Family != kernelFamily(ipv6) {
			return errors.New("the wrong question")
		}
		if failure == nil {
			deliver(answer)
		}
		return errors.Join(failure, loop.Checkpoint(t))
	}
	looptest.Run(t, func(task *loop.Task) error {
		found, err := DiscoverNAT64(task, resolve)
		for _, c := range rfc6052 {
			if !slices.Contains(found, netip.MustParsePrefix(c.prefix)) {
				t.Errorf("%s is not among %v (%v)", c.prefix, found, err)
			}
		}
		failure = errNoData
		if found, err := DiscoverNAT64(task, resolve); len(found) != 0 || err != nil {
			t.Errorf("without a DNS64: %v, %v", found, err)
		}
		failure = errServer
		if _, err := DiscoverNAT64(task, resolve); err != errServer && !errors.Is(err, errServer) {
			t.Errorf("with a server that fails: %v", err)
		}
		return nil
	})
}
