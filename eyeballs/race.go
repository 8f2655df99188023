package eyeballs

import (
	"errors"
	"net/netip"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/socket"
)

// The driver runs an engine on a loop. The caller's task conducts: it carries
// out what the engine wants, and sleeps until there is news or the engine's
// time has come. Lookups and attempts are tasks of one nursery; they only post
// what happened. Whoever posts first at some instant wakes the conductor, which
// then lets all others of that instant come to their turn before it looks: so
// ties are decided by the engine, not by the scheduler.

// conn is what an attempt makes: a *socket.Conn, but for tests.
type conn interface{ Close() error }

// race is one race on a loop.
type race struct {
	c       *config
	address string // what the caller asked for, for errors
	addrs   []netip.AddrPort
	resolve socket.Resolve // nil if the addresses are known
	query   socket.Query

	e       *engine
	n       *loop.Nursery
	mail    []event
	lot     loop.ParkingLot // the conductor, while it sleeps
	entries []*entry        // by rank
	lookups []*loop.Scope   // of lookups that linger
}

// entry is an attempt as the driver sees it.
type entry struct {
	scope *loop.Scope
	conn  conn
	gate  loop.ParkingLot // where it waits to be allowed to shake hands
	may   bool            // it is allowed
}

// run runs the race. When it returns, only the winner is open.
func (r *race) run(t *loop.Task) (conn, error) {
	if t == nil {
		return nil, loop.Checkpoint(t) // it says so
	}
	routes, err := r.c.askRoutes(t, r.resolve != nil)
	if err != nil {
		return nil, err
	}
	r.e = newEngine(r.c, t.Now(), routes)
	//lion:opt lone-attempt a single address needs no nursery, no task and no scope
	if r.resolve == nil && len(r.addrs) == 1 && r.c.handshake == nil {
		err = r.timed(t, r.alone)
	} else {
		err = r.crowd(t)
	}
	won := r.settle(t)
	if err == nil && won == nil {
		err = r.e.failure(r.address, false)
	}
	if err != nil && won != nil {
		_ = won.Close()
		won = nil
	}
	return won, err
}

// crowd runs a race of several.
func (r *race) crowd(t *loop.Task) error {
	var stopped error
	err := loop.Nurse(t, func(n *loop.Nursery) error {
		r.n = n
		stopped = r.timed(t, r.conduct)
		return errors.Join(r.endLookups(), n.Cancel("the race is over"))
	}, loop.WithName("eyeballs"))
	if err != nil {
		return err // a hook panicked
	}
	return stopped
}

// alone makes the only attempt there can be.
func (r *race) alone(t *loop.Task) error {
	defer func() { r.e.cancel(r.now(t)) }()
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	for _, a := range r.e.start(r.addrs) {
		r.entries = append(r.entries, &entry{})
		ev := r.try(t, a.rank, a.target)
		if err := loop.CheckpointIfCancelled(t); err != nil {
			return err
		}
		r.e.step(r.now(t), []event{ev})
	}
	return nil
}

// timed runs the race within the time that the call has.
func (r *race) timed(t *loop.Task, run func(t *loop.Task) error) error {
	if r.c.timeout == 0 {
		return run(t)
	}
	err := loop.FailAfter(t, r.c.timeout, func(*loop.Scope) error { return run(t) })
	if errors.Is(err, loop.ErrTimeout) {
		return r.e.failure(r.address, true)
	}
	return err
}

// conduct steps the engine until it is done.
func (r *race) conduct(t *loop.Task) (err error) {
	defer func() { r.e.cancel(r.now(t)) }()
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return err
	}
	actions := r.begin()
	for {
		for _, a := range actions {
			if err := r.perform(a); err != nil {
				return err
			}
		}
		if r.e.over {
			return nil
		}
		if err := r.wait(t); err != nil {
			return err
		}
		batch := r.mail
		r.mail = nil
		actions = r.e.step(r.now(t), batch)
	}
}

func (r *race) begin() []action {
	if r.resolve != nil {
		return r.e.startNamed()
	}
	return r.e.start(r.addrs)
}

func (r *race) now(t *loop.Task) time.Duration { return t.Now().Sub(r.e.began) }

// wait sleeps until there is news or the engine's deadline.
func (r *race) wait(t *loop.Task) error {
	at, limited := r.e.deadline()
	switch {
	case len(r.mail) > 0 || limited && at <= r.now(t):
	case limited:
		err := loop.MoveOnAt(t, r.e.began.Add(at), func(s *loop.Scope) error {
			return r.lot.Park(t, "eyeballs")
		})
		if err != nil {
			return err
		}
	default:
		if err := r.lot.Park(t, "eyeballs"); err != nil {
			return err
		}
	}
	return loop.Yield(t)
}

// post tells the conductor what has happened.
func (r *race) post(ev event) {
	r.mail = append(r.mail, ev)
	r.lot.UnparkOne()
}

func (r *race) perform(a action) error {
	switch a.kind {
	case askFor:
		return r.ask(a.asked)
	case askMore:
		return r.askServices()
	case dialTo:
		return r.start(a.rank, a.target)
	case abandon:
		return r.entries[a.rank].scope.Cancel("too many attempts at once")
	case shake:
		r.entries[a.rank].may = true
		r.entries[a.rank].gate.UnparkOne()
	}
	return nil
}

// start spawns the task of an attempt.
func (r *race) start(rank int, target netip.AddrPort) error {
	scope, err := loop.NewScope(r.n.Owner().Loop())
	if err != nil {
		return err
	}
	en := &entry{scope: scope}
	r.entries = append(r.entries, en)
	return r.n.Spawn(func(t *loop.Task) error {
		return loop.Enter(t, scope, func(*loop.Scope) error { return r.attempt(t, rank, target) })
	}, loop.WithTaskName("attempt"))
}

// attempt makes an attempt and tells how it went. If it was cancelled nobody
// listens: the engine has ended it, or the race.
func (r *race) attempt(t *loop.Task, rank int, target netip.AddrPort) error {
	r.post(r.try(t, rank, target))
	return nil
}

// try connects and shakes hands.
func (r *race) try(t *loop.Task, rank int, target netip.AddrPort) event {
	en := r.entries[rank]
	c, stage, err := r.c.open(t, target)
	if err == nil {
		en.conn = c
		if r.c.handshake != nil {
			stage, err = StageHandshake, r.shake(t, rank)
		}
	}
	if err == nil {
		return event{kind: attemptWon, rank: rank}
	}
	en.close()
	return event{kind: attemptFailed, rank: rank, stage: stage, err: err}
}

// shake waits until the engine allows it, and runs the handshake.
func (r *race) shake(t *loop.Task, rank int) error {
	en := r.entries[rank]
	r.post(event{kind: attemptOpened, rank: rank})
	if !en.may {
		if err := en.gate.Park(t, "turn to shake hands"); err != nil {
			return err
		}
	}
	return r.c.handshake(t, en.conn, r.e.attempts[rank].Endpoint)
}

func (en *entry) close() {
	if en.conn != nil {
		_ = en.conn.Close() // it was never used, so nothing is lost
		en.conn = nil
	}
}

// settle closes all connections but the winner, and writes down the race.
func (r *race) settle(t *loop.Task) (won conn) {
	for rank, en := range r.entries {
		if rank == r.e.winner {
			won = en.conn
			continue
		}
		en.close()
	}
	r.c.history.learn(r.e.attempts, r.e.winner, t.Now())
	if r.c.trace != nil {
		*r.c.trace = r.e.trace(r.address)
	}
	return won
}
