package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/lion-go/lion/bench/internal/lab"
)

// The laboratory is a network namespace with nothing but a loopback interface, on which all
// name servers are. Each contender runs as a probe: this program again, in a mount namespace
// whose /etc has only the files of its case.

// What the environment tells the program: that it is in the laboratory, or what to probe.
const (
	labEnv   = "LION_NAMES_LAB"
	probeEnv = "LION_NAMES_PROBE"
)

// job is what a probe has to do, as JSON in its environment.
type job struct {
	Contender string
	Etc       string // the directory to put in the place of /etc
	Program   string // that calls getaddrinfo, for glibc; empty for getent
	WarmUp    int
	Lookups   int
	Stream    bool // see nameCase
	Many      bool // all at a time, and only count
	Files     int  // most descriptors; 0 for as many as there are
}

// laboratory holds what probes share.
type laboratory struct {
	dir     string
	program string
}

// run does what the environment says.
func run(o options) error {
	if text := os.Getenv(probeEnv); text != "" {
		var j job
		if err := json.Unmarshal([]byte(text), &j); err != nil {
			return err
		}
		return probe(j)
	}
	if os.Getenv(labEnv) == "" {
		return lab.Enter(labEnv)
	}
	if err := errors.Join(lab.IP("link set lo up"), serve()); err != nil {
		return fmt.Errorf("setting up the network: %w", err)
	}
	dir, err := os.MkdirTemp("", "lion-names")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l := &laboratory{dir: dir}
	if err := l.compile(); err != nil {
		fmt.Fprintln(os.Stderr, "names:", err, "- getent stands in for glibc")
	}
	return l.measure(o)
}

//go:embed getaddrinfo.c.txt
var source []byte

// compile makes the program that calls glibc.
func (l *laboratory) compile() error {
	program := filepath.Join(l.dir, "getaddrinfo")
	cmd := exec.Command("cc", "-O2", "-x", "c", "-o", program, "-")
	cmd.Stdin = bytes.NewReader(source)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("no C compiler: %w: %s", err, out)
	}
	l.program = program
	return nil
}

// furnish writes the files of a case.
func (l *laboratory) furnish(c nameCase) (dir string, err error) {
	dir = filepath.Join(l.dir, strings.NewReplacer(" ", "-", ",", "").Replace(c.name))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for name, text := range c.files() {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// probe runs a job in a process of its own.
func (l *laboratory) probe(j job) (findings, error) {
	j.Program = l.program
	text, err := json.Marshal(j)
	if err != nil {
		return findings{}, err
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), probeEnv+"="+string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return findings{}, fmt.Errorf("%s: %w", j.Contender, err)
	}
	return parseFindings(j.Contender, string(out))
}
