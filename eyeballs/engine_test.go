package eyeballs

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
	"github.com/lion-go/lion/sys"
)

func mustConfig(t *testing.T, opts ...Option) *config {
	t.Helper()
	c, err := newConfig(opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func addrsOf(names ...string) (all []netip.AddrPort) {
	for _, name := range names {
		all = append(all, addrOf(name))
	}
	return all
}

// dialed are the ranks that the actions start.
func dialed(actions []action) (ranks []int) {
	for _, a := range actions {
		if a.kind == dialTo {
			ranks = append(ranks, a.rank)
		}
	}
	return ranks
}

// Scenario E32: a loop that was held up from 100 to 620 ms starts one attempt
// then, and the next a full delay later: no burst.
func TestE32NoBurstAfterAStall(t *testing.T) {
	e := newEngine(mustConfig(t), epoch, both)
	e.start(addrsOf("4a", "4b", "4c", "4d"))
	if got := dialed(e.step(620*ms, nil)); !slices.Equal(got, []int{1}) {
		t.Errorf("at 620 ms ranks %v start, want the second only", got)
	}
	if at, ok := e.deadline(); !ok || at != 870*ms {
		t.Errorf("the next step is wanted at %v %v, want 870ms", at, ok)
	}
	if got := dialed(e.step(869*ms, nil)); got != nil {
		t.Errorf("ranks %v start at 869 ms", got)
	}
	if got := dialed(e.step(870*ms, nil)); !slices.Equal(got, []int{2}) {
		t.Errorf("at 870 ms ranks %v start, want the third", got)
	}
}

// A loop that is a little late each time does not become later and later, and
// never brings two attempts closer than the minimum.
func TestLatenessDoesNotAddUp(t *testing.T) {
	e := newEngine(mustConfig(t), epoch, both)
	e.start(addrsOf("4a", "4b", "4c", "4d"))
	for i := 1; i <= 3; i++ {
		at, _ := e.deadline()
		if want := time.Duration(i) * 250 * ms; at != want {
			t.Errorf("attempt %d is due at %v, want %v", i, at, want)
		}
		e.step(at+9*ms, nil)
	}
	e = newEngine(mustConfig(t), epoch, both)
	e.start(addrsOf("4a", "4b", "4c"))
	e.step(250*ms+MinSpacing, nil)
	if at, _ := e.deadline(); at != 500*ms+MinSpacing {
		t.Errorf("after a stall the next attempt is due at %v", at)
	}
	e = newEngine(mustConfig(t, WithAttemptDelay(MinSpacing)), epoch, both)
	e.start(addrsOf("4a", "4b", "4c"))
	e.step(19*ms, nil)
	if at, _ := e.deadline(); at != 29*ms {
		t.Errorf("after an attempt at 19ms the next is due at %v, want 29ms", at)
	}
}

// A stall that hides a success: the success counts, not the timer.
func TestStallHidesASuccess(t *testing.T) {
	e := newEngine(mustConfig(t), epoch, both)
	e.start(addrsOf("4a", "4b"))
	actions := e.step(900*ms, []event{{kind: attemptWon, rank: 0}})
	if len(actions) != 0 || e.winner != 0 || !e.over {
		t.Errorf("actions %v, winner %d", actions, e.winner)
	}
}

// Scenario S331 and E10: among successes of one instant the lowest rank wins,
// however they are told.
func TestTiesGoToTheLowestRank(t *testing.T) {
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}} {
		e := newEngine(mustConfig(t), epoch, both)
		e.start(addrsOf("4a", "4b", "4c"))
		e.step(250*ms, nil)
		e.step(500*ms, nil)
		var batch []event
		for _, rank := range order {
			batch = append(batch, event{kind: attemptWon, rank: rank})
		}
		if e.step(600*ms, batch); e.winner != 0 {
			t.Errorf("told in the order %v, rank %d wins", order, e.winner)
		}
		if e.attempts[1].Outcome != Lost || e.attempts[2].Outcome != Lost {
			t.Errorf("the others ended as %v and %v", e.attempts[1].Outcome, e.attempts[2].Outcome)
		}
	}
}

// What is told of an attempt that has ended changes nothing.
func TestLateNewsOfAnAttempt(t *testing.T) {
	e := newEngine(mustConfig(t, WithMaxConcurrent(1)), epoch, both)
	e.start(addrsOf("4a", "4b"))
	e.step(250*ms, nil) // drops the first
	for _, kind := range []eventKind{attemptWon, attemptOpened, attemptFailed} {
		if actions := e.step(260*ms, []event{{kind: kind, rank: 0}}); len(actions) != 0 || e.over {
			t.Errorf("event %d of a dropped attempt leads to %v", kind, actions)
		}
	}
	if e.attempts[0].Outcome != Dropped {
		t.Errorf("the dropped attempt is %v", e.attempts[0].Outcome)
	}
}

// A step allocates nothing but for what it starts.
func TestStepAllocations(t *testing.T) {
	e := newEngine(mustConfig(t), epoch, both)
	e.start(addrsOf("4a", "4b"))
	now := 10 * ms
	if n := testing.AllocsPerRun(100, func() {
		e.step(now, nil)
		e.deadline()
	}); n != 0 {
		t.Errorf("a step without news makes %v allocations", n)
	}
}

// Scenario S326: the second attempt is of the other family.
func TestS326Interleave(t *testing.T) {
	for _, c := range []struct {
		sorted, want []string
		first        int
	}{
		{[]string{"4a", "4b", "4c", "6a", "6b"}, []string{"4a", "6a", "4b", "6b", "4c"}, 1},
		{[]string{"4a", "4b"}, []string{"4a", "4b"}, 1},
		{[]string{"4a"}, []string{"4a"}, 1},
		{[]string{"6a", "4a", "6b", "4b"}, []string{"6a", "4a", "6b", "4b"}, 1},
		{[]string{"6a", "6b", "6c", "4a"}, []string{"6a", "6b", "6c", "4a"}, 9},
		{nil, nil, 1},
	} {
		if got := interleave(addrsOf(c.sorted...), c.first); !slices.Equal(got, addrsOf(c.want...)) {
			t.Errorf("%v with %d becomes %v", c.sorted, c.first, got)
		}
	}
}

// A name with ten thousand addresses does not become ten thousand attempts.
func TestAddressesAreBounded(t *testing.T) {
	e := newEngine(mustConfig(t), epoch, both)
	var many []netip.AddrPort
	for i := range 10_000 {
		many = append(many, netip.AddrPortFrom(
			netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80))
	}
	e.startNamed()
	e.step(0, []event{{kind: answerCame, family: ipv4, addrs: many},
		{kind: answerCame, family: ipv6, err: errNoData}})
	if n := len(e.list) + len(e.attempts); n != maxAddresses {
		t.Errorf("%d addresses are kept, want %d", n, maxAddresses)
	}
}

// Nor do answers that come again and again, each with another address.
func TestAttemptsAreBounded(t *testing.T) {
	never := func(*loop.Task, socket.Query, func([]Endpoint)) error { return nil }
	e := newEngine(mustConfig(t, WithServices(never), WithResolutionDelay(0)), epoch, both)
	e.startNamed()
	e.step(0, []event{{kind: answerCame, family: ipv6, err: errNoData}})
	for i := range 2 * maxAddresses {
		addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
		e.step(0, []event{{kind: answerCame, family: ipv4, addrs: []netip.AddrPort{addr}}})
		if n := len(e.attempts); n > 0 && e.attempts[n-1].running() {
			e.step(0, []event{{kind: attemptFailed, rank: n - 1, err: errBad}})
		}
	}
	if n := len(e.attempts); n != maxAddresses {
		t.Errorf("%d attempts were made, want %d", n, maxAddresses)
	}
}

// A sort of the caller's decides across families.
func TestSortHook(t *testing.T) {
	e := newEngine(mustConfig(t, WithSort(slices.Reverse[[]netip.AddrPort])), epoch, both)
	e.startNamed()
	actions := e.step(5*ms, []event{
		{kind: answerCame, family: ipv6, addrs: addrsOf("6a")},
		{kind: answerCame, family: ipv4, addrs: addrsOf("4a", "4b")}})
	if len(actions) != 1 || actions[0].target != addrOf("4b") {
		t.Errorf("%v; want the last address first", actions)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, opt := range map[string]Option{
		"short delay": WithAttemptDelay(9 * ms), "long delay": WithAttemptDelay(3 * time.Second),
		"resolution delay": WithResolutionDelay(-1), "timeout": WithTimeout(0),
		"first count": WithFirstCount(0), "concurrent": WithMaxConcurrent(0),
		"handshake": WithHandshake(nil), "services": WithServices(nil),
		"nat64":     WithNAT64(netip.MustParsePrefix("2001:db8::/65")),
		"nat64 v4":  WithNAT64(netip.MustParsePrefix("10.0.0.0/32")),
		"two local": WithLocalAddrs(netip.IPv4Unspecified(), netip.IPv4Unspecified()),
		"no local":  WithLocalAddrs(netip.Addr{}),
	} {
		if _, err := newConfig([]Option{opt}); !errors.Is(err, loop.ErrMisuse) {
			t.Errorf("%s: %v, want ErrMisuse", name, err)
		}
	}
	if _, err := newConfig([]Option{OnlyIPv4(), OnlyIPv6()}); !errors.Is(err, loop.ErrMisuse) {
		t.Errorf("only IPv4 and only IPv6: %v", err)
	}
}

// Scenario V08: the keys of an endpoint are used, unless the caller has some.
func TestECH(t *testing.T) {
	plain, keys := &tls.Config{ServerName: "x"}, []byte{1, 2}
	p := &Endpoint{ECH: keys}
	hidden := p.tls(plain)
	if !slices.Equal(hidden.EncryptedClientHelloConfigList, keys) ||
		hidden.MinVersion != tls.VersionTLS13 || plain.EncryptedClientHelloConfigList != nil {
		t.Errorf("the keys are %v; the caller's %v",
			hidden.EncryptedClientHelloConfigList, plain.EncryptedClientHelloConfigList)
	}
	own := &tls.Config{EncryptedClientHelloConfigList: []byte{3}}
	if p.tls(own) != own || (*Endpoint)(nil).tls(plain) != plain || (&Endpoint{}).tls(plain) != plain {
		t.Error("a setup was changed without need")
	}
}

// An attempt that began before the endpoints were known shakes hands with the
// keys of the one that it turns out to belong to.
func TestEndpointOfAHeldHandshake(t *testing.T) {
	never := func(*loop.Task, socket.Query, func([]Endpoint)) error { return nil }
	e := newEngine(mustConfig(t, WithServices(never), HoldHandshakes()), epoch, both)
	e.startNamed()
	e.step(0, []event{{kind: answerCame, family: ipv6, addrs: addrsOf("6a")}})
	e.step(50*ms, nil)
	if got := e.step(60*ms, []event{{kind: attemptOpened, rank: 0}}); len(got) != 0 {
		t.Errorf("before the endpoints are known: %v", got)
	}
	got := e.step(70*ms, []event{{kind: servicesCame, endpoints: []Endpoint{
		{Priority: 1, Addrs: addrsOf("6b")}, {Priority: 2, Addrs: addrsOf("6a"), ECH: []byte{1}}}}})
	if len(got) != 1 || got[0].kind != shake || e.attempts[0].Endpoint == nil ||
		e.attempts[0].Endpoint.Priority != 2 {
		t.Errorf("%v, endpoint %v", got, e.attempts[0].Endpoint)
	}
}

// Scenario E102: the error tells all, and errors.Is and errors.As find it.
func TestE102ErrorTree(t *testing.T) {
	e := newEngine(mustConfig(t), epoch, both)
	e.startNamed()
	e.step(0, []event{{kind: answerCame, family: ipv4, addrs: addrsOf("4a", "4b", "4c")},
		{kind: answerCame, family: ipv6, err: errServer}})
	e.step(30*ms, []event{{kind: attemptFailed, rank: 0, err: connectError(sys.ECONNREFUSED)}})
	e.step(280*ms, nil)
	e.step(310*ms, []event{{kind: attemptFailed, rank: 2, err: connectError(sys.EHOSTUNREACH)}})
	e.step(780*ms, []event{{kind: attemptFailed, rank: 1, err: connectError(sys.ETIMEDOUT)}})
	err := e.failure("example.com:443", false)
	const want = "eyeballs: connect example.com:443: 3 attempts failed in 780ms: " +
		"192.0.2.10:80 connection refused after 30ms; " +
		"192.0.2.11:80 connection timed out after 750ms; " +
		"192.0.2.12:80 no route to host after 30ms; AAAA: server failure"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
	for _, target := range []error{sys.ECONNREFUSED, sys.ETIMEDOUT, sys.EHOSTUNREACH, errServer} {
		if !errors.Is(err, target) {
			t.Errorf("it does not match %v", target)
		}
	}
	var one *AttemptError
	if !errors.As(err, &one) || one.Attempt.Addr != addrOf("4a") || one.Timeout() {
		t.Errorf("the first attempt is %v", one)
	}
	var all *Error
	if !errors.As(err, &all) || all.Timeout() || all.Temporary() || all.NotFound() {
		t.Errorf("Timeout, Temporary or NotFound of %v", err)
	}
}

// Scenarios E57, E59 and E60: what kind of failure a name has.
func TestLookupErrorKinds(t *testing.T) {
	for _, c := range []struct {
		aaaa, a             error
		temporary, notFound bool
	}{
		{errNoName, errNoName, false, true},
		{errServer, errServer, true, false},
		{errServer, errNoName, true, false},
		{errNoName, errServer, true, false},
		{errNoData, errNoData, false, false},
		{errNoData, errNoName, false, false},
	} {
		e := newEngine(mustConfig(t), epoch, both)
		e.startNamed()
		e.step(ms, []event{{kind: answerCame, family: ipv4, err: c.a},
			{kind: answerCame, family: ipv6, err: c.aaaa}})
		err := e.failure("x:1", false)
		if !e.over || isTemporary(err) != c.temporary || isNotFound(err) != c.notFound {
			t.Errorf("%v, %v: over %v, temporary %v, not found %v",
				c.aaaa, c.a, e.over, isTemporary(err), isNotFound(err))
		}
	}
}
