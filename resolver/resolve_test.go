package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// heard is an answer, and when it came.
type heard struct {
	family int
	addrs  string
	err    error
	after  time.Duration
}

func resolve(t *loop.Task, r *resolver.Resolver, q socket.Query) (list []heard, err error) {
	start := t.Now()
	err = r.Resolve(t, q, func(a socket.Answer) {
		list = append(list, heard{a.Family, strings.TrimSuffix(strings.TrimPrefix(fmt.Sprint(a.Addrs), "["), "]"), a.Err, t.Now().Sub(start)})
	})
	return list, err
}

// S299, S300, S302, S304, S305, S307: hosts of every kind, as dialing wants
// them. Numbers ask nobody; names are encoded first.
func TestS299Resolve(t *testing.T) {
	back := resolver.Static{
		"example.test":  {netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
		"xn--fa-hia.de": {netip.MustParseAddr("192.0.2.2")},
	}
	r := newBackend(t, resolver.Config{Backend: back})
	looptest.Run(t, func(task *loop.Task) error {
		for _, c := range []struct {
			q    socket.Query
			want string // answers in order, or a code
		}{
			{socket.Query{Host: "::1", Service: "80"}, "[::1]:80"},
			{socket.Query{Host: "127.0.0.1", Service: "http"}, "127.0.0.1:80"},
			{socket.Query{Host: "fe80::1%7", Service: "80"}, "[fe80::1%7]:80"},
			{socket.Query{Host: "", Service: "80"}, "[::1]:80 127.0.0.1:80"},
			{socket.Query{Host: "", Service: "80", Passive: true}, "0.0.0.0:80 [::]:80"},
			{socket.Query{Host: "", Service: "80", Passive: true, Family: sys.AF_INET}, "0.0.0.0:80"},
			{socket.Query{Host: "localhost", Service: "https"}, "[::1]:443 127.0.0.1:443"},
			{socket.Query{Host: "a.b.localhost.", Service: ""}, "[::1]:0 127.0.0.1:0"},
			{socket.Query{Host: "faß.de", Service: "1"}, "192.0.2.2:1"},
			{socket.Query{Host: "xn--fa-hia.de", Service: "1"}, "192.0.2.2:1"},
			{socket.Query{Host: "domain.test", Service: "nosuch"}, "EAI_SERVICE"},
			{socket.Query{Host: "example.test", Service: "65536"}, "EAI_SERVICE"},
			{socket.Query{Host: "example.test", Service: "tftp"}, "EAI_SERVICE"},
			{socket.Query{Host: "127.0.0.1", Service: "tftp", Type: 2}, "127.0.0.1:69"},
			{socket.Query{Host: "::1", Service: "80", Family: sys.AF_INET}, "EAI_ADDRFAMILY"},
			{socket.Query{Host: "example.test", Family: 99}, "EAI_FAMILY"},
			{socket.Query{Host: "nothere.test"}, "EAI_NONAME"},
			{socket.Query{Host: "127.1"}, "EAI_NONAME"},
			{socket.Query{Host: "<broadcast>"}, "EAI_NONAME"},
			{socket.Query{Host: "*"}, "EAI_NONAME"},
			{socket.Query{Host: "１.2.3.4"}, "EAI_NONAME"},
			{socket.Query{Host: "exa℀mple.test"}, "EAI_IDN_ENCODE"},
			{socket.Query{Host: "a\x00b.test"}, "EAI_NONAME"},
			{socket.Query{Host: strings.Repeat("a", 64) + ".test"}, "EAI_NONAME"},
			{socket.Query{Host: strings.Repeat("a.", 127) + "test"}, "EAI_NONAME"},
			{socket.Query{Host: "foo.onion"}, "EAI_NONAME"},
			{socket.Query{Host: "foo.invalid."}, "EAI_NONAME"},
		} {
			var list []heard
			err := looptest.AssertCheckpoint(task, t, func() (err error) {
				list, err = resolve(task, r, c.q)
				return err
			})
			var words []string
			for _, h := range list {
				if h.err == nil {
					words = append(words, h.addrs)
				}
			}
			got := strings.Join(words, " ")
			var e *resolver.Error
			if errors.As(err, &e) {
				got = e.Code.String()
			}
			if got != c.want {
				t.Errorf("%+v: %s (%v), want %s", c.q, got, err, c.want)
			}
		}
		if st := r.Statistics(); st.Started != 3 {
			t.Errorf("the backend was asked %d times", st.Started)
		}
		return nil
	})
}

// R070, E45, E54: answers stream: one family is told before the other is
// known, and a silent one is given up after a grace.
func TestResolveStreams(t *testing.T) {
	for _, c := range []struct {
		b    behaviour
		want string
	}{
		{behaviour{"ok", "100:ok"}, "A@0 AAAA@100"},
		{behaviour{"100:ok", "ok"}, "AAAA@0 A@100"},
		{behaviour{"ok", "never"}, "A@0 !AAAA@1000"},
		{behaviour{"30:ok", "40:S"}, "A@30 !AAAA@40"},
		{behaviour{"30:ok", "10:N"}, "!AAAA@30 A@30"},
		{behaviour{"20:D", "10:D"}, "!AAAA@20 !A@20"},
	} {
		withServers(t, []func(*asking) []event{c.b.server}, func(task *loop.Task, servers []*fake) error {
			r := newResolver(t, resolver.Config{}, servers...)
			warm(task, t, r)
			list, err := resolve(task, r, socket.Query{Host: "x.test", Service: "80"})
			var words []string
			for _, h := range list {
				word := "A"
				if h.family == sys.AF_INET6 {
					word = "AAAA"
				}
				if h.err != nil {
					word = "!" + word
				}
				words = append(words, fmt.Sprintf("%s@%d", word, h.after.Milliseconds()))
			}
			if got := strings.Join(words, " "); got != c.want {
				t.Errorf("%+v: %s, want %s (%v)", c.b, got, c.want, err)
			}
			return nil
		})
	}
}

// E76, R069: within its time an answer comes from the cache; a negative one
// too; it can be switched off.
func TestCache(t *testing.T) {
	z := readZones(t, "testdata/lion.test.zone")
	withServers(t, []func(*asking) []event{z.honest}, func(task *loop.Task, servers []*fake) error {
		f := servers[0]
		r := newResolver(t, resolver.Config{CacheSize: 6}, f)
		ask := func(r *resolver.Resolver, name string, queries int) {
			before := len(f.log)
			if _, err := lookup(task, r, name); err != nil {
				t.Error(err)
			}
			if n := len(f.log) - before; n != queries {
				t.Errorf("%s: %d queries, want %d", name, n, queries)
			}
		}
		ask(r, "dual.lion.test", 2)
		ask(r, "DUAL.lion.test", 0)
		ask(r, "nothere.lion.test", 2)
		ask(r, "nothere.lion.test", 0)
		if err := loop.Sleep(task, 31*time.Second); err != nil { // the negative TTL is 30 s
			return err
		}
		ask(r, "dual.lion.test", 0)
		ask(r, "nothere.lion.test", 2)
		if err := loop.Sleep(task, 30*time.Second); err != nil {
			return err
		}
		ask(r, "dual.lion.test", 2)
		for i := range 20 {
			ask(r, fmt.Sprintf("w%d.wild.lion.test", i), 2)
		}
		if st := r.Statistics(); st.Cached > 6 || st.CacheHits != 6 {
			t.Errorf("statistics: %+v", st)
		}
		r.Flush()
		ask(r, "w19.wild.lion.test", 2)
		off := newResolver(t, resolver.Config{CacheSize: -1}, f)
		ask(off, "dual.lion.test", 2)
		ask(off, "dual.lion.test", 2)
		return nil
	})
}

// Source addresses are remembered for a moment, until Flush, and for as long as
// there is room.
func TestKnownSources(t *testing.T) {
	z := readZones(t, "testdata/lion.test.zone", "testdata/other.test.zone")
	withServers(t, []func(*asking) []event{z.honest}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{}, servers...)
		for _, c := range []struct {
			name string
			want int
		}{{"dual.lion.test", 4}, {"dual.lion.test", 4}, {"big.lion.test", 204}} {
			if _, err := lookup(task, r, c.name); err != nil {
				return err
			}
			if n := resolver.KnownSources(r); n != c.want {
				t.Errorf("%s: %d sources are known, want %d", c.name, n, c.want)
			}
		}
		for i := range 2000 {
			z.add(mustRR(fmt.Sprintf("many.lion.test. 60 IN A 10.0.%d.%d", i/250, i%250)))
		}
		if _, err := lookup(task, r, "many.lion.test"); err != nil {
			return err
		}
		if n := resolver.KnownSources(r); n == 0 || n > 1024 {
			t.Errorf("%d sources are known", n)
		}
		r.Flush()
		if n := resolver.KnownSources(r); n != 0 {
			t.Errorf("after Flush %d sources are known", n)
		}
		return nil
	})
}

// R031, R035 to R042, R121, R122: which source answers.
func TestR035Sources(t *testing.T) {
	z := readZones(t, "testdata/lion.test.zone")
	const more = "10.66.0.1 v4.lion.test\n10.66.0.2 onlyhosts.lion.test\n10.66.0.3 localhost\n"
	for _, c := range []struct{ nsswitch, name, want string }{
		{"hosts: dns files", "v4.lion.test", "192.0.2.1"},
		{"hosts: dns files", "onlyhosts.lion.test", "10.66.0.2"},
		{"hosts: files [NOTFOUND=return] dns", "dual.lion.test", "EAI_NONAME, 0 queries"},
		{"hosts: files", "dual.lion.test", "EAI_NONAME, 0 queries"},
		{"hosts: files dns", "v4.lion.test", "10.66.0.1, 0 queries"},
		{"hosts: files [SUCCESS=merge] dns", "v4.lion.test", "10.66.0.1 192.0.2.1"},
		{"", "v4.lion.test", "10.66.0.1, 0 queries"},
		{"hosts: foo dns", "onlyhosts.lion.test", "EAI_NONAME"},
		{"hosts: foo dns", "v4.lion.test", "192.0.2.1"},
		{"hosts: files mdns4_minimal [NOTFOUND=return] dns", "foo.local", "EAI_NONAME, 0 queries"},
		{"hosts: files mdns4_minimal [NOTFOUND=return] dns", "v6.lion.test", "2001:db8::1"},
		{"hosts: files dns", "foo.local", "EAI_NONAME"},
		{"hosts: files dns", "localhost", "::1 10.66.0.3, 0 queries"},
		{"hosts: files dns", "sub.LOCALHOST.", "::1 127.0.0.1, 0 queries"},
		{"hosts: files dns", "x.alt", "EAI_NONAME, 0 queries"},
	} {
		withServers(t, []func(*asking) []event{z.honest}, func(task *loop.Task, servers []*fake) error {
			dir := tempDir(t)
			writeFile(t, filepath.Join(dir, "hosts"), more)
			writeFile(t, filepath.Join(dir, "nsswitch.conf"), c.nsswitch)
			r := newResolver(t, resolver.Config{Files: resolver.Files{Dir: dir}}, servers...)
			infos, err := r.Getaddrinfo(task, c.name, "", resolver.Hints{SockType: 1})
			var words []string
			for _, info := range infos {
				words = append(words, info.Addr.Addr().String())
			}
			got := strings.Join(words, " ")
			var e *resolver.Error
			if errors.As(err, &e) {
				got = e.Code.String()
			}
			if len(servers[0].log) == 0 {
				got += ", 0 queries"
			}
			if got != c.want {
				t.Errorf("%q, %s: %s, want %s", c.nsswitch, c.name, got, c.want)
			}
			if skipped := r.Statistics().Skipped; strings.Contains(c.nsswitch, "foo") && fmt.Sprint(skipped) != "[foo]" {
				t.Errorf("skipped: %v", skipped)
			}
			return nil
		})
	}
}

// R054, R135: files that change are read again as a whole; an empty one that
// is being written is not believed; one that is too large is refused.
func TestR054Reload(t *testing.T) {
	dir := tempDir(t)
	name := filepath.Join(dir, "hosts")
	writeFile(t, name, "10.0.0.1 one.test\n")
	writeFile(t, filepath.Join(dir, "nsswitch.conf"), "hosts: files\n")
	looptest.Run(t, func(task *loop.Task) error {
		r, err := resolver.New(resolver.Config{Files: resolver.Files{Dir: dir}, Recheck: -1})
		if err != nil {
			return err
		}
		want := func(host, addr string) {
			t.Helper()
			infos, err := r.Getaddrinfo(task, host, "", v4only)
			if got := format(infos); addr == "" && !errors.Is(err, resolver.NoName) ||
				addr != "" && got != addr+":0/stp6" {
				t.Errorf("%s: %s, %v", host, got, err)
			}
		}
		want("one.test", "10.0.0.1")
		writeFile(t, name, "10.0.0.22 one.test\n")
		want("one.test", "10.0.0.22")
		writeFile(t, name, "")
		want("one.test", "10.0.0.22")
		past := time.Now().Add(-time.Hour)
		if err := os.Chtimes(name, past, past); err != nil {
			return err
		}
		want("one.test", "")
		writeFile(t, name, "10.0.0.3 one.test\n")
		want("one.test", "10.0.0.3")
		if err := os.WriteFile(filepath.Join(dir, "nsswitch.conf"), make([]byte, 2<<20), 0o600); err != nil {
			return err
		}
		want("one.test", "10.0.0.3")
		st := r.Statistics()
		if len(st.FileErrs) == 0 || !errors.Is(errors.Join(st.FileErrs...), resolver.ErrTooLarge) || st.Reloads < 4 {
			t.Errorf("statistics: %+v", st)
		}
		return nil
	})
}

// S309: getnameinfo.
func TestS309Getnameinfo(t *testing.T) {
	z := readZones(t, "testdata/lion.test.zone")
	z.add(mustRR("1.2.0.192.in-addr.arpa. 60 IN PTR v4.lion.test."))
	z.add(mustRR("3.2.0.192.in-addr.arpa. 60 IN PTR sp\\032ace.lion.test."))
	withServers(t, []func(*asking) []event{z.honest}, func(task *loop.Task, servers []*fake) error {
		dir := tempDir(t)
		writeFile(t, filepath.Join(dir, "hosts"), hosts)
		r := newResolver(t, resolver.Config{Files: resolver.Files{Dir: dir}}, servers...)
		for _, c := range []struct {
			addr  string
			flags resolver.NameFlags
			want  string
		}{
			{"10.1.2.3:80", 0, "hostsonly.lion.test http"},
			{"192.0.2.1:443", 0, "v4.lion.test https"},
			{"192.0.2.1:443", resolver.NINumericHost | resolver.NINumericServ, "192.0.2.1 443"},
			{"192.0.2.2:69", resolver.NIDgram, "192.0.2.2 tftp"},
			{"192.0.2.2:69", 0, "192.0.2.2 69"},
			{"192.0.2.2:69", resolver.NINameReqd, "EAI_NONAME"},
			{"192.0.2.3:9", resolver.NINameReqd, "EAI_NONAME"},
			{"[fe80::1%7]:22", resolver.NINumericHost, "fe80::1%7 ssh"},
			{"192.0.2.1:1", resolver.NINumericHost | resolver.NINameReqd, "EAI_NONAME"},
		} {
			host, service, err := r.Getnameinfo(task, netip.MustParseAddrPort(c.addr), c.flags)
			got := host + " " + service
			var e *resolver.Error
			if errors.As(err, &e) {
				got = e.Code.String()
			}
			if got != c.want {
				t.Errorf("%s, %b: %s, %v", c.addr, c.flags, got, err)
			}
		}
		_, _, err := r.Getnameinfo(task, netip.AddrPort{}, 0)
		if !errors.Is(err, resolver.Family) {
			t.Errorf("no address: %v", err)
		}
		return nil
	})
}

// A net.Resolver asks through lion: for addresses, and for what only the DNS
// has.
func TestNetResolver(t *testing.T) {
	z := readZones(t, "testdata/lion.test.zone")
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			f := newFake(task, t, n, true, z.honest)
			r := newResolver(t, resolver.Config{}, f)
			std := r.Net(task.Loop())
			asking := resolver.System{Resolver: std}
			addrs, err := asking.Lookup(task, "dual.lion.test.", sys.AF_INET6)
			if err != nil || len(addrs) != 2 {
				t.Errorf("%v, %v", addrs, err)
			}
			if _, err := asking.Lookup(task, "nothere.lion.test.", sys.AF_INET); !errors.Is(err, resolver.NoName) {
				t.Errorf("a name that is not there: %v", err)
			}
			type result struct {
				srv []*net.SRV
				err error
			}
			done := make(chan result, 1)
			go func() {
				_, srv, err := std.LookupSRV(context.Background(), "http", "tcp", "lion.test.")
				done <- result{srv, err}
			}()
			for len(done) == 0 {
				if err := loop.Sleep(task, time.Millisecond); err != nil {
					return err
				}
			}
			if got := <-done; got.err != nil || len(got.srv) != 1 || got.srv[0].Port != 8080 {
				t.Errorf("SRV: %v, %v", got.srv, got.err)
			}
			if st := r.Statistics(); st.Queries < 3 {
				t.Errorf("it did not ask through lion: %+v", st)
			}
			f.close()
			_ = n.Cancel("the test is over")
			return nil
		})
	})
}
