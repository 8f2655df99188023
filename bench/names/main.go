// Command names measures how names are looked up: by lion's resolver, by that of package net,
// and by glibc, each in a process of its own, with the same files and the same name servers.
// Some of the servers are healthy, and others are silent, refuse, or lie. It prints a table in
// Markdown, and says on standard error how far it is; it takes about a minute.
//
//	go run ./names               in bench; needs Linux, ip(8), and root or user namespaces
//	go run ./names -case healthy only that case
//
// glibc is measured through a small program that a C compiler makes. Without one, getent(1)
// stands in for it, whose times are those of a process.
package main

import (
	"flag"
	"fmt"
	"os"
)

// options are what the flags say.
type options struct {
	lookups int
	many    int
	files   int
	only    string
}

// defaults are the options that the published table was made with.
var defaults = options{lookups: 2000, many: 10_000, files: 1024}

func main() {
	o := defaults
	flag.IntVar(&o.lookups, "lookups", o.lookups, "how many lookups the cost of one is measured with")
	flag.IntVar(&o.many, "many", o.many, "how many lookups go on at a time in the last case")
	flag.IntVar(&o.files, "files", o.files, "how many descriptors each process may have")
	flag.StringVar(&o.only, "case", "", "measure only the case of this `name`")
	flag.Parse()
	if flag.NArg() != 0 || o.lookups < 1 || o.many < 1 || o.files < 64 {
		fmt.Fprintln(os.Stderr, "names: flags only, and numbers that make sense")
		flag.Usage()
		os.Exit(2)
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "names:", err)
		os.Exit(1)
	}
}
