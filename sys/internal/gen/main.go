// Command gen writes the facade of package sys: for each operating system a
// file of aliases, constants and one-line forwarders to its package. Run it
// with "go generate" in sys; a test there tells when that is due.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/lion-go/lion/sys/internal/gen/facade"
)

func main() {
	root := flag.String("sys", ".", "the directory of package sys")
	flag.Parse()
	for _, system := range facade.Systems {
		if err := write(*root, system); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

func write(root, system string) error {
	p, err := facade.Parse(root, system)
	if err != nil {
		return err
	}
	text, err := p.Generate()
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(root, facade.FileName(system)), text, 0o666)
}
