package resolver

import (
	"context"
	"errors"
	"net/netip"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/worker"
	"github.com/lion-go/lion/sys"
)

// Where the system has lookups that can be cancelled (Windows: GetAddrInfoExW), the
// backend System asks by those and not by package net. A worker waits for the
// system's answer; when the last waiter leaves, the lookup is cancelled, and the
// worker and with it the slot of the throttle are free as soon as the system has let
// go of the memory it was given: at once.

// nativeLookup is a lookup by the system that is under way.
type nativeLookup interface {
	Wait() ([]netip.Addr, error) // blocks; must be called once
	Cancel() error               // from any goroutine; Wait returns soon then
}

// nativeNames begins such lookups; tests have others than the system's.
type nativeNames interface {
	available() bool
	begin(name string, family int) (nativeLookup, error)
	failure(err error) sys.NameFailure
}

// systemNames is the system itself.
type systemNames struct{}

func (systemNames) available() bool { return sys.NameLookups() }

func (systemNames) begin(name string, family int) (nativeLookup, error) {
	l, err := sys.BeginNameLookup(name, family)
	if err != nil {
		return nil, err // and no interface with a nil pointer in it
	}
	return l, nil
}

func (systemNames) failure(err error) sys.NameFailure { return sys.NameFailureOf(err) }

// native is whom to ask for lookups that can be cancelled, or nil.
func (s System) native() nativeNames {
	names := s.names
	if names == nil && s.Resolver == nil {
		names = systemNames{}
	}
	if names == nil || !names.available() {
		return nil
	}
	return names
}

// askNative looks a name up. It is a checkpoint; a cancelled call returns when the
// system has ended the lookup. errors.ErrUnsupported is for package net to heal.
func askNative(t *loop.Task, names nativeNames, name string, family int) ([]netip.Addr, error) {
	addrs, err := worker.Value(t, func(j *worker.Job) ([]netip.Addr, error) {
		l, err := names.begin(name, family)
		if err != nil {
			return nil, err
		}
		// Whatever Cancel says, Wait ends with the lookup and not before.
		stop := context.AfterFunc(j.Context(), func() { _ = l.Cancel() })
		defer stop()
		return l.Wait()
	}, worker.WithLimiter(unlimited{}))
	switch {
	case err == nil, ofLoop(err) != nil, errors.Is(err, errors.ErrUnsupported):
		return addrs, err
	}
	failed := names.failure(err)
	if failed == sys.NameCancelled {
		// Nobody but this call cancels it; if it did not, the system is ending.
		if cancelled := loop.CheckpointIfCancelled(t); cancelled != nil {
			return nil, cancelled
		}
	}
	return nil, fromNative(name, failed, err)
}

// fromNative translates an error of the system's resolver.
func fromNative(name string, failed sys.NameFailure, err error) error {
	switch failed {
	case sys.NameNotFound:
		return failure(NoName, name, nil)
	case sys.NameWithoutData:
		return failure(NoData, name, nil)
	case sys.NameTryAgain, sys.NameCancelled:
		return failure(Again, name, err)
	case sys.NameRefused:
		return failure(Fail, name, err)
	}
	return failure(SystemError, name, err)
}
