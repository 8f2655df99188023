package eyeballs

import (
	"net/netip"
	"time"
)

// HistoryMax is how many addresses a History remembers; beyond it the one that
// was heard of longest ago is forgotten. At about a hundred bytes each.
const HistoryMax = 4096

// HistoryLife is how long an outcome is remembered. Nothing prolongs it but
// another outcome, so an address that was given up is tried again in its turn
// after that time: networks recover.
const HistoryLife = 10 * time.Minute

// A History remembers the outcomes of races. Addresses that did not answer go
// to the end of later lists, and those that did to the front of lists with such
// addresses, so that a dead address costs nothing the second time; and round
// trips tell how long an attempt may keep the next one waiting. An address that
// works is never overtaken by one of the other family for being slower.
//
// The zero value is an empty one. It belongs to one loop. When the host moves
// to another network nothing of it holds: call NetworkChanged.
type History struct {
	outcomes map[netip.AddrPort]*outcome
	oldest   *outcome // a list by age, newest last
	newest   *outcome
}

// outcome is what is known of an address. Round trips are smoothed as TCP does
// it (RFC 6298).
type outcome struct {
	addr       netip.AddrPort
	at         time.Time
	dead       bool
	srtt       time.Duration // 0 if unknown
	rttvar     time.Duration
	prev, next *outcome
}

// NetworkChanged forgets everything: outcomes are those of a network.
func (h *History) NetworkChanged() { *h = History{} }

// Len returns how many addresses are remembered.
func (h *History) Len() int {
	if h == nil {
		return 0
	}
	return len(h.outcomes)
}

// Failed notes that an address did not connect. Dial and Connect do that by
// themselves; it is for those who hear of it in other ways.
func (h *History) Failed(addr netip.AddrPort, now time.Time) {
	h.note(addr, now).dead = true
}

// Connected notes that an address connected within rtt.
func (h *History) Connected(addr netip.AddrPort, rtt time.Duration, now time.Time) {
	o := h.note(addr, now)
	o.dead = false
	if rtt = max(rtt, time.Nanosecond); o.srtt == 0 {
		o.srtt, o.rttvar = rtt, rtt/2
		return
	}
	o.rttvar += ((o.srtt - rtt).Abs() - o.rttvar) / 4
	o.srtt += (rtt - o.srtt) / 8
}

// note finds the outcome of an address, or makes one, and makes it the newest.
func (h *History) note(addr netip.AddrPort, now time.Time) *outcome {
	o := h.find(addr, now)
	if o == nil {
		if len(h.outcomes) >= HistoryMax {
			h.forget(h.oldest)
		}
		if h.outcomes == nil {
			h.outcomes = make(map[netip.AddrPort]*outcome)
		}
		o = &outcome{addr: addr}
		h.outcomes[addr] = o
	} else {
		h.unlink(o)
	}
	o.at = now
	o.prev, o.next = h.newest, nil
	if h.newest != nil {
		h.newest.next = o
	} else {
		h.oldest = o
	}
	h.newest = o
	return o
}

// find returns what is known of an address, or nil. A nil History knows
// nothing.
func (h *History) find(addr netip.AddrPort, now time.Time) *outcome {
	if h == nil {
		return nil
	}
	o := h.outcomes[addr]
	if o != nil && now.Sub(o.at) >= HistoryLife {
		h.forget(o)
		return nil
	}
	return o
}

func (h *History) forget(o *outcome) {
	h.unlink(o)
	delete(h.outcomes, o.addr)
}

func (h *History) unlink(o *outcome) {
	if o.prev != nil {
		o.prev.next = o.next
	} else {
		h.oldest = o.next
	}
	if o.next != nil {
		o.next.prev = o.prev
	} else {
		h.newest = o.prev
	}
}

// split divides addresses into those to be tried first, next and last: those
// that are known to live, the unknown ones, and those that are known to be dead.
// As long as none of them is dead, it leaves the first two in their order: what
// a resolver rotates is not to be nailed to what happened to be tried.
func (h *History) split(addrs []netip.AddrPort, now time.Time) (classes [3][]netip.AddrPort) {
	if h.Len() == 0 {
		classes[0] = addrs
		return classes
	}
	for _, addr := range addrs {
		class := 1
		if o := h.find(addr, now); o != nil && o.dead {
			class = 2
		} else if o != nil {
			class = 0
		}
		classes[class] = append(classes[class], addr)
	}
	if len(classes[2]) == 0 {
		return [3][]netip.AddrPort{addrs}
	}
	return classes
}

// timeout is the time in which an address that lives answers: the
// retransmission timeout of RFC 6298.
func (h *History) timeout(addr netip.AddrPort, now time.Time) (time.Duration, bool) {
	o := h.find(addr, now)
	if o == nil || o.srtt == 0 {
		return 0, false
	}
	return o.srtt + 4*o.rttvar, true
}

// learn takes the outcomes of a race. An attempt that another one overtook is
// taken for dead: it was older, and had not answered for as long as it takes
// until the next one starts, and longer. What the host itself failed at, or a
// handshake that was refused, says nothing about the address.
func (h *History) learn(attempts []attempt, winner int, now time.Time) {
	if h == nil {
		return
	}
	for rank := range attempts {
		a := &attempts[rank]
		switch {
		case a.Outcome == Lost && rank < winner, a.Outcome == Dropped,
			a.Outcome == Failed && a.Stage == StageConnect:
			h.Failed(a.Addr, now)
		case a.Outcome == Won || a.opened:
			h.Connected(a.Addr, a.Connected, now)
		}
	}
}
