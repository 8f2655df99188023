package resolver

import "sync/atomic"

// Statistics is what a Resolver has done and does.
type Statistics struct {
	Started   uint64 // pieces of work that got a slot
	Joined    uint64 // lookups that found theirs already on its way
	Waited    uint64 // pieces of work that had to wait for a slot
	Refused   uint64 // lookups refused since too many waited
	Abandoned uint64 // pieces of work that everybody left
	Broken    uint64 // pieces of work that a panic ended: a bug of a Backend or a Trace
	CacheHits uint64 // questions answered by the cache
	FromFiles uint64 // lookups answered by the hosts file

	Queries   uint64 // questions sent, also repeated ones
	Sockets   uint64 // sockets opened for them, TCP included
	Hedges    uint64 // questions sent again since no answer came in time
	Timeouts  uint64 // servers that stayed silent
	TCP       uint64 // exchanges by TCP
	TCPFailed uint64 // of these, those that failed
	Truncated uint64 // answers used though they were cut off, since TCP failed or did no better
	Plain     uint64 // questions repeated without EDNS
	Forged    uint64 // datagrams that answer no question of ours
	Malformed uint64 // datagrams that are no messages
	Oversized uint64 // datagrams larger than we asked for
	CaseLost  uint64 // answers that did not keep the case of letters
	Strangers uint64 // records in answers that are about other names
	Circles   uint64 // answers whose aliases go in a circle, or are too many
	Unhelpful uint64 // questions that a server refused, failed to answer, or could not be sent
	Dropped   uint64 // addresses beyond the bound of those of one name
	Reloads   uint64 // times that a file had changed
	Stale     uint64 // lookups by what files said before, since reading them again took too long

	Running  int      // pieces of work that hold a slot
	Waiting  int      // those that wait for one
	Peak     int      // most slots in use at a time
	Cached   int      // questions in the cache
	Servers  int      // name servers in use
	Skipped  []string // words in nsswitch.conf that mean nothing here
	FileErrs []error  // files that could not be read
	Ignored  int      // lines and words in the files that mean nothing, or exceed a bound
}

// counters are the ones that loops share.
type counters struct {
	started, joined, waited, abandoned, cacheHits, fromFiles atomic.Uint64
	queries, sockets, hedges, timeouts, tcp, tcpFailed       atomic.Uint64
	truncated, plain, forged, malformed, oversized, caseLost atomic.Uint64
	strangers, reloads, broken, stale                        atomic.Uint64
	circles, unhelpful, dropped                              atomic.Uint64
}

// Statistics returns what the resolver has done so far. It may be called from
// any goroutine.
func (r *Resolver) Statistics() Statistics {
	c := &r.counters
	st := Statistics{
		Started: c.started.Load(), Joined: c.joined.Load(), Waited: c.waited.Load(),
		Abandoned: c.abandoned.Load(), CacheHits: c.cacheHits.Load(), FromFiles: c.fromFiles.Load(),
		Queries: c.queries.Load(), Sockets: c.sockets.Load(), Hedges: c.hedges.Load(),
		Timeouts: c.timeouts.Load(), TCP: c.tcp.Load(), TCPFailed: c.tcpFailed.Load(),
		Truncated: c.truncated.Load(), Plain: c.plain.Load(), Forged: c.forged.Load(),
		Malformed: c.malformed.Load(), Oversized: c.oversized.Load(), CaseLost: c.caseLost.Load(),
		Strangers: c.strangers.Load(), Reloads: c.reloads.Load(), Broken: c.broken.Load(), Stale: c.stale.Load(),
		Circles: c.circles.Load(), Unhelpful: c.unhelpful.Load(), Dropped: c.dropped.Load(),
		Cached: r.cache.len(),
	}
	r.throttle.mu.Lock()
	st.Refused, st.Running = r.throttle.refused, r.throttle.inUse
	st.Waiting, st.Peak = r.throttle.waiting, r.throttle.peak
	r.throttle.mu.Unlock()
	if s := r.current.Load(); s != nil {
		st.Servers = len(s.resolv.Servers)
		st.Skipped = append(st.Skipped, s.skipped...)
		for _, err := range s.errs {
			if err != nil {
				st.FileErrs = append(st.FileErrs, err)
			}
		}
		for _, n := range s.ignored {
			st.Ignored += n
		}
	}
	return st
}

// Flush forgets answers, source addresses, and what is known of servers. Lookups that are under
// way tell those who wait for them, and nobody else. It may be called from any goroutine, when the
// network has changed for one.
func (r *Resolver) Flush() {
	r.flushes.Add(1)
	r.cache.flush()
	r.sources.forget()
	if s := r.current.Load(); s != nil {
		s.stub.forget()
	}
}
