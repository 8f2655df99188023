// Package source reads the Go files of this repository for the checks in its
// root: layers_test.go, tidy_test.go and api_test.go. It parses every file
// once and answers which of them a build for a given system would take, so
// that one host can check all three.
package source

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// A Target is one configuration of the go command.
type Target struct {
	OS   string   // GOOS
	Arch string   // GOARCH
	Tags []string // build tags
}

// String names the target as in "linux/amd64 race".
func (t Target) String() string {
	return strings.Join(append([]string{t.OS + "/" + t.Arch}, t.Tags...), " ")
}

// Targets are the configurations that lion is built in. A file that none of
// them takes is dead.
func Targets() []Target {
	return []Target{
		{OS: "linux", Arch: "amd64"},
		{OS: "linux", Arch: "arm64"},
		{OS: "linux", Arch: "386"},
		{OS: "darwin", Arch: "amd64"},
		{OS: "darwin", Arch: "arm64"},
		{OS: "windows", Arch: "amd64"},
		{OS: "windows", Arch: "arm64"},
		{OS: "linux", Arch: "amd64", Tags: []string{"race"}},
		{OS: "windows", Arch: "amd64", Tags: []string{"race"}},
		{OS: "linux", Arch: "amd64", Tags: []string{"kqemu"}},
		{OS: "linux", Arch: "amd64", Tags: []string{"faults"}},
		{OS: "darwin", Arch: "amd64", Tags: []string{"faults"}},
		{OS: "windows", Arch: "amd64", Tags: []string{"faults"}},
	}
}

// Systems are the three systems on one architecture, without tags.
func Systems() []Target {
	return []Target{
		{OS: "linux", Arch: "amd64"},
		{OS: "darwin", Arch: "amd64"},
		{OS: "windows", Arch: "amd64"},
	}
}

// A File is one Go file of the repository.
type File struct {
	Path      string         // slash-separated, relative to the root of the repository
	Source    []byte         // the text
	AST       *ast.File      // the syntax, with comments
	Fset      *token.FileSet // the positions of AST
	Generated bool           // carries the standard "Code generated" line
}

// Parse makes a File from its text. The path decides what the rules of the
// repository ask of it; it need not exist.
func Parse(filePath string, text []byte) (*File, error) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, filePath, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	return &File{
		Path:      filePath,
		Source:    text,
		AST:       parsed,
		Fset:      fset,
		Generated: ast.IsGenerated(parsed),
	}, nil
}

// Load parses all Go files below root, in the order of their paths. It leaves
// out testdata, vendored code and directories whose name begins with a dot or
// an underscore, as the go command does. Files that do not parse are left out
// too, and reported together in the error.
func Load(root string) ([]*File, error) {
	var files []*File
	var broken []error
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return ignoreVanished(err)
		}
		if entry.IsDir() {
			return skipDirectory(root, name)
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		file, err := load(root, name)
		if err != nil {
			broken = append(broken, err)
			return nil
		}
		files = append(files, file)
		return nil
	})
	sort.Slice(files, func(i, j int) bool { return files[i].Path < files[j].Path })
	return files, errors.Join(append(broken, err)...)
}

// ignoreVanished forgives a file that was removed while the tree was read:
// tests of other packages make and remove files meanwhile.
func ignoreVanished(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func skipDirectory(root, name string) error {
	base := filepath.Base(name)
	hidden := strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")
	if name != root && (hidden || base == "testdata" || base == "vendor") {
		return filepath.SkipDir
	}
	return nil
}

func load(root, name string) (*File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	relative, err := filepath.Rel(root, name)
	if err != nil {
		return nil, err
	}
	return Parse(filepath.ToSlash(relative), text)
}

// Dir is the directory of the file, "." for the root.
func (f *File) Dir() string { return path.Dir(f.Path) }

// Module is the directory of the module that the file belongs to: "bench",
// "realapps", or "." for the root module.
func (f *File) Module() string {
	first, _, _ := strings.Cut(f.Path, "/")
	if first == "bench" || first == "realapps" {
		return first
	}
	return "."
}

// Test reports whether the file is built for tests only.
func (f *File) Test() bool { return strings.HasSuffix(f.Path, "_test.go") }

// Main reports whether the file belongs to a program.
func (f *File) Main() bool { return f.AST.Name.Name == "main" }

// Under reports whether the file is in one of the directories or below.
func (f *File) Under(dirs ...string) bool {
	for _, dir := range dirs {
		if f.Dir() == dir || strings.HasPrefix(f.Path, dir+"/") {
			return true
		}
	}
	return false
}

// Line is the line number of a position in the file.
func (f *File) Line(pos token.Pos) int { return f.Fset.Position(pos).Line }

// Lines counts the lines of the file.
func (f *File) Lines() int { return strings.Count(string(f.Source), "\n") }

// Imports maps the name of each import to its path. A dot or blank import has
// its path as its name.
func (f *File) Imports() map[string]string {
	imports := make(map[string]string)
	for _, spec := range f.AST.Imports {
		target, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser accepts no such import
		}
		imports[importName(spec, target)] = target
	}
	return imports
}

func importName(spec *ast.ImportSpec, target string) string {
	if spec.Name == nil {
		return path.Base(strings.TrimSuffix(target, "/v2"))
	}
	if spec.Name.Name == "_" || spec.Name.Name == "." {
		return target
	}
	return spec.Name.Name
}

// Match reports whether a build for the target takes the file, by its name
// and by its build constraint.
func (f *File) Match(target Target) (bool, error) {
	context := build.Default
	context.GOOS, context.GOARCH = target.OS, target.Arch
	context.BuildTags = target.Tags
	context.ToolTags = nil
	context.CgoEnabled = false
	context.OpenFile = func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader(string(f.Source))), nil
	}
	ok, err := context.MatchFile(path.Dir(f.Path), path.Base(f.Path))
	if err != nil {
		return false, fmt.Errorf("%s: %w", f.Path, err)
	}
	return ok, nil
}
