package layers_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/lion-go/lion/internal/layers"
	"github.com/lion-go/lion/internal/source"
)

func policy() layers.Policy {
	return layers.Policy{
		Layers: []layers.Layer{
			{Package: "sys/linux", Imports: "golang.org/x/sys/unix"},
			{Package: "sys", Imports: "sys/linux@linux"},
			{Package: "loop", Imports: "sys"},
			{Package: "loop/looptest", Imports: "loop"},
			{Package: "socket", Imports: "loop", Tests: "sys"},
			{Package: "bench/host", Imports: "any"},
			{Package: "bench/...", Imports: "all github.com/other/module"},
		},
		Tests:      "loop/looptest",
		System:     []string{"syscall", "unsafe", "golang.org/x/sys"},
		SystemDirs: []string{"sys", "bench/host"},
		Owners:     []layers.Exception{{Path: "socket", What: "net/http"}},
	}
}

const own = layers.Module + "/"

func TestCheck(t *testing.T) {
	tests := []struct {
		name, path, constraint string
		imports                string
		want                   string
	}{
		{"permitted", "loop/a.go", "", "errors " + own + "sys", ""},
		{"upwards", "loop/a.go", "", own + "socket", "loop/a.go: imports socket, which is not among the layers below it"},
		{"unknown package", "new/a.go", "", "errors", "package new is not in the policy of layers_test.go"},
		{"x/sys above sys", "loop/a.go", "", "golang.org/x/sys/unix",
			"loop/a.go: imports golang.org/x/sys/unix, which is not among the layers below it; " +
				"loop/a.go: imports golang.org/x/sys/unix, which only packages below sys may do"},
		{"unsafe in a test", "loop/a_test.go", "", "unsafe", "loop/a_test.go: imports unsafe, which only packages below sys may do"},
		{"unsafe below sys", "sys/linux/a.go", "", "unsafe syscall golang.org/x/sys/unix", ""},
		{"looptest in a test", "socket/a_test.go", "", own + "loop/looptest " + own + "sys", ""},
		{"looptest in the library", "socket/a.go", "", own + "loop/looptest",
			"socket/a.go: imports loop/looptest, which is not among the layers below it"},
		{"own package in a test", "socket/a_test.go", "", own + "socket", ""},
		{"other module", "loop/a.go", "", "github.com/other/module",
			"loop/a.go: imports github.com/other/module, which is not among the layers below it"},
		{"bench", "bench/load/a.go", "", own + "loop " + own + "bench/internal/plot github.com/other/module", ""},
		{"bench, internal", "bench/a.go", "", own + "sys/internal/seam",
			"bench/a.go: imports sys/internal/seam, which is not among the layers below it"},
		{"bench, not listed", "bench/a.go", "", "github.com/third/module",
			"bench/a.go: imports github.com/third/module, which is not among the layers below it"},
		{"right system", "sys/a_linux.go", "", own + "sys/linux", ""},
		{"any system", "sys/a.go", "", own + "sys/linux", "sys/a.go: imports sys/linux, which is not among the layers below it"},
		{"wrong system", "sys/a_darwin.go", "", own + "sys/linux",
			"sys/a_darwin.go: imports sys/linux, which is not among the layers below it"},
		{"system by constraint", "sys/a.go", "linux", own + "sys/linux", ""},
		{"file name", "loop/a_windows.go", "", "", "loop/a_windows.go: a build constraint outside sys"},
		{"constraint", "loop/a.go", "!windows", "", "loop/a.go: a build constraint outside sys"},
		{"tag", "loop/a.go", "!race", "", "loop/a.go: a build constraint outside sys"},
		{"another place for systems", "bench/host/a_linux.go", "", "syscall github.com/any/module", ""},
		{"owner", "socket/a.go", "", "net/http", ""},
		{"not the owner", "loop/a.go", "", "net/http", "loop/a.go: imports net/http, which is for socket"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			file := parse(t, test.path, test.constraint, test.imports)
			got := strings.Join(layers.Check([]*source.File{file}, policy()), "; ")
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func parse(t *testing.T, path, constraint, imports string) *source.File {
	t.Helper()
	text := "package p\n"
	if constraint != "" {
		text = "//go:build " + constraint + "\n\n" + text
	}
	for target := range strings.FieldsSeq(imports) {
		text += "\nimport _ \"" + target + "\"\n"
	}
	file, err := source.Parse(path, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExceptions(t *testing.T) {
	p := policy()
	p.Exceptions = []layers.Exception{
		{Path: "loop/a_windows.go", What: "tags", Reason: "some"},
		{Path: "loop/a_windows.go", What: "unsafe", Reason: "some"},
		{Path: "loop/b.go", What: "unsafe", Reason: "none"},
	}
	file := parse(t, "loop/a_windows.go", "", "unsafe syscall")
	got := layers.Check([]*source.File{file}, p)
	want := []string{
		"loop/a_windows.go: imports syscall, which only packages below sys may do",
		"loop/b.go: the exception for unsafe is not needed any more",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRequirements(t *testing.T) {
	const text = `module m

require example.com/one v1.0.0

require (
	example.com/two v1.0.0 // a remark
	example.com/three v1.0.0 // indirect
)

replace example.com/two => ../two
`
	if got, want := layers.Requirements(text), []string{"example.com/one", "example.com/two"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
