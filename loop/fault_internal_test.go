package loop

import (
	"errors"
	"testing"

	"github.com/lion-go/lion/sys"
)

// noReadiness is a ReadyFunc that must not be called.
type noReadiness struct{ t *testing.T }

func (n noReadiness) Ready(err error) { n.t.Errorf("called with %v", err) }

// A kernel that refuses a registration is heard of by who asked, keeps nobody
// waiting, and is asked again the next time.
func TestRefusedRegistration(t *testing.T) {
	for _, refusal := range []error{sys.ENOMEM, sys.ENOBUFS, sys.EPERM} {
		err := Run(func(task *Task) error {
			a, b, err := sys.SocketPair(sys.AF_UNIX, sys.SOCK_STREAM, 0)
			if err != nil {
				return err
			}
			defer sys.Close(a)
			defer sys.Close(b)
			l := task.Loop()
			d := l.Register(a)
			d.MarkDrained(sys.Readable | sys.Writable | sys.Priority)
			refused := 0
			l.armFault = func(sys.Interest) error { refused++; return refusal }
			waits := map[string]func() error{
				"WaitReadable":   func() error { return WaitReadable(task, d) },
				"WaitWritable":   func() error { return WaitWritable(task, d) },
				"WaitPriority":   func() error { return WaitPriority(task, d) },
				"WaitReadableFD": func() error { return WaitReadableFD(task, b) },
				"WaitWritableFD": func() error { return WaitWritableFD(task, b) },
				"NotifyReadable": func() error { return d.NotifyReadable(noReadiness{t}) },
			}
			for name, wait := range waits {
				if err := wait(); !errors.Is(err, refusal) {
					t.Errorf("%v: %s answered %v", refusal, name, err)
				}
			}
			s := l.statistics()
			if refused != len(waits) || s.Readers+s.Writers != 0 || s.Descriptors != 1 || d.CancelNotify() {
				t.Errorf("%v: %d refusals, then %+v", refusal, refused, s)
			}
			l.armFault = nil
			d.drained = sys.Readable // the other end has room
			if err := WaitWritable(task, d); err != nil {
				t.Errorf("%v: the next wait answered %v", refusal, err)
			}
			if err := WaitWritableFD(task, b); err != nil {
				t.Errorf("%v: the next wait by number answered %v", refusal, err)
			}
			if _, err := sys.Send(b, []byte("x"), 0); err != nil {
				return err
			}
			err = WaitReadable(task, d)
			d.Forget()
			return err
		})
		if err != nil {
			t.Errorf("%v: Run returned %v", refusal, err)
		}
	}
}
