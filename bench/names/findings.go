package main

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// findings are what a probe has found out. It writes them as lines:
//
//	T nanoseconds error address...     a lookup; the error is 0, or words joined by ~
//	C nanoseconds allocations bytes    the cost of all lookups together
//	M nanoseconds good bad error       many lookups at a time, the first error
type findings struct {
	lookups       []lookup
	cpu           time.Duration
	allocs, bytes float64
	took          time.Duration
	good, bad     int
	err           string
}

func (l lookup) line() string {
	line := fmt.Sprintf("T %d %s", l.took.Nanoseconds(), token(l.err))
	for _, addr := range l.addrs {
		line += " " + addr.String()
	}
	return line
}

// token makes one word of an error.
func token(err string) string {
	if err == "" {
		return "0"
	}
	return strings.ReplaceAll(err, " ", "~")
}

// words is what token was made of; glibc has numbers, whose names are those of netdb.h.
func words(contender, token string) string {
	names := map[string]string{"-2": "EAI_NONAME", "-3": "EAI_AGAIN", "-4": "EAI_FAIL",
		"-5": "EAI_NODATA", "-11": "EAI_SYSTEM"}
	switch {
	case token == "0":
		return ""
	case contender == glibc && names[token] != "":
		return names[token]
	}
	return strings.ReplaceAll(token, "~", " ")
}

// parseFindings reads what a probe has written.
func parseFindings(contender, text string) (f findings, err error) {
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		var ns int64
		word := "0"
		switch fields[0] {
		case "T":
			_, err = fmt.Sscan(strings.Join(fields[1:], " "), &ns, &word)
			l := lookup{took: time.Duration(ns), err: words(contender, word)}
			for _, text := range fields[min(3, len(fields)):] {
				addr, parseErr := netip.ParseAddr(text)
				if parseErr != nil {
					return f, parseErr
				}
				l.addrs = append(l.addrs, addr)
			}
			f.lookups = append(f.lookups, l)
		case "C":
			line = strings.Join(append(fields[1:], "0", "0"), " ")
			_, err = fmt.Sscan(line, &ns, &f.allocs, &f.bytes)
			f.cpu = time.Duration(ns)
		case "M":
			_, err = fmt.Sscan(strings.Join(fields[1:], " "), &ns, &f.good, &f.bad, &word)
			f.took, f.err = time.Duration(ns), words(contender, word)
		default:
			err = fmt.Errorf("a probe wrote %q", line)
		}
		if err != nil {
			return f, err
		}
	}
	return f, nil
}

// median is the lookup in the middle by time.
func (f findings) median() lookup {
	sorted := slices.SortedFunc(slices.Values(f.lookups), func(a, b lookup) int {
		return int(a.took - b.took)
	})
	return sorted[len(sorted)/2]
}
