// Command gen writes the facade of package sys: for each operating system a
// file of aliases, constants and one-line forwarders to its package, and a second
// one, for the tag faults, in which every call can be made to fail. Run it
// with "go generate" in sys; a test here tells when that is due.
//
// The packages are read from source, on any host. The tests also compare them
// with each other.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	root := flag.String("sys", ".", "the directory of package sys")
	flag.Parse()
	for _, system := range systems {
		if err := write(*root, system); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func write(root, system string) error {
	p, err := parse(os.DirFS(root), system)
	if err != nil {
		return err
	}
	for _, faulty := range []bool{false, true} {
		text, err := p.generate(faulty)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(root, fileName(system, faulty)), text, 0o666); err != nil {
			return err
		}
	}
	return nil
}
