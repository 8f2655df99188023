package inspect_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/inspect"
	"github.com/lion-go/lion/loop/looptest"
)

// ask asks the page for one path.
func ask(p *inspect.Page, method, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	p.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w
}

func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("no %q in %q", part, text)
		}
	}
}

func waiter(t *loop.Task) error { return loop.Sleep(t, time.Hour) }

// withWaiter runs fn as a task beside one that waits.
func withWaiter(t *testing.T, fn func(*loop.Task), opts ...loop.Option) {
	t.Helper()
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			n.Spawn(waiter, loop.WithTaskName("<b>waiter</b>"))
			looptest.WaitAllTasksBlocked(task, t)
			fn(task)
			return n.Cancel("enough")
		})
	}, opts...)
}

// S440: the page's JSON holds the tasks of the loops that run.
func TestS440_ThePageKnowsTheTasks(t *testing.T) {
	page := inspect.NewPage()
	withWaiter(t, func(*loop.Task) {
		for _, path := range []string{"/tasks.json", "/stacks.json"} {
			w := ask(page, "GET", path)
			var s inspect.State
			if err := json.Unmarshal(w.Body.Bytes(), &s); err != nil {
				t.Fatal(err)
			}
			if len(s.Loops) != 1 || len(s.Loops[0].Tasks) != 2 || s.Loops[0].Tasks[1].Name != "<b>waiter</b>" {
				t.Fatalf("%s: got %s", path, w.Body)
			}
			if stack := s.Loops[0].Tasks[1].Stack; (stack != "") != (path == "/stacks.json") {
				t.Errorf("%s: the stack is %q", path, stack)
			}
		}
		wantText(t, ask(page, "GET", "/dump").Body.String(), "<b>waiter</b>", "inspect_test.waiter", "sleeping")
	}, page.Watch)
	if n := len(page.Loops()); n != 0 {
		t.Errorf("%d loops after the end", n)
	}
}

// The page needs nothing from elsewhere, and a browser is told so.
func TestThePageIsSelfContained(t *testing.T) {
	page := inspect.NewPage()
	for path, kind := range map[string]string{"/": "text/html", "/page.css": "text/css", "/page.js": "text/javascript"} {
		w := ask(page, "GET", path)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), kind) {
			t.Errorf("%s: %d %v", path, w.Code, w.Header())
		}
		text := strings.ReplaceAll(w.Body.String(), "http://www.w3.org/2000/svg", "")
		for _, bad := range []string{"http:", "https:", "//cdn", "innerHTML", "eval(", "<script>", "style="} {
			if strings.Contains(text, bad) {
				t.Errorf("%s contains %q", path, bad)
			}
		}
		wantText(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'", "frame-ancestors 'none'")
	}
	if w := ask(page, "GET", "/other"); w.Code != http.StatusNotFound {
		t.Errorf("another path: %d", w.Code)
	}
	if w := ask(page, "POST", "/"); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") == "" {
		t.Errorf("another method: %d", w.Code)
	}
}

// Many visitors share one picture.
func TestPicturesAreShared(t *testing.T) {
	page := inspect.NewPage()
	withWaiter(t, func(*loop.Task) {
		if a, b := ask(page, "GET", "/stacks.json"), ask(page, "GET", "/stacks.json"); a.Body.String() != b.Body.String() {
			t.Error("two pictures within a moment")
		}
	}, page.Watch)
}

// S440: a loop that is held is described from outside, within the patience.
func TestS440_ThePageOfALoopThatIsHeld(t *testing.T) {
	page := inspect.NewPage()
	var text string
	looptest.Run(t, func(*loop.Task) error {
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			text = ask(page, "GET", "/tasks.json").Body.String()
		}()
		<-answered // what no task should do
		return nil
	}, page.Watch)
	wantText(t, text, `"held":{`, "chan receive", "use loop/queue")
}

// A loop with more tasks than the page lists says how many more.
func TestThePageListsSoManyTasks(t *testing.T) {
	page := inspect.NewPage()
	looptest.Run(t, func(task *loop.Task) error {
		return loop.Nurse(task, func(n *loop.Nursery) error {
			for range inspect.PageTasksMax + 9 {
				n.Spawn(waiter)
			}
			s := page.State(loop.Look{NoStacks: true}).Loops[0]
			if len(s.Tasks) != inspect.PageTasksMax || s.Omitted != 10 {
				t.Errorf("%d tasks, and %d more", len(s.Tasks), s.Omitted)
			}
			return n.Cancel("enough")
		})
	}, page.Watch)
}

func ExamplePage() {
	page := inspect.NewPage()
	// In a program: go http.ListenAndServe("127.0.0.1:6060", page)
	err := loop.Run(func(t *loop.Task) error {
		s := page.State(loop.Look{NoStacks: true})
		fmt.Println(len(s.Loops), "loop,", len(s.Loops[0].Tasks), "task:", s.Loops[0].Tasks[0].State)
		return nil
	}, page.Watch)
	fmt.Println(err)
	// Output:
	// 1 loop, 1 task: running
	// <nil>
}
