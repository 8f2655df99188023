package resolver

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/lion-go/lion/loop"
)

// found collects what sources say about a name, and hands out what is final.
type found struct {
	want    wanted
	answers [families]answer
	given   wanted
	emit    func(family, answer)
	stream  bool // hand out at once: nothing is merged later
}

// put takes the answer of a source for a family.
func (c *found) put(f family, a answer) {
	have := &c.answers[f]
	switch {
	case len(have.addrs) == 0 && have.err == nil:
		*have = a
	case len(a.addrs) > 0:
		for _, addr := range a.addrs {
			if !slices.Contains(have.addrs, addr) {
				have.addrs = append(slices.Clip(have.addrs), addr)
			}
		}
		if have.canon == "" {
			have.canon = a.canon
		}
		have.err = nil
	default:
		have.err = worse(have.err, a.err)
	}
	if c.stream && c.want[f] && !c.given[f] {
		c.given[f] = true
		c.emit(f, *have)
	}
}

// flush hands out what is left. It returns nil if there is any address, else
// the error that tells most.
func (c *found) flush(err error) error {
	any := false
	for _, f := range []family{v6, v4} {
		a := &c.answers[f]
		if !c.want[f] {
			continue
		}
		any = any || len(a.addrs) > 0
		if len(a.addrs) == 0 {
			err = worse(err, a.err)
		}
		if !c.given[f] && (len(a.addrs) > 0 || a.err != nil) {
			c.given[f] = true
			c.emit(f, *a)
		}
	}
	if any {
		return nil
	}
	return err
}

// chain asks the sources in the order of nsswitch.conf until one of them says
// that it is enough. emit gets the answers as soon as they are final, each
// family once at most. It is a checkpoint.
func (r *Resolver) chain(t *loop.Task, s *settings, name string, want wanted, emit func(family, answer)) error {
	c := &found{want: want, emit: emit}
	kind := specialName(name)
	if kind == loopback {
		r.localhost(s, name, c)
		return first(loop.Checkpoint(t), c.flush(failure(NoName, name, nil)))
	}
	if kind == nowhere || r.closedToDNS(s, kind) && len(s.sources) == 0 {
		return first(loop.Checkpoint(t), failure(NoName, name, nil))
	}
	if s.backend != nil {
		c.stream = true
		_, err := r.askBackend(t, s, name, c)
		return c.flush(err)
	}
	var last error
	for _, source := range s.sources {
		c.stream = source.actions[statusSuccess] == actReturn
		st, err := r.ask(t, s, source.name, name, kind, c)
		if err != nil && ofLoop(err) != nil {
			return err
		}
		last = worse(last, err)
		if r.tracing() {
			r.trace(t.Now(), "source", name, netip.AddrPort{}, "%s: %s", source.name, statusTexts[st])
		}
		if source.actions[st] == actReturn {
			break
		}
	}
	if last == nil {
		last = failure(NoName, name, nil)
	}
	return first(loop.Checkpoint(t), c.flush(last))
}

// closedToDNS reports whether names of a kind are not for the DNS.
func (r *Resolver) closedToDNS(s *settings, kind special) bool {
	return kind == multicast && s.mdns
}

// ask asks one source.
func (r *Resolver) ask(t *loop.Task, s *settings, source, name string, kind special, c *found) (status, error) {
	switch {
	case source == "files":
		return r.askFiles(s, name, c)
	case source == "dns":
		return r.askDNS(t, s, name, c)
	case source == "myhostname":
		return r.askMyself(t, s, name, c)
	case isMDNS(source) && kind == multicast:
		return statusNotFound, failure(NoName, name, nil)
	}
	return statusUnavail, nil // a module that is not here: counted when the file was read
}

// isMDNS reports whether a source claims .local for itself.
func isMDNS(source string) bool {
	return strings.HasPrefix(source, "mdns") && strings.HasSuffix(source, "_minimal")
}

// askFiles looks into the hosts file. A name that is there is not asked for
// anywhere else, also if it has no address of the family.
func (r *Resolver) askFiles(s *settings, name string, c *found) (status, error) {
	entry := s.hosts.lookup(name)
	if entry == nil {
		return statusNotFound, nil
	}
	r.counters.fromFiles.Add(1)
	c.putAll(name, entry.addrs, entry.canon)
	return statusSuccess, nil
}

// putAll sorts addresses of both families apart.
func (c *found) putAll(name string, addrs []netip.Addr, canon string) {
	var split [families]answer
	for _, addr := range addrs {
		f := v6
		if addr.Is4() {
			f = v4
		}
		split[f].addrs = append(split[f].addrs, addr)
		split[f].canon = canon
	}
	for _, f := range []family{v6, v4} {
		if len(split[f].addrs) == 0 {
			split[f].err = failure(NoName, name, nil)
		}
		c.put(f, split[f])
	}
}

// localhost answers names of this machine (RFC 6761, section 6.3): what the
// hosts file says, and the loopback addresses for what it does not say.
func (r *Resolver) localhost(s *settings, name string, c *found) {
	var addrs []netip.Addr
	canon := strings.TrimSuffix(name, ".")
	if s.hosts != nil {
		if entry := s.hosts.lookup(name); entry != nil {
			addrs, canon = slices.Clone(entry.addrs), entry.canon
		}
	}
	if !slices.ContainsFunc(addrs, netip.Addr.Is6) {
		addrs = append(addrs, netip.IPv6Loopback())
	}
	if !slices.ContainsFunc(addrs, netip.Addr.Is4) {
		addrs = append(addrs, loopback4)
	}
	c.stream = true
	c.putAll(name, addrs, canon)
}

// askMyself answers the name of this machine with its addresses, as the module
// myhostname of systemd does.
func (r *Resolver) askMyself(t *loop.Task, s *settings, name string, c *found) (status, error) {
	if s.hostname == "" || lowerName(name) != lowerName(s.hostname) {
		return statusNotFound, failure(NoName, name, nil)
	}
	local, err := r.localAddrs(t)
	if err != nil {
		return statusUnavail, err
	}
	addrs := slices.Clone(local.global)
	if len(addrs) == 0 {
		addrs = []netip.Addr{netip.IPv6Loopback(), netip.AddrFrom4([4]byte{127, 0, 0, 2})}
	}
	c.putAll(name, addrs, s.hostname)
	return statusSuccess, nil
}
