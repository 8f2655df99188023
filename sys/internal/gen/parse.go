package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
)

// systems are the operating systems that have a package under sys.
var systems = []string{"linux", "darwin", "windows"}

// contract lists the beginnings of the names of the files that together declare
// what a package exports: fd_linux.go and so on. Others export nothing.
var contract = []string{
	"fd", "errno", "socket", "msg", "batch", "control", "sockaddr", "family", "sockopt", "options",
	"multicast", "info", "names", "netfile", "sendfile", "transmit", "poller", "power", "signal",
	"limit", "process",
}

// fileName is the name of a file of the facade for a system.
func fileName(system string, faulty bool) string {
	if faulty {
		return "faults_" + system + ".go"
	}
	return "sys_" + system + ".go"
}

// A surface is what the package of one system exports.
type surface struct {
	system  string
	files   []string // the contract's files that exist, without _<system>.go
	strays  []string // exported names in other files
	types   []item
	consts  []item
	vars    []item
	funcs   []item
	methods []item
	imports map[string]string // package name to import path
}

// An item is one exported declaration.
type item struct {
	name string // of a method: Type.Name
	text string // a signature, an alias's target, or a struct's exported fields
	doc  *ast.CommentGroup
	fn   *ast.FuncType
}

// parse reads the package of one system; sys is the directory of package sys.
func parse(sys fs.FS, system string) (*surface, error) {
	p := &surface{system: system, imports: map[string]string{}}
	names, err := fs.Glob(sys, system+"/*.go")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		// The kqueue emulation stands in for poller_linux.go.
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "/poller_kqemu") {
			continue
		}
		if err := p.file(sys, name); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// file adds one file. If it is not one of the contract's, its exported names
// are strays.
func (p *surface) file(sys fs.FS, name string) error {
	text, err := fs.ReadFile(sys, name)
	if err != nil {
		return err
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ParseComments)
	if err != nil {
		return err
	}
	into := p
	base, isSystem := strings.CutSuffix(path.Base(name), "_"+p.system+".go")
	listed := isSystem && slices.Contains(contract, base)
	if listed {
		p.files = append(p.files, base)
	} else {
		into = &surface{}
	}
	for _, d := range file.Decls {
		into.declaration(d)
	}
	if !listed {
		for exported := range into.all() {
			p.strays = append(p.strays, path.Base(name)+": "+exported)
		}
		slices.Sort(p.strays)
		return nil
	}
	return p.addImports(file)
}

func (p *surface) addImports(file *ast.File) error {
	for _, i := range file.Imports {
		full, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			return err
		}
		name := path.Base(full)
		if i.Name != nil {
			name = i.Name.Name
		}
		p.imports[name] = full
	}
	return nil
}

func (p *surface) declaration(d ast.Decl) {
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

func (p *surface) function(d *ast.FuncDecl) {
	if !d.Name.IsExported() {
		return
	}
	found := item{name: d.Name.Name, text: signature(d.Type), doc: d.Doc, fn: d.Type}
	if d.Recv == nil {
		p.funcs = append(p.funcs, found)
		return
	}
	receiver := d.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	if name, ok := receiver.(*ast.Ident); ok && name.IsExported() {
		found.name = name.Name + "." + found.name
		p.methods = append(p.methods, found)
	}
}

func (p *surface) typeSpec(d *ast.GenDecl, s *ast.TypeSpec) {
	if !s.Name.IsExported() {
		return
	}
	found := item{name: s.Name.Name, text: source(s.Type), doc: doc(d, s.Doc)}
	if t, ok := s.Type.(*ast.StructType); ok {
		found.text = "struct{" + strings.Join(exportedFields(t), "; ") + "}"
	}
	if s.Assign.IsValid() {
		found.text = "= " + found.text
	}
	p.types = append(p.types, found)
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

// values notes constants and variables. The values differ from system to
// system, and so may the way in which a constant gets its type; that of a
// variable is part of the contract.
func (p *surface) values(d *ast.GenDecl, s *ast.ValueSpec) {
	for _, n := range s.Names {
		if !n.IsExported() {
			continue
		}
		found := item{name: n.Name, doc: doc(d, s.Doc)}
		if s.Type != nil && d.Tok == token.VAR {
			found.text = source(s.Type)
		}
		if d.Tok == token.CONST {
			p.consts = append(p.consts, found)
		} else {
			p.vars = append(p.vars, found)
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

// all maps every exported name to what the mirror compares: kind and text.
// The kind of a type's target and a value do not count.
func (p *surface) all() map[string]string {
	all := map[string]string{}
	add := func(kind string, items []item) {
		for _, i := range items {
			all[i.name] = strings.TrimSpace(kind + " " + i.text)
		}
	}
	add("type", p.types)
	add("const", p.consts)
	add("var", p.vars)
	add("func", p.funcs)
	add("method", p.methods)
	return all
}

// differences lists what two packages do not have in common, sorted.
func differences(a, b *surface) []string {
	var list []string
	ours, theirs := a.all(), b.all()
	for name, text := range ours {
		switch other, ok := theirs[name]; {
		case !ok:
			list = append(list, fmt.Sprintf("%s: only in %s (%s)", name, a.system, text))
		case other != text:
			list = append(list, fmt.Sprintf("%s: %s has %q, %s has %q",
				name, a.system, text, b.system, other))
		}
	}
	for name := range maps.Keys(theirs) {
		if _, ok := ours[name]; !ok {
			list = append(list, fmt.Sprintf("%s: only in %s (%s)", name, b.system, theirs[name]))
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
