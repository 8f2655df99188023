package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/looptest"
	"github.com/lion-go/lion/resolver"
	"github.com/lion-go/lion/sys"
)

// The tests of this file, which are for Linux, run in a network namespace of their own, in which
// name servers are dead in all the ways that a kernel knows. A pair of virtual
// interfaces that are connected to each other makes black holes: what is sent to
// an address of theirs that neither has comes in at the other end, is for
// nobody, and is dropped without a word.

// namespaceEnv says that the process is inside.
const namespaceEnv = "LION_RESOLVER_NAMESPACE"

// Dead name servers.
const (
	hole4 = "10.99.0.10"
	hole6 = "2001:db8:99::10"
)

var furniture = []string{
	"link set lo up",
	"link add v0 address 02:00:00:00:00:01 type veth peer name v1 address 02:00:00:00:00:02",
	"link set v0 up", "link set v1 up",
	"addr add 10.99.0.1/24 dev v0", "addr add 2001:db8:99::1/64 dev v0 nodad",
	"neigh add " + hole4 + " lladdr 02:00:00:00:00:02 dev v0 nud permanent",
	"neigh add " + hole6 + " lladdr 02:00:00:00:00:02 dev v0 nud permanent",
	"route add blackhole 10.98.1.0/24", "route add unreachable 10.98.2.0/24",
	"route add prohibit 10.98.3.0/24",
}

// inNamespace reports whether the test goes on here. The first time it runs
// the test again, inside, and reports how that ended.
func inNamespace(t *testing.T) bool {
	t.Helper()
	if os.Getenv(namespaceEnv) != "" {
		return true
	}
	for _, tool := range []string{"ip", "unshare"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("namespaces are made by ip and unshare: %v", err)
		}
	}
	args := []string{"--net"}
	if os.Geteuid() != 0 {
		args = append(args, "--map-root-user")
	}
	if out, err := exec.Command("unshare", append(args, "true")...).CombinedOutput(); err != nil {
		t.Skipf("no namespace may be made here: %v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	args = append(args, os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=50s")
	cmd := exec.CommandContext(ctx, "unshare", args...)
	cmd.Env = append(os.Environ(), namespaceEnv+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("inside a namespace: %v\n%s", err, out)
	}
	return false
}

func furnish(t *testing.T) {
	t.Helper()
	for _, command := range furniture {
		if out, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v: %s", command, err, out)
		}
	}
}

// at is a server that no test started.
func at(addr string) *fake {
	return &fake{addr: netip.AddrPortFrom(netip.MustParseAddr(addr), 53)}
}

// R094, R096, R101: whatever way a first server is dead in, the second one
// answers: after one hedge if the network is silent, at once if it is not. Alone
// it costs all the time there is, or none.
func TestNamespaceDeadServers(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	furnish(t)
	ok := behaviour{"ok", "ok"}
	for _, c := range []struct {
		addr   string
		silent bool
	}{
		{hole4, true}, {hole6, true},
		{"10.98.1.1", false}, {"10.98.2.1", false}, {"10.98.3.1", false}, // by routes
		{"192.0.2.53", false}, {"2001:db8:1::53", false}, // no route at all
		{"127.0.0.53", false}, {"::1", false}, // nobody listens, says ICMP
	} {
		t.Run(c.addr, func(t *testing.T) {
			withServers(t, []func(*asking) []event{ok.server}, func(task *loop.Task, servers []*fake) error {
				two := newResolver(t, resolver.Config{}, at(c.addr), servers[0])
				one := newResolver(t, resolver.Config{}, at(c.addr))
				for r, want := range map[*resolver.Resolver]string{two: "46", one: "AGAIN"} {
					warm(task, t, r)
					after := time.Duration(0)
					if c.silent {
						after = map[bool]time.Duration{true: coldHedge, false: 10 * time.Second}[r == two]
					}
					start := task.Now()
					got, err := lookup(task, r, "x.test")
					if took := task.Now().Sub(start).Round(ms); err != nil || got != want || took != after {
						t.Errorf("%s, %v after %v; want %s after %v", got, err, took, want, after)
					}
				}
				return nil
			})
		})
	}
}

// R130: ten thousand lookups at a time, under a limit of 1,024 descriptors, of a
// machine whose first name server is a black hole, in real time: none fails. The
// queue of the server may lose datagrams, so that one family is as good as two.
func TestNamespaceTenThousand(t *testing.T) {
	if !inNamespace(t) {
		return
	}
	furnish(t)
	const lookups, limit = 10_000, 1024
	if _, err := sys.SetMaxFiles(limit); err != nil {
		t.Fatal(err) // the process ends with this test: nothing is set back
	}
	conn := serveGo(t)
	_ = conn.SetReadBuffer(1 << 20) // as much as the system grants
	live := &fake{addr: conn.LocalAddr().(*net.UDPAddr).AddrPort()}
	r := newResolver(t, resolver.Config{}, at(hole4), live)
	done := 0
	looptest.Config{Limit: 40 * time.Second}.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for i := range lookups {
				err := n.Spawn(func(task *loop.Task) error {
					got, err := lookup(task, r, fmt.Sprintf("h%d.test", i))
					if err == nil && strings.Trim(got, "46") != "" {
						err = errors.New(got)
					}
					if err == nil {
						done++
					}
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if st := r.Statistics(); done != lookups || st.Peak > resolver.DefaultSlots {
		t.Errorf("%d answered, %+v", done, st)
	}
	_ = conn.Close()
}
