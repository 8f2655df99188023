// Package layers checks which package imports which. The policy itself is data
// in layers_test.go in the root of the repository; this package only compares
// the sources with it, for each system that lion is built for.
package layers

import (
	"fmt"
	"path"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// Module is the path of the root module.
const Module = "github.com/lion-go/lion"

// A Layer says what one package may import beyond the standard library.
//
// Imports are parted by spaces. Packages of the module go by their path below
// it, others by their full path; "all" stands for every package of lion but
// the internal ones of another module, and "any" for modules of other people.
// "path@linux" permits an import only to files that are
// built for Linux and for no other system.
type Layer struct {
	Package string // its directory, "." for the root; a last element "..." covers all below
	Imports string // what its files may import
	Tests   string // what its test files may import besides
}

// An Exception permits one file what only the packages below sys may do.
type Exception struct {
	Path   string // the file
	What   string // the import, or "tags" for a build constraint
	Reason string // why, for readers
}

// A Policy is the whole statement.
type Policy struct {
	Layers     []Layer     // all packages of the repository
	Tests      string      // what all test files of the root module may import
	System     []string    // imports that only packages below SystemDirs may have
	SystemDirs []string    // where files may know the system that they are built for
	Owners     []Exception // imports of the standard library that only some packages may have; Path is the package
	Exceptions []Exception // files that may what only SystemDirs may
}

// A checker compares files with a policy.
type checker struct {
	policy     Policy
	complaints []string
	used       map[Exception]bool
}

// Check answers with everything in the files that the policy does not permit,
// and with exceptions that nothing needs.
func Check(files []*source.File, policy Policy) []string {
	c := &checker{policy: policy, used: make(map[Exception]bool)}
	for _, file := range files {
		c.file(file)
	}
	for _, exception := range policy.Exceptions {
		if !c.used[exception] {
			c.complain("%s: the exception for %s is not needed any more", exception.Path, exception.What)
		}
	}
	sort.Strings(c.complaints)
	return slices.Compact(c.complaints)
}

func (c *checker) complain(format string, args ...any) {
	c.complaints = append(c.complaints, fmt.Sprintf(format, args...))
}

func (c *checker) file(file *source.File) {
	layer, ok := c.layer(file.Dir())
	if !ok {
		c.complain("package %s is not in the policy of layers_test.go", file.Dir())
		return
	}
	systems, err := systemsOf(file)
	if err != nil {
		c.complain("%v", err)
		return
	}
	if constrained(file, systems) && !file.Under(c.policy.SystemDirs...) && !c.excepted(file, "tags") {
		c.complain("%s: a build constraint outside sys", file.Path)
	}
	for _, spec := range file.AST.Imports {
		target, _ := strconv.Unquote(spec.Path.Value) // the parser accepts only strings
		c.imported(file, layer, target, systems)
	}
}

func (c *checker) layer(dir string) (Layer, bool) {
	for _, layer := range c.policy.Layers {
		below, many := strings.CutSuffix(layer.Package, "/...")
		if layer.Package == dir || many && (dir == below || strings.HasPrefix(dir, below+"/")) {
			return layer, true
		}
	}
	return Layer{}, false
}

// imported checks one import of a file.
func (c *checker) imported(file *source.File, layer Layer, target string, systems []string) {
	if c.system(target) && !file.Under(c.policy.SystemDirs...) && !c.excepted(file, target) {
		c.complain("%s: imports %s, which only packages below sys may do", file.Path, target)
	}
	if standard(target) {
		c.owned(file, target)
		return
	}
	name := strings.TrimPrefix(target, Module+"/")
	if target == Module {
		name = "."
	}
	permitted := layer.Imports
	if file.Test() {
		permitted += " " + layer.Tests
		if file.Module() == "." {
			permitted += " " + c.policy.Tests
		}
		if name == file.Dir() {
			return // an external test of its own package
		}
	}
	for word := range strings.FieldsSeq(permitted) {
		if permits(word, name, systems) {
			return
		}
		if word == "all" && visible(file, name) || word == "any" && !standard(name) {
			return
		}
	}
	c.complain("%s: imports %s, which is not among the layers below it", file.Path, name)
}

// permits reports whether a word of the policy permits an import.
func permits(word, name string, systems []string) bool {
	word, system, bound := strings.Cut(word, "@")
	return word == name && (!bound || len(systems) == 1 && systems[0] == system)
}

// visible reports whether the word "all" permits the file an import: of every
// package of lion but the internal ones of another module.
func visible(file *source.File, name string) bool {
	internal := strings.Contains("/"+name+"/", "/internal/")
	return standard(name) && (!internal || strings.HasPrefix(name, file.Module()+"/"))
}

// owned checks an import of the standard library that has an owner.
func (c *checker) owned(file *source.File, target string) {
	if file.Module() != "." || file.Test() {
		return
	}
	var owners []string
	for _, owner := range c.policy.Owners {
		if owner.What == target {
			owners = append(owners, owner.Path)
		}
	}
	if len(owners) > 0 && !slices.Contains(owners, file.Dir()) {
		c.complain("%s: imports %s, which is for %s", file.Path, target, strings.Join(owners, ", "))
	}
}

func (c *checker) system(target string) bool {
	for _, system := range c.policy.System {
		if target == system || strings.HasPrefix(target, system+"/") {
			return true
		}
	}
	return false
}

func (c *checker) excepted(file *source.File, what string) bool {
	for _, exception := range c.policy.Exceptions {
		if exception.Path == file.Path && exception.What == what {
			c.used[exception] = true
			return true
		}
	}
	return false
}

// standard reports whether an import is of the standard library, or a name is
// of this module: neither begins with a domain.
func standard(target string) bool {
	first, _, _ := strings.Cut(target, "/")
	return !strings.Contains(first, ".")
}

// systemsOf lists the systems whose builds take the file.
func systemsOf(file *source.File) ([]string, error) {
	var systems []string
	for _, target := range source.Targets() {
		ok, err := file.Match(target)
		if err != nil {
			return nil, err
		}
		if ok && !slices.Contains(systems, target.OS) {
			systems = append(systems, target.OS)
		}
	}
	return systems, nil
}

// constrained reports whether some build leaves the file out: by its name, or
// by a constraint in it.
func constrained(file *source.File, systems []string) bool {
	if len(systems) < len(source.Systems()) {
		return true
	}
	for _, group := range file.AST.Comments {
		for _, comment := range group.List {
			if group.Pos() < file.AST.Package && strings.HasPrefix(comment.Text, "//go:build") {
				return true
			}
		}
	}
	return false
}

// Requirements lists the modules that the text of a go.mod file requires
// directly.
func Requirements(text string) []string {
	var modules []string
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "require (":
			inside = true
			continue
		case line == ")":
			inside = false
		}
		rest, single := strings.CutPrefix(line, "require ")
		if (inside || single) && rest != "" && !strings.HasSuffix(rest, "// indirect") {
			modules = append(modules, path.Clean(strings.Fields(rest)[0]))
		}
	}
	return modules
}
