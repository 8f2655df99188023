package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/lion-go/lion/resolver"
)

// A number is a counter with its words: what there is one of, and what there are more of.
type number struct {
	n         uint64
	one, more string
}

func (c number) String() string {
	if c.n == 1 {
		return "1 " + c.one
	}
	return fmt.Sprintf("%d %s", c.n, c.more)
}

// tell writes what a resolver has done, a line for each kind of it. What never happened is left
// out, but for the first line.
func tell(w io.Writer, s resolver.Statistics) {
	line := func(what string, numbers ...number) {
		var told []string
		for _, c := range numbers {
			if c.n > 0 || what == "asked" {
				told = append(told, c.String())
			}
		}
		if len(told) > 0 {
			fmt.Fprintf(w, "# %-8s  %s\n", what, strings.Join(told, ", "))
		}
	}
	line("asked", number{s.Queries, "question", "questions"}, number{s.Sockets, "socket", "sockets"},
		number{uint64(s.Servers), "name server known", "name servers known"})
	line("again", number{s.Hedges, "attempt since no answer came in time", "attempts since no answers came in time"},
		number{s.Timeouts, "server silent", "times a server silent"},
		number{s.Plain, "question without EDNS", "questions without EDNS"},
		number{s.TCP, "exchange by TCP", "exchanges by TCP"}, number{s.TCPFailed, "of them failed", "of them failed"})
	line("refused", number{s.Forged, "datagram that answers nothing", "datagrams that answer nothing"},
		number{s.Malformed, "that is no message", "that are no messages"},
		number{s.Oversized, "larger than asked for", "larger than asked for"},
		number{s.CaseLost, "that lost the case of its letters", "that lost the case of their letters"},
		number{s.Truncated, "answer used though cut off", "answers used though cut off"},
		number{s.Strangers, "record about another name", "records about other names"},
		number{s.Circles, "circle of aliases", "circles of aliases"},
		number{s.Unhelpful, "question that a server would not answer", "questions that servers would not answer"},
		number{s.Dropped, "address too many", "addresses too many"})
	line("lookups", number{s.Started, "begun", "begun"}, number{s.Joined, "joined another", "joined others"},
		number{s.Waited, "waited", "waited"}, number{s.Refused, "turned away", "turned away"},
		number{s.Abandoned, "given up", "given up"}, number{s.Broken, "ended by a bug", "ended by a bug"})
	line("known", number{s.CacheHits, "answer from the cache", "answers from the cache"},
		number{s.FromFiles, "from the hosts file", "from the hosts file"},
		number{uint64(s.Cached), "in the cache now", "in the cache now"},
		number{s.Stale, "by files as they were", "by files as they were"},
		number{uint64(s.Ignored), "line or word of the files ignored", "lines and words of the files ignored"})
	for _, word := range s.Skipped {
		fmt.Fprintf(w, "# skipped   %s in nsswitch.conf\n", word)
	}
	for _, err := range s.FileErrs {
		fmt.Fprintf(w, "# file      %v\n", err)
	}
}
