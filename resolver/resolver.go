package resolver

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// Defaults and bounds of a Config.
const (
	// DefaultSlots is how many lookups are on their way at a time. Each holds a
	// descriptor, two while a second server is asked: half of the usual 1,024 is
	// left for the program even then. Only where every lookup has to go to TCP
	// for both would nothing be left.
	DefaultSlots = 256
	// DefaultWaiting is how many may wait for a slot: 100,000 cost 30 MB.
	DefaultWaiting = 100_000
	// DefaultCacheSize bounds the cache, in questions; about 0.5 KB each.
	DefaultCacheSize = 4096
	// DefaultRecheck is how long files are believed not to have changed.
	DefaultRecheck = time.Second
	// DefaultPartialGrace is how long an answer for one family waits for the
	// other.
	DefaultPartialGrace = time.Second
	// NoSuchNameGrace is how long "no such name" for one family waits for the
	// other, which may differ on broken servers (RFC 4074).
	NoSuchNameGrace = 50 * time.Millisecond
)

// Config sets up a Resolver. The zero value is what New(Config{}) uses: the
// system's files and defaults.
type Config struct {
	// Files says where the files are; empty names stand for those in /etc.
	Files Files
	// ResolvConf, if it is not nil, stands for the file of that name.
	ResolvConf *ResolvConf
	// Backend, if it is not nil, answers everything but literals and special
	// names; no file is read but services and gai.conf. The default is a DNS
	// stub on Linux, and System elsewhere.
	Backend Backend
	// UseEnv lets LOCALDOMAIN and RES_OPTIONS change what resolv.conf says.
	UseEnv bool
	// Trace, if it is not nil, is told of each step of each lookup, in the task
	// that does it. It must neither block nor suspend.
	Trace func(Event)
	// NoIDNA makes Resolve refuse names in other scripts.
	NoIDNA bool

	// Slots and Waiting bound the lookups at a time and those that wait; zero
	// stands for the default, negative for none waiting.
	Slots, Waiting int
	// CacheSize bounds the cache in questions; zero stands for the default,
	// negative switches it off.
	CacheSize int
	// Recheck is how long files are believed not to have changed; zero stands
	// for the default, negative looks at each lookup.
	Recheck time.Duration
	// PartialGrace is how long an answer for one family waits for the other;
	// zero stands for the default.
	PartialGrace time.Duration
}

// A Resolver finds addresses for names. It may be used from the tasks of any
// number of loops at the same time; they share its slots, its cache and what
// it knows of servers. It holds no descriptor between lookups.
type Resolver struct {
	config   Config
	current  atomic.Pointer[settings]
	made     time.Time
	checked  atomic.Int64 // when the files were last looked at, in nanoseconds since made
	reading  atomic.Pointer[reading]
	throttle throttle
	cache    cache
	counters counters
	sources  sourceMemory
	flushes  atomic.Uint64
	local    atomic.Pointer[localAddrs]

	mu      sync.Mutex // for what follows
	loops   map[*loop.Loop]flights
	errands map[errand]*loop.ParkingLot // of tasks that wait for what one of them does
}

// New makes a Resolver. A negative time or a server without an address is
// refused with loop.ErrMisuse.
func New(config Config) (*Resolver, error) {
	if config.PartialGrace < 0 {
		return nil, fmt.Errorf("%w: resolver: a negative grace", loop.ErrMisuse)
	}
	if config.ResolvConf != nil {
		fixed := *config.ResolvConf
		fixed.complete()
		config.ResolvConf = &fixed
		for _, server := range fixed.Servers {
			if !server.IsValid() {
				return nil, fmt.Errorf("%w: resolver: a server without an address", loop.ErrMisuse)
			}
		}
	}
	setDefault(&config.Slots, DefaultSlots)
	setDefault(&config.Waiting, DefaultWaiting)
	setDefault(&config.CacheSize, DefaultCacheSize)
	setDefault(&config.Recheck, DefaultRecheck)
	setDefault(&config.PartialGrace, DefaultPartialGrace)
	config.Slots = max(config.Slots, 1)
	r := &Resolver{config: config, made: time.Now(), loops: map[*loop.Loop]flights{},
		errands: map[errand]*loop.ParkingLot{}}
	r.throttle.init(config.Slots, max(config.Waiting, 0))
	r.cache.init(max(config.CacheSize, 0))
	return r, nil
}

func setDefault[T int | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// complete puts defaults into a ResolvConf that a program made.
func (c *ResolvConf) complete() {
	usual := defaultResolvConf()
	setDefault(&c.NDots, usual.NDots)
	setDefault(&c.Timeout, usual.Timeout)
	setDefault(&c.Attempts, usual.Attempts)
	c.Timeout, c.Attempts = min(max(c.Timeout, 0), maxTimeout), min(max(c.Attempts, 1), maxAttempts)
	c.NDots = min(max(c.NDots, 0), maxNDots)
	c.Servers = append([]netip.AddrPort(nil), c.Servers...)
	c.Search = append([]string(nil), c.Search...)
	c.fill("", true)
}

// Shared is the resolver that a program uses unless it wants another one: the
// system's files, the default limits.
var Shared = func() *Resolver {
	r, err := New(Config{})
	if err != nil {
		panic(err) // the zero Config is valid
	}
	return r
}()

// Default is Shared in the form in which sockets want it:
// eyeballs.Dial(t, resolver.Default, "example.org:443").
var Default socket.Resolve = Shared.Resolve

// Getaddrinfo is Shared.Getaddrinfo. It is a checkpoint.
func Getaddrinfo(t *loop.Task, node, service string, hints Hints) ([]AddrInfo, error) {
	return Shared.Getaddrinfo(t, node, service, hints)
}

// Getnameinfo is Shared.Getnameinfo. It is a checkpoint.
func Getnameinfo(t *loop.Task, addr netip.AddrPort, flags NameFlags) (host, service string, err error) {
	return Shared.Getnameinfo(t, addr, flags)
}

// Resolve finds addresses to connect to or to listen on; it is a
// socket.Resolve, and a checkpoint. It is stricter than Getaddrinfo: of IPv4
// literals it takes four decimal numbers only, what ends in a number and is no
// address is an error, and names in other scripts are mapped by IDNA. The
// addresses of each family are sorted by RFC 6724.
func (r *Resolver) Resolve(t *loop.Task, q socket.Query, deliver func(socket.Answer)) error {
	s, err := r.settingsUnless(t, q.Host == "" || isNumeric(q.Host), q.Service)
	if err != nil {
		return err
	}
	d := delivery{t: t, s: s, deliver: deliver}
	if err := d.prepare(q); err != nil {
		return first(loop.Checkpoint(t), err)
	}
	name, literals, err := r.strict(q)
	switch {
	case err != nil:
	case literals != nil:
		d.literals(literals)
	default:
		err = r.chain(t, s, name, d.want, d.family)
		if err == nil {
			err = d.err
		}
		return d.finish(err)
	}
	if cancelled := loop.Checkpoint(t); cancelled != nil {
		return cancelled
	}
	return d.finish(err)
}

// strict reads a host as strictly as dialing needs it.
func (r *Resolver) strict(q socket.Query) (name string, literals []netip.Addr, err error) {
	if q.Host == "" {
		return "", thisMachine(q.Passive), nil
	}
	if !isASCII(q.Host) {
		if r.config.NoIDNA {
			return "", nil, failure(IDNEncode, q.Host, nil)
		}
		name, err = toASCII(q.Host)
		if _, form := literal(name, true); err == nil && form != formName {
			err = failure(NoName, q.Host, nil) // a number in disguise
		}
		return name, nil, err
	}
	if name, err = toASCII(q.Host); err != nil {
		return "", nil, err
	}
	addr, form := literal(name, true)
	switch {
	case form == formLiteral:
		return "", []netip.Addr{addr}, nil
	case form == formBroken || !isHostName(name):
		return "", nil, failure(NoName, q.Host, nil)
	}
	return name, nil, nil
}

// delivery turns what is found into answers for a socket.Resolve.
type delivery struct {
	t       *loop.Task
	s       *settings
	deliver func(socket.Answer)
	host    string
	port    uint16
	want    wanted
	given   wanted
	any     bool
	err     error // of the loop: a cancellation while sorting
}

func (d *delivery) prepare(q socket.Query) error {
	d.host = q.Host
	d.want = wanted{v4: q.Family != inet6, v6: q.Family != inet4}
	switch {
	case q.Family != 0 && q.Family != inet4 && q.Family != inet6:
		return failure(Family, q.Host, nil)
	case d.s.resolv.NoAAAA && q.Family == 0 && q.Host != "":
		d.want[v6] = false
	}
	sockType := q.Type
	if sockType == 0 {
		sockType = sockStream
	}
	port, ok := d.s.services.port(q.Service, sockType)
	d.port = port
	if !ok {
		return failure(Service, q.Service, nil)
	}
	return nil
}

// literals hands out addresses that needed no lookup; a query for the other
// family gets an error.
func (d *delivery) literals(addrs []netip.Addr) {
	for _, addr := range addrs {
		f := v6
		if addr.Is4() {
			f = v4
		}
		if d.want[f] {
			d.family(f, answer{addrs: []netip.Addr{addr}})
		}
	}
}

// family sorts and hands out the answer for a family.
func (d *delivery) family(f family, a answer) {
	if d.err != nil || d.given[f] {
		return
	}
	out := socket.Answer{Family: f.number(), Err: a.err}
	if len(a.addrs) > 0 {
		addrs := append([]netip.Addr(nil), a.addrs...)
		if d.err = d.s.sorter.sort(d.t, addrs); d.err != nil {
			return
		}
		for _, addr := range addrs {
			out.Addrs = append(out.Addrs, netip.AddrPortFrom(addr, d.port))
		}
		out.Err, d.any = nil, true
	} else if out.Err == nil {
		out.Err = failure(NoData, d.host, nil)
	}
	d.given[f] = true
	d.deliver(out)
}

// finish delivers what is missing, and tells how it ended.
func (d *delivery) finish(err error) error {
	if err != nil && ofLoop(err) != nil {
		return err
	}
	missing := err
	if missing == nil && !d.any {
		missing = failure(AddrFamily, d.host, nil)
	}
	for _, f := range []family{v6, v4} {
		if d.want[f] {
			d.family(f, answer{err: missing})
		}
	}
	if d.any {
		return nil
	}
	return missing
}

// ofLoop is err if it is about the task and not about the lookup, as an *Error
// is whatever it has in it.
func ofLoop(err error) error {
	if _, ok := err.(*Error); ok {
		return nil
	}
	if errors.Is(err, loop.Cancelled) || errors.Is(err, loop.ErrInterrupt) ||
		errors.Is(err, loop.ErrWrongTask) || errors.Is(err, loop.ErrInternal) {
		return err
	}
	return nil
}
