package loop

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/lion-go/lion/sys"
)

// Who gets a signal. The standard library gives it to everybody who asked, so
// that a program which reads SIGINT from a queue, under a Main that stops at
// SIGINT, would do both. Here a signal has owners, and the latest gets it; when
// that one gives it back the one before has it again, and after the first the
// signal means what it meant before. Nothing is lost on the way: what an owner
// has not dealt with goes to the one before, or is raised again.

// signalBacklog is how many signals of one kind may come while an owner is
// being told of one. The third interrupt ends a program; nobody counts further.
const signalBacklog = 3

// signalOwner is one owner of some signals.
type signalOwner struct {
	fn     func(os.Signal)
	sigs   []os.Signal
	shared bool // the owners below get it too, as long as they are shared
	given  atomic.Bool
}

// signalLine is how one signal gets to its owners.
type signalLine struct {
	owners []*signalOwner // the latest last
	queue  chan os.Signal
	quit   chan struct{}
	ended  chan struct{}
	left   []os.Signal // came when there was no owner any more
}

// signalLines are those in use. Owners are told under the mutex.
var signalLines struct {
	mu  sync.Mutex
	all map[os.Signal]*signalLine
}

// TakeSignals makes fn the owner of the signals until giveBack is called: it
// is called for each of them, on a goroutine of lion's, and must neither block
// nor call TakeSignals or giveBack; see the package signals for a queue. What
// the owner before had is out of force meanwhile, CatchInterrupt for example.
// Channels that the program has given to signal.Notify get their copies all the
// same, and are left alone.
//
// Once the owner gets no more, giveBack asks left, which may be nil, for the
// signals that nobody has dealt with. The owner before gets them; without one
// they are raised again, so that the process does what they mean, and such
// Notify channels see them twice. It answers ErrClosed if called again.
//
// No signal, one that is none, and one that no program can handle are refused
// with ErrMisuse, and then nothing has happened; one that is named twice counts
// once. It may be called on any goroutine. Sync-coloured.
func TakeSignals(
	fn func(os.Signal), sigs ...os.Signal,
) (giveBack func(left func() []os.Signal) error, err error) {
	if fn == nil || len(sigs) == 0 {
		return nil, misuse("taking signals needs a function and a signal")
	}
	for _, s := range sigs {
		if s == nil || !sys.Catchable(s) {
			return nil, misuse("the signal %v can not be handled", s)
		}
	}
	o := &signalOwner{fn: fn, sigs: distinct(sigs)}
	o.take()
	return o.giveBack, nil
}

func distinct(sigs []os.Signal) []os.Signal {
	var once []os.Signal
	for _, s := range sigs {
		if !slices.Contains(once, s) {
			once = append(once, s)
		}
	}
	return once
}

func (o *signalOwner) take() {
	signalLines.mu.Lock()
	defer signalLines.mu.Unlock()
	for _, s := range o.sigs {
		l := signalLines.all[s]
		if l == nil {
			l = newSignalLine(s)
		}
		l.owners = append(l.owners, o)
	}
}

// newSignalLine begins to listen.
func newSignalLine(s os.Signal) *signalLine {
	l := &signalLine{
		queue: make(chan os.Signal, signalBacklog),
		quit:  make(chan struct{}),
		ended: make(chan struct{}),
	}
	if signalLines.all == nil {
		signalLines.all = map[os.Signal]*signalLine{}
	}
	signalLines.all[s] = l
	signal.Notify(l.queue, s)
	go l.serve()
	return l
}

func (l *signalLine) serve() {
	defer close(l.ended)
	for {
		select {
		case <-l.quit:
			return
		case s := <-l.queue:
			signalLines.mu.Lock()
			l.tell(s)
			signalLines.mu.Unlock()
		}
	}
}

// tell calls the latest owner and, if that shares, those before it that do.
func (l *signalLine) tell(s os.Signal) {
	if len(l.owners) == 0 {
		l.left = append(l.left, s)
		return
	}
	for i := len(l.owners) - 1; i >= 0; i-- {
		l.owners[i].fn(s)
		if !l.owners[i].shared || i > 0 && !l.owners[i-1].shared {
			return
		}
	}
}

// signalsDelivered waits until all owners of a signal that one of them has been
// told of have been told.
func signalsDelivered() {
	signalLines.mu.Lock()
	defer signalLines.mu.Unlock()
}

// release takes the owner away, and returns the signals that came meanwhile
// and found nobody.
func (o *signalOwner) release() (left []os.Signal) {
	var ending []*signalLine
	signalLines.mu.Lock()
	for _, s := range o.sigs {
		l := signalLines.all[s]
		l.owners = slices.DeleteFunc(l.owners, func(other *signalOwner) bool { return other == o })
		if len(l.owners) == 0 {
			signal.Stop(l.queue)
			delete(signalLines.all, s)
			close(l.quit)
			ending = append(ending, l)
		}
	}
	signalLines.mu.Unlock()
	for _, l := range ending {
		<-l.ended
		left = append(left, l.left...)
		for len(l.queue) > 0 {
			left = append(left, <-l.queue)
		}
	}
	return left
}

func (o *signalOwner) giveBack(left func() []os.Signal) (err error) {
	if o.given.Swap(true) {
		return fmt.Errorf("giving signals back twice: %w", ErrClosed)
	}
	all := o.release()
	if left != nil {
		all = append(left(), all...)
	}
	for _, s := range distinct(all) {
		if !slices.Contains(o.sigs, s) {
			err = errors.Join(err, misuse("the signal %v is given back by somebody else", s))
			continue
		}
		err = errors.Join(err, passOn(s))
	}
	return err
}

// passOn gives a signal to its present owner, or raises it.
func passOn(s os.Signal) error {
	signalLines.mu.Lock()
	l := signalLines.all[s]
	if l != nil {
		l.tell(s)
	}
	signalLines.mu.Unlock()
	if l != nil {
		return nil
	}
	if err := sys.Raise(s); err != nil {
		return fmt.Errorf("raising %v again: %w", s, err)
	}
	return nil
}
