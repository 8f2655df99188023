package resolver

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"

	"github.com/lion-go/lion/loop"
)

// NameFlags are those of getnameinfo(3).
type NameFlags uint8

// The flags. Their numbers are lion's own.
const (
	NINumericHost NameFlags = 1 << iota // NI_NUMERICHOST: no name of the host
	NINumericServ                       // NI_NUMERICSERV: no name of the service
	NINameReqd                          // NI_NAMEREQD: no name is an error
	NIDgram                             // NI_DGRAM: the service of datagrams
	NINoFQDN                            // NI_NOFQDN: of names in our own domain the first label only
)

// Getnameinfo finds the name of an address and of its port's service, as
// getnameinfo(3) does: in the hosts file, then in the DNS. What has no name is
// written in numbers, unless NINameReqd asks for an error. A name that the DNS
// gives is what the owner of the address wrote there, and proves nothing. It
// is a checkpoint.
func (r *Resolver) Getnameinfo(t *loop.Task, addr netip.AddrPort, flags NameFlags) (host, service string, err error) {
	if !addr.IsValid() {
		return "", "", first(loop.Checkpoint(t), failure(Family, addr.String(), nil))
	}
	s, err := r.settingsFor(t)
	if err != nil {
		return "", "", err
	}
	service = strconv.Itoa(int(addr.Port()))
	if flags&NINumericServ == 0 {
		if name := s.services.name(addr.Port(), flags&NIDgram != 0); name != "" {
			service = name
		}
	}
	host = addr.Addr().String()
	if flags&NINumericHost != 0 {
		if flags&NINameReqd != 0 {
			return "", "", first(loop.Checkpoint(t), failure(NoName, host, nil))
		}
		return host, service, loop.Checkpoint(t)
	}
	name, err := r.nameOf(t, s, addr.Addr())
	if err != nil && (ofLoop(err) != nil || flags&NINameReqd != 0 || codeOf(err) == Again) {
		return "", "", err
	}
	if err == nil {
		host = name
		if flags&NINoFQDN != 0 {
			host = shorten(name, s)
		}
	}
	return host, service, nil
}

// shorten drops the domain of a name if it is that of this machine.
func shorten(name string, s *settings) string {
	label, domain, _ := strings.Cut(name, ".")
	if _, own, _ := strings.Cut(s.hostname, "."); own != "" && strings.EqualFold(own, domain) {
		return label
	}
	return name
}

// nameOf finds the name of an address. It is a checkpoint.
func (r *Resolver) nameOf(t *loop.Task, s *settings, addr netip.Addr) (string, error) {
	if s.hosts != nil {
		if name, ok := s.hosts.reverse[addr]; ok {
			r.counters.fromFiles.Add(1)
			return name, loop.Checkpoint(t)
		}
	}
	if system, ok := s.backend.(systemic); ok {
		return r.askSystem(t, s, system, addr)
	}
	name, err := dns.ReverseAddr(addr.Unmap().WithZone("").String())
	if err != nil || s.backend != nil {
		return "", first(loop.Checkpoint(t), failure(NoName, addr.String(), err))
	}
	m, err := r.ask1(t, s, strings.TrimSuffix(name, "."), dns.TypePTR)
	if err != nil {
		return "", err
	}
	owner := aliasEnd(m, name)
	for _, rr := range m.Answer {
		if ptr, ok := rr.(*dns.PTR); ok && strings.EqualFold(ptr.Hdr.Name, owner) {
			if found := strings.TrimSuffix(ptr.Ptr, "."); isHostName(found) {
				return found, nil
			}
		}
	}
	return "", failure(NoName, addr.String(), nil)
}

// aliasEnd follows the aliases of a name in a message; after maxAliases it
// stops wherever it is, which has no records then.
func aliasEnd(m *dns.Msg, name string) string {
	for range maxAliases {
		next := ""
		for _, rr := range m.Answer {
			if alias, ok := rr.(*dns.CNAME); ok && strings.EqualFold(alias.Hdr.Name, name) {
				next = alias.Target
			}
		}
		if next == "" {
			break
		}
		name = next
	}
	return name
}

// askSystem asks the system for the name of an address, through the throttle. It is
// a checkpoint.
func (r *Resolver) askSystem(t *loop.Task, s *settings, system systemic, addr netip.Addr) (string, error) {
	// No system can be stopped halfway.
	key := flightKey{name: addr.String(), types: [2]uint16{dns.TypePTR}, era: r.era(s), stays: true}
	p, err := r.askOne(t, key, func(t *loop.Task, f *flight) error {
		name, err := system.nameOf(t, addr)
		if err != nil && ofLoop(err) != nil {
			return err
		}
		f.publish(dns.TypePTR, answer{canon: name, err: err})
		return nil
	})
	if err != nil {
		return "", err
	}
	return p.canon, p.err
}

// nameOf asks the system for the name of an address. It is a checkpoint.
func (s System) nameOf(t *loop.Task, addr netip.Addr) (string, error) {
	resolver := s.resolver()
	ctx := t.Context()
	names, err := offload(t, func() ([]string, error) {
		return resolver.LookupAddr(ctx, addr.String())
	})
	if err != nil {
		return "", fromNet(addr.String(), err)
	}
	for _, name := range names {
		if name = strings.TrimSuffix(name, "."); isHostName(name) {
			return name, nil
		}
	}
	return "", failure(NoName, addr.String(), nil)
}

// ask1 asks the name servers one question about an absolute name, and returns
// the whole message. It is a checkpoint.
func (r *Resolver) ask1(t *loop.Task, s *settings, name string, qtype uint16) (*dns.Msg, error) {
	key := flightKey{name: name, types: [2]uint16{qtype}, era: r.era(s), raw: true}
	p, err := r.askOne(t, key, s.stub.work)
	if err != nil || p.err != nil {
		return nil, first(err, p.err)
	}
	return p.msg, nil
}

// askOne joins or starts a flight with one question, and waits for the answer. It
// is a checkpoint.
func (r *Resolver) askOne(t *loop.Task, key flightKey, work func(*loop.Task, *flight) error) (answer, error) {
	f, err := r.join(t, key, work)
	if err != nil {
		return answer{}, err
	}
	defer f.leave()
	if _, err := f.wait(t, 0, -1); err != nil {
		return answer{}, err
	}
	if p := f.part(key.types[0]); p.ready {
		return p.answer, nil
	}
	return answer{}, worse(failure(Again, key.name, loop.ErrTimeout), f.err)
}
