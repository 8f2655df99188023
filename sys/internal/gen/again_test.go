package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// harmless are the functions of the packages unix and syscall that are called
// without being made again after a signal, and why that is right. What is not
// here has to be: so a new wrapper cannot forget it.
var harmless = map[string]string{
	"Close":          "never made again: the number is free already, and may be somebody else's",
	"CloseOnExec":    "answers no error: setting a flag of our own table never waits",
	"Errno":          "a conversion",
	"Getpid":         "cannot fail",
	"NewIfreq":       "no call of the kernel",
	"NsecToTimespec": "no call of the kernel",
}

// special are the wrappers that look at EINTR on their own, or whose callers do.
var special = map[string]string{
	"CloseNowait":   "never made again, see Close",
	"Connect":       "an interrupted connect is under way",
	"Poller.block":  "an interrupted wait has found nothing, and Wait may do so",
	"kernel.Kevent": "package kqueue looks at it: the changes have been made",
}

// Reliability 41, 298: every wrapper makes an interrupted call again, by seam.Again or
// in a loop that looks at EINTR, on Linux and on macOS.
func TestInterruptedCallsAreMadeAgain(t *testing.T) {
	for system, least := range map[string]int{"linux": 30, "darwin": 30} {
		files, err := filepath.Glob(filepath.Join(root, system, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var parsed []*ast.File
		positions := token.NewFileSet()
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "kqemu") {
				continue
			}
			f, err := parser.ParseFile(positions, name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, f)
		}
		s := scan{bridges: bridges(parsed)}
		for _, f := range parsed {
			for _, d := range f.Decls {
				if fn, ok := d.(*ast.FuncDecl); ok && !s.bridges[fn.Name.Name] {
					s.name = fullName(fn)
					s.walk(fn, false)
				}
			}
		}
		for _, bad := range s.bad {
			t.Errorf("%s: %s", system, bad)
		}
		if s.good < least {
			t.Errorf("%s: only %d calls of the kernel were found", system, s.good)
		}
	}
}

// The test above finds what it is for.
func TestForgottenInterruptions(t *testing.T) {
	const head = "package x\nfunc f(fd int) error { "
	for body, bad := range map[string]bool{
		`return unix.Listen(fd, 1)`:                                              true,
		`_, _, e := syscall.RawSyscall(1, 2, 3, 4); return e`:                    true,
		`for { if err := unix.Listen(fd, 1); err != nil { return err } }`:        true,
		`for { if err := unix.Listen(fd, 1); err != unix.EINTR { return err } }`: false,
		`return seam.Again(func() error { return unix.Listen(fd, 1) })`:          false,
		`return seam.Again(func() error { return unix.Close(fd) })`:              true,
		`for { if err := unix.Close(fd); err != unix.EINTR { return err } }`:     true,
		`for _, fd := range fds { _ = unix.Close(fd) }; return nil`:              false,
		`if err := unix.Close(fd); err != nil && err != eintr { return err }`:    false,
		`return other.Again(func() error { return unix.Listen(fd, 1) })`:         true,
		`fd, err = seam.AgainFor(unix.Kqueue)`:                                   false,
	} {
		f, err := parser.ParseFile(token.NewFileSet(), "x.go", head+body+" }", 0)
		if err != nil {
			t.Fatal(err)
		}
		var s scan
		s.walk(f, false)
		if got := len(s.bad) > 0; got != bad {
			t.Errorf("%s: found %v", body, s.bad)
		}
	}
}

// bridges are the functions that only pass a call on to libSystem, whose own
// callers count.
func bridges(files []*ast.File) map[string]bool {
	found := map[string]bool{}
	for _, f := range files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil || fn.Recv != nil {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				id, ok := n.(*ast.Ident)
				if ok && (id.Name == "syscall6" || id.Name == "rawSyscall6") {
					found[fn.Name.Name] = true
				}
				return true
			})
		}
	}
	return found
}

// scan looks for calls of the kernel.
type scan struct {
	bridges map[string]bool
	name    string // of the function it is in
	good    int
	bad     []string
}

// walk looks at n; again says that what is in it is made again.
func (s *scan) walk(n ast.Node, again bool) {
	ast.Inspect(n, func(m ast.Node) bool {
		switch m := m.(type) {
		case *ast.ForStmt:
			if m != n && (again || looksAtEINTR(m)) {
				s.walk(m, true)
				return false
			}
		case *ast.CallExpr:
			if isAgain(m) && !again {
				s.walk(m, true)
				return false
			}
			s.call(m, again)
		}
		return true
	})
}

// call judges one call.
func (s *scan) call(c *ast.CallExpr, again bool) {
	name := ""
	switch f := c.Fun.(type) {
	case *ast.SelectorExpr:
		if p, ok := f.X.(*ast.Ident); !ok || p.Name != "unix" && p.Name != "syscall" {
			return
		}
		name = f.Sel.Name
	case *ast.Ident:
		if !s.bridges[f.Name] {
			return
		}
		name = f.Name
	default:
		return
	}
	switch {
	case name == "Close" && again:
		s.bad = append(s.bad, fmt.Sprintf("%s makes close again", s.name))
	case harmless[name] != "" || special[s.name] != "" || again:
		s.good++
	default:
		s.bad = append(s.bad, fmt.Sprintf("%s does not make %s again after EINTR", s.name, name))
	}
}

// looksAtEINTR reports whether a loop compares with EINTR.
func looksAtEINTR(loop *ast.ForStmt) bool {
	found := false
	ast.Inspect(loop, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ForStmt:
			return n == loop
		case *ast.Ident:
			found = found || n.Name == "eintr" || n.Name == "EINTR" || n.Name == "sendAgain"
		}
		return true
	})
	return found
}

// isAgain reports whether a call is one of the helpers of package seam.
func isAgain(c *ast.CallExpr) bool {
	f, ok := c.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	p, ok := f.X.(*ast.Ident)
	return ok && p.Name == "seam" && (f.Sel.Name == "Again" || f.Sel.Name == "AgainFor")
}

// fullName is the name of a function or, as Type.name, of a method.
func fullName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	receiver := fn.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	return fmt.Sprintf("%s.%s", receiver, fn.Name.Name)
}
