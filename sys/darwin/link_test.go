package darwin_test

import (
	"debug/macho"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// functions are what this package imports from libSystem by itself, in order.
// A change of the list must be meant: each name has to exist in Apple's
// library, which no test here can see.
var functions = []string{
	"accept", "bind", "connect", "getpeername", "getsockname", "getsockopt", "kevent",
	"recvfrom", "recvmsg", "sendmsg", "sendto", "setsockopt",
}

// libraries are all that a program of lion may need on a Mac; libresolv comes
// with package net.
var libraries = []string{"/usr/lib/libSystem.B.dylib", "/usr/lib/libresolv.9.dylib"}

const program = `package main

import "github.com/lion-go/lion/sys/darwin"

func main() {
	var m darwin.Msg
	var a darwin.Sockaddr
	p, _ := darwin.NewPoller()
	_, _ = p.Wait(make([]darwin.Event, 1), 0)
	_, _ = darwin.Accept(0, &a)
	_, _ = darwin.Bind(0, &a), darwin.Connect(0, &a)
	_, _ = darwin.Getpeername(0, &a), darwin.Getsockname(0, &a)
	_, _ = darwin.Recv(0, nil, 0)
	_, _ = darwin.Send(0, nil, 0)
	_, _ = darwin.RecvMsg(0, &m, 0)
	_, _ = darwin.SendMsg(0, &m, 0)
	_, _ = darwin.GetsockoptInt(0, 1, 1)
	_ = darwin.SetsockoptInt(0, 1, 1, 1)
}
`

// TestSourceImports compares the source with the list.
func TestSourceImports(t *testing.T) {
	source, err := os.ReadFile("libsystem_darwin.go")
	if err != nil {
		t.Fatal(err)
	}
	assembly, err := os.ReadFile("libsystem_darwin.s")
	if err != nil {
		t.Fatal(err)
	}
	find := func(text []byte, pattern string) (names []string) {
		for _, match := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
			names = append(names, string(match[1]))
		}
		return names
	}
	for what, names := range map[string][]string{
		"imports":     find(source, `//go:cgo_import_dynamic libc_(\w+) \w+ "/usr/lib/libSystem.B.dylib"`),
		"variables":   find(source, `(?m)^\tlibc_(\w+)_trampoline_addr\s+uintptr`),
		"trampolines": find(assembly, `TEXT libc_(\w+)_trampoline<>\(SB\),NOSPLIT,\$0-0`),
		"jumps":       find(assembly, `JMP\tlibc_(\w+)\(SB\)`),
		"addresses":   find(assembly, `DATA\t·libc_(\w+)_trampoline_addr\(SB\)/8`),
	} {
		if !slices.Equal(names, functions) {
			t.Errorf("%s: %v, want %v", what, names, functions)
		}
	}
}

// TestLink links a program for both architectures without cgo, and looks at
// what the dynamic linker would be asked for.
func TestLink(t *testing.T) {
	if testing.Short() {
		t.Skip("links programs for another system, which takes long the first time; -short was given")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command here to link with:", err)
	}
	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	if err := os.WriteFile(main, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, arch := range []string{"amd64", "arm64"} {
		t.Run(arch, func(t *testing.T) {
			out := filepath.Join(dir, arch)
			build := exec.Command(tool, "build", "-o", out, main)
			build.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0")
			if text, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			checkImports(t, out)
		})
	}
}

func checkImports(t *testing.T, name string) {
	t.Helper()
	f, err := macho.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.ImportedSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, function := range functions {
		if !slices.Contains(symbols, "_"+function) {
			t.Errorf("%s is not imported", function)
		}
	}
	needed, err := f.ImportedLibraries()
	if err != nil {
		t.Fatal(err)
	}
	for _, library := range needed {
		if !slices.Contains(libraries, library) {
			t.Errorf("library %s is needed", library)
		}
	}
}
