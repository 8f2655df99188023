package loop

// An interrupt asks the program to stop. It goes to the main task, which gets
// ErrInterrupt from its next checkpoint, whatever scopes are around it; or to
// those who have asked to handle it, such as a server that wants to stop with
// grace. It is never lost: if the main task ends without having seen it, Run
// returns it.

type interruptHandler struct {
	fn func()
}

// Interrupt delivers an interrupt. It may be called from any goroutine, and
// finds room in the entry queue even if that is full; a loop that has ended
// answers ErrLoopClosed. Sync-coloured.
func (l *Loop) Interrupt() error {
	return l.interrupts.Wake()
}

// interruptNow runs on the loop.
func (l *Loop) interruptNow() {
	l.wasAsked = true
	if len(l.handlers) > 0 {
		handlers := l.handlers
		l.handlers = nil
		for _, h := range handlers {
			h.fn()
		}
		return
	}
	if l.mainDone {
		l.interrupted = true
		return
	}
	l.interrupted, l.main.alert = true, true
	l.abort(l.main, ErrInterrupt)
}

// interruptUnlessAsked is for an interrupt that has ended another loop. If it came
// here too, a second one would end the grace that the first has begun.
func (l *Loop) interruptUnlessAsked() {
	if !l.wasAsked {
		l.interruptNow()
	}
}

// HandleInterrupt makes the next interrupt call fn, on the loop and outside
// any task, instead of going to the main task; the one after that goes to the
// main task again. The function that is returned takes the handler back. Both
// are sync-coloured and must be called on the loop.
func (l *Loop) HandleInterrupt(fn func()) (remove func()) {
	h := &interruptHandler{fn: fn}
	l.handlers = append(l.handlers, h)
	return func() {
		for i, other := range l.handlers {
			if other == h {
				l.handlers = append(l.handlers[:i:i], l.handlers[i+1:]...)
				return
			}
		}
	}
}
