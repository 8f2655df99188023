package loop

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestScopeWalkAgainstModel compares the walk over a tree of scopes, and what
// attach and detach make of it, with lists of children, over many random trees.
func TestScopeWalkAgainstModel(t *testing.T) {
	const seeds, operations = 50, 300
	for seed := range uint64(seeds) {
		rng := rand.New(rand.NewPCG(seed, seed))
		above, top := &Scope{}, &Scope{}
		(&Scope{}).attach(above) // beside top, on either side: not below it
		top.attach(above)
		(&Scope{}).attach(above)
		model := map[*Scope][]*Scope{}
		all := []*Scope{top}
		for range operations {
			i := rng.IntN(len(all))
			s := all[i]
			if rng.IntN(3) > 0 || s == top || len(model[s]) > 0 {
				child := &Scope{}
				child.attach(s)
				model[s] = append(model[s], child)
				all = append(all, child)
			} else {
				model[s.parent] = slices.DeleteFunc(model[s.parent],
					func(o *Scope) bool { return o == s })
				s.detach()
				all = slices.Delete(all, i, i+1)
			}
		}
		shut := map[*Scope]bool{}
		for _, s := range all {
			shut[s] = rng.IntN(10) == 0
		}
		var got []*Scope
		for s := top; s != nil; s = s.after(top, !shut[s]) {
			got = append(got, s)
		}
		if want := walkModel(nil, model, shut, top); !slices.Equal(got, want) {
			t.Fatalf("seed %d: a walk over %d scopes, want %d, or another order",
				seed, len(got), len(want))
		}
	}
}

func walkModel(found []*Scope, model map[*Scope][]*Scope, shut map[*Scope]bool, s *Scope) []*Scope {
	found = append(found, s)
	if shut[s] {
		return found
	}
	for _, child := range model[s] {
		found = walkModel(found, model, shut, child)
	}
	return found
}
