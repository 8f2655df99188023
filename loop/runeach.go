package loop

import "sync"

// RunEach runs n loops, each on a goroutine of its own, and main with its
// index as the main task of each. It returns when all have ended: nil, or a
// *Group of their errors. If one fails the others are cancelled; an interrupt
// goes to all. Nothing is shared between the loops: with one loop per core a
// program needs no locks. n must be positive: ErrMisuse.
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
				if errs[i] != nil {
					cancelOthers(loops, i)
				}
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

// cancelOthers cancels the main tasks of all loops but one. A loop that has
// ended, or is about to, needs no cancelling.
func cancelOthers(loops []*Loop, failed int) {
	for i, l := range loops {
		if i != failed {
			w := &Waker{loop: l, fn: func() {
				l.cancelMain(SourceShutdown, "another loop failed")
			}}
			_ = w.Wake()
		}
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
