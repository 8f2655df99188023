package resolver_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/resolver"
)

// R062: what a cluster does to a name of the world: ndots:5 and four suffixes
// make five names, ten questions, and five round trips, in the order of the
// list. All that is asked at a time are the two families of one name.
func TestR062SearchOneAfterTheOther(t *testing.T) {
	search := []string{"ns.svc.cluster.test", "svc.cluster.test", "cluster.test", "corp.test"}
	conf := resolver.ResolvConf{NDots: 5, Search: search}
	nowhere := behaviour{"20:N", "20:N"}
	withServers(t, []func(*asking) []event{nowhere.server}, func(task *loop.Task, servers []*fake) error {
		r := newResolver(t, resolver.Config{ResolvConf: &conf, CacheSize: -1}, servers...)
		warm(task, t, r)
		start := task.Now()
		got, err := lookup(task, r, "www.test")
		if took := task.Now().Sub(start); err != nil || got != "NONAME" || took != 100*ms {
			t.Errorf("%s, %v after %v", got, err, took)
		}
		var want []string
		for _, suffix := range append(search, "") {
			name := strings.TrimSuffix("www.test."+suffix, ".")
			want = append(want, "AAAA "+name, "A "+name)
		}
		if log := servers[0].log; !slices.Equal(log, want) {
			t.Errorf("asked for %q, want %q", log, want)
		}
		return nil
	})
}

// R042: the machine's own name has its addresses where nsswitch.conf names
// myhostname, and loopback ones where it has none; _gateway is a name like others.
func TestR042OwnName(t *testing.T) {
	own, err := os.Hostname()
	if err != nil || strings.Contains(own, "localhost") {
		t.Skipf("this machine has no name of its own: %q, %v", own, err)
	}
	dir := tempDir(t)
	writeFile(t, filepath.Join(dir, "nsswitch.conf"), "hosts: files myhostname\n")
	global := []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}
	for _, c := range []struct {
		local, want []netip.Addr
	}{
		{global, global},
		{nil, []netip.Addr{netip.MustParseAddr("127.0.0.2"), netip.IPv6Loopback()}},
	} {
		r, err := resolver.New(resolver.Config{Files: resolver.Files{Dir: dir}})
		if err != nil {
			t.Fatal(err)
		}
		resolver.SetLocalAddrs(r, c.local...)
		looptest.Run(t, func(task *loop.Task) error {
			infos, err := r.Getaddrinfo(task, strings.ToUpper(own)+".", "80", resolver.Hints{SockType: 1})
			var got []netip.Addr
			for _, info := range infos {
				got = append(got, info.Addr.Addr())
			}
			slices.SortFunc(got, netip.Addr.Compare)
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("%s is %v, %v; want %v", own, got, err, c.want)
			}
			if got, err := lookup(task, r, "_gateway"); err != nil || got != "NONAME" {
				t.Errorf("_gateway: %s, %v", got, err)
			}
			return nil
		})
	}
}

// R050: the environment changes the file only for who asked for that.
func TestR050Environment(t *testing.T) {
	t.Setenv("LOCALDOMAIN", "env.test")
	t.Setenv("RES_OPTIONS", "ndots:3 -no-aaaa")
	conf := resolver.ResolvConf{Search: []string{"file.test"}, NoAAAA: true}
	nowhere := behaviour{"N", "N"}
	for use, want := range map[bool]string{
		false: "A a.b, A a.b.file.test",
		true:  "AAAA a.b.env.test, A a.b.env.test, AAAA a.b, A a.b",
	} {
		withServers(t, []func(*asking) []event{nowhere.server}, func(task *loop.Task, servers []*fake) error {
			r := newResolver(t, resolver.Config{ResolvConf: &conf, UseEnv: use}, servers...)
			warm(task, t, r)
			_, err := lookup(task, r, "a.b")
			if got := strings.Join(servers[0].log, ", "); got != want {
				t.Errorf("UseEnv %v: asked for %s, want %s", use, got, want)
			}
			return err
		})
	}
}

// R104: servers are asked in the order of the file: one with an IPv6 address
// behind one with an IPv4 address is not promoted.
func TestR104OrderOfTheFile(t *testing.T) {
	ok := behaviour{"ok", "ok"}
	withServers(t, []func(*asking) []event{ok.server}, func(task *loop.Task, servers []*fake) error {
		second := &fake{addr: netip.AddrPortFrom(netip.IPv6Loopback(), 1)} // it would refuse
		r := newResolver(t, resolver.Config{}, servers[0], second)
		warm(task, t, r)
		got, err := lookup(task, r, "x.test")
		if st := r.Statistics(); got != "46" || st.Sockets != 1 || st.Unhelpful != 0 {
			t.Errorf("%s, %+v", got, st)
		}
		return err
	})
}
