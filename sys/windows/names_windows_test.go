package windows

import (
	"errors"
	"os"
	"testing"
	"time"
)

// begun begins a lookup, also where it cannot be cancelled.
func begun(t *testing.T, name string, family int) *NameLookup {
	t.Helper()
	l, err := beginNameLookup(name, family)
	ok(t, err)
	return l
}

// settled fails the test if the system is still believed to own a lookup.
func settled(t *testing.T) {
	t.Helper()
	nameLookups.Lock()
	defer nameLookups.Unlock()
	if n := len(nameLookups.underway); n != 0 {
		t.Errorf("%d lookups are under way", n)
	}
}

// The system knows localhost, and the outcome comes once.
func TestNameLookup(t *testing.T) {
	defer settled(t)
	l := begun(t, "localhost", AF_INET)
	addrs, err := l.Wait()
	if err != nil || len(addrs) == 0 || !addrs[0].Is4() || !addrs[0].IsLoopback() {
		t.Errorf("localhost is %v: %v", addrs, err)
	}
	if _, err := l.Wait(); err != os.ErrClosed {
		t.Errorf("a second Wait: %v", err)
	}
	ok(t, l.Cancel()) // too late, and harmless
}

// A name that is not there, and one that cannot be.
func TestNameLookupFails(t *testing.T) {
	defer settled(t)
	addrs, err := begun(t, "no.such.name.invalid", AF_INET).Wait()
	if err == nil {
		t.Fatalf("found %v", addrs)
	}
	// Without a network the servers are silent.
	if f := NameFailureOf(err); f != NameNotFound && f != NameTryAgain && f != NameWithoutData {
		t.Errorf("%v means %d", err, f)
	}
	if _, err := beginNameLookup("a\x00b", AF_INET); err != EINVAL {
		t.Errorf("a name with a NUL: %v", err)
	}
	if f := NameFailureOf(errors.New("x")); f != NameUnclear {
		t.Errorf("another error means %d", f)
	}
}

// A cancelled lookup ends soon and frees what it had; Wine has to wait for it, says
// so, and is not asked again.
func TestNameLookupCancelled(t *testing.T) {
	defer settled(t)
	rounds := 100
	if wine() {
		rounds = 3 // each takes its time
	}
	for range rounds {
		l := begun(t, "no.such.name.invalid", AF_INET)
		err := l.Cancel()
		if wine() != errors.Is(err, errors.ErrUnsupported) || !wine() && err != nil {
			t.Fatalf("cancelling: %v", err)
		}
		start := time.Now()
		_, err = l.Wait()
		if err == nil {
			t.Error("the name was found")
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("ended after %v", took)
		}
	}
	if NameLookups() == wine() {
		t.Errorf("lookups that can be cancelled: %v", NameLookups())
	}
	if _, err := BeginNameLookup("localhost", AF_INET); wine() && err != errors.ErrUnsupported {
		t.Errorf("under Wine: %v", err)
	} else if !wine() {
		ok(t, err)
	}
}

// Lookups leave no handle behind, and Cancel may come from anywhere meanwhile.
func TestNameLookupsLeaveNothing(t *testing.T) {
	defer settled(t)
	const rounds = 30
	one := func() {
		l := begun(t, "localhost", AF_INET)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = l.Cancel()
		}()
		_, _ = l.Wait() // whichever was first
		<-ended
	}
	one()
	before := handles(t)
	for range rounds {
		one()
	}
	if after := handles(t); after >= before+rounds {
		t.Errorf("%d handles, then %d", before, after)
	}
}
