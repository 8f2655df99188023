package resolver_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/resolver"
)

// describe writes what matters of a resolv.conf as text.
func describe(c *resolver.ResolvConf) string {
	flags := ""
	for _, f := range []struct {
		on   bool
		name string
	}{{c.Rotate, " rotate"}, {c.NoAAAA, " no-aaaa"}, {c.UseTCP, " use-vc"}, {c.SingleRequest, " single"},
		{c.NoEDNS, " no-edns"}, {c.TrustAD, " trust-ad"}, {c.NoReload, " no-reload"}, {c.StrictError, " strict"}} {
		if f.on {
			flags += f.name
		}
	}
	return fmt.Sprintf("%v %q %d %v %d%s", c.Servers, c.Search, c.NDots, c.Timeout, c.Attempts, flags)
}

// R044 to R052: what a resolv.conf says.
func TestR044ResolvConf(t *testing.T) {
	for _, c := range []struct{ text, host, want string }{
		{"", "box.example.org", `[127.0.0.1:53] ["example.org"] 1 5s 2`},
		{"", "box", `[127.0.0.1:53] [] 1 5s 2`},
		{"options timeout:999 attempts:999 ndots:99", "", `[127.0.0.1:53] [] 15 30s 5`},
		{"options timeout:0 attempts:0 ndots:0", "", `[127.0.0.1:53] [] 0 1s 1`},
		{"options timeout:99999999999999999999 ndots:x attempts:-3", "", `[127.0.0.1:53] [] 1 30s 1`},
		{"search a b\nsearch c\n", "", `[127.0.0.1:53] ["c"] 1 5s 2`},
		{"search a b\ndomain d\n", "", `[127.0.0.1:53] ["d"] 1 5s 2`},
		{"search a b\nsearch\n", "", `[127.0.0.1:53] ["a" "b"] 1 5s 2`},
		{"nameserver 1.1.1.1\nnameserver 2.2.2.2\nnameserver ::1\nnameserver 4.4.4.4", "",
			`[1.1.1.1:53 2.2.2.2:53 [::1]:53 4.4.4.4:53] [] 1 5s 2`},
		{"nameserver fe80::1%eth0\nnameserver [127.0.0.1]:5353\nnameserver nonsense", "",
			`[[fe80::1%eth0]:53 127.0.0.1:5353] [] 1 5s 2`},
		{"; c\n# c\nnameserver 1.1.1.1 # c\n nameserver 9.9.9.9\nsearch lion.test.  \t\r\noptions\tinet6 rotate", "",
			`[1.1.1.1:53] ["lion.test"] 1 5s 2 rotate`},
		{"search .", "a.b", `[127.0.0.1:53] [""] 1 5s 2`},
		{"options no-aaaa use-vc single-request -edns0 trust-ad no-reload strict-error", "",
			`[127.0.0.1:53] [] 1 5s 2 no-aaaa use-vc single no-edns trust-ad no-reload strict`},
		{"options rotate -rotate -edns0 edns0", "", `[127.0.0.1:53] [] 1 5s 2`},
		{"nameserver 1.1.1.1", "", `[1.1.1.1:53] [] 1 5s 2`},
	} {
		if got := describe(resolver.ParseResolvConf(c.text, c.host)); got != c.want {
			t.Errorf("%q:\n  got  %s\n  want %s", c.text, got, c.want)
		}
	}
}

// A resolv.conf of 10 MB costs no more than its limits.
func TestResolvConfOfTenMegabytes(t *testing.T) {
	line := "nameserver 192.0.2.1\nsearch " + strings.Repeat("a ", 500) + "\noptions nonsense\n"
	c := resolver.ParseResolvConf(strings.Repeat(line, (10<<20)/len(line)), "")
	if len(c.Servers) != 64 || len(c.Search) != 256 || len(c.Ignored) != 16 {
		t.Errorf("%d servers, %d suffixes, %d ignored", len(c.Servers), len(c.Search), len(c.Ignored))
	}
}

// R055 to R061, R066, R067: the names that are tried, in order.
func TestR055Candidates(t *testing.T) {
	long := strings.Repeat("a.", 122) + "b"
	for _, c := range []struct {
		ndots  int
		search string
		name   string
		want   string
	}{
		{1, "lion.test corp.lion.test", "dual", "dual.lion.test dual.corp.lion.test dual"},
		{1, "lion.test corp.lion.test", "sub.corp", "sub.corp sub.corp.lion.test sub.corp.corp.lion.test"},
		{3, "lion.test", "v4.lion.test", "v4.lion.test.lion.test v4.lion.test"},
		{0, "lion.test", "dual", "dual dual.lion.test"},
		{5, "lion.test", "dual.", "dual"},
		{1, "lion.test", long, long},
		{1, ".", "a", "a"},
		{1, "x .", "a", "a.x a"},
	} {
		conf := resolver.ParseResolvConf(fmt.Sprintf("search %s\noptions ndots:%d\n", c.search, c.ndots), "")
		if got := strings.Join(conf.Candidates(c.name), " "); got != c.want {
			t.Errorf("ndots %d, search %q, %q: %q, want %q", c.ndots, c.search, c.name, got, c.want)
		}
	}
}

// R023 to R030: a hosts file with everything that is odd.
func TestR024HostsOddities(t *testing.T) {
	text, err := os.ReadFile("testdata/hosts-odd")
	if err != nil {
		t.Fatal(err)
	}
	odd := strings.Replace(string(text), "crlf.h\n", "crlf.h\r\n", 1)
	for _, c := range []struct{ name, want string }{
		{"tab.h", "[10.1.1.1] tab.h"}, {"A1.H", "[10.1.1.1] tab.h"}, {"lead.h", "[10.1.1.2] lead.h"},
		{"crlf.h", "[10.1.1.3] crlf.h"}, {"short.h", "[] "}, {"hex.h", "[] "}, {"bad.h", "[] "},
		{"zone.h", "[fe80::5%lo] zone.h"}, {"nozone.h", "[fe80::6] nozone.h"}, {"upper.h", "[10.1.1.4] UPPER.h"},
		{"dot.h", "[10.1.1.5] dot.h."}, {"dot.h.", "[10.1.1.5] dot.h."}, {"dup.h", "[10.1.1.6 10.1.1.7] dup.h"},
		{"v6alias.h", "[::1 127.0.0.1] v6alias.h"}, {"under_h", "[10.1.1.8] under_h"},
		{"-dash.h", "[10.1.1.8] under_h"}, {"nonl.h", "[10.1.1.10] nonl.h"}, {"trailing", "[] "},
	} {
		addrs, canon := resolver.HostsOf(odd, c.name)
		if got := fmt.Sprintf("%v %s", addrs, canon); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// R035 to R041: sources with actions. The letters are for success, notfound,
// unavail and tryagain: continue, return, merge.
func TestR036NSSwitch(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "filesrccc dnsrccc"},
		{"passwd: files\n", "filesrccc dnsrccc"},
		{"hosts: dns files", "dnsrccc filesrccc"},
		{"hosts: files [NOTFOUND=return] dns # c", "filesrrcc dnsrccc"},
		{" hosts:\tfiles[!UNAVAIL=return]dns", "filesrrcr dnsrccc"},
		{"hosts: files [SUCCESS=merge] dns", "filesmccc dnsrccc"},
		{"hosts: [NOTFOUND=return] foo [nonsense] dns [tryagain=return", "foorccc dnsrccr"},
	} {
		if got := strings.Join(resolver.ParseNSSwitch(c.text), " "); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// R002, R004, R005, R006: what Resolve takes for an address, and what for a
// name.
func TestR002StrictLiterals(t *testing.T) {
	for _, c := range []struct {
		host string
		addr string
		name bool
	}{
		{"1.2.3.4", "1.2.3.4", false}, {"127.1", "", false}, {"0x7f.1", "", false}, {"010.8.8.8", "", false},
		{"1.2.3.256", "", false}, {"1.2.3.4.", "", false}, {"08", "", false}, {"0x", "", false},
		{"1e1", "", true}, {"example.org", "", true}, {"1.example", "", true},
		{"::1", "::1", false}, {"[::1]", "", false}, {"::1%", "", false}, {"fe80::1%99", "fe80::1%99", false},
		{"fe80::1%nope", "", false}, {"1.2.3.4%1", "", false}, {"::ffff:1.2.3.4", "::ffff:1.2.3.4", false},
	} {
		addr, name := resolver.LiteralStrict(c.host)
		want, _ := netip.ParseAddr(c.addr)
		if addr != want || name != c.name {
			t.Errorf("%q: %v, a name: %v", c.host, addr, name)
		}
	}
}

// sources as in R126: those of a machine with addresses in these networks.
func labSource(dst netip.Addr) netip.Addr {
	text := "2001:db8::200"
	switch {
	case dst.Is4() && dst.IsLoopback():
		text = "127.0.0.1"
	case dst.Is4() && dst.IsPrivate():
		text = "10.0.0.200"
	case dst.Is4():
		text = "192.0.2.200"
	case dst.IsLinkLocalUnicast():
		return netip.Addr{}
	case dst.IsPrivate():
		text = "fd00::200"
	}
	return netip.MustParseAddr(text)
}

// R126 to R129: the order of addresses.
func TestR126Sort(t *testing.T) {
	scopes := "fe80::1 fd00::1 2002:c000:201::1 2001::1 2001:db8::1 127.0.0.9 169.254.1.1 10.0.0.5 192.0.2.1"
	for _, c := range []struct{ conf, addrs, want string }{
		{"", scopes, "2001:db8::1 127.0.0.9 10.0.0.5 192.0.2.1 fd00::1 2002:c000:201::1 2001::1 169.254.1.1 fe80::1"},
		{"", "192.0.2.1 2001:db8::1", "2001:db8::1 192.0.2.1"},
		{"precedence ::ffff:0:0/96 100\n", "2001:db8::1 192.0.2.1", "192.0.2.1 2001:db8::1"},
		{"reload yes\nscopev4 ::ffff:169.254.0.0/112 2\n", "192.0.2.1 2001:db8::1", "2001:db8::1 192.0.2.1"},
		{"", "10.0.0.1 172.16.0.1 192.168.0.1 203.0.113.9", "10.0.0.1 172.16.0.1 192.168.0.1 203.0.113.9"},
		{"", "2001:db8:ffff::1 2001:db8::1", "2001:db8::1 2001:db8:ffff::1"},
		{"label ::/0 1\nlabel ::ffff:0:0/96 1\n", "192.0.2.1 2001:db8::1", "2001:db8::1 192.0.2.1"},
	} {
		looptest.Run(t, func(task *loop.Task) error {
			var addrs []netip.Addr
			for text := range strings.FieldsSeq(c.addrs) {
				addrs = append(addrs, netip.MustParseAddr(text))
			}
			err := resolver.SortWith(task, c.conf, addrs, labSource)
			if got := strings.Trim(fmt.Sprint(addrs), "[]"); got != c.want {
				t.Errorf("%q\n  got  %s\n  want %s", c.conf, got, c.want)
			}
			return err
		})
	}
}

// R129: the kernel tells sources without a packet, and no descriptor is left
// (looptest looks).
func TestR129KernelSource(t *testing.T) {
	looptest.Run(t, func(task *loop.Task) error {
		for i := range 1000 {
			dst := netip.AddrFrom4([4]byte{127, 0, byte(i >> 8), byte(i)})
			source, err := resolver.KernelSource(task, dst)
			if err != nil {
				return err
			}
			if !source.IsLoopback() {
				t.Fatalf("%v is reached from %v", dst, source)
			}
		}
		return nil
	})
}

func FuzzFiles(f *testing.F) {
	for _, name := range []string{"testdata/hosts-odd", "testdata/lion.test.zone"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("hosts: files [!NOTFOUND=return] dns\nprecedence ::1/128 50\noptions ndots:9 -edns0\nnameserver [::1]:1")
	f.Add("http 80/tcp www\n0x7f.1\nxn--\x00.")
	f.Fuzz(func(t *testing.T, text string) { resolver.ParseAll(text) })
}

// What looks like a literal of the system must be one here, too.
func FuzzLiterals(f *testing.F) {
	for _, seed := range []string{"1.2.3.4", "::1", "fe80::1%1", "0x7f.1", "1.2.3.256", "::ffff:1.2.3.4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr, name := resolver.LiteralStrict(text)
		if ip := net.ParseIP(text); ip != nil && !addr.IsValid() {
			t.Errorf("%q is %v", text, ip)
		}
		if addr.IsValid() && (name || resolver.LiteralLoose(text) != addr) {
			t.Errorf("%q is %v, and %v", text, addr, resolver.LiteralLoose(text))
		}
	})
}

func FuzzMessage(f *testing.F) {
	m := new(dns.Msg)
	m.SetQuestion("a.b.", dns.TypeA)
	m.Id, m.Response = 7, true
	m.Answer = []dns.RR{
		&dns.CNAME{Hdr: header("a.b.", dns.TypeCNAME), Target: "c.b."},
		&dns.A{Hdr: header("c.b.", dns.TypeA), A: net.IPv4(1, 2, 3, 4)},
	}
	m.Compress = true
	f.Add(packed(m))
	f.Add(packed(m)[:12])
	f.Fuzz(func(t *testing.T, wire []byte) {
		ok, addrs := resolver.ReadMessage(wire, 7, "a.b", dns.TypeA)
		if !ok {
			return
		}
		if slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !a.Is4() }) {
			t.Errorf("%v for a question about IPv4", addrs)
		}
	})
}
