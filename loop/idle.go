package loop

import "time"

// idler is a task in WaitAllTasksBlocked.
type idler struct {
	task    *Task
	cushion time.Duration
}

// Abort leaves the list. It is for the loop.
func (i *idler) Abort(w Wait) bool {
	l := w.Task.loop
	for k, other := range l.idlers {
		if other == i {
			l.idlers = append(l.idlers[:k], l.idlers[k+1:]...)
			break
		}
	}
	return true
}

// WaitAllTasksBlocked suspends t until every task of the loop has been
// waiting, with nothing happening, for cushion of real time: shorter cushions
// first, equal ones together, and any wake-up starts the time anew. It is a
// checkpoint, for tests. A task that sleeps is waiting; so is one whose work
// goes on in another goroutine, which is a trap.
func WaitAllTasksBlocked(t *Task, cushion time.Duration) error {
	if cushion < 0 {
		return misuse("a cushion of %v", cushion)
	}
	if err := t.check(); err != nil {
		return err
	}
	t.loop.cancelPoints++
	i := &idler{task: t, cushion: cushion}
	t.loop.idlers = append(t.loop.idlers, i)
	return t.park("all tasks blocked", i)
}

// patience returns how long to wait for events when no task can run, and what
// to do if that time passes and nothing has happened.
func (l *Loop) patience() (d time.Duration, plan func()) {
	d = l.timeLeft()
	if len(l.idlers) > 0 {
		cushion := l.idlers[0].cushion
		for _, i := range l.idlers {
			cushion = min(cushion, i.cushion)
		}
		if cushion < d || d == waitMax {
			return cushion, func() { l.wakeIdlers(cushion) }
		}
		return d, nil
	}
	auto, ok := l.clock.(AutojumpClock)
	if !ok || len(l.timers) == 0 {
		return d, nil
	}
	if t := auto.Threshold(); t >= 0 && t < d {
		next := l.base.Add(time.Duration(l.timers.next()))
		return t, func() {
			auto.Jump(next)
			l.readClock()
		}
	}
	return d, nil
}

func (l *Loop) wakeIdlers(cushion time.Duration) {
	kept := l.idlers[:0]
	for _, i := range l.idlers {
		if i.cushion == cushion {
			l.wake(i.task, nil)
		} else {
			kept = append(kept, i)
		}
	}
	clear(l.idlers[len(kept):])
	l.idlers = kept
}
