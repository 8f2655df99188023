package loop

import "sync"

// RunEach runs n loops, each on a goroutine of its own, and main with its
// index as the main task of each. It returns when all have ended: nil, or a
// *Group of their errors. If one fails the others are cancelled; an interrupt
// goes to all, and one that it has ended leaves the others the time that they
// take for it: servers their grace. Nothing is shared between the loops: with one
// loop per core a program needs no locks. n must be positive: ErrMisuse.
func RunEach(n int, main func(*Task, int) error, opts ...Option) (err error) {
	switch {
	case n < 1:
		return misuse("running %d loops", n)
	case main == nil:
		return misuse("a nil main function")
	case onLoopGoroutine():
		return misuse("RunEach was called inside a task")
	}
	loops := make([]*Loop, n)
	for i := range loops {
		l, err := newLoop(opts)
		if err != nil {
			return err
		}
		if n > 1 && l.clock != nil {
			return misuse("%d loops with one clock", n)
		}
		loops[i] = l
	}
	if loops[0].catchSignals {
		c := catchSignals(loops...)
		defer func() {
			if c.stop() {
				err = withInterrupt(err)
			}
		}()
	}
	defer dumpOnSignals(loops...)()
	errs := make([]error, n)
	var all sync.WaitGroup
	for i, l := range loops {
		l.catchSignals, l.team, l.mainPC = false, loops, codePointer(main)
		all.Go(func() {
			defer func() { // also if a callback called Goexit
				tellOthers(loops, i, errs[i])
			}()
			errs[i] = errGoexit
			errs[i] = l.run(func(t *Task) error { return main(t, i) })
		})
	}
	all.Wait()
	return eachResult(errs)
}

// errGoexit stands for a loop that never returned.
var errGoexit = internal("a callback called runtime.Goexit", nil)

// tellOthers passes on how one loop has ended. A loop that has ended itself, or is
// about to, needs no telling.
func tellOthers(loops []*Loop, ended int, err error) {
	if err == nil {
		return
	}
	interrupted := onlyInterrupts(err)
	if interrupted {
		signalsDelivered() // before this one, which then finds nothing left to do
	}
	for i, l := range loops {
		if i == ended {
			continue
		}
		w := &Waker{loop: l, fn: func() {
			if interrupted {
				l.interruptUnlessAsked()
			} else {
				l.cancelMain(SourceShutdown, "another loop failed")
			}
		}}
		_ = w.Wake()
	}
}

func eachResult(errs []error) error {
	var failed []error
	for _, err := range errs {
		if err != nil {
			failed = append(failed, err)
		}
	}
	err := newGroup(failed)
	if err != nil && onlyInterrupts(err) {
		return ErrInterrupt
	}
	return err
}
