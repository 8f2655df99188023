package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"strings"
)

// The facade with the tag faults: every function that can answer an error asks
// package faults first, which counts the calls and has the chosen one fail. The
// poller is a type of its own there, since its methods can fail as well; it is
// written by hand, in poller_faults.go.

// poller is the type that is written by hand.
const poller = "Poller"

// closes are the functions after which the descriptor is gone, whatever they
// answer. So they do their work before they fail.
var closes = map[string]bool{"Close": true, "CloseNowait": true, "CloseHandle": true, "CloseFile": true}

// takers own a descriptor from the call on, and close it if they fail.
var takers = map[string]bool{"FileConn": true, "FileListener": true, "FilePacketConn": true}

// cuts are what makes calls transfer less than they were asked to.
var cuts = map[string]string{
	"Recv":           "b = cutStream(call, fd, b)",
	"Send":           "b = cutStream(call, fd, b)",
	"Read":           "b = b[:call.Cut(len(b))]",
	"Write":          "b = b[:call.Cut(len(b))]",
	"RecvMsg":        "defer cutMsg(call, fd, m)()",
	"SendMsg":        "defer cutMsg(call, fd, m)()",
	"RecvMMsg":       "ms = ms[:call.Cut(len(ms))]",
	"SendMMsg":       "ms = ms[:call.Cut(len(ms))]",
	"Sendfile":       "n = call.Cut(n)",
	"SendfileNowait": "n = call.Cut(n)",
	"BeginTransmit":  "n, tail = cutTransmit(call, n, tail)",
	"Splice":         "n = call.Cut(n)",
	"ReadCached":     "b = b[:call.Cut(len(b))]",
	"ReadAt":         "b = b[:call.Cut(len(b))]",
}

// buildLine keeps the two facades apart.
func buildLine(faulty bool) string {
	if faulty {
		return "//go:build faults\n\n"
	}
	return "//go:build !faults\n\n"
}

// fallible reports whether the last result is an error.
func fallible(f item) bool {
	if f.fn.Results == nil {
		return false
	}
	list := f.fn.Results.List
	name, ok := list[len(list)-1].Type.(*ast.Ident)
	return ok && name.Name == "error"
}

// pollerParts are what poller_faults.go needs to know about the system.
func (p *surface) pollerParts(b *bytes.Buffer) {
	fmt.Fprintf(b, "type systemPoller = %s.%s\n\n", p.system, poller)
	fmt.Fprintf(b, "var newSystemPoller = %s.New%s\n\n", p.system, poller)
	fmt.Fprintf(b, "var systemOption = %s.GetsockoptInt\n\n", p.system)
}

// faultyForwarder writes one function that can be made to fail.
func (p *surface) faultyForwarder(b *bytes.Buffer, f item) {
	var results, names, fds []string
	for _, field := range f.fn.Results.List {
		given := len(field.Names)
		for i := range max(1, given) {
			name := fmt.Sprintf("r%d", len(names))
			if given > 0 {
				name = field.Names[i].Name
			}
			names = append(names, name)
			results = append(results, name+" "+source(field.Type))
		}
	}
	names[len(names)-1] = "err"
	results[len(results)-1] = "err error"
	for _, field := range f.fn.Params.List {
		if source(field.Type) == "FD" {
			for _, n := range field.Names {
				fds = append(fds, ", "+n.Name)
			}
		}
	}
	params := f.text[:strings.Index(f.text, ")")+1]
	fmt.Fprintf(b, "func %s%s (%s) {\n", f.name, params, strings.Join(results, ", "))
	fmt.Fprintf(b, "call := faults.Enter(%q%s)\n", f.name, strings.Join(fds, ""))
	if !closes[f.name] {
		b.WriteString("if call.Err != nil {\n")
		if takers[f.name] {
			fmt.Fprintf(b, "_ = %s.Close(fd)\n", p.system)
		}
		b.WriteString("err = call.Err\nreturn\n}\n")
	}
	if cut := cuts[f.name]; cut != "" {
		fmt.Fprintln(b, cut)
	}
	fmt.Fprintf(b, "%s = %s.%s(%s)\n", strings.Join(names, ", "), p.system, f.name, arguments(f))
	if closes[f.name] {
		b.WriteString("if call.Err != nil {\nerr = call.Err\n}\n")
	}
	b.WriteString("call.Leave()\nreturn\n}\n\n")
}
