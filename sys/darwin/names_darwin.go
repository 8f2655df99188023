package darwin

import (
	"errors"
	"net/netip"

	"github.com/lion-go/lion/sys/internal/seam"
)

// Lookups of names by the system that can be cancelled exist on Windows only,
// see package windows. What libc has (getaddrinfo(3)) holds a thread until it is
// done, and is reached here by package net.

// A NameFailure is what an error of the system's resolver of names means.
type NameFailure = seam.NameFailure

// The meanings.
const (
	NameUnclear     = seam.NameUnclear     // not an error of the resolver, or one that says nothing
	NameNotFound    = seam.NameNotFound    // there is no such name
	NameWithoutData = seam.NameWithoutData // the name has no address of the family
	NameTryAgain    = seam.NameTryAgain    // no server gave an answer that counts
	NameRefused     = seam.NameRefused     // it will not work later either
	NameCancelled   = seam.NameCancelled   // the lookup was cancelled
)

// NameLookup is a lookup by the system's resolver that is under way.
type NameLookup struct{}

// NameLookups reports whether this system has lookups that can be cancelled: macOS
// has none.
func NameLookups() bool { return false }

// BeginNameLookup is errors.ErrUnsupported here.
func BeginNameLookup(name string, family int) (*NameLookup, error) {
	return nil, errors.ErrUnsupported
}

// Wait is errors.ErrUnsupported here.
func (l *NameLookup) Wait() ([]netip.Addr, error) { return nil, errors.ErrUnsupported }

// Cancel is errors.ErrUnsupported here.
func (l *NameLookup) Cancel() error { return errors.ErrUnsupported }

// NameFailureOf is NameUnclear here.
func NameFailureOf(err error) NameFailure { return NameUnclear }
