package eyeballs

import (
	"net/netip"
	"time"
)

// Outcome is how an attempt ended.
type Outcome uint8

const (
	Running Outcome = iota // it has not ended
	Won                    // its connection is the result
	Failed                 // it has an error
	Lost                   // another one won, or the race ended
	Dropped                // closed since too many ran at once
	Cut                    // the race was cancelled, or ran out of time
)

// String returns the outcome in a word.
func (o Outcome) String() string {
	return [...]string{"running", "won", "failed", "lost", "dropped", "cut off"}[o]
}

// Stage is a part of an attempt.
type Stage uint8

const (
	StageConnect   Stage = iota // connect(2)
	StageSocket                 // making the socket and setting it up; no fault of the peer
	StageBind                   // binding it to a local address
	StageHandshake              // what WithHandshake added
)

// String returns the stage in a word.
func (s Stage) String() string {
	return [...]string{"connect", "socket", "bind", "handshake"}[s]
}

// Attempt is one attempt of a race.
type Attempt struct {
	Addr      netip.AddrPort // as it was in the list
	Target    netip.AddrPort // what was dialed: another one behind a NAT64
	Start     time.Duration  // from the beginning of the race
	Connected time.Duration  // from Start until connected; 0 if it never was
	End       time.Duration  // from the beginning of the race
	Outcome   Outcome        // how it ended
	Stage     Stage          // where Err arose, or what was under way at the end
	Err       error          // why it failed
	Endpoint  *Endpoint      // the endpoint of the service to which Addr belongs, if any
}

// Took returns how long the attempt lasted.
func (a *Attempt) Took() time.Duration { return a.End - a.Start }

// attempt is an Attempt that the engine works on.
type attempt struct {
	Attempt
	opened  bool // connected
	shaking bool // and allowed to shake hands
}

func (a *attempt) running() bool { return a.Outcome == Running }

func (a *attempt) end(as Outcome, now time.Duration) {
	a.Outcome, a.End = as, now
	if a.opened {
		a.Stage = StageHandshake
	}
}

// Lookup is the lookup of one family of addresses.
type Lookup struct {
	Type     string           // "A", "AAAA", or "HTTPS" for what WithServices finds
	Asked    time.Duration    // from the beginning of the race
	Answered time.Duration    // likewise; meaningless if it is Pending
	Pending  bool             // no answer came before the race ended
	Addrs    []netip.AddrPort // what was answered
	Err      error            // or why there is nothing
}

// Trace is the record of a race: WithTrace asks for it. It prints as a
// timeline, and SVG draws it.
type Trace struct {
	Address  string           // what was asked for
	Began    time.Time        // on the loop's clock
	Elapsed  time.Duration    // until the race was over
	Lookups  []Lookup         // those that were made
	Attempts []Attempt        // in the order of their starts
	Winner   int              // an index of Attempts; -1 if there is none
	Unused   []netip.AddrPort // known, but never tried
}

// Statistics are the numbers of a race.
type Statistics struct {
	Attempts  int // sockets that were made, or tried to be
	Failed    int // attempts that failed
	Closed    int // attempts that were closed, since another won or the race ended
	Exhausted int // attempts for which descriptors or memory had run out
	Unused    int // addresses that were never tried
}

// Statistics returns the numbers of the race.
func (tr *Trace) Statistics() Statistics {
	s := Statistics{Attempts: len(tr.Attempts), Unused: len(tr.Unused)}
	for i := range tr.Attempts {
		switch a := &tr.Attempts[i]; a.Outcome {
		case Failed:
			s.Failed++
			if a.Stage == StageSocket && isTemporary(a.Err) {
				s.Exhausted++
			}
		case Lost, Dropped, Cut:
			s.Closed++
		}
	}
	return s
}

// trace is the record of the race as it is now.
func (e *engine) trace(address string) Trace {
	tr := Trace{Address: address, Began: e.began, Elapsed: e.now, Winner: e.winner, Unused: e.list}
	for f := range e.lookups {
		l := &e.lookups[len(e.lookups)-1-f] // AAAA first
		if l.state == lookupUnasked {
			continue
		}
		tr.Lookups = append(tr.Lookups, Lookup{
			Type: family(len(e.lookups) - 1 - f).String(), Asked: l.asked, Answered: l.answered,
			Pending: l.state == lookupPending, Addrs: l.addrs, Err: l.err,
		})
	}
	if s := &e.services; s.state != lookupUnasked {
		l := Lookup{Type: "HTTPS", Answered: s.answered, Pending: s.state == lookupPending, Err: s.err}
		for _, p := range s.endpoints {
			l.Addrs = append(l.Addrs, p.Addrs...)
		}
		tr.Lookups = append(tr.Lookups, l)
	}
	for i := range e.attempts {
		tr.Attempts = append(tr.Attempts, e.attempts[i].Attempt)
	}
	return tr
}
