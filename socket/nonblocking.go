package socket

import (
	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/sys"
)

// Every call of this package that would have to wait is made by loop.Retry,
// the one place in the module where such calls are waited for and tried again.
// What is said there about new registrations is for Shutdown: ending the
// receiving direction on this side is an event on Unix and none on Windows, so
// it gives the socket a new registration; the old one ends, which wakes who
// waits, and on the new one the call is tried again.
//
// # The short-read rule
//
// A receive that got less than it had room for has, as a rule, emptied the
// socket; marking it drained saves the call that would answer WouldBlock. The
// rule holds for a plain recv(2) on a TCP socket, as long as the descriptor has
// shown nothing unusual. Why not otherwise:
//
//   - Data and FIN. The FIN stays behind the data, and no event will come for
//     it if the one that announced both has been harvested. That event carried
//     a hang-up, which is unusual.
//   - Out-of-band data. A receive stops at the mark, and ordinary bytes may
//     wait behind it. The event that announced it carried a priority
//     condition, which is unusual. It no longer does if the program took the
//     urgent byte meanwhile; so the first use of MSG_OOB ends the rule.
//   - Unix sockets. A receive stops where control data begins to belong to
//     other bytes.
//   - Datagrams, and messages in general. Each receive takes one.
//   - MSG_PEEK takes nothing; the error queue has readiness of its own.
//
// Unusual is known only for events that have been harvested, and that is
// enough. Let H be the last harvest before the short read R. What the socket
// had at H was reported at H, with everything that is unusual about it, and is
// seen at R. What came after H, before R or behind it, makes an event at the
// next harvest, because the registration reports every change; that harvest
// comes after R, since tasks and harvests take turns, and so clears the mark
// that R set. If there was no harvest because there is no registration, the
// registration itself reports all that is there.
//
// That is why the mark must be set right after the call, before the scheduler
// gets its turn: behind it, the mark could hide an event of a harvest that came
// between the two.

// retry makes a call on s until it has an answer other than WouldBlock, and
// returns that; see loop.Retry. It is a checkpoint.
func retry[T any](
	t *loop.Task, s *Socket, want sys.Interest, try func() (T, error),
) (T, error) {
	return loop.Retry(t, &s.d, want, try)
}

// once is the sync-coloured twin of retry: the answer of a single try, with
// ErrWouldBlock if it would have to wait.
func once[T any](s *Socket, want sys.Interest, try func() (T, error)) (T, error) {
	return loop.RetryNowait(s.d, want, try)
}

// tryRecv is one plain receive, with the short-read rule.
func (s *Socket) tryRecv(b []byte, flags int) (int, error) {
	n, err := sys.Recv(s.d.FD(), b, flags)
	if err != nil {
		return n, err
	}
	s.received += uint64(n)
	if flags != 0 {
		s.noteFlags(flags)
		return n, nil
	}
	//lion:opt short-read a receive that is short saves the one that would answer WouldBlock
	if 0 < n && n < len(b) && s.shortReads && !s.d.Unusual() {
		s.d.MarkDrained(sys.Readable)
	}
	return n, nil
}

// noteFlags ends the short-read rule when out-of-band data was taken.
func (s *Socket) noteFlags(flags int) {
	if flags&sys.MSG_OOB != 0 {
		s.shortReads = false
	}
}
