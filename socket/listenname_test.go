package socket_test

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

// withoutIPv6 says that this program runs in a namespace without IPv6.
const withoutIPv6 = "LION_TEST_WITHOUT_IPV6"

// S343: where IPv6 is switched off a name that has an address of it is listened on
// at the others, and a name that has no others fails with the reason.
func TestListenWithoutIPv6(t *testing.T) {
	if os.Getenv(withoutIPv6) == "" {
		inNamespace(t)
		return
	}
	answers := func(addrs ...string) socket.Resolve {
		return func(t *loop.Task, _ socket.Query, deliver func(socket.Answer)) error {
			for _, a := range addrs {
				ap := netip.AddrPortFrom(netip.MustParseAddr(a), 0)
				deliver(socket.Answer{Addrs: []netip.AddrPort{ap}})
			}
			return loop.Checkpoint(t)
		}
	}
	run(t, func(task *loop.Task) error {
		l, err := socket.Listen(task, answers("::1", "127.0.0.1"), "localhost:0")
		must(t, err)
		if len(l) != 1 || !l[0].Addr().AddrPort().Addr().Is4() {
			t.Errorf("listening on %v", l)
		}
		closeAll(l[0])
		_, err = socket.Listen(task, answers("::1"), "localhost:0")
		want(t, "IPv6 only", err, sys.EADDRNOTAVAIL)
		_, err = socket.Listen(task, answers("::1", "192.0.2.1"), "localhost:0")
		want(t, "an address of somebody else", err, sys.EADDRNOTAVAIL)
		return nil
	})
}

// inNamespace runs this test in a network namespace whose IPv6 is switched off.
func inNamespace(t *testing.T) {
	unshare, err := exec.LookPath("unshare")
	if err != nil {
		t.Skipf("unshare makes a machine without IPv6: %v", err)
	}
	self, err := os.Executable()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const off = "ip link set lo up && echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"
	script := off + ` && echo ready && exec "$0" -test.v -test.run '^` + t.Name() + `$'`
	c := exec.CommandContext(ctx, unshare, "--net", "--map-root-user", "sh", "-c", script, self)
	c.Env = append(os.Environ(), withoutIPv6+"=1")
	out, err := c.CombinedOutput()
	switch {
	case !strings.Contains(string(out), "ready"):
		t.Skipf("no namespace without IPv6 can be made here: %v\n%s", err, out)
	case err != nil:
		t.Errorf("%v\n%s", err, out)
	}
}
