package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"os"
	"runtime/debug"
	"time"

	"github.com/lion-go/lion/bench/internal/hello"
	"github.com/lion-go/lion/bench/internal/host"
)

// desk turns received bytes into answers, for both implementations.
type desk struct {
	settings
	probes *probes
}

func newDesk(s settings) *desk {
	d := &desk{settings: s}
	if s.beside {
		d.probes = startProbes()
	}
	return d
}

func (d *desk) newBuffer() hello.Buffer {
	return hello.Buffer{Bytes: make([]byte, hello.MaxRequest)}
}

// answers takes n bytes that were received into buffer and yields what to send.
func (d *desk) answers(buffer *hello.Buffer, n int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		var extra []byte
		if d.free || d.beside {
			extra = d.debug(buffer.Bytes[:buffer.Pending()+n])
		}
		requests := buffer.Take(n)
		if extra != nil && requests == 1 {
			yield(extra)
			return
		}
		d.burn(requests)
		for requests > 0 {
			some := min(requests, hello.AnswersPerSend)
			if !yield(hello.Answers[:some*len(hello.Answer)]) {
				return
			}
			requests -= some
		}
	}
}

// burn spends CPU time, so that a server is saturated whatever the client does, and lets the
// probes make their goroutine runnable.
func (d *desk) burn(requests int) {
	if d.work > 0 {
		end := time.Now().Add(time.Duration(requests) * d.work)
		for time.Now().Before(end) {
		}
	}
	if d.probes != nil {
		d.probes.poke()
	}
}

// debug answers the questions of bench. It returns nil if data is an ordinary request.
func (d *desk) debug(data []byte) []byte {
	switch {
	case d.free && bytes.HasPrefix(data, []byte("GET /debug/free ")):
		debug.FreeOSMemory()
		resident, err := host.Resident(os.Getpid())
		if err != nil {
			return answer(err.Error())
		}
		return answer(fmt.Sprint(resident))
	case d.beside && bytes.HasPrefix(data, []byte("GET /debug/beside ")):
		text, err := json.Marshal(d.probes.take())
		if err != nil {
			return answer(err.Error())
		}
		return answer(string(text))
	}
	return nil
}

func answer(body string) []byte {
	return fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}
