//go:build !linux

package load

import "github.com/lion-go/lion/bench/internal/host"

type engine struct{}

func newEngine(Command) (*engine, error)     { return nil, host.Supported() }
func (*engine) run(Command) (Outcome, error) { return Outcome{}, host.Supported() }
func (*engine) close()                       {}
