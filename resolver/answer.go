package resolver

import (
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// family is one of the two address families, as an index.
type family uint8

const (
	v4 family = iota
	v6
	families
)

// wanted says which families are meant.
type wanted [families]bool

// number is the system's number of the family.
func (f family) number() int {
	if f == v4 {
		return inet4
	}
	return inet6
}

// qtype is the type of DNS record for addresses of the family.
func (f family) qtype() uint16 {
	if f == v4 {
		return dns.TypeA
	}
	return dns.TypeAAAA
}

// answer is what is known about a name for one family or type of record:
// addresses, or an error of type *Error.
type answer struct {
	addrs   []netip.Addr
	canon   string
	err     error
	expires time.Time // from when on it is not to be used again; zero: at once
	msg     *dns.Msg  // the message itself, for those who asked for it
}

// worse is which of two failures tells more: something that may pass outweighs
// "no such name", so that an outage never looks like that.
func worse(a, b error) error {
	if b == nil || a != nil && rank(a) >= rank(b) {
		return a
	}
	return b
}

func rank(err error) int {
	switch codeOf(err) {
	case SystemError:
		return 6
	case Again:
		return 5
	case Fail, Overflow:
		return 4
	case NoData:
		return 2
	case NoName:
		return 1
	}
	return 3
}
