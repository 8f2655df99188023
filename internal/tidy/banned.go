package tidy

import (
	"go/ast"
	"go/token"
	"strconv"
	"strings"

	"github.com/lion-go/lion/internal/source"
)

// A ban names something of the standard library that has no place in some
// files, and what stands in for it.
type ban struct {
	path, name string // import path and identifier; an empty name bans the import
	where      func(*source.File) bool
	instead    string
}

func everywhere(*source.File) bool { return true }

// portable are the files that may not know which system they run on.
func portable(f *source.File) bool { return f.Module() != "bench" && !f.Under("sys") }

func tests(f *source.File) bool { return f.Test() }

// sleepless are the files in which to hold a thread for a time is wrong: in a
// test it is a guess, in the library it stops a whole loop.
func sleepless(f *source.File) bool { return f.Test() || library(f) }

var bans = []ban{
	{"time", "Sleep", sleepless, "loop.Sleep in a task; in a test a channel, or looptest's virtual clock"},
	{"time", "Tick", everywhere, "time.NewTicker, which can be stopped"},
	{"runtime", "GOOS", portable, "a function of sys, which each system implements"},
	{"runtime", "GOARCH", portable, "a function of sys, which each system implements"},
	{"fmt", "Print", library, "a returned value or error; a library does not own standard output"},
	{"fmt", "Printf", library, "a returned value or error; a library does not own standard output"},
	{"fmt", "Println", library, "a returned value or error; a library does not own standard output"},
	{"log", "", library, "a returned error, or log/slog with the caller's logger"},
	{"os", "Exit", library, "a returned error; only a program ends the program"},
	{"math/rand", "", everywhere, "math/rand/v2 with a seed that the test prints"},
	{"math/rand/v2", "Int", tests, "rand.New with a seed that the test prints"},
	{"math/rand/v2", "IntN", tests, "rand.New with a seed that the test prints"},
	{"math/rand/v2", "N", tests, "rand.New with a seed that the test prints"},
	{"math/rand/v2", "Shuffle", tests, "rand.New with a seed that the test prints"},
	{"io/ioutil", "", everywhere, "io and os"},
	{"context", "TO" + "DO", everywhere, "the context of the caller, or (*loop.Task).Context"},
	{"C", "", everywhere, "sys: lion is built without cgo"},
}

// Banned finds what the table of bans names, and the built-in print functions.
func Banned(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		imports := file.Imports()
		for _, spec := range file.AST.Imports {
			target, _ := strconv.Unquote(spec.Path.Value) // the parser accepts only strings
			if b := banOf(file, target, ""); b != nil {
				findings = append(findings, found("import "+target, file, spec.Pos(),
					"import of %s; use %s", target, b.instead))
			}
		}
		ast.Inspect(file.AST, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.SelectorExpr:
				findings = append(findings, bannedSelector(file, imports, node)...)
			case *ast.CallExpr:
				findings = append(findings, bannedBuiltin(file, node)...)
			}
			return true
		})
	}
	return findings
}

func banOf(file *source.File, path, name string) *ban {
	for i := range bans {
		if bans[i].path == path && bans[i].name == name && bans[i].where(file) {
			return &bans[i]
		}
	}
	return nil
}

func bannedSelector(file *source.File, imports map[string]string, node *ast.SelectorExpr) []Finding {
	pkg, ok := node.X.(*ast.Ident)
	if !ok || pkg.Obj != nil { // Obj is set for what the file itself declares under that name
		return nil
	}
	path := imports[pkg.Name]
	b := banOf(file, path, node.Sel.Name)
	if path == "" || b == nil {
		return nil
	}
	name := path + "." + node.Sel.Name
	return []Finding{found(name, file, node.Pos(), "%s; use %s", name, b.instead)}
}

func bannedBuiltin(file *source.File, call *ast.CallExpr) []Finding {
	name, ok := call.Fun.(*ast.Ident)
	if !ok || name.Obj != nil || name.Name != "print" && name.Name != "println" {
		return nil
	}
	return []Finding{found(name.Name, file, call.Pos(), "the built-in %s is for debugging", name.Name)}
}

// Skips finds tests that skip without saying why.
func Skips(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		ast.Inspect(file.AST, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || !file.Test() {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			silent := method.Sel.Name == "SkipNow" ||
				(method.Sel.Name == "Skip" || method.Sel.Name == "Skipf") && reasonless(call)
			if silent {
				findings = append(findings, found("skip", file, call.Pos(), "a skip names its reason"))
			}
			return true
		})
	}
	return findings
}

func reasonless(call *ast.CallExpr) bool {
	if len(call.Args) == 0 {
		return true
	}
	literal, ok := call.Args[0].(*ast.BasicLit)
	return ok && strings.Trim(literal.Value, "\"` ") == ""
}

// Panics finds panics in the library whose message does not begin with the
// name of its package. A panic stands for a bug in lion, and whoever meets one
// should see at once where.
func Panics(files []*source.File) []Finding {
	var findings []Finding
	for _, file := range files {
		if !library(file) {
			continue
		}
		prefix := file.AST.Name.Name + ": "
		ast.Inspect(file.AST, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 {
				return true
			}
			name, ok := call.Fun.(*ast.Ident)
			if !ok || name.Name != "panic" || name.Obj != nil {
				return true
			}
			message, ok := leadingString(call.Args[0])
			if ok && !strings.HasPrefix(message, prefix) && !strings.HasPrefix(message, "lion: ") {
				findings = append(findings, found("panic", file, call.Pos(),
					"the message of a panic begins with %q", prefix))
			}
			return true
		})
	}
	return findings
}

// leadingString is the constant text that an argument of panic begins with:
// of a literal, of a sum, or of a call such as fmt.Sprintf.
func leadingString(expr ast.Expr) (string, bool) {
	switch e := expr.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		return leadingString(e.X)
	case *ast.CallExpr:
		if len(e.Args) > 0 {
			return leadingString(e.Args[0])
		}
	}
	return "", false
}
