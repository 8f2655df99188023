package looptest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/lion-go/lion/loop"
)

// AssertError fails the test unless got is want. want is nil; or an error,
// which got must be, and not merely wrap; or made by Group, Matching or As.
func AssertError(tb testing.TB, got, want error) {
	tb.Helper()
	if !matches(got, want) {
		tb.Errorf("the error is\n%s\nwant\n%s", Describe(got), Describe(want))
	}
}

// Group is for AssertError: a *loop.Group with exactly these members, in any
// order. Members may be groups.
func Group(members ...error) error { return &wantGroup{members} }

// Matching is for AssertError: an error that is not a group and matches
// target with errors.Is.
func Matching(target error) error { return &wantMatch{target} }

// As is for AssertError: an error that is not a group and matches the type E
// with errors.As and, if that is not nil, the function.
func As[E error](accept func(E) bool) error { return &wantType[E]{accept} }

// matcher is an expectation that knows what fulfils it.
type matcher interface {
	error
	match(got error) bool
}

func matches(got, want error) bool {
	if m, ok := want.(matcher); ok {
		return m.match(got)
	}
	if got == nil || want == nil {
		return got == want
	}
	return reflect.TypeOf(got).Comparable() && got == want
}

type wantGroup struct{ members []error }

func (w *wantGroup) Error() string { return Describe(w) }

func (w *wantGroup) match(got error) bool {
	g, ok := got.(*loop.Group)
	return ok && pairUp(g.Unwrap(), w.members)
}

// pairUp reports whether each error can be given an expectation of its own
// that it fulfils.
func pairUp(got, want []error) bool {
	if len(got) != len(want) {
		return false
	}
	if len(got) == 0 {
		return true
	}
	for i, w := range want {
		if matches(got[0], w) && pairUp(got[1:], slices.Delete(slices.Clone(want), i, i+1)) {
			return true
		}
	}
	return false
}

type wantMatch struct{ target error }

func (w *wantMatch) Error() string { return "an error that matches: " + w.target.Error() }

func (w *wantMatch) match(got error) bool {
	_, group := got.(*loop.Group)
	return !group && errors.Is(got, w.target)
}

type wantType[E error] struct{ accept func(E) bool }

func (w *wantType[E]) Error() string {
	return fmt.Sprintf("an error of type %v", reflect.TypeFor[E]())
}

func (w *wantType[E]) match(got error) bool {
	if _, group := got.(*loop.Group); group {
		return false
	}
	var e E
	return errors.As(got, &e) && (w.accept == nil || w.accept(e))
}

// Describe prints an error tree, one line for each error and the types of the
// leaves.
func Describe(err error) string {
	var members []error
	switch e := err.(type) {
	case nil:
		return "nil"
	case *loop.Group:
		members = e.Unwrap()
	case *wantGroup:
		members = e.members
	default:
		first, _, _ := strings.Cut(err.Error(), "\n")
		return fmt.Sprintf("%s (%T)", first, err)
	}
	var b strings.Builder
	b.WriteString("group:")
	for _, member := range members {
		b.WriteString("\n  " + strings.ReplaceAll(Describe(member), "\n", "\n  "))
	}
	return b.String()
}
