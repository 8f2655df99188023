package looptest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// A recorder is a testing.TB that only remembers what it is told.
type recorder struct {
	testing.TB
	messages []string
	failed   bool
	cleanups []func()
}

func (r *recorder) Helper()                   {}
func (r *recorder) Name() string              { return "recorder" }
func (r *recorder) Failed() bool              { return r.failed }
func (r *recorder) Skipped() bool             { return false }
func (r *recorder) Cleanup(fn func())         { r.cleanups = append(r.cleanups, fn) }
func (r *recorder) Logf(f string, a ...any)   { r.messages = append(r.messages, fmt.Sprintf(f, a...)) }
func (r *recorder) Errorf(f string, a ...any) { r.failed = true; r.Logf(f, a...) }
func (r *recorder) Error(a ...any)            { r.Errorf("%s", fmt.Sprint(a...)) }
func (r *recorder) Fatal(a ...any)            { r.Fatalf("%s", fmt.Sprint(a...)) }
func (r *recorder) FailNow()                  { r.failed = true; runtime.Goexit() }
func (r *recorder) Fatalf(f string, a ...any) { r.Errorf(f, a...); r.FailNow() }
func (r *recorder) text() string              { return strings.Join(r.messages, "\n") }

// record runs fn with a recorder, on a goroutine of its own, since fn may end
// that, and then the cleanups.
func record(fn func(r *recorder)) *recorder {
	r := &recorder{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		fn(r)
	}()
	<-ended
	for _, cleanup := range r.cleanups {
		cleanup()
	}
	return r
}

// wantFailure fails the test unless r failed with all the texts.
func wantFailure(t *testing.T, r *recorder, texts ...string) {
	t.Helper()
	if !r.failed {
		t.Errorf("it did not fail; want %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(r.text(), text) {
			t.Errorf("no %q in the failure:\n%s", text, r.text())
		}
	}
}
