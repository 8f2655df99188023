package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"

	"github.com/valyala/fasthttp"
)

// statm tells the memory of the process in pages, proc(5): the second field is
// what is resident.
const statm = "/proc/self/statm"

// debugFree collects garbage, gives what is free back to the system and answers
// the resident size in bytes. The second collection frees what pools and
// finalizers held on to in the first. The whole server waits meanwhile.
func (s *site) debugFree(ctx *fasthttp.RequestCtx) {
	debug.FreeOSMemory()
	debug.FreeOSMemory()
	size, err := resident()
	if err != nil {
		ctx.Error(err.Error()+"\n", fasthttp.StatusNotImplemented)
		return
	}
	ctx.SetContentType(textPlain)
	ctx.SetBodyString(strconv.FormatInt(size, 10))
}

// resident returns the resident size of the process in bytes. It needs Linux.
func resident() (int64, error) {
	text, err := os.ReadFile(statm)
	if err != nil {
		return 0, fmt.Errorf("reading the resident size: %w", err)
	}
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return 0, fmt.Errorf("reading the resident size: %s says %q", statm, text)
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("reading the resident size: %w", err)
	}
	return pages * int64(os.Getpagesize()), nil
}
