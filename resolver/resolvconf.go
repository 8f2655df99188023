package resolver

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Limits on what a resolv.conf may ask for. The first three are those of
// glibc; servers and suffixes have no limit there that would still be of use.
const (
	maxNDots      = 15
	maxTimeout    = 30 * time.Second
	maxAttempts   = 5
	maxServers    = 64       // each may cost a timeout
	maxSearch     = 256      // each costs a pair of queries
	maxResolvConf = 10 << 20 // bytes that are read
	dnsPort       = 53
)

// ResolvConf is what resolv.conf(5) says.
type ResolvConf struct {
	Servers  []netip.AddrPort // in the order in which they are asked; port 53 as a rule
	Search   []string         // suffixes, without a dot at the end; "" is the root
	NDots    int              // names with at least so many dots are tried as they are first
	Timeout  time.Duration    // for one round
	Attempts int              // rounds

	Rotate        bool // take turns with the servers
	NoAAAA        bool // never ask for IPv6 addresses
	UseTCP        bool // use-vc: no datagrams
	SingleRequest bool // one question at a time
	NoEDNS        bool // ask without EDNS0; glibc's default, not ours
	TrustAD       bool // believe the server's AD bit
	NoReload      bool // do not look whether the file changes
	StrictError   bool // a failure of one family fails the lookup

	// Ignored are the words that mean nothing here, or exceed a bound; of many
	// only the first are kept.
	Ignored []string
	ignored int // all of them
}

// defaultResolvConf is what holds where a file says nothing.
func defaultResolvConf() *ResolvConf {
	return &ResolvConf{NDots: 1, Timeout: 5 * time.Second, Attempts: 2}
}

// parseResolvConf reads a file. Keywords begin a line; comments begin with ';'
// or '#'. What makes no sense is ignored, and kept for those who ask why.
// Hostname gives the suffix if the file has none.
func parseResolvConf(text, hostname string) *ResolvConf {
	c := defaultResolvConf()
	searched := false
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" || strings.ContainsRune(";# \t", rune(line[0])) {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) == 1 {
			c.ignore(fields[0])
		}
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			c.addServer(fields[1])
		case "domain":
			c.setSearch(fields[1:2])
			searched = true
		case "search":
			c.setSearch(fields[1:])
			searched = true
		case "options":
			c.addOptions(fields[1:])
		case "sortlist": // of RFC 6724 only one order is left
		default:
			c.ignore(fields[0])
		}
	}
	c.fill(hostname, searched)
	return c
}

// fill puts in what a file left out.
func (c *ResolvConf) fill(hostname string, searched bool) {
	if _, domain, ok := strings.Cut(hostname, "."); ok && !searched {
		c.setSearch([]string{domain})
	}
	if len(c.Servers) == 0 {
		c.addServer("127.0.0.1")
	}
}

// addServer adds an address, or an address in brackets with a port, as OpenBSD
// has it.
func (c *ResolvConf) addServer(text string) {
	server, err := netip.ParseAddrPort(text)
	if err != nil {
		bare, port, _ := strings.Cut(strings.TrimPrefix(text, "["), "]")
		number, ok := decimal(strings.TrimPrefix(port, ":"), math.MaxUint16)
		if !ok {
			number = dnsPort
		}
		addr, err := netip.ParseAddr(bare)
		if err != nil {
			c.ignore("nameserver " + text)
			return
		}
		server = netip.AddrPortFrom(addr, uint16(number))
	}
	if len(c.Servers) >= maxServers {
		c.ignore("nameserver " + text)
		return
	}
	c.Servers = append(c.Servers, server)
}

// setSearch replaces the list, as every later line does.
func (c *ResolvConf) setSearch(suffixes []string) {
	c.Search = c.Search[:0]
	for _, suffix := range suffixes {
		if len(c.Search) >= maxSearch {
			c.ignore(suffix)
			continue
		}
		c.Search = append(c.Search, strings.TrimSuffix(suffix, "."))
	}
}

// maxIgnored bounds what is kept of a file of nonsense.
const maxIgnored = 16

func (c *ResolvConf) ignore(word string) {
	c.ignored++
	if len(c.Ignored) < maxIgnored {
		c.Ignored = append(c.Ignored, word[:min(len(word), 80)])
	}
}

// addOptions reads options; a minus before one clears it, as in RES_OPTIONS.
func (c *ResolvConf) addOptions(words []string) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, ":")
		name, cleared := strings.CutPrefix(name, "-")
		switch name {
		case "ndots":
			c.NDots = clamp(value, c.NDots, 0, maxNDots)
		case "timeout":
			seconds := clamp(value, int(c.Timeout/time.Second), 1, int(maxTimeout/time.Second))
			c.Timeout = time.Duration(seconds) * time.Second
		case "attempts":
			c.Attempts = clamp(value, c.Attempts, 1, maxAttempts)
		case "edns0":
			c.NoEDNS = cleared
		default:
			if flag := c.flag(name); flag != nil {
				*flag = !cleared
			} else {
				c.ignore(word)
			}
		}
	}
}

// flag is the option of a name.
func (c *ResolvConf) flag(name string) *bool {
	switch name {
	case "rotate":
		return &c.Rotate
	case "no-aaaa":
		return &c.NoAAAA
	case "use-vc", "usevc", "tcp":
		return &c.UseTCP
	case "single-request", "single-request-reopen":
		return &c.SingleRequest
	case "trust-ad":
		return &c.TrustAD
	case "no-reload":
		return &c.NoReload
	case "strict-error":
		return &c.StrictError
	}
	return nil
}

// clamp reads a number and keeps it within bounds; old stands if it is none.
func clamp(text string, old, least, most int) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		if len(text) > 0 && strings.Trim(text, "0123456789") == "" {
			return most // more digits than a number has
		}
		return old
	}
	return min(max(n, least), most)
}

// useEnv applies the variables of the environment that resolver(5) names.
func (c *ResolvConf) useEnv(localDomain, options string) {
	if fields := strings.Fields(localDomain); len(fields) > 0 {
		c.setSearch(fields)
	}
	c.addOptions(strings.Fields(options))
}

// candidates are the absolute names to try for a name, in order.
func (c *ResolvConf) candidates(name string) []string {
	if bare, absolute := strings.CutSuffix(name, "."); absolute {
		return []string{bare}
	}
	asIs := strings.Count(name, ".") >= c.NDots
	list := make([]string, 0, len(c.Search)+1)
	if asIs {
		list = append(list, name)
	}
	for _, suffix := range c.Search {
		long := strings.TrimSuffix(name+"."+suffix, ".")
		if len(long) <= maxName && !slices.Contains(list, long) {
			list = append(list, long)
		}
	}
	if !slices.Contains(list, name) {
		list = append(list, name)
	}
	return list
}
