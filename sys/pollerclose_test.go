package sys_test

import (
	"testing"

	"github.com/lion-go/lion/sys"
)

// A descriptor that is about to be closed needs no call; and should it have a
// duplicate after all, what comes for that is nobody's, also when the number is
// used again.
func TestPollerForgetClosing(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		p.ForgetClosing(sys.Invalid, testKey)
		a, b := unownedPair(t)
		defer sys.Close(b)
		p.ForgetClosing(a, testKey) // never registered
		wouldBlock(t, a)
		must(t, p.Arm(a, testKey, sys.Readable))
		dup, err := sys.Dup(a)
		must(t, err)
		p.ForgetClosing(a, testKey+1) // another key
		if n := p.Statistics().Registered; n != 1 {
			t.Errorf("%d descriptors are registered, want 1", n)
		}
		p.ForgetClosing(a, testKey)
		if n := p.Statistics().Registered; n != 0 {
			t.Errorf("%d descriptors are registered, want none", n)
		}
		must(t, sys.Close(a))
		send(t, b, []byte("x"), 0)
		unexpected(t, p, testKey)
		c, d := unownedPair(t) // one of them has the number of a
		defer sys.Close(d)
		wouldBlock(t, c)
		must(t, p.Arm(c, testKey+2, sys.Readable))
		var ev [8]sys.Event
		_, err = p.Wait(ev[:], 0) // that it is writable
		must(t, err)
		send(t, b, []byte("x"), 0)
		unexpected(t, p, testKey+2)
		must(t, sys.Close(dup))
		p.ForgetClosing(c, testKey+2)
		must(t, sys.Close(c))
	})
}
