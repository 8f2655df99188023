package loop

import (
	"bytes"
	"runtime"
	"strconv"
	"strings"
)

// The stacks of suspended tasks. Facts, measured on Go 1.26, and hence this
// code:
//
//   - A suspended coroutine is a goroutine in the state "coroutine", and
//     runtime.Stack(all) lists it; so does the goroutine profile, but without
//     telling which is which, and it adds up those that are equal.
//   - While a task runs, the goroutine of its loop is in the state "coroutine"
//     and that of the task in the state of what it really does: "running", or
//     "sync.Mutex.Lock" if it holds the loop. So the text tells who holds a
//     loop, and how, without a look into the loop's own structures, which
//     belong to a goroutine that does not answer.
//   - The text gives the number of the goroutine that made a coroutine: that
//     of its loop. So it tells the coroutines of several loops apart.
//   - It gives the arguments of functions. The first of (*coroutine).run is
//     the address of the coroutine, which is as good as a name: so a stack
//     finds its task. Should a compiler stop printing it, stacks stay without
//     a task and are listed on their own.
//   - runtime.Stack stops the whole process for about 4 us a goroutine: 40 ms
//     for 10,000 tasks. So stacks are taken when a person asks, or a stall has
//     been found, and never for statistics.

// stackBytesMax bounds the text of all stacks: enough for about 100,000 tasks.
const stackBytesMax = 64 << 20

// goroutineText is what the runtime says about one goroutine.
type goroutineText struct {
	number    uint64
	parent    uint64 // who made it, and where
	origin    string
	state     string // "running", "coroutine", "chan receive, 5 minutes"
	locked    bool   // to its thread
	frames    []frame
	coroutine string // the address of its coroutine, if it is one
	task      bool   // it is within the function of a task
}

type frame struct{ function, place string }

// allStacks returns what the runtime says about every goroutine.
func allStacks() []goroutineText {
	size := min(runtime.NumGoroutine()*1024+1<<16, stackBytesMax)
	for {
		buf := make([]byte, size)
		n := runtime.Stack(buf, true)
		if n < size || size == stackBytesMax {
			return parseStacks(buf[:n])
		}
		size = min(2*size, stackBytesMax)
	}
}

// ownHeader returns the first line that the runtime prints of the caller.
func ownHeader() string {
	var buf [96]byte
	line, _, _ := bytes.Cut(buf[:runtime.Stack(buf[:], false)], []byte("\n"))
	return string(line)
}

// ownGoroutine returns the number of the calling goroutine.
func ownGoroutine() uint64 {
	var g goroutineText
	g.parseHeader(ownHeader())
	return g.number
}

// ownStackBytes is enough for the stack of one goroutine, of which the runtime
// prints a hundred frames at most.
const ownStackBytes = 64 << 10

// ownText returns what the runtime says about the calling goroutine.
func ownText() goroutineText {
	buf := make([]byte, ownStackBytes)
	all := parseStacks(buf[:runtime.Stack(buf, false)])
	return all[0]
}

func parseStacks(text []byte) (all []goroutineText) {
	for part := range bytes.SplitSeq(text, []byte("\n\n")) {
		all = append(all, parseGoroutine(string(part)))
	}
	return all
}

// entryName and executeName are the functions at which the stacks of coroutines
// and of tasks begin, and packageName is how the names of this package begin.
var (
	entryName   = runtime.FuncForPC(coroutineEntry).Name()
	packageName = strings.TrimSuffix(entryName, "(*coroutine).run")
	executeName = packageName + "(*coroutine).execute"
)

func parseGoroutine(text string) (g goroutineText) {
	header, rest, _ := strings.Cut(text, "\n")
	g.parseHeader(header)
	for rest != "" {
		var line, place string
		line, rest, _ = strings.Cut(rest, "\n")
		if strings.HasPrefix(rest, "\t") {
			place, rest, _ = strings.Cut(rest, "\n")
			place = trimPlace(place)
		}
		if made, ok := strings.CutPrefix(line, "created by "); ok {
			origin, number, _ := strings.Cut(made, " in goroutine ")
			g.origin = origin + "\n\t" + place + "\n"
			g.parent, _ = strconv.ParseUint(number, 10, 64)
			continue
		}
		g.addFrame(line, place)
	}
	return g
}

func (g *goroutineText) addFrame(line, place string) {
	function, arguments := line, ""
	if i := strings.LastIndexByte(line, '('); i > 0 {
		function, arguments = line[:i], line[i+1:]
	}
	switch function {
	case entryName:
		first, _, _ := strings.Cut(arguments, ",")
		g.coroutine = strings.TrimRight(first, "?)")
	case executeName:
		g.task = true
	}
	g.frames = append(g.frames, frame{function, place})
}

// parseHeader reads "goroutine 7 [chan receive, 5 minutes, locked to thread]:".
func (g *goroutineText) parseHeader(line string) {
	line = strings.TrimPrefix(line, "goroutine ")
	number, line, _ := strings.Cut(line, " ")
	g.number, _ = strconv.ParseUint(number, 10, 64)
	_, state, _ := strings.Cut(line, "[")
	state, _, _ = strings.Cut(state, "]")
	state, g.locked = strings.CutSuffix(state, ", locked to thread")
	g.state = state
}

// trimPlace takes the tab and the offset off a line like "\t/x/y.go:17 +0x4f".
func trimPlace(line string) string {
	line = strings.TrimPrefix(line, "\t")
	place, _, _ := strings.Cut(line, " +0x")
	return place
}

// suspended reports whether the goroutine is a coroutine that waits for its
// turn. Of all coroutines of a loop, at most one is not.
func (g *goroutineText) suspended() bool {
	return g.state == "coroutine" || strings.HasPrefix(g.state, "coroutine,")
}

// function names the function of the task: the outermost frame above execute
// that is not one of the loop's own wrappers.
func (g *goroutineText) function() string {
	name, within := "?", false
	for i := len(g.frames) - 1; i >= 0; i-- {
		f := g.frames[i].function
		if within {
			name = shortName(f)
			if !strings.HasPrefix(f, packageName) {
				return name
			}
		}
		within = within || f == executeName
	}
	return name
}

// stack prints the part of the stack that is the task's own: functions and
// places, without arguments and addresses, so that equal ones are equal text.
// The loop's inner functions are left out; the exported ones show what was
// called.
func (g *goroutineText) stack() string {
	var b strings.Builder
	begun := false
	for _, f := range g.frames {
		begun = begun || !strings.HasPrefix(f.function, "iter.Pull") && f.function != "runtime.Stack"
		if f.function == executeName || f.function == entryName {
			break
		}
		if begun && !isInner(f.function) {
			b.WriteString(f.function + "\n\t" + f.place + "\n")
		}
	}
	return b.String()
}

// isInner recognises unexported functions and methods of this package.
func isInner(function string) bool {
	name, ok := strings.CutPrefix(function, packageName)
	if !ok {
		return false
	}
	if _, method, ok := strings.Cut(name, ")."); ok {
		name = method
	}
	return name[0] < 'A' || name[0] > 'Z'
}

// shortName takes the path off the name of a function.
func shortName(function string) string {
	return function[strings.LastIndexByte(function, '/')+1:]
}
