package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/lion-go/lion/bench/internal/host"
)

// Argument makes the executable a load generator: it is its first argument then.
const Argument = "internal-load-generator"

// replyLimit is how long a command may take beyond its duration: connecting 20,000 times is
// the longest, and lateLimit is part of it.
const replyLimit = 30*time.Second + lateLimit

// maxLine bounds a line of the protocol in bytes; a histogram takes some 20 KiB.
const maxLine = 1 << 20

// Main turns this process into a load generator if its arguments ask for one, and returns
// otherwise. main and TestMain call it first.
func Main() {
	if len(os.Args) != 2 || os.Args[1] != Argument {
		return
	}
	if err := Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load generator:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Serve obeys commands until the input ends.
func Serve(in io.Reader, out io.Writer) error {
	targets := map[string]*engine{}
	defer func() {
		for _, e := range targets {
			e.close()
		}
	}()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var c Command
		err := json.Unmarshal(lines.Bytes(), &c)
		var outcome Outcome
		if err == nil {
			outcome, err = obey(targets, c)
		}
		if err != nil {
			outcome = Outcome{Error: err.Error()}
		}
		if err := json.NewEncoder(out).Encode(outcome); err != nil {
			return err
		}
	}
	return lines.Err()
}

func obey(targets map[string]*engine, c Command) (Outcome, error) {
	if err := c.check(); err != nil {
		return Outcome{}, err
	}
	e, known := targets[c.Target]
	switch {
	case c.Operation == Connect && known:
		return Outcome{}, fmt.Errorf("target %q is connected already", c.Target)
	case c.Operation != Connect && !known:
		return Outcome{}, fmt.Errorf("target %q is not connected", c.Target)
	}
	switch c.Operation {
	case Connect:
		e, err := newEngine(c)
		if err == nil {
			targets[c.Target] = e
		}
		return Outcome{}, err
	case Run:
		return e.run(c)
	case Close:
		e.close()
		delete(targets, c.Target)
		return Outcome{}, nil
	}
	return Outcome{}, fmt.Errorf("unknown operation %q", c.Operation)
}

// Generator is a running load generator. It takes one command at a time.
type Generator struct {
	child *host.Child
	in    io.WriteCloser
	lines chan []byte
}

// Start starts executable as a load generator.
func Start(executable string, cpus []int, env ...string) (*Generator, error) {
	g := &Generator{lines: make(chan []byte)}
	var out io.Reader
	child, err := host.Start(
		host.Spec{Path: executable, Args: []string{Argument}, Env: env, CPUs: cpus},
		func(cmd *exec.Cmd) (err error) {
			if g.in, err = cmd.StdinPipe(); err != nil {
				return err
			}
			out, err = cmd.StdoutPipe()
			return err
		})
	if err != nil {
		return nil, err
	}
	g.child = child
	go g.read(out)
	return g, nil
}

func (g *Generator) read(out io.Reader) {
	defer close(g.lines)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		select {
		case g.lines <- append([]byte(nil), lines.Bytes()...):
		case <-g.child.Exited():
			return
		}
	}
}

// PID returns the process id of the generator.
func (g *Generator) PID() int { return g.child.PID() }

// Do sends a command and waits for its outcome. After an error of the context or of the
// protocol the generator can only be killed.
func (g *Generator) Do(ctx context.Context, c Command) (Outcome, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, c.Duration+replyLimit,
		errors.New("the load generator does not answer"))
	defer cancel()
	line, err := json.Marshal(c)
	if err != nil {
		return Outcome{}, err
	}
	if _, err := g.in.Write(append(line, '\n')); err != nil {
		return Outcome{}, fmt.Errorf("load generator: %w: %s", err, g.child.Said())
	}
	select {
	case line, ok := <-g.lines:
		if !ok {
			<-g.child.Exited()
			return Outcome{}, fmt.Errorf("the load generator ended: %s", g.child.Said())
		}
		var outcome Outcome
		if err := json.Unmarshal(line, &outcome); err != nil {
			return Outcome{}, fmt.Errorf("load generator: %w", err)
		}
		if outcome.Error != "" {
			return Outcome{}, fmt.Errorf("%s: %s", c.Target, outcome.Error)
		}
		return outcome, nil
	case <-ctx.Done():
		return Outcome{}, context.Cause(ctx)
	}
}

// Kill ends the generator and its connections.
func (g *Generator) Kill() { g.child.Kill() }
