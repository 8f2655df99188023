package eyeballs

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A race as a picture: a row for each lookup and each attempt, time from left
// to right. Text and SVG draw the same rows.

// row is one line of the picture.
type row struct {
	label string
	begin time.Duration
	open  time.Duration // when it was connected; end if it never was
	end   time.Duration
	look  string // a class: lookup, pending, won, failed, closed
	note  string // what it came to
}

// rows are the lines of the picture, lookups first.
func (tr *Trace) rows() (all []row) {
	for i := range tr.Lookups {
		all = append(all, tr.Lookups[i].row(tr.Elapsed))
	}
	for i := range tr.Attempts {
		all = append(all, tr.Attempts[i].row())
	}
	return all
}

func (l *Lookup) row(elapsed time.Duration) row {
	r := row{label: l.Type, begin: l.Asked, open: l.Answered, end: l.Answered, look: "lookup"}
	switch {
	case l.Pending:
		r.open, r.end, r.look, r.note = elapsed, elapsed, "pending", "no answer yet"
	case l.Err != nil:
		r.note = l.Err.Error()
	case len(l.Addrs) == 1:
		r.note = "1 address"
	default:
		r.note = fmt.Sprintf("%d addresses", len(l.Addrs))
	}
	return r
}

func (a *Attempt) row() row {
	r := row{label: a.Addr.Addr().String(), begin: a.Start, open: a.End, end: a.End, look: "closed"}
	if a.Connected > 0 {
		r.open = a.Start + a.Connected
	}
	took := round(a.Took())
	switch a.Outcome {
	case Won:
		r.look, r.note = "won", fmt.Sprintf("won after %v", took)
	case Failed:
		r.look, r.note = "failed", fmt.Sprintf("%s after %v", reason(a.Err), took)
	default:
		r.note = fmt.Sprintf("%v after %v", a.Outcome, took)
		switch {
		case a.Connected == 0:
			r.note = "no answer, " + r.note
		case a.Stage == StageHandshake:
			r.note = "no handshake, " + r.note
		}
	}
	return r
}

// summary is the race in a line.
func (tr *Trace) summary() string {
	end := "no connection after"
	if tr.Winner >= 0 && tr.Winner < len(tr.Attempts) {
		end = fmt.Sprintf("%v after", tr.Attempts[tr.Winner].Addr)
	}
	return fmt.Sprintf("connect %s: %s %v", tr.Address, end, round(tr.Elapsed))
}

// The text is made for a terminal of eighty columns or a little more.
const chartColumns = 40

// String prints the race as a timeline: a line for each lookup and attempt,
// with the time at which it began.
func (tr *Trace) String() string {
	var b strings.Builder
	b.WriteString(tr.summary())
	b.WriteByte('\n')
	rows, width := tr.rows(), 0
	for _, r := range rows {
		width = max(width, utf8.RuneCountInString(r.label))
	}
	for _, r := range rows {
		fmt.Fprintf(&b, "%-*s %9.1f ms  %s  %s\n",
			width, r.label, milliseconds(r.begin), tr.bar(r), r.note)
	}
	if n := len(tr.Unused); n > 0 {
		fmt.Fprintf(&b, "never tried: %v", tr.Unused[0].Addr())
		for _, addr := range tr.Unused[1:] {
			fmt.Fprintf(&b, ", %v", addr.Addr())
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// milliseconds is how a chart counts.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// bar draws a row in chartColumns characters.
func (tr *Trace) bar(r row) string {
	column := func(at time.Duration) int {
		if tr.Elapsed <= 0 {
			return 0
		}
		return int(int64(at) * (chartColumns - 1) / int64(tr.Elapsed))
	}
	line, body := "━", map[string]string{
		"lookup": "┤", "pending": "┄", "won": "●", "failed": "✕", "closed": "○",
	}[r.look]
	if r.look == "lookup" || r.look == "pending" {
		line = "┄"
	}
	begin, open, end := column(r.begin), column(r.open), column(r.end)
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", begin))
	b.WriteString(strings.Repeat(line, max(open-begin, 0)))
	b.WriteString(strings.Repeat("═", max(end-max(open, begin), 0)))
	b.WriteString(body)
	b.WriteString(strings.Repeat(" ", chartColumns-1-end))
	return b.String()
}
