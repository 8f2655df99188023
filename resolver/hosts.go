package resolver

import (
	"net/netip"
	"strings"
)

// hosts is what hosts(5) says, indexed both ways, so that a file of a hundred
// thousand lines costs no more per lookup than one of three.
type hosts struct {
	names   map[string]*hostEntry
	reverse map[netip.Addr]string // the canonical name of the first line
}

// hostEntry is what the file says about a name: everything in it, in order,
// without duplicates.
type hostEntry struct {
	canon string // the first name on the first line that has the name
	addrs []netip.Addr
}

// maxHosts bounds what is read of a hosts file, in bytes: block lists of
// millions of names exist, of 50 MB.
const maxHosts = 64 << 20

// parseHosts reads a file. Names match whatever their case, with or without a
// dot at the end; addresses are what inet_pton takes, with zones. Other lines
// are ignored, and counted.
func parseHosts(text string, ignored *int) *hosts {
	h := &hosts{map[string]*hostEntry{}, map[netip.Addr]string{}}
	for line := range lines(text) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil || len(fields) == 1 {
			*ignored++
			continue
		}
		if _, ok := h.reverse[addr]; !ok {
			h.reverse[addr] = fields[1]
		}
		for _, name := range fields[1:] {
			if !h.add(lowerName(name), fields[1], addr) {
				*ignored++
			}
		}
	}
	return h
}

// add reports whether there was room for an address.
func (h *hosts) add(name, canon string, addr netip.Addr) bool {
	entry := h.names[name]
	if entry == nil {
		entry = &hostEntry{canon: canon}
		h.names[name] = entry
	}
	for _, known := range entry.addrs {
		if known == addr {
			return true
		}
	}
	if len(entry.addrs) >= maxAddrs {
		return false
	}
	entry.addrs = append(entry.addrs, addr)
	return true
}

// lookup returns what the file says about a name, or nil.
func (h *hosts) lookup(name string) *hostEntry { return h.names[lowerName(name)] }

// lowerName is a name in the form in which names are compared.
func lowerName(name string) string {
	return strings.ToLower(strings.TrimSuffix(name, "."))
}
