package main

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/lion-go/lion/bench/internal/hello"
	"github.com/lion-go/lion/bench/internal/hello/hellotest"
	"github.com/lion-go/lion/bench/internal/host"
)

// asServer makes the test binary the server itself.
const asServer = "RAWSERVER_TEST_AS_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(asServer) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, flags ...string) (*host.Child, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child, err := host.Start(host.Spec{Path: self, Args: flags, Env: []string{asServer + "=1"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(child.Kill)
	address, err := child.Address(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return child, address
}

func get(t *testing.T, url string) string {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestServers(t *testing.T) {
	for _, impl := range []string{"net", "lion"} {
		t.Run(impl, func(t *testing.T) {
			child, address := start(t, "-impl", impl, "-debug-free", "-beside", "-work", "1us")
			hellotest.Pipelined(t, address)
			if body := get(t, "http://"+address+"/hello"); body != hello.Body {
				t.Errorf("/hello answers %q", body)
			}
			resident, err := strconv.Atoi(get(t, "http://"+address+"/debug/free"))
			if err == nil && resident < 1<<20 {
				t.Errorf("the server is %d bytes small", resident)
			}
			if body := get(t, "http://"+address+"/debug/beside"); !strings.Contains(body, "p99") {
				t.Errorf("/debug/beside answers %q", body)
			}
			interrupt(t, child)
		})
	}
}

// interrupt asks a server to end and expects it to do so in good order.
func interrupt(t *testing.T, child *host.Child) {
	t.Helper()
	process, err := os.FindProcess(child.PID())
	if err != nil {
		t.Fatal(err)
	}
	if err := process.Signal(os.Interrupt); err != nil {
		t.Skipf("no interrupts between processes here: %v", err)
	}
	<-child.Exited()
	if err := child.Failure(); err != nil {
		t.Errorf("the server ended with %v: %s", err, child.Said())
	}
}

func TestAnswersAllocateNothing(t *testing.T) {
	d := newDesk(settings{})
	buffer := d.newBuffer()
	sent := 0
	allocations := testing.AllocsPerRun(100, func() {
		n := copy(buffer.Free(), hello.Request)
		for answer := range d.answers(&buffer, n) {
			sent += len(answer)
		}
	})
	if allocations != 0 || sent != 101*len(hello.Answer) {
		t.Errorf("%v allocations per request, %d bytes sent", allocations, sent)
	}
}
