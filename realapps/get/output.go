package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lion-go/lion/loop"
)

// file is the file of -o. It gets its name only when it is complete: a transfer that fails
// leaves what was there before.
type file struct {
	*os.File
	name string
}

func createFile(name string) (*file, error) {
	temporary, err := os.CreateTemp(filepath.Dir(name), ".get-*")
	if err != nil {
		return nil, err
	}
	return &file{temporary, name}, nil
}

// finish closes the file, and names it if the transfer did not fail. The text that comes with
// an error of HTTP is kept as well.
func (f *file) finish(failed error) error {
	// A temporary file is for its owner only; this one is for whom the user lets read.
	err := errors.Join(f.Chmod(0o644), f.Close())
	if failed == nil && err == nil {
		err = os.Rename(f.Name(), f.name)
	}
	if failed != nil || err != nil {
		_ = os.Remove(f.Name())
	}
	if failed == nil && err != nil {
		failed = &outputError{err}
	}
	return failed
}

// progress is how far a transfer has come. A nil one counts nothing.
type progress struct {
	name  string
	done  int64
	total int64 // -1 if the server does not say
}

func (p *progress) add(n int) {
	if p != nil {
		p.done += int64(n)
	}
}

// barInterval is how often the bar is drawn: often enough to look alive.
const barInterval = 100 * time.Millisecond

// underBar runs a transfer while another task draws the bar.
func (f *fetch) underBar(t *loop.Task, bar *progress, transfer func() error) error {
	if !f.progress && !isTerminal(f.stderr) {
		return transfer()
	}
	began := t.Now()
	draw := func() { fmt.Fprintf(f.stderr, "\r%s", bar.line(t.Now().Sub(began))) }
	var failed error
	err := loop.Nurse(t, func(n *loop.Nursery) error {
		drawing := func(t *loop.Task) error {
			for {
				draw()
				if err := loop.Sleep(t, barInterval); err != nil {
					return err
				}
			}
		}
		if err := n.Spawn(drawing); err != nil {
			return err
		}
		failed = transfer()
		return n.Cancel("the transfer has ended")
	})
	draw()
	fmt.Fprintln(f.stderr)
	if err != nil && failed == nil {
		return err
	}
	return failed
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// barWidth is how many characters the bar has.
const barWidth = 30

// line draws the bar.
func (p *progress) line(took time.Duration) string {
	rate := float64(p.done) / max(took.Seconds(), 1e-3)
	if p.total <= 0 {
		return fmt.Sprintf("%s  %s  %s/s   ", p.name, size(float64(p.done)), size(rate))
	}
	full := int(p.done * barWidth / p.total)
	text := fmt.Sprintf("%s  %s%s %3d%%  %s  %s/s", p.name,
		strings.Repeat("█", full), strings.Repeat("░", barWidth-full),
		p.done*100/p.total, size(float64(p.done)), size(rate))
	if left := float64(p.total-p.done) / max(rate, 1); left >= 1 && p.done > 0 {
		text += fmt.Sprintf("  %v left", time.Duration(left)*time.Second)
	}
	return text + "   "
}

// size is a number of bytes that a person can read.
func size(n float64) string {
	for _, unit := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024 {
			if unit == "B" {
				return fmt.Sprintf("%.0f B", n)
			}
			return fmt.Sprintf("%.1f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TiB", n)
}
