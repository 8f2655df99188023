package inspect

import (
	"bytes"
	"embed"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lion-go/lion/loop"
)

const (
	// PageTasksMax bounds the tasks of a loop that the page and its JSON list,
	// about 1.5 MB of JSON. The rest is counted; a dump lists all.
	PageTasksMax = 5000

	// freshTime and stackTime are for how long an answer serves everybody who
	// asks: pictures take the loops' time, and stacks stop the process.
	freshTime = 500 * time.Millisecond
	stackTime = 2 * time.Second

	// patience is how long a loop may take to answer.
	patience = 500 * time.Millisecond
)

// files are the parts of the page. It needs nothing from elsewhere.
//
//go:embed page.html page.css page.js
var files embed.FS

// A Page shows loops that run. It is an http.Handler with these paths:
//
//	/             the live page
//	/tasks.json   a State, without stacks
//	/stacks.json  a State with stacks; it stops the process for a moment
//	/dump         loop.DumpAll as text
//
// To serve it below another path, mount it with http.StripPrefix at a path
// that ends in a slash. Only GET and HEAD are answered.
type Page struct {
	mu    sync.Mutex
	loops []*loop.Loop

	tasks, stacks, dump answer
}

// NewPage makes a page that shows no loops yet.
func NewPage() *Page {
	p := &Page{}
	p.tasks = answer{fresh: freshTime, make: func() []byte { return p.json(loop.Look{Patience: patience, NoStacks: true}) }}
	p.stacks = answer{fresh: stackTime, make: func() []byte { return p.json(loop.Look{Patience: patience}) }}
	p.dump = answer{fresh: stackTime, make: p.text}
	return p
}

// Watch is a loop.Option: the page shows the loop while it runs.
//
//	loop.Run(main, page.Watch)
func (p *Page) Watch(l *loop.Loop) error {
	return l.AddInstrument(&loop.Instrument{
		Name:      "inspect.Page",
		BeforeRun: func(l *loop.Loop) { p.add(l) },
		AfterRun:  func(l *loop.Loop) { p.remove(l) },
	})
}

func (p *Page) add(l *loop.Loop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loops = append(p.loops, l)
	slices.SortFunc(p.loops, func(a, b *loop.Loop) int { return int(a.ID()) - int(b.ID()) })
}

func (p *Page) remove(l *loop.Loop) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.loops = slices.DeleteFunc(p.loops, func(other *loop.Loop) bool { return other == l })
}

// Loops returns the loops that run, in the order of their numbers.
func (p *Page) Loops() []*loop.Loop {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.loops)
}

// A State is what the page's JSON holds.
type State struct {
	Program    string           `json:"program"`    // its file
	PID        int              `json:"pid"`        // of the process
	Go         string           `json:"go"`         // the version it was built with
	Goroutines int              `json:"goroutines"` // all of the process, those of tasks included
	Loops      []*loop.Snapshot `json:"loops"`      // of the loops that run
}

// State takes a picture of all loops.
func (p *Page) State(look loop.Look) State {
	s := State{
		Program: filepath.Base(os.Args[0]), PID: os.Getpid(), Go: runtime.Version(),
		Goroutines: runtime.NumGoroutine(), Loops: loop.Snapshots(look, p.Loops()...),
	}
	for _, l := range s.Loops {
		if n := len(l.Tasks); n > PageTasksMax {
			l.Tasks, l.Omitted = l.Tasks[:PageTasksMax], l.Omitted+n-PageTasksMax
		}
	}
	return s
}

func (p *Page) json(look loop.Look) []byte {
	text, err := json.Marshal(p.State(look))
	if err != nil { // of plain values it cannot fail
		return []byte("{}")
	}
	return text
}

func (p *Page) text() []byte {
	var b bytes.Buffer
	_ = loop.DumpAll(&b, p.Loops()...) // a buffer takes everything
	return b.Bytes()
}

// answer is an answer that is used again while it is fresh.
type answer struct {
	make  func() []byte
	fresh time.Duration

	mu   sync.Mutex
	text []byte
	at   time.Time
}

func (a *answer) get() []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.text == nil || time.Since(a.at) >= a.fresh {
		a.text = a.make()
		a.at = time.Now()
	}
	return a.text
}

// ServeHTTP serves the page.
func (p *Page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; "+
		"connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "GET or HEAD only", http.StatusMethodNotAllowed)
		return
	}
	switch name := strings.TrimPrefix(r.URL.Path, "/"); name {
	case "":
		serve(w, "text/html; charset=utf-8", file("page.html"))
	case "page.css":
		serve(w, "text/css; charset=utf-8", file(name))
	case "page.js":
		serve(w, "text/javascript; charset=utf-8", file(name))
	case "tasks.json":
		serve(w, "application/json", p.tasks.get())
	case "stacks.json":
		serve(w, "application/json", p.stacks.get())
	case "dump":
		serve(w, "text/plain; charset=utf-8", p.dump.get())
	default:
		http.NotFound(w, r)
	}
}

func file(name string) []byte {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return text
}

func serve(w http.ResponseWriter, kind string, text []byte) {
	w.Header().Set("Content-Type", kind)
	_, _ = w.Write(text) // the visitor has gone
}
