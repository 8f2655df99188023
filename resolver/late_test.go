package resolver_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/resolver"
)

// R135: an answer to a question from before files changed, or from before Flush,
// is for those who waited for it. Nobody later gets it from the cache or joins
// its lookup.
func TestLateAnswersAreNotKept(t *testing.T) {
	z := readZones(t, "testdata/lion.test.zone")
	changes := 0
	for what, change := range map[string]func(r *resolver.Resolver, dir string){
		"Flush": func(r *resolver.Resolver, _ string) { r.Flush() },
		"a new file": func(r *resolver.Resolver, dir string) {
			changes++
			writeFile(t, filepath.Join(dir, "hosts"), fmt.Sprintf("10.0.0.%d other.test\n", changes))
			resolver.Reload(r)
		},
	} {
		var r *resolver.Resolver
		dir, asked := tempDir(t), 0
		handle := func(q *asking) []event {
			if asked++; asked <= 2 { // both questions of the first lookup
				change(r, dir)
			}
			return z.honest(q)
		}
		withServers(t, []func(*asking) []event{handle}, func(task *loop.Task, servers []*fake) error {
			r = newResolver(t, resolver.Config{Files: resolver.Files{Dir: dir}}, servers...)
			warm(task, t, r)
			for i, want := range []int{2, 4, 4} { // the third comes from the cache
				if got, err := lookup(task, r, "dual.lion.test"); got != "46" || err != nil {
					t.Errorf("%s: found %q: %v", what, got, err)
				}
				if asked != want {
					t.Errorf("%s: %d questions after lookup %d, want %d", what, asked, i+1, want)
				}
			}
			return nil
		})
	}
}
