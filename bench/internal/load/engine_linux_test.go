package load

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lion-go/lion/bench/internal/hello"
)

// serve answers requests with answer, each after a call of before. It ends with the test.
func serve(t *testing.T, answer string, before func()) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var conns sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	conns.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { conn.Close() })
			conns.Go(func() {
				defer conn.Close()
				buffer := hello.Buffer{Bytes: make([]byte, hello.MaxRequest)}
				for {
					n, err := conn.Read(buffer.Free())
					if err != nil {
						return
					}
					for range buffer.Take(n) {
						before()
						conn.Write([]byte(answer))
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		listener.Close()
		conns.Wait()
	})
	return listener.Addr().String()
}

func generator(t *testing.T) *Generator {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	g, err := Start(self, nil, "GOMAXPROCS=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Kill)
	return g
}

func must(t *testing.T, g *Generator, c Command) Outcome {
	t.Helper()
	outcome, err := g.Do(t.Context(), c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return outcome
}

// stall holds everybody up for 200 ms at the request number given.
func stall(at int) func() {
	var mu sync.Mutex
	seen := 0
	return func() {
		mu.Lock()
		defer mu.Unlock()
		if seen++; seen == at {
			<-time.After(200 * time.Millisecond)
		}
	}
}

// A stall of 200 ms in a run of 500 ms concerns two fifths of the requests that are due. The
// closed loop sends hundreds of requests besides the four that wait, and hides it.
func TestOpenLoopShowsAStallThatTheClosedLoopHides(t *testing.T) {
	g := generator(t)
	quantile := func(c Command) time.Duration {
		c.Target, c.Conns, c.Operation = "stalling", 4, Connect
		c.Address = serve(t, hello.Answer, stall(100))
		must(t, g, c)
		c.Operation = Run
		outcome := must(t, g, c)
		must(t, g, Command{Operation: Close, Target: c.Target})
		if outcome.Requests < 400 {
			t.Errorf("only %d requests", outcome.Requests)
		}
		histogram, err := outcome.Histogram()
		if err != nil || histogram.TotalCount() != outcome.Requests {
			t.Fatalf("histogram of %d requests: %v", outcome.Requests, err)
		}
		return time.Duration(histogram.ValueAtQuantile(97))
	}
	open := quantile(Command{Rate: 1000, Duration: 500 * time.Millisecond, Seed: 1})
	if open < 100*time.Millisecond {
		t.Errorf("open loop: p97 %v hides the stall", open)
	}
	closed := quantile(Command{Duration: 500 * time.Millisecond})
	if closed > 100*time.Millisecond {
		t.Errorf("closed loop: p97 %v; this test rests on its being short", closed)
	}
}

func TestRequestsAreCountedOnce(t *testing.T) {
	var mu sync.Mutex
	served := int64(0)
	address := serve(t, hello.Answer, func() { mu.Lock(); served++; mu.Unlock() })
	g := generator(t)
	must(t, g, Command{Operation: Connect, Target: "a", Address: address, Conns: 300})
	open := must(t, g, Command{
		Operation: Run, Target: "a", Duration: 100 * time.Millisecond, Rate: 500,
	})
	closed := must(t, g, Command{Operation: Run, Target: "a", Duration: 50 * time.Millisecond})
	mu.Lock()
	defer mu.Unlock()
	if open.Requests != 50 {
		t.Errorf("open loop: %d requests, want 50", open.Requests)
	}
	if sum := 300 + open.Requests + closed.Requests; served != sum {
		t.Errorf("the server saw %d requests, the generator counted %d", served, sum)
	}
}

func TestFailuresAreReported(t *testing.T) {
	g := generator(t)
	wrong := serve(t, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", func() {})
	for want, c := range map[string]Command{
		"500 No":         {Target: "a", Address: wrong, Conns: 1},
		"refused":        {Target: "b", Address: "127.0.0.1:1", Conns: 1},
		"not an ip:port": {Target: "c", Address: "nowhere", Conns: 1},
	} {
		c.Operation = Connect
		if _, err := g.Do(t.Context(), c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %q", err, want)
		}
	}
	// It goes on after failures.
	right := serve(t, hello.Answer, func() {})
	must(t, g, Command{Operation: Connect, Target: "d", Address: right, Conns: 1})
}

func TestServerThatCloses(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			conn.Close()
		}
	}()
	_, err = generator(t).Do(t.Context(), Command{
		Operation: Connect, Target: "a", Address: listener.Addr().String(), Conns: 1,
	})
	if err == nil {
		t.Error("a connection that the server closed should be an error")
	}
}

func TestKilledGenerator(t *testing.T) {
	g := generator(t)
	g.Kill()
	if _, err := g.Do(t.Context(), Command{Operation: Close, Target: "a"}); err == nil {
		t.Error("a generator that is gone should be an error")
	}
}
