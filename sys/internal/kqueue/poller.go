package kqueue

import (
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/lion-go/lion/sys/internal/seam"
)

// How events are waited for, see kqueue(2). Line numbers would rot, so facts
// about XNU name the function in kern_event.c or uipc_socket.c.
//
// # Registration
//
// A kqueue holds knotes, at most one for each pair of descriptor and filter.
// EVFILT_READ and EVFILT_WRITE are two knotes with an event each. Adding one
// looks at the descriptor at once, so readiness that came first is reported
// too (kevent_register). Flags that say how a knote fires are fixed when it is
// made; a later EV_ADD replaces udata only and looks again.
//
// A descriptor of lion's own gets one READ knote with EV_CLEAR at its first
// wait: it reports news, not states, and so is registered once and never
// again. Since a call is always tried before its wait, old news is not needed.
//
// WRITE is different: with EV_CLEAR it would fire at every acknowledgement
// that frees buffer space (sowwakeup), in a program that hardly ever waits for
// space. So it is one-shot and is added for each wait, which costs an entry
// in a list that goes to the kernel anyway (writeFlags).
//
// A descriptor that lion did not make may be read, closed and made again
// behind our back: every wait for it adds one-shot knotes anew. They go to the
// kernel at once, since no call was tried before that would have told whether
// there is such a descriptor.
//
// Out-of-band data: EVFILT_EXCEPT is EVFILT_READ under another name, and both
// report a mark if NOTE_OOB was asked for, as long as the mark is there
// (filt_soread_common). Own descriptors ask for it in their READ knote, so a
// mark makes the event Unusual and no short read is taken for the end. EXCEPT
// also fires for plain data; it is EV_CLEAR, so that such an event does not
// use it up, and is dropped if it brings no mark.
//
// # Changes
//
// Changes are collected and go to the kernel with the call that harvests
// events, one system call for both. If one fails, an EV_ERROR entry takes the
// place of all events of that call (kevent_internal), so the poller asks
// again. There is always room for as many entries as there are changes. A
// failed registration becomes an event for everything: whoever waits tries its
// call again and sees the true error. If the call has nothing to complain
// about, the error is answered by its next Arm.
//
// # Forgetting
//
// close(2) removes the knotes of a descriptor, and Forget precedes Close, so
// Forget tells the kernel nothing. If the descriptor is not closed after all,
// its next event finds nobody and is answered by EV_DELETE.
//
// Each registration has a serial number, which is the udata of its knotes. An
// event whose serial is not that of the descriptor's present registration is
// out of date. Serials are never used twice.
//
// # Waking
//
// Wake may come from any thread, before, during or after a wait. It sets woken
// and, if the poller is asleep or about to be, triggers an EVFILT_USER knote.
// The poller sets sleeping first and takes woken (swaps in false) after that:
//
//  1. If Wake finds sleeping unset, its woken was set before; the poller, which
//     sets sleeping later, finds woken and does not sleep.
//  2. If Wake finds sleeping set, it triggers; EVFILT_USER remembers a trigger
//     until it is collected.
//  3. A Wake that finds woken set does nothing: the one that set it has done,
//     or is about to do, what is needed, and nobody has taken it since.
//
// A trigger that arrives after its woken was taken ends a later sleep early.
// The poller then finds neither woken nor its time come, and sleeps again.

const (
	// maxChanges is how many changes are held back. A full list goes to the
	// kernel at once. 256 entries are 8 KiB, and a busy turn of the loop
	// rarely makes more.
	maxChanges = 256

	// maxHarvest is the most events one call takes; more stay in the kernel
	// for the next. It must not be less than maxChanges, so that every failed
	// change has room for its report.
	maxHarvest = maxChanges

	// maxSleep bounds one sleep, so that no kernel has to add a timeout of
	// centuries to its clock. The poller then sleeps again.
	maxSleep = 24 * time.Hour

	// maxFD bounds the table of descriptors against a wild number. Kernels
	// hand out small numbers first and no more than some hundred thousands.
	maxFD = 1 << 24

	// everything is what a failure reports: whoever waits shall look.
	everything = seam.Readable | seam.Writable | seam.Priority | seam.ErrorQueue | seam.Unusual

	askable = seam.Readable | seam.Writable | seam.Priority | seam.ErrorQueue
)

// The flags of new knotes.
const (
	readFlags = FlagAdd | FlagEnable | FlagClear
	onceFlags = FlagAdd | FlagEnable | FlagOneshot

	// One-shot spares a wake-up for each acknowledgement. The plain way is
	// readFlags; WRITE must then be left in knotes in (*Poller).fired.
	//
	//lion:opt kqueue-write-oneshot
	writeFlags = onceFlags
)

// knotes says which knotes of a descriptor exist, or will when the changes
// are submitted.
type knotes uint8

const (
	readKnote  knotes = 1 << iota // EV_CLEAR
	readOnce                      // one-shot, of a foreign descriptor
	writeKnote                    // one-shot
	exceptKnote
)

// slot is what the poller knows about one descriptor number.
type slot struct {
	key    uint64
	serial uint64 // udata of the knotes; 0: nobody is registered
	ready  int32  // one more than the index of its report; 0: none
	own    bool   // registered without Once
	knotes knotes // kept after Forget: what the kernel may still have
	failed [3]uint16
}

// report is an event not yet handed out.
type report struct {
	fd    seam.FD
	ready seam.Interest // 0: forgotten meanwhile
}

// Poller is a seam poller over a kqueue. It belongs to one thread, except for
// Wake. Its methods are documented at package sys.
type Poller struct {
	kernel  Kernel
	slots   []slot // indexed by descriptor
	changes []Kevent
	reports []report // at most one for each slot
	next    int      // first report not handed out
	harvest [maxHarvest]Kevent
	serial  uint64

	watched     []Kevent // see watch.go
	watchFailed uint16

	stats seam.PollerStatistics
	wakes atomic.Uint64

	woken    atomic.Bool
	sleeping atomic.Bool
	mu       sync.Mutex // holds Close off while Wake uses the kernel
	closed   bool
}

// trigger is the change that Wake submits; nobody writes to it.
var trigger = [1]Kevent{{Filter: FilterUser, Fflags: NoteTrigger}}

// NewPoller makes a poller over kernel, which it owns from now on: if it
// fails, kernel is closed.
func NewPoller(kernel Kernel) (*Poller, error) {
	p := &Poller{
		kernel:  kernel,
		changes: make([]Kevent, 0, maxChanges),
		reports: make([]report, 0, maxHarvest),
	}
	wake := [1]Kevent{{Filter: FilterUser, Flags: FlagAdd | FlagEnable | FlagClear}}
	n, err := seam.AgainFor(func() (int, error) { // adding twice is harmless
		return kernel.Kevent(wake[:], p.harvest[:1], 0)
	})
	if err == nil && n > 0 && p.harvest[0].Flags&FlagError != 0 {
		err = syscall.Errno(p.harvest[0].Data)
	}
	if err != nil {
		_ = kernel.Close() // The first error is the one to report.
		return nil, err
	}
	return p, nil
}

// Close frees the kqueue and every registration. A second one answers
// os.ErrClosed.
func (p *Poller) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return os.ErrClosed
	}
	p.closed = true
	return p.kernel.Close()
}

// Wake makes a present or the next Wait return soon. Any thread may call it,
// at any time, also after Close.
func (p *Poller) Wake() {
	p.wakes.Add(1)
	if p.woken.Swap(true) || !p.sleeping.Load() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		// A trigger cannot fail while the knote exists, and it exists as long
		// as the kqueue does.
		// An interrupted one has been applied.
		_, _ = p.kernel.Kevent(trigger[:], nil, 0)
	}
}

// Statistics answers what the poller did since it was made.
func (p *Poller) Statistics() seam.PollerStatistics {
	s := p.stats
	s.Wakes = p.wakes.Load()
	return s
}
