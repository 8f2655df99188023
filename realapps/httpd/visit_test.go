package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/lion-go/lion/loop"
	"github.com/lion-go/lion/loop/stream"
	"github.com/lion-go/lion/socket"
)

// inProcess runs a desk on a loop of its own, so that a test can look inside
// and put itself between. The functions may be nil.
type inProcess struct {
	addr   string
	before func()                     // runs before each request is handled
	after  func(err error)            // runs after each visit
	stats  socket.ServerStatistics    // when it has ended
	end    func()                     // stops it and waits
	handle func(*fasthttp.RequestCtx) // the site's
}

func (p *inProcess) start(t *testing.T, root string) {
	t.Helper()
	c, err := parse([]string{"-root", root}, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	s, err := newSite(c)
	if err != nil {
		t.Fatal(err)
	}
	type running struct {
		l      *loop.Loop
		server *socket.Server
	}
	ready, ended := make(chan running, 1), make(chan error, 1)
	go func() {
		ended <- loop.Run(func(task *loop.Task) error {
			ln, err := socket.ListenTCP(task.Loop(), "127.0.0.1:0")
			if err != nil {
				return err
			}
			d := newDesk(&overLion{site: s})
			p.handle, d.server.Handler = d.server.Handler, p.request
			server, err := socket.NewServer(ln, p.visit(d))
			if err != nil {
				return err
			}
			p.addr = fmt.Sprint(ln.Addr())
			ready <- running{task.Loop(), server}
			err = server.Serve(task)
			p.stats = server.Statistics()
			return err
		})
	}()
	var r running
	select {
	case r = <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	p.end = sync.OnceFunc(func() {
		if err := r.l.CallSoon(r.server.Stop); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
		s.close()
	})
	t.Cleanup(p.end)
}

func (p *inProcess) request(ctx *fasthttp.RequestCtx) {
	if p.before != nil {
		p.before()
	}
	p.handle(ctx)
}

func (p *inProcess) visit(d *desk) socket.Handler {
	return func(t *loop.Task, s stream.Stream) error {
		err := d.serve(t, s)
		if p.after != nil {
			p.after(err)
		}
		return err
	}
}

// pages is how many different answers there are, so that a lost, doubled or
// swapped one shows.
const pages = 7

func pageTree(t *testing.T) string {
	files := map[string]string{}
	for i := range pages {
		files[fmt.Sprint("p", i)] = strings.Repeat(fmt.Sprint("page ", i, " "), i*i*i+1)
	}
	return tree(t, files)
}

func page(i int) (request, body string) {
	i %= pages
	return get(fmt.Sprint("/p", i)), strings.Repeat(fmt.Sprint("page ", i, " "), i*i*i+1)
}

// exchange sends requests cut into pieces by the seed, and checks the answers.
// Between two pieces it sometimes waits for all answers that are due: then the
// connection goes idle, with a piece of the next request on its way or not.
func exchange(addr string, seed uint64, requests int) error {
	random := rand.New(rand.NewPCG(seed, 0))
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	var all []byte
	var ends []int // offsets behind the requests
	for i := range requests {
		request, _ := page(i)
		all = append(all, request...)
		ends = append(ends, len(all))
	}
	largest := []int{1, 2, 60, 300}[seed%4]
	for sent, answered := 0, 0; answered < requests; {
		if sent < len(all) {
			n := min(1+random.IntN(largest), len(all)-sent)
			if random.IntN(6) == 0 { // up to the end of a request, and no further
				n = ends[sort.SearchInts(ends, sent+1)] - sent
			}
			if _, err := conn.Write(all[sent : sent+n]); err != nil {
				return fmt.Errorf("seed %d: %w", seed, err)
			}
			sent += n
		}
		wait := random.IntN(8) == 0 || sent == len(all)
		for wait && answered < requests && ends[answered] <= sent {
			if err := checkPage(r, answered); err != nil {
				return fmt.Errorf("seed %d, request %d of %d: %w", seed, answered, requests, err)
			}
			answered++
		}
	}
	return nil
}

func checkPage(r *bufio.Reader, i int) error {
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var body strings.Builder
	if _, err := bufio.NewReader(res.Body).WriteTo(&body); err != nil {
		return err
	}
	if _, want := page(i); res.StatusCode != http.StatusOK || body.String() != want {
		return fmt.Errorf("%s %.40q", res.Status, body.String())
	}
	return nil
}

func exchangeAll(t *testing.T, addr string, connections, requests int) {
	t.Helper()
	var all sync.WaitGroup
	for seed := range connections {
		all.Go(func() {
			if err := exchange(addr, uint64(seed), requests); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// TestSplitRequests sends pipelined requests in pieces of all sizes.
func TestSplitRequests(t *testing.T) {
	root := pageTree(t)
	onBoth(t, func(t *testing.T, transport string) {
		exchangeAll(t, start(t, transport, "-root", root).addr, 16, 150)
	})
}

// TestSplitRequestsGoIdle is the same with a look inside: the connections do go
// idle all the time.
func TestSplitRequestsGoIdle(t *testing.T) {
	p := &inProcess{}
	p.start(t, pageTree(t))
	const connections, requests = 16, 150
	exchangeAll(t, p.addr, connections, requests)
	p.end()
	if p.stats.Runs < 5*connections || p.stats.Accepted != connections {
		t.Errorf("%d connections were visited %d times", p.stats.Accepted, p.stats.Runs)
	}
	t.Logf("%d requests on %d connections took %d visits", connections*requests, connections, p.stats.Runs)
}

// TestBytesInTheGap puts the next request, up to every possible byte, exactly
// where it could get lost: while the one before is handled, when the last receive
// is over already; and after fasthttp has returned, before the connection is
// idle.
func TestBytesInTheGap(t *testing.T) {
	gap := make(chan func(), 1)
	fill := func() {
		select {
		case f := <-gap:
			f()
		default:
		}
	}
	root := pageTree(t)
	t.Run("while handling", func(t *testing.T) {
		p := &inProcess{before: fill}
		p.start(t, root)
		fillGaps(t, p.addr, gap)
	})
	t.Run("before going idle", func(t *testing.T) {
		p := &inProcess{after: func(err error) {
			if err == socket.GoIdle {
				fill()
			}
		}}
		p.start(t, root)
		fillGaps(t, p.addr, gap)
	})
}

// fillGaps sends a request, the first k bytes of two more in its gap, for each
// k, and then the rest.
func fillGaps(t *testing.T, addr string, gap chan func()) {
	t.Helper()
	var more string
	for i := 1; i <= 2; i++ {
		request, _ := page(i)
		more += request
	}
	for k := range len(more) + 1 {
		if err := fillGap(addr, more[:k], more[k:], gap); err != nil {
			t.Fatalf("%d bytes in the gap: %v", k, err)
		}
	}
}

func fillGap(addr, inGap, later string, gap chan func()) error {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	filled := make(chan error, 1)
	gap <- func() {
		_, err := io.WriteString(conn, inGap)
		filled <- err
	}
	first, _ := page(0)
	if _, err := io.WriteString(conn, first); err != nil {
		return err
	}
	if err := <-filled; err != nil {
		return err
	}
	if _, err := io.WriteString(conn, later); err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	for i := range 3 {
		if err := checkPage(r, i); err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
	}
	return nil
}

// TestFasthttpVersion: the essay in visit.go rests on lines of one version.
func TestFasthttpVersion(t *testing.T) {
	text, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), "github.com/valyala/fasthttp v1.77.0\n") {
		t.Error("fasthttp has changed: read serveConnCounted again, and correct the essay in visit.go")
	}
}

// TestVisitAllocates counts what a request costs beyond the task that lion
// spawns for it.
func TestVisitAllocates(t *testing.T) {
	if underRace() {
		t.Skip("under the race detector pools forget on purpose")
	}
	p := &inProcess{}
	p.start(t, t.TempDir())
	conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	buf := make([]byte, 4096)
	request := []byte(getHello)
	allocs := testing.AllocsPerRun(2000, func() {
		if _, err := conn.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Read(buf); err != nil {
			t.Fatal(err)
		}
	})
	t.Logf("%v allocations for each request", allocs)
	const task = 1 // the loop.Task
	if allocs > task {
		t.Errorf("%v allocations for each request, not %d", allocs, task)
	}
}

func underRace() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
