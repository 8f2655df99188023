package loop

import (
	"errors"
	"fmt"

	"github.com/lion-go/lion/sys"
)

// What kqueue can wait for beyond the readiness of descriptors: processes,
// timers, changes of files, events of the user. These calls are for macOS, and
// for tests with the tag kqemu; elsewhere they answer errors.ErrUnsupported.
// Events have no owner in the kernel but their identity and filter, so there
// can be one waiter for each such pair, as there is one knote.

// The flags of <sys/event.h> that these calls set themselves.
const (
	evAdd     = 0x0001
	evDelete  = 0x0002
	evEnable  = 0x0004
	evOneshot = 0x0010
)

// maxKevents bounds the events that a monitor keeps for a task that does not
// take them; more are counted and dropped.
const maxKevents = 1024

// power is what a loop knows about waits of one system only. It exists from the
// first use on.
type power struct {
	kernel   *sys.Poller
	kevents  map[keventName]keventSink
	overlaps map[*sys.Overlapped]*overlappedWait
	monitors map[uint64]*CompletionMonitor
	nextKey  uint64
}

type keventName struct {
	ident  uint64
	filter int16
}

// keventSink is who waits for an event.
type keventSink interface{ happened(sys.Kevent) }

// systemPoller makes power; a loop without a kernel has none.
func (l *Loop) systemPoller() (*power, error) {
	if l.power == nil {
		kernel, ok := l.poller.(*sys.Poller)
		if !ok {
			return nil, errNoKernel
		}
		l.power = &power{
			kernel:   kernel,
			kevents:  map[keventName]keventSink{},
			overlaps: map[*sys.Overlapped]*overlappedWait{},
			monitors: map[uint64]*CompletionMonitor{},
		}
	}
	return l.power, nil
}

// waiting reports whether anybody waits for something that is no descriptor.
func (p *power) waiting() bool {
	return p != nil && len(p.kevents)+len(p.overlaps)+len(p.monitors) > 0
}

// dispatch hands out what came with the last wait.
func (p *power) dispatch() {
	for _, ev := range p.kernel.Kevents() {
		if sink := p.kevents[keventName{ev.Ident, ev.Filter}]; sink != nil {
			sink.happened(ev)
		}
	}
	ended, posted := p.kernel.Completed()
	for _, o := range ended {
		if w := p.overlaps[o]; w != nil {
			delete(p.overlaps, o)
			w.ended()
		}
	}
	for _, c := range posted {
		if m := p.monitors[c.Key]; m != nil {
			m.happened(c)
		}
	}
}

// watch submits a change, and enters who waits for its events.
func (p *power) watch(k sys.Kevent, sink keventSink) error {
	name := keventName{k.Ident, k.Filter}
	if p.kevents[name] != nil {
		return fmt.Errorf("waiting for event %d of filter %d: %w", k.Ident, k.Filter, ErrBusy)
	}
	if err := p.kernel.WatchKevent(k); err != nil {
		if errors.Is(err, sys.EEXIST) {
			err = errors.Join(ErrBusy, err)
		}
		return fmt.Errorf("waiting for event %d of filter %d: %w", k.Ident, k.Filter, err)
	}
	p.kevents[name] = sink
	return nil
}

// unwatch ends watch. The knote may be gone already, as one-shot ones are.
func (p *power) unwatch(name keventName) {
	delete(p.kevents, name)
	_ = p.kernel.WatchKevent(sys.Kevent{Ident: name.ident, Filter: name.filter, Flags: evDelete})
}

// keventWait is a task that waits for one event.
type keventWait struct {
	power *power
	name  keventName
	task  *Task
	event sys.Kevent
}

func (w *keventWait) happened(ev sys.Kevent) {
	w.event = ev
	delete(w.power.kevents, w.name)
	w.task.loop.wake(w.task, nil)
}

// Abort takes the wait back.
func (w *keventWait) Abort(Wait) bool {
	w.power.unwatch(w.name)
	return true
}

// WaitKevent adds k to the kqueue of the loop, as a one-shot, and suspends t
// until it fires; it returns the event. k needs Ident, Filter, Fflags and Data;
// see kqueue(2). It is a checkpoint. Errors: the *CancelledError, after which
// the event has been deleted again; ErrBusy if a task or a monitor waits for
// the same pair of identity and filter, or the loop itself does; what the
// kernel says about the change; errors.ErrUnsupported where there is no kqueue.
func WaitKevent(t *Task, k sys.Kevent) (sys.Kevent, error) {
	if err := CheckpointIfCancelled(t); err != nil {
		return sys.Kevent{}, err
	}
	p, err := t.loop.systemPoller()
	if err != nil {
		return sys.Kevent{}, err
	}
	w := &keventWait{power: p, name: keventName{k.Ident, k.Filter}, task: t}
	k.Flags |= evAdd | evEnable | evOneshot
	if err := p.watch(k, w); err != nil {
		return sys.Kevent{}, err
	}
	if err := t.park("kevent", w); err != nil {
		return sys.Kevent{}, err
	}
	return w.event, nil
}

// ChangeKevent submits a change of an event that a task or a monitor waits for:
// to trigger EVFILT_USER, to set a timer anew, to enable what was dispatched.
// Errors are as for WaitKevent. Sync-coloured.
func ChangeKevent(l *Loop, k sys.Kevent) error {
	p, err := l.systemPoller()
	if err != nil {
		return err
	}
	if err := p.kernel.WatchKevent(k); err != nil {
		return fmt.Errorf("changing event %d of filter %d: %w", k.Ident, k.Filter, err)
	}
	return nil
}

// KeventMonitor collects the events of one pair of identity and filter.
type KeventMonitor struct {
	power   *power
	name    keventName
	events  []sys.Kevent
	dropped uint64
	lot     ParkingLot
	closed  bool
}

// MonitorKevent adds k to the kqueue of the loop and collects its events until
// the monitor is closed. Flags other than EV_ADD are the caller's choice
// (EV_CLEAR, as a rule). Errors are as for WaitKevent. Sync-coloured.
func MonitorKevent(l *Loop, k sys.Kevent) (*KeventMonitor, error) {
	p, err := l.systemPoller()
	if err != nil {
		return nil, err
	}
	m := &KeventMonitor{power: p, name: keventName{k.Ident, k.Filter}}
	k.Flags |= evAdd | evEnable
	if err := p.watch(k, m); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *KeventMonitor) happened(ev sys.Kevent) {
	if len(m.events) == maxKevents {
		m.dropped++
		return
	}
	m.events = append(m.events, ev)
	m.lot.UnparkOne()
}

// Wait returns the events that came since the last call, in order, waiting
// until there is one. It is a checkpoint; after an error none has been taken.
// ErrClosed: the monitor was closed.
func (m *KeventMonitor) Wait(t *Task) ([]sys.Kevent, error) {
	if err := CheckpointIfCancelled(t); err != nil {
		return nil, err
	}
	for len(m.events) == 0 && !m.closed {
		if err := m.lot.Park(t, "kevents"); err != nil {
			return nil, err
		}
	}
	if m.closed {
		return nil, fmt.Errorf("waiting for events of a monitor: %w", ErrClosed)
	}
	came := m.events
	m.events = nil
	return came, ShieldedCheckpoint(t)
}

// Dropped is how many events came while 1,024 others had not been taken.
func (m *KeventMonitor) Dropped() uint64 { return m.dropped }

// Close deletes the event; a task that waits gets ErrClosed. Idempotent and
// sync-coloured.
func (m *KeventMonitor) Close() {
	if m.closed {
		return
	}
	m.closed = true
	m.power.unwatch(m.name)
	m.lot.UnparkAll()
}
