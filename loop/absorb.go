package loop

import "errors"

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
	default:
		return errors.Join(kept...), true
	}
}

func absorbChain(err, inner error) (error, bool) {
	rest, caught := absorb(inner)
	switch {
	case !caught:
		return err, false
	case rest == nil:
		return nil, true
	default:
		return &pruned{text: err.Error(), rest: rest}, true
	}
}

// pruned is a wrapper around a tree that lost some leaves: the text of the
// wrapper stays, so that no context is lost.
type pruned struct {
	text string
	rest error
}

func (p *pruned) Error() string { return p.text }
func (p *pruned) Unwrap() error { return p.rest }

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
