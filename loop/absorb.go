package loop

import (
	"errors"
	"reflect"
)

// A scope that was cancelled absorbs the Cancelled errors that its body
// returns. An error is a tree, so this is a tree walk: a Cancelled at the end
// of a single chain of wrappers takes the chain with it, since its text only
// says where the cancellation was noticed; in a tree that branches, the
// Cancelled leaves are cut and everything else stays.

// absorb returns what remains of err without its Cancelled leaves, and
// whether there were any.
func absorb(err error) (rest error, caught bool) {
	switch e := err.(type) {
	case nil:
		return nil, false
	case *CancelledError:
		return nil, true
	case *stray, *PanicError: // a panic is never part of a cancellation
		return err, false
	case *Group:
		kept, caught := absorbAll(e.errs)
		if !caught {
			return err, false
		}
		return newGroup(kept), true
	case interface{ Unwrap() []error }:
		return absorbBranches(err, e.Unwrap())
	case interface{ Unwrap() error }:
		return absorbChain(err, e.Unwrap())
	default:
		return err, false
	}
}

func absorbAll(errs []error) (kept []error, caught bool) {
	for _, inner := range errs {
		rest, cut := absorb(inner)
		caught = caught || cut
		if rest != nil {
			kept = append(kept, rest)
		}
	}
	return kept, caught
}

func absorbBranches(err error, branches []error) (error, bool) {
	kept, caught := absorbAll(branches)
	switch {
	case !caught:
		return err, false
	case len(kept) == 0:
		return nil, true
	case reflect.TypeOf(err) == joinType: // it says nothing of its own
		return errors.Join(kept...), true
	case len(kept) == 1:
		return &pruned{outer: err, rest: kept[0]}, true
	default:
		return &pruned{outer: err, rest: errors.Join(kept...)}, true
	}
}

var joinType = reflect.TypeOf(errors.Join(ErrInternal))

func absorbChain(err, inner error) (error, bool) {
	rest, caught := absorb(inner)
	switch {
	case !caught:
		return err, false
	case rest == nil:
		return nil, true
	default:
		return &pruned{outer: err, rest: rest}, true
	}
}

// pruned is a wrapper around a tree that lost some leaves. The wrapper itself
// stays, with its text and for errors.Is and errors.As, so that no context is
// lost; what it wrapped is what remains.
type pruned struct {
	outer error
	rest  error
}

func (p *pruned) Error() string { return p.outer.Error() }
func (p *pruned) Unwrap() error { return p.rest }

// Is reports whether the wrapper is target, whatever it wraps.
func (p *pruned) Is(target error) bool {
	if target == Cancelled {
		return false
	}
	if reflect.TypeOf(target).Comparable() && p.outer == target {
		return true
	}
	matcher, ok := p.outer.(interface{ Is(error) bool })
	return ok && matcher.Is(target)
}

// As gives the wrapper to target if it is of that type, whatever it wraps.
func (p *pruned) As(target any) bool {
	if _, ok := target.(**CancelledError); ok {
		return false
	}
	if v := reflect.ValueOf(target).Elem(); reflect.TypeOf(p.outer).AssignableTo(v.Type()) {
		v.Set(reflect.ValueOf(p.outer))
		return true
	}
	converter, ok := p.outer.(interface{ As(any) bool })
	return ok && converter.As(target)
}

// stray marks a Cancelled that a task returned although nothing around it was
// cancelled: one kept from an earlier scope. No scope absorbs it, since no
// scope made it.
type stray struct {
	err error
}

func (s *stray) Error() string {
	return "a Cancelled of another scope was returned: " + s.err.Error()
}
func (s *stray) Unwrap() error { return s.err }
