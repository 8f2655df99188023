package resolver

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/lion-go/lion/loop"
)

// A Backend knows the addresses of names: the DNS by way of another program,
// the system, a table. The resolver in front of it answers literals and special
// names, throttles, joins lookups of the same name, and sorts.
type Backend interface {
	// Lookup returns the addresses that name has in one family, sys.AF_INET or
	// sys.AF_INET6, or an error, best an *Error. It runs as a task of its own,
	// which is cancelled when nobody waits any more. It is a checkpoint.
	Lookup(t *loop.Task, name string, family int) ([]netip.Addr, error)
}

// Static is a Backend that knows names by heart, for tests. Names are written
// in lower case without a dot at the end.
type Static map[string][]netip.Addr

// Lookup finds a name in the table: NoName if it is not there, NoData if it
// has no address of the family. It is a checkpoint.
func (s Static) Lookup(t *loop.Task, name string, family int) ([]netip.Addr, error) {
	if err := loop.Checkpoint(t); err != nil {
		return nil, err
	}
	addrs, ok := s[lowerName(name)]
	if !ok {
		return nil, failure(NoName, name, nil)
	}
	var list []netip.Addr
	for _, addr := range addrs {
		if addr.Is4() == (family == inet4) {
			list = append(list, addr)
		}
	}
	if list == nil {
		return nil, failure(NoData, name, nil)
	}
	return list, nil
}

// System is the Backend that asks the system's own resolver, or any other
// net.Resolver, on a worker. On Windows it asks by GetAddrInfoExW, and cancels the
// lookup when everybody has left. Elsewhere, under Wine, and with a Resolver it cannot
// be stopped halfway there: a slot stays taken until the system answers, also if
// everybody has left.
type System struct {
	// Resolver is whom to ask; nil stands for the system, by way of
	// net.DefaultResolver where it has no lookups that can be cancelled:
	// that asks libSystem on Darwin.
	Resolver *net.Resolver

	names nativeNames // nil: the system's, unless there is a Resolver
}

// Lookup asks on a worker. It is a checkpoint. A cancelled call returns at once;
// on Windows the lookup has ended then, elsewhere the context of the resolver is
// cancelled.
func (s System) Lookup(t *loop.Task, name string, family int) ([]netip.Addr, error) {
	if names := s.native(); names != nil {
		addrs, err := askNative(t, names, name, family)
		if !errors.Is(err, errors.ErrUnsupported) {
			return addrs, err
		}
	}
	resolver := s.resolver()
	network := "ip4"
	if family == inet6 {
		network = "ip6"
	}
	ctx := t.Context()
	addrs, err := offload(t, func() ([]netip.Addr, error) {
		return resolver.LookupNetIP(ctx, network, name)
	})
	if err != nil {
		return nil, fromNet(name, err)
	}
	for i, addr := range addrs {
		if family == inet4 {
			addrs[i] = addr.Unmap()
		}
	}
	return addrs, nil
}

// A systemic Backend is a System, also by its address or inside of another one.
type systemic interface {
	stays() bool
	nameOf(t *loop.Task, addr netip.Addr) (string, error)
}

// stays reports whether a lookup goes on when it is cancelled.
func (s System) stays() bool { return s.native() == nil }

func (s System) resolver() *net.Resolver {
	if s.Resolver == nil {
		return net.DefaultResolver
	}
	return s.Resolver
}

// fromNet translates an error of package net, which does not tell NXDOMAIN and
// NODATA apart.
func fromNet(name string, err error) error {
	var e *net.DNSError
	switch {
	case ofLoop(err) != nil:
		return err
	case errors.As(err, &e) && e.IsNotFound:
		return failure(NoName, name, nil)
	case errors.As(err, &e) && e.IsTimeout, errors.Is(err, context.DeadlineExceeded):
		return failure(Again, name, loop.ErrTimeout)
	case errors.As(err, &e) && !e.IsTemporary:
		return failure(Fail, name, err)
	}
	return failure(Again, name, err)
}

// askBackend asks the backend through the throttle.
func (r *Resolver) askBackend(t *loop.Task, s *settings, name string, c *found) (status, error) {
	p := &pair{r: r, c: c, name: name}
	system, stays := s.backend.(systemic)
	stays = stays && system.stays()
	key := flightKey{name: lowerName(name), era: r.era(s), stays: stays}
	n := 0
	for _, f := range []family{v6, v4} {
		if c.want[f] {
			key.types[n] = f.qtype()
			n++
		}
	}
	f, err := r.join(t, key, backendWork(s.backend))
	if err != nil {
		return statusTryAgain, err
	}
	defer f.leave()
	committed, err := p.follow(t, f, r.config.PartialGrace)
	if committed {
		return statusSuccess, nil
	}
	return statusNotFound, err
}

// backendWork asks for all families of a flight at once.
func backendWork(b Backend) func(*loop.Task, *flight) error {
	return func(t *loop.Task, f *flight) error {
		return loop.Nurse(t, func(n *loop.Nursery) error {
			for _, fam := range []family{v6, v4} {
				if f.part(fam.qtype()) == nil {
					continue
				}
				err := n.Spawn(func(t *loop.Task) error {
					addrs, err := b.Lookup(t, f.key.name, fam.number())
					if err != nil && ofLoop(err) != nil {
						if cancelled := loop.CheckpointIfCancelled(t); cancelled != nil {
							return cancelled
						}
						err = errors.New(err.Error()) // a cancellation of its own says nothing to others
					}
					if more := len(addrs) - maxAddrs; more > 0 {
						f.r.counters.dropped.Add(uint64(more))
					}
					f.publish(fam.qtype(), backendAnswer(f.key.name, addrs, err))
					return nil
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func backendAnswer(name string, addrs []netip.Addr, err error) answer {
	var e *Error
	switch {
	case err != nil && !errors.As(err, &e):
		err = failure(Fail, name, err)
	case err == nil && len(addrs) == 0:
		err = failure(NoData, name, nil)
	}
	return answer{addrs: addrs[:min(len(addrs), maxAddrs)], canon: name, err: err}
}
