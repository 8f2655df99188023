// Command get fetches a document over HTTP or HTTPS, and writes it to standard output or to a
// file. It connects with lion's Happy Eyeballs: a host some of whose addresses are dead costs
// a quarter of a second for each, and -trace draws the race.
//
// README.md says how to use it.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/lion-go/lion/loop"
)

// Exit codes. A script can tell from them who is to blame.
const (
	exitOK        = 0
	exitError     = 1   // something that has no code of its own
	exitUsage     = 2   // the arguments make no sense
	exitName      = 3   // the host has no addresses
	exitConnect   = 4   // none of its addresses could be connected to
	exitTLS       = 5   // TLS failed: as a rule, the certificate is not to be trusted
	exitTimeout   = 6   // it took longer than -timeout, -connect-timeout or -stall
	exitStatus    = 7   // the server answered with an error
	exitOutput    = 8   // the output could not be written
	exitTruncated = 9   // the connection ended before the document did
	exitInterrupt = 130 // interrupted, as shells have it
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is main without the process around it.
func run(args []string, stdout, stderr io.Writer) int {
	said := printable{stderr}
	c, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(said, "get: %v\n%s", err, shortUsage)
		return exitUsage
	}
	err = loop.Run(func(t *loop.Task) error {
		return (&fetch{config: c, stdout: stdout, stderr: stderr, said: said}).run(t)
	}, loop.CatchInterrupt())
	if err != nil {
		fmt.Fprintln(said, "get:", explain(err))
	}
	return exitCode(err)
}
