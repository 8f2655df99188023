package sys_test

import (
	"testing"

	"github.com/lion-go/lion/sys"
)

// Two who use the same number, one after the other or both at once: each knows
// its own key only, and neither may cost the other an event.

const (
	oldKey = testKey
	newKey = testKey + 1<<32
)

// Forgetting with another's key, or with an earlier one, has no effect.
func TestPollerForgetAnothers(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, once := range []sys.Interest{0, sys.Once} {
			a, b := pair(t)
			wouldBlock(t, a)
			must(t, p.Arm(a, oldKey, sys.Readable|once))
			p.Forget(a, newKey) // not yet registered
			must(t, p.Arm(a, newKey, sys.Readable|once))
			p.Forget(a, oldKey)
			if n := p.Statistics().Registered; n != 1 {
				t.Errorf("%d descriptors are registered", n)
			}
			send(t, b, []byte("x"), 0)
			expect(t, p, newKey, sys.Readable)
			p.Forget(a, newKey)
			if n := p.Statistics().Registered; n != 0 {
				t.Errorf("%d descriptors are registered", n)
			}
		}
	})
}

// A registration of lion's own is not replaced by a wait for one event: that is
// refused, whether or not the kernel has heard of the own one.
func TestPollerOwnStays(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, look := range []bool{false, true} {
			a, b := pair(t)
			wouldBlock(t, a)
			must(t, p.Arm(a, oldKey, sys.Readable))
			if look {
				var ev [1]sys.Event
				_, err := p.Wait(ev[:], 0)
				must(t, err)
			}
			for _, want := range []sys.Interest{sys.Readable, sys.Writable, sys.Priority} {
				if err := p.Arm(a, newKey, want|sys.Once); err != sys.EEXIST {
					t.Errorf("once for %08b: %v, want EEXIST", want, err)
				}
			}
			p.Forget(a, newKey)
			unexpected(t, p, newKey)
			send(t, b, []byte("x"), 0)
			expect(t, p, oldKey, sys.Readable)
			p.Forget(a, oldKey)
			// Forgotten, the number is anybody's.
			must(t, p.Arm(a, newKey, sys.Readable|sys.Once))
			expect(t, p, newKey, sys.Readable)
			p.Forget(a, newKey)
		}
	})
}

// A number waited for with Once, closed without notice and used again for one
// of lion's own: the own registration takes over, whatever the number was.
func TestPollerOwnTakesOver(t *testing.T) {
	eachPoller(t, func(t *testing.T, p *sys.Poller) {
		for _, reused := range []bool{false, true} {
			a, b := unownedPair(t)
			must(t, p.Arm(a, oldKey, sys.Readable|sys.Once))
			unexpected(t, p, oldKey)
			if reused {
				old := a
				must(t, sys.Close(a))
				must(t, sys.Close(b))
				if a, b = unownedPair(t); b == old {
					a, b = b, a
				}
				t.Logf("number %d came back as %d", old, a)
			}
			owned(t, a, nil)
			owned(t, b, nil)
			wouldBlock(t, a)
			must(t, p.Arm(a, newKey, sys.Readable))
			p.Forget(a, oldKey)
			for range 2 { // it lasts, though what was there did not
				send(t, b, []byte("x"), 0)
				expect(t, p, newKey, sys.Readable)
				drain(t, a)
				must(t, p.Arm(a, newKey, sys.Readable))
			}
			unexpected(t, p, oldKey)
			p.Forget(a, newKey)
		}
	})
}
