package resolver

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// Event is a step of a lookup, for those who want to know why it ended as it
// did.
type Event struct {
	Time   time.Time      // by the clock of the loop
	Step   string         // what happened, a constant: "source", "try", "ask", "answer", "failure", "suspicion", "tcp", "cache"
	Name   string         // which name it was about
	Server netip.AddrPort // which server; invalid for none
	Detail string         // in words
}

// tracing reports whether somebody listens. It is asked before a step is put
// into words, which costs.
func (r *Resolver) tracing() bool { return r.config.Trace != nil }

func (r *Resolver) trace(now time.Time, step, name string, server netip.AddrPort, format string, args ...any) {
	r.config.Trace(Event{now, step, name, server, fmt.Sprintf(format, args...)})
}

// outcome describes an answer.
func (a *answer) outcome() string {
	switch {
	case a.err != nil:
		return a.err.Error()
	case a.msg != nil:
		return fmt.Sprintf("%d records", len(a.msg.Answer))
	}
	return fmt.Sprintf("%v", a.addrs)
}

var statusTexts = [statuses]string{"found", "not found", "not available", "could not tell"}

// typeName is a type of record in the words of a zone file.
func typeName(qtype uint16) string { return dns.TypeToString[qtype] }
