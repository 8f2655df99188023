package main

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/cwriter"
	"github.com/vbauerster/mpb/v8/decor"
)

// progress shows how far a run is: a bar on a terminal, a line per step elsewhere.
//
// It draws only when a step begins or ends. Drawing while a slice is measured would cost CPU
// time on the measured cores; mpb's own clock is switched off by a manual refresh.
type progress struct {
	out     io.Writer
	total   int
	done    int
	doing   atomic.Value // A string; the bar is drawn by a goroutine of mpb.
	bars    *mpb.Progress
	bar     *mpb.Bar
	refresh chan any
}

func newProgress(out *os.File, total int, lines bool) *progress {
	p := &progress{out: out, total: total}
	p.doing.Store("")
	if lines || !drawable(int(out.Fd())) {
		return p
	}
	p.refresh = make(chan any)
	p.bars = mpb.New(mpb.WithOutput(out), mpb.WithManualRefresh(p.refresh), mpb.WithWidth(40))
	p.bar = p.bars.New(int64(total),
		mpb.BarStyle().Lbound("[").Filler("=").Tip(">").Padding(" ").Rbound("]"),
		mpb.AppendDecorators(
			decor.Percentage(decor.WC{W: 5}),
			decor.Elapsed(decor.ET_STYLE_MMSS, decor.WC{W: 7}),
			decor.Any(func(decor.Statistics) string { return fmt.Sprint("  ", p.doing.Load()) }),
		))
	return p
}

// drawable reports whether there is a terminal, and of which size: some serial lines and
// containers say 0, and mpb then draws nothing at all.
func drawable(fd int) bool {
	width, height, err := cwriter.GetSize(fd)
	return cwriter.IsTerminal(fd) && err == nil && width > 0 && height > 0
}

// Doing names the step that begins.
func (p *progress) Doing(what string) {
	p.doing.Store(what)
	if p.bars == nil {
		fmt.Fprintf(p.out, "[%d/%d] %s\n", p.done, p.total, what)
		return
	}
	p.refresh <- nil
}

// Done counts a step.
func (p *progress) Done() {
	p.done++
	if p.bars != nil {
		p.bar.Increment()
	}
}

// end draws the bar for the last time.
func (p *progress) end() {
	if p.bars == nil {
		return
	}
	p.doing.Store("done")
	if p.done < p.total {
		p.doing.Store("incomplete")
		p.bar.Abort(false)
	}
	p.refresh <- nil
	p.bars.Wait()
	p.bars = nil
}
