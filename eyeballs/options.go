package eyeballs

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// The times of RFC 8305, section 8, which draft-ietf-happy-happyeyeballs-v3
// keeps.
const (
	// AttemptDelay is how long an attempt keeps the next one waiting, the
	// Connection Attempt Delay, if nothing is known of its address.
	AttemptDelay = 250 * time.Millisecond

	// MinAttemptDelay is the shortest such time that the memory of past round
	// trips can lead to.
	MinAttemptDelay = 100 * time.Millisecond

	// MaxAttemptDelay is the longest.
	MaxAttemptDelay = 2 * time.Second

	// MinSpacing must lie between two attempts under all circumstances, unless
	// the earlier one has failed; with StrictSpacing even then.
	MinSpacing = 10 * time.Millisecond

	// ResolutionDelay is how long the addresses of one family wait for those
	// of the preferred one.
	ResolutionDelay = 50 * time.Millisecond

	// LastResortDelay is how long a host with only IPv6 waits, after its last
	// attempt, until it asks for IPv4 addresses: see WithLastResort.
	LastResortDelay = 2 * time.Second

	// LookupLinger is how long lookups go on after the race was won, for the
	// sake of caches: see WithLinger.
	LookupLinger = time.Second
)

// config is what the options say.
type config struct {
	delay           time.Duration
	resolutionDelay time.Duration
	lastResort      time.Duration // 0: IPv4 addresses are asked for at once
	timeout         time.Duration // 0: none
	firstCount      int
	maxConcurrent   int // 0: no limit
	prefer          family
	families        families
	sequential      bool
	strict          bool
	singleHandshake bool
	holdHandshakes  bool

	handshake func(t *loop.Task, c conn, at *Endpoint) error
	fatal     func(err error) bool
	sort      func(addrs []netip.AddrPort)
	routes    func(t *loop.Task) (v4, v6 bool, err error)

	services Services
	speak    []string

	nat64   []netip.Prefix
	local   [2]netip.Addr
	bound   bool // local is to be used
	setup   []socket.SetupOption
	history *History
	trace   *Trace
	linger  *loop.Nursery
	connect connectFunc
}

// connectFunc makes one connection; tests put another world in its place.
type connectFunc func(t *loop.Task, to netip.AddrPort, opts []socket.SetupOption) (conn, error)

// An Option changes how a race is run. Options are values that can be kept and
// used for many races.
type Option func(*config) error

func newConfig(opts []Option) (*config, error) {
	c := &config{
		delay: AttemptDelay, resolutionDelay: ResolutionDelay, firstCount: 1,
		prefer: ipv6, families: both, connect: connectTCP,
	}
	for _, opt := range opts {
		if err := opt(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// delayFor is how long an attempt to addr holds up the next one.
func (c *config) delayFor(addr netip.AddrPort, now time.Time) time.Duration {
	if c.sequential {
		return math.MaxInt64 / 2
	}
	if rto, ok := c.history.timeout(addr, now); ok {
		return min(max(rto, MinAttemptDelay), MaxAttemptDelay)
	}
	return c.delay
}

func misuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", loop.ErrMisuse, fmt.Sprintf(format, args...))
}

// WithAttemptDelay sets how long an attempt keeps the next one waiting; without
// it that is AttemptDelay. It is at least MinSpacing and at most
// MaxAttemptDelay. For addresses in a History, their round trips decide.
func WithAttemptDelay(d time.Duration) Option {
	return func(c *config) error {
		if d < MinSpacing || d > MaxAttemptDelay {
			return misuse("an attempt delay of %v; it is %v to %v", d, MinSpacing, MaxAttemptDelay)
		}
		c.delay = d
		return nil
	}
}

// WithResolutionDelay sets how long addresses wait for those of the preferred
// family, ResolutionDelay otherwise; 0 lets them start at once.
func WithResolutionDelay(d time.Duration) Option {
	return func(c *config) error {
		if d < 0 || d > MaxAttemptDelay {
			return misuse("a resolution delay of %v; it is 0 to %v", d, MaxAttemptDelay)
		}
		c.resolutionDelay = d
		return nil
	}
}

// WithTimeout gives the whole call, lookups included, the time d. It is not
// divided among the addresses. When it ends the race, the error tells of every
// attempt, and its Timeout is true; a deadline of a scope around the call works
// too, but leaves only a Cancelled.
func WithTimeout(d time.Duration) Option {
	return func(c *config) error {
		if d <= 0 {
			return misuse("a timeout of %v", d)
		}
		c.timeout = d
		return nil
	}
}

// WithFirstCount sets how many addresses of the leading family are tried before
// the families alternate (First Address Family Count): 1 otherwise.
func WithFirstCount(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return misuse("a first address family count of %d", n)
		}
		c.firstCount = n
		return nil
	}
}

// WithMaxConcurrent bounds how many attempts run at once: when one more is due,
// the oldest is closed. Without it only the number of addresses is a bound.
func WithMaxConcurrent(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return misuse("at most %d concurrent attempts", n)
		}
		c.maxConcurrent = n
		return nil
	}
}

// PreferIPv4 lets IPv4 addresses lead, and IPv6 addresses wait for them. It is
// about names; a list that is given to Connect leads with its first address.
func PreferIPv4() Option { return func(c *config) error { c.prefer = ipv4; return nil } }

// OnlyIPv4 leaves IPv6 addresses out, and asks for none.
func OnlyIPv4() Option { return confine(only4) }

// OnlyIPv6 leaves IPv4 addresses out, and asks for none; but see WithNAT64.
func OnlyIPv6() Option { return confine(only6) }

func confine(to families) Option {
	return func(c *config) error {
		if c.families &= to; c.families == 0 {
			return misuse("neither IPv4 nor IPv6 is left")
		}
		return nil
	}
}

// Sequential gives up the race: an attempt starts only when the one before has
// failed. An address that does not answer then costs as long as the system
// tries, two minutes on Linux.
func Sequential() Option { return func(c *config) error { c.sequential = true; return nil } }

// StrictSpacing keeps MinSpacing between attempts also after a failure, as the
// RFC says to the letter. Otherwise a failed attempt lets the next one start at
// once: a refusal is no sign of congestion.
func StrictSpacing() Option { return func(c *config) error { c.strict = true; return nil } }

// WithHandshake makes fn a part of every attempt: the race is won by who has
// connected and shaken hands, TLS for one. It runs in a task of the attempt and
// is cancelled with it; the connection stays the attempt's, and is closed if fn
// fails. While it runs, the next attempt waits for a delay more.
func WithHandshake(fn func(t *loop.Task, c *socket.Conn) error) Option {
	return func(c *config) error {
		if fn == nil {
			return misuse("no handshake")
		}
		c.handshake = func(t *loop.Task, made conn, _ *Endpoint) error {
			return fn(t, made.(*socket.Conn))
		}
		return nil
	}
}

// SingleHandshake lets only one handshake run at a time: for servers that
// create something at each of them. Attempts that are connected wait for the
// one that shakes hands to succeed or fail.
func SingleHandshake() Option { return func(c *config) error { c.singleHandshake = true; return nil } }

// FatalHandshake ends the race, as a failure, with the first error of a
// handshake for which fn answers true: a certificate that is wrong at one
// address is hardly right at the next.
func FatalHandshake(fn func(err error) bool) Option {
	return func(c *config) error { c.fatal = fn; return nil }
}

// WithSort lets fn sort addresses of both families whenever there are new ones,
// before families are made to alternate: for a sort by RFC 6724 across both.
// Without it the preferred family comes first. fn must not suspend.
func WithSort(fn func(addrs []netip.AddrPort)) Option {
	return func(c *config) error { c.sort = fn; return nil }
}

// WithRoutes tells which families this host has connectivity in; others are not
// asked for, unless nothing else is left. fn is called once a race. It may
// suspend.
func WithRoutes(fn func(t *loop.Task) (v4, v6 bool, err error)) Option {
	return func(c *config) error { c.routes = fn; return nil }
}

// WithNAT64 tells the NAT64 prefixes of the network, as DiscoverNAT64 finds
// them or a router advertisement says (RFC 8781). IPv6 addresses in a prefix
// are taken for the IPv4 addresses they stand for, and on a host without IPv4,
// see WithRoutes, IPv4 addresses are dialed through the first of them. A length
// that RFC 6052 does not know is refused with ErrMisuse.
func WithNAT64(prefixes ...netip.Prefix) Option {
	return func(c *config) error {
		for _, p := range prefixes {
			if _, ok := embedding(p.Bits()); !ok || !p.Addr().Is6() {
				return misuse("%v is no NAT64 prefix", p)
			}
		}
		c.nat64 = prefixes
		return nil
	}
}

// WithLastResort makes a host behind a NAT64 that has only IPv6 ask for IPv4
// addresses only LastResortDelay after its last attempt, as RFC 8305 has it.
// Otherwise it asks at once, as the third version does.
func WithLastResort() Option {
	return func(c *config) error { c.lastResort = LastResortDelay; return nil }
}

// WithLocalAddrs binds attempts to an address of this host before they connect:
// one for each family. Attempts in a family for which there is none fail. The
// choice of the port is left to the system, until the peer is known if it can
// do that (IP_BIND_ADDRESS_NO_PORT).
func WithLocalAddrs(addrs ...netip.Addr) Option {
	return func(c *config) error {
		for _, a := range addrs {
			a = a.Unmap()
			f := familyOf(netip.AddrPortFrom(a, 0))
			if !a.IsValid() || c.local[f].IsValid() {
				return misuse("local addresses %v; want one for each family", addrs)
			}
			c.local[f], c.bound = a, true
		}
		return nil
	}
}

// WithSetup sets up each socket before it connects.
func WithSetup(opts ...socket.SetupOption) Option {
	return func(c *config) error { c.setup = append(c.setup, opts...); return nil }
}

// WithHistory lets the race learn from h, and h from the race.
func WithHistory(h *History) Option {
	return func(c *config) error { c.history = h; return nil }
}

// WithTrace fills in tr with what happened, also if the race was lost or
// cancelled.
func WithTrace(tr *Trace) Option {
	return func(c *config) error { c.trace = tr; return nil }
}

// WithLinger lets lookups that have not ended when the race is won go on in the
// nursery n, for LookupLinger, so that a cache of the resolver gets to know
// their answers. Without it they are cancelled before the call returns.
func WithLinger(n *loop.Nursery) Option {
	return func(c *config) error { c.linger = n; return nil }
}
