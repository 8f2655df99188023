package eyeballs

import (
	"fmt"
	"html"
	"io"
	"strings"
	"time"
)

// The geometry of the drawing, in pixels.
const (
	svgLabels = 190 // the column of addresses
	svgChart  = 440 // the column of bars
	svgNotes  = 290 // the column of outcomes
	svgTop    = 64  // title and axis
	svgRow    = 26  // the height of a row
	svgBar    = 12  // the height of a bar
	svgFoot   = 12
)

// svgStyle gives each kind of bar its colour. What is connected and shakes
// hands is drawn darker.
const svgStyle = `text{font:13px system-ui,sans-serif;fill:#1f2933}` +
	`.title{font-weight:600;font-size:14px}.dim{fill:#66717d;font-size:12px}` +
	`.grid{stroke:#e3e8ee}.lookup{fill:#8fb8de}.pending{fill:#d3e2f2}.closed{fill:#c3cad3}` +
	`.failed{fill:#e0696a}.won{fill:#3fa66b}.shaking{fill:#00000033}`

// SVG draws the race as a timeline: a bar for each lookup and attempt. The
// drawing stands for itself and refers to nothing.
func (tr *Trace) SVG(w io.Writer) error {
	rows := tr.rows()
	width := svgLabels + svgChart + svgNotes
	height := svgTop + len(rows)*svgRow + svgFoot
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" `+
		`width="%d" height="%d" role="img"><title>%s</title><style>%s</style>`+"\n",
		width, height, width, height, html.EscapeString(tr.summary()), svgStyle)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" rx="6" fill="#fff"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text class="title" x="14" y="24">%s</text>`+"\n",
		html.EscapeString(tr.summary()))
	end := tr.axis(&b, height)
	for i, r := range rows {
		r.draw(&b, svgTop+i*svgRow, end)
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// axis draws the lines of the time and returns the time at the right end.
func (tr *Trace) axis(b *strings.Builder, height int) time.Duration {
	step := tickStep(tr.Elapsed)
	end := max((tr.Elapsed+step-1)/step*step, step)
	for at := time.Duration(0); at <= end; at += step {
		x := place(at, end)
		fmt.Fprintf(b, `<line class="grid" x1="%.1f" y1="52" x2="%.1f" y2="%d"/>`,
			x, x, height-svgFoot)
		fmt.Fprintf(b, `<text class="dim" x="%.1f" y="46" text-anchor="middle">%v</text>`+"\n",
			x, at)
	}
	return end
}

// tickStep is a round time of which about five fit into all.
func tickStep(all time.Duration) time.Duration {
	step := time.Microsecond
	for {
		for _, factor := range []time.Duration{1, 2, 5} {
			if all <= 6*factor*step {
				return factor * step
			}
		}
		step *= 10
	}
}

// place is where a time lies in the chart.
func place(at, end time.Duration) float64 {
	return svgLabels + float64(svgChart-20)*float64(at)/float64(end)
}

// draw draws a row whose top is y, in a chart that ends at end.
func (r row) draw(b *strings.Builder, y int, end time.Duration) {
	middle := y + svgRow/2
	x := place(r.begin, end)
	fmt.Fprintf(b, `<text x="14" y="%d">%s</text>`, middle+4, html.EscapeString(r.label))
	r.rect(b, r.look, r.begin, r.end, middle, end)
	if r.open < r.end {
		r.rect(b, "shaking", r.open, r.end, middle, end)
	}
	if r.begin > 0 {
		fmt.Fprintf(b, `<text class="dim" x="%.1f" y="%d" text-anchor="end">%.4g</text>`,
			x-4, middle+4, milliseconds(r.begin))
	}
	fmt.Fprintf(b, `<text class="dim" x="%d" y="%d">%s</text>`+"\n",
		svgLabels+svgChart, middle+4, html.EscapeString(r.note))
}

func (r row) rect(
	b *strings.Builder, class string, from, to time.Duration, middle int, end time.Duration,
) {
	x := place(from, end)
	fmt.Fprintf(b, `<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d" rx="2"/>`,
		class, x, middle-svgBar/2, max(place(to, end)-x, 2), svgBar)
}
