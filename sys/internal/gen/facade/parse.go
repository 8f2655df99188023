// Package facade reads the packages of the operating systems from source, on
// any host, to generate the facade of package sys from them and to compare
// them with each other.
package facade

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Systems are the operating systems that have a package under sys.
var Systems = []string{"linux", "darwin", "windows"}

// Files are the beginnings of the names of the files that together declare
// what a package exports: fd_linux.go and so on. Others export nothing.
var Files = []string{
	"fd", "errno", "socket", "msg", "sockaddr", "sockopt", "poller", "signal", "limit",
}

// FileName is the name of the facade's file for a system.
func FileName(system string) string { return "sys_" + system + ".go" }

// Package is what one system's package exports.
type Package struct {
	System  string
	Files   []string // the contract's files that exist, without _<system>.go
	Strays  []string // exported names in other files
	Types   []Item
	Consts  []Item
	Vars    []Item
	Funcs   []Item
	Methods []Item
	imports map[string]string // package name to import path
}

// Item is one exported declaration.
type Item struct {
	Name string // of a method: Type.Name
	Text string // a signature, an alias's target, or a struct's exported fields
	Doc  *ast.CommentGroup

	fn *ast.FuncType
}

// Parse reads the package of one system; sys is the directory of package sys.
func Parse(sys, system string) (*Package, error) {
	p := &Package{System: system, imports: map[string]string{}}
	directory := filepath.Join(sys, system)
	for _, name := range Files {
		path := filepath.Join(directory, name+"_"+system+".go")
		if _, err := os.Stat(path); os.IsNotExist(err) {
			continue
		}
		file, err := p.file(path)
		if err != nil {
			return nil, err
		}
		p.Files = append(p.Files, name)
		for _, d := range file.Decls {
			p.declaration(d)
		}
	}
	return p, p.findStrays(directory)
}

// file parses one file and notes its imports.
func (p *Package) file(path string) (*ast.File, error) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, i := range file.Imports {
		full, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return nil, err
		}
		name := full[strings.LastIndexByte(full, '/')+1:]
		if i.Name != nil {
			name = i.Name.Name
		}
		p.imports[name] = full
	}
	return file, nil
}

// findStrays looks for exported names in files that may have none. The kqueue
// emulation stands in for poller_linux.go and repeats its names.
func (p *Package) findStrays(directory string) error {
	entries, err := os.ReadDir(directory)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		base, isSystem := strings.CutSuffix(name, "_"+p.System+".go")
		switch {
		case !strings.HasSuffix(name, ".go"), strings.HasSuffix(name, "_test.go"):
			continue
		case isSystem && slices.Contains(Files, base), strings.HasPrefix(name, "poller_kqemu"):
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(directory, name), nil, 0)
		if err != nil {
			return err
		}
		other := &Package{imports: map[string]string{}}
		for _, d := range file.Decls {
			other.declaration(d)
		}
		for exported := range other.All() {
			p.Strays = append(p.Strays, name+": "+exported)
		}
	}
	return nil
}

func (p *Package) declaration(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		p.function(d)
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				p.typeSpec(d, s)
			case *ast.ValueSpec:
				p.values(d, s)
			}
		}
	}
}

func (p *Package) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	item := Item{Name: d.Name.Name, Text: signature(d.Type), Doc: d.Doc, fn: d.Type}
	if d.Recv == nil {
		p.Funcs = append(p.Funcs, item)
		return
	}
	receiver := d.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if name, ok := receiver.(*ast.Ident); ok && name.IsExported() {
		item.Name = name.Name + "." + item.Name
		p.Methods = append(p.Methods, item)
	}
}

func (p *Package) typeSpec(d *ast.GenDecl, s *ast.TypeSpec) {
	if !s.Name.IsExported() {
		return
	}
	item := Item{Name: s.Name.Name, Text: "defined", Doc: doc(d, s.Doc)}
	if s.Assign.IsValid() {
		item.Text = "= " + source(s.Type)
	}
	if t, ok := s.Type.(*ast.StructType); ok {
		item.Text = "struct{" + strings.Join(exportedFields(t), "; ") + "}"
	}
	p.Types = append(p.Types, item)
}

func exportedFields(t *ast.StructType) []string {
	var fields []string
	for _, f := range t.Fields.List {
		for _, n := range f.Names {
			if n.IsExported() {
				fields = append(fields, n.Name+" "+source(f.Type))
			}
		}
	}
	return fields
}

// values notes constants and variables. The type of a variable is part of the
// contract, as is that of a typed constant; values differ.
func (p *Package) values(d *ast.GenDecl, s *ast.ValueSpec) {
	for _, n := range s.Names {
		if !n.IsExported() {
			continue
		}
		item := Item{Name: n.Name, Doc: doc(d, s.Doc)}
		if s.Type != nil {
			item.Text = source(s.Type)
		}
		if d.Tok == token.CONST {
			p.Consts = append(p.Consts, item)
		} else {
			p.Vars = append(p.Vars, item)
		}
	}
}

// doc is the comment of a declaration, or that of its group.
func doc(d *ast.GenDecl, own *ast.CommentGroup) *ast.CommentGroup {
	if own == nil {
		return d.Doc
	}
	return own
}

// All maps every exported name to what the mirror compares: kind and text.
// The kind of a type's target and a value do not count.
func (p *Package) All() map[string]string {
	all := map[string]string{}
	add := func(kind string, items []Item) {
		for _, i := range items {
			all[i.Name] = strings.TrimSpace(kind + " " + i.Text)
		}
	}
	add("type", p.Types)
	add("const", p.Consts)
	add("var", p.Vars)
	add("func", p.Funcs)
	add("method", p.Methods)
	return all
}

// Differences lists what two packages do not have in common, sorted.
func Differences(a, b *Package) []string {
	var list []string
	ours, theirs := a.All(), b.All()
	for name, text := range ours {
		switch other, ok := theirs[name]; {
		case !ok:
			list = append(list, fmt.Sprintf("%s: only in %s (%s)", name, a.System, text))
		case other != text:
			list = append(list, fmt.Sprintf("%s: %s has %q, %s has %q",
				name, a.System, text, b.System, other))
		}
	}
	for name := range maps.Keys(theirs) {
		if _, ok := ours[name]; !ok {
			list = append(list, fmt.Sprintf("%s: only in %s (%s)", name, b.System, theirs[name]))
		}
	}
	slices.Sort(list)
	return list
}

// source is an expression as gofmt prints it.
func source(e ast.Expr) string {
	var b bytes.Buffer
	if err := printer.Fprint(&b, token.NewFileSet(), e); err != nil {
		panic(err) // the expression came out of the parser
	}
	return b.String()
}

// signature is a function's type without the word func. Names count too: they
// are documentation, and should not differ from system to system.
func signature(t *ast.FuncType) string {
	return strings.TrimPrefix(source(t), "func")
}
