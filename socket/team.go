package socket

import (
	"sync"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Several loops serve one address in one of two ways.
//
//   - Where the system spreads the connections of several sockets with
//     SO_REUSEPORT at one address (Linux, by a hash of the addresses), each loop
//     has a socket of its own, and nothing is shared.
//   - Elsewhere one of them would get all (the BSDs and macOS allow
//     SO_REUSEPORT, and give everything to the last one; Windows has none). So
//     one loop accepts, and hands the connections out in turn.
//
// The hash spreads thousands of connections evenly, and few of them not at all:
// ten connections on four loops leave one loop idle every fourth time. And with
// SO_REUSEPORT a connection is its loop's from the moment of the SYN: if a loop
// stops while others go on, what completes its handshake between the last accept
// and the close is reset, though others could have taken it (Linux has
// net.ipv4.tcp_migrate_req against that, off by default).

// feedMax bounds the connections that wait for a loop to take them; the loop
// that accepts keeps those that find no room.
const feedMax = 1024

// A Team is the loops of a loop.RunEach that serve one address together: make
// it before RunEach, and call Listen in each loop.
type Team struct {
	address string
	opts    []SetupOption
	handOut bool

	mu      sync.Mutex
	feeds   []*feed       // of each loop but the first, once it listens
	turn    int           // whose turn it is
	at      Addr          // where the first one listens
	dual    bool          // for both families
	ready   bool          // the first one listens, or has failed
	failed  error         // why it does not
	waiting []*loop.Waker // those who wait for it
	taken   map[int]bool  // who has called Listen
}

// NewTeam makes a Team of n loops for an address, as ListenTCP has it; with port
// 0 all get the same port. Connections are spread by the system where it does
// that (sys.ReusePortBalances), and handed out in turn by the first loop
// elsewhere; see HandOut.
func NewTeam(n int, address string, opts ...SetupOption) (*Team, error) {
	if n < 1 {
		return nil, misuse("a team of %d loops", n)
	}
	if _, err := newSetup(opts); err != nil {
		return nil, err
	}
	return &Team{
		address: address, opts: opts, handOut: !sys.ReusePortBalances,
		feeds: make([]*feed, n), taken: map[int]bool{},
	}, nil
}

// HandOut has the first loop accept everything and hand the connections out in
// turn, also where the system would spread them: exactly even, for few
// connections that live long, at the price of a message to another thread for
// each. While the first loop is full (WithMaxConnections) nobody gets any. It
// must be called before Listen.
func (m *Team) HandOut() { m.handOut = true }

// Listen makes the listener of one loop, index being its index of RunEach. All
// wait for the first one, whose error is that of all. Closing one leaves the
// others as they are; what is handed out finds another loop then. It is a
// checkpoint.
func (m *Team) Listen(t *loop.Task, index int) (*Listener, error) {
	if err := m.enter(index); err != nil {
		return nil, err
	}
	if index == 0 {
		ln, err := m.first(t.Loop())
		m.announce(ln, err)
		if err != nil {
			return nil, err
		}
		return ln, loopCheckpoint(t, ln)
	}
	if err := m.wait(t); err != nil {
		return nil, err
	}
	if m.failed != nil {
		return nil, m.failed
	}
	ln, err := m.further(t.Loop(), index)
	if err != nil {
		return nil, err
	}
	return ln, loopCheckpoint(t, ln)
}

// loopCheckpoint closes the listener if the task is cancelled.
func loopCheckpoint(t *loop.Task, ln *Listener) error {
	err := loop.Checkpoint(t)
	if err != nil {
		_ = ln.Close() // that it was cancelled is the news
	}
	return err
}

func (m *Team) enter(index int) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if index < 0 || index >= len(m.feeds) || m.taken[index] {
		return misuse("loop %d listens in a team of %d, or a second time", index, len(m.feeds))
	}
	m.taken[index] = true
	return nil
}

// setup is what each socket is set up with.
func (m *Team) setup() (*setup, error) {
	if m.handOut {
		return newSetup(m.opts)
	}
	return newSetup(append([]SetupOption{With(ReusePort, true)}, m.opts...))
}

func (m *Team) first(l *loop.Loop) (*Listener, error) {
	c, err := m.setup()
	if err != nil {
		return nil, err
	}
	ln, err := c.listenText(l, m.address)
	if err != nil {
		return nil, err
	}
	m.dual = c.dual
	if m.handOut && len(m.feeds) > 1 {
		ln.team = m
	}
	return ln, nil
}

func (m *Team) announce(ln *Listener, err error) {
	m.mu.Lock()
	m.ready, m.failed = true, err
	if ln != nil {
		m.at = ln.Addr()
	}
	waiting := m.waiting
	m.waiting = nil
	m.mu.Unlock()
	for _, w := range waiting {
		_ = w.Wake() // a loop that has ended waits for nothing
	}
}

// wait waits until the first loop listens, or has failed to.
func (m *Team) wait(t *loop.Task) error {
	var lot loop.ParkingLot
	ready := false
	w, err := loop.NewWaker(t.Loop(), func() { ready = true; lot.UnparkAll() })
	if err != nil {
		return err
	}
	m.mu.Lock()
	if ready = m.ready; !ready {
		m.waiting = append(m.waiting, w)
	}
	m.mu.Unlock()
	for !ready {
		if err := lot.Park(t, "the first loop to listen"); err != nil {
			return err
		}
	}
	return nil
}

// further makes the listener of another loop than the first.
func (m *Team) further(l *loop.Loop, index int) (*Listener, error) {
	c, err := m.setup()
	if err != nil {
		return nil, err
	}
	c.dual = m.dual
	if !m.handOut {
		return c.listen(l, m.at)
	}
	// It listens to nothing, but what the options say of it, a linger time for
	// one, is true of the connections that it hands out.
	s, err := c.socket(l, m.at.Family(), sys.SOCK_STREAM)
	if err != nil {
		return nil, err
	}
	ln := &Listener{s: s, feed: &feed{addr: m.at}}
	if ln.feed.waker, err = loop.NewWaker(l, func() { ln.feed.lot.UnparkAll() }); err != nil {
		_ = s.Close()
		return nil, err
	}
	m.mu.Lock()
	m.feeds[index] = ln.feed
	m.mu.Unlock()
	return ln, nil
}

// give hands a connection to the loop whose turn it is, and reports whether it
// did: not if it is the turn of the one that accepts, or nobody else has room.
func (m *Team) give(a acceptance) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for range m.feeds {
		f := m.feeds[m.turn]
		own := m.turn == 0
		m.turn = (m.turn + 1) % len(m.feeds)
		if own {
			return false
		}
		if f != nil && f.put(a) {
			return true
		}
	}
	return false
}

// A feed is where connections wait that another loop has accepted. They are not
// registered with any loop.
type feed struct {
	addr  Addr
	waker *loop.Waker
	lot   loop.ParkingLot

	mu      sync.Mutex
	queue   []acceptance
	refuses bool
}

func (f *feed) put(a acceptance) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuses || len(f.queue) >= feedMax {
		return false
	}
	f.queue = append(f.queue, a)
	return f.waker.Wake() == nil || f.unput()
}

// unput takes the last one back: the loop has ended.
func (f *feed) unput() bool {
	f.queue = f.queue[:len(f.queue)-1]
	f.refuses = true
	return false
}

func (f *feed) take() (a acceptance, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		return a, false
	}
	a = f.queue[0]
	if f.queue = f.queue[1:]; len(f.queue) == 0 {
		f.queue = nil
	}
	return a, true
}

func (f *feed) next(t *loop.Task, ln *Listener) (acceptance, error) {
	if err := loop.CheckpointIfCancelled(t); err != nil {
		return acceptance{}, err
	}
	for {
		a, err := f.nextNowait(ln)
		if err == nil {
			return a, loop.ShieldedCheckpoint(t)
		}
		if err != loop.ErrWouldBlock {
			return a, err
		}
		if err := f.lot.Park(t, "accept"); err != nil {
			return a, err
		}
	}
}

func (f *feed) nextNowait(ln *Listener) (acceptance, error) {
	if ln.s.closed {
		return acceptance{}, opError("accept", Addr{}, loop.ErrClosed)
	}
	a, ok := f.take()
	if !ok {
		return a, loop.ErrWouldBlock
	}
	return a, nil
}

// refuse has a listener take nothing more from other loops. What is there
// already stays; so a server that stops loses none of it.
func (ln *Listener) refuse() {
	if ln.feed != nil {
		ln.feed.mu.Lock()
		ln.feed.refuses = true
		ln.feed.mu.Unlock()
	}
}

// close resets what nobody has taken, as closing a listener of the system does.
func (f *feed) close() {
	f.mu.Lock()
	left := f.queue
	f.queue, f.refuses = nil, true
	f.mu.Unlock()
	for _, a := range left {
		_ = sys.Close(a.fd) // nobody is left who could be told
	}
	f.lot.UnparkAll()
}
